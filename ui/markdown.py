"""Turns Markdown into the HTML that Qt's text shows: code in colours, no raw HTML, nothing fetched."""

from __future__ import annotations

import html
from functools import cache
from typing import Any

from ui.tokens import Tokens

#: Longer blocks are shown without colours, so that a streaming answer stays fluent.
_MOST_COLOURED = 20_000


class MarkdownView:
    """Renders one message; keeps the code blocks, so that each can be copied.

    Args:
        tokens: The theme's colours.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        #: The code blocks of the last text, in order.
        self.blocks: list[str] = []

    def html(self, text: str) -> str:
        """The message as HTML. Links keep their address; pictures become their description."""
        self.blocks = []
        parser = _parser()
        parts: list[str] = []
        tokens = parser.parse(text)
        for place, token in enumerate(tokens):
            if token.type in ("fence", "code_block"):
                parts.append(
                    self._code(token.content, token.info.strip().split(" ")[0] if token.info else "")
                )
            elif token.type == "inline":
                parts.append(self._inline(parser, token))
            else:
                parts.append(self._plain(parser, tokens, place))
        return "".join(parts)

    def _plain(self, parser: Any, tokens: Any, place: int) -> str:
        token = tokens[place]
        if token.type == "table_open":
            line = self._tokens.line
            return f'<table cellspacing="0" cellpadding="5" border="1" style="border-color:{line}">'
        rendered: str = parser.renderer.renderToken(tokens, place, parser.options, {})
        if token.type == "hr":
            return "<hr/>"
        return rendered

    def _inline(self, parser: Any, token: Any) -> str:
        for child in token.children or []:
            if child.type == "image":
                child.type, child.content = "text", child.content or "picture"
            elif child.type == "code_inline":
                child.type = "html_inline"
                style = f"background-color:{self._tokens.raised};font-family:monospace"
                child.content = f'<span style="{style}">&nbsp;{html.escape(child.content)}&nbsp;</span>'
        rendered: str = parser.renderer.renderInline(token.children or [], parser.options, {})
        return rendered

    def _code(self, code: str, language: str) -> str:
        number = len(self.blocks)
        self.blocks.append(code)
        body = _coloured(code.rstrip("\n"), language, dark=self._tokens.is_dark)
        head = html.escape(language) or "code"
        link = f'<a href="copy:{number}" style="color:{self._tokens.accent};text-decoration:none">Copy</a>'
        # A table of one cell is what Qt's HTML offers for a box with a ground of its own.
        return (
            f'<table width="100%" cellspacing="0" cellpadding="8" bgcolor="{self._tokens.raised}"'
            ' style="margin-top:6px;margin-bottom:6px"><tr><td>'
            f'<p style="margin:0"><span style="color:{self._tokens.second};font-size:11px">{head}'
            f" &nbsp;·&nbsp; </span>{link}</p>"
            f'<pre style="margin:0;font-family:monospace;white-space:pre-wrap">{body}</pre></td></tr></table>'
        )


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    # Raw HTML off: what a model writes is text, never markup of the window.
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])


def _coloured(code: str, language: str, *, dark: bool) -> str:
    if not language or len(code) > _MOST_COLOURED:
        return html.escape(code)
    from pygments import highlight
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return html.escape(code)
    coloured: str = highlight(code, lexer, _formatter(dark=dark))
    return coloured.rstrip("\n")


@cache
def _formatter(*, dark: bool) -> Any:
    from pygments.formatters import HtmlFormatter

    return HtmlFormatter(style="github-dark" if dark else "default", noclasses=True, nowrap=True)
