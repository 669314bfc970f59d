"""The documentation of what a plugin offers, rendered from Markdown in the theme's colours."""

from __future__ import annotations

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QWidget

from ui.markdown import MarkdownView
from ui.panels.chat.message import MessageText
from ui.theme import Theme


class Documentation(MessageText):
    """As high as its text. Code can be copied; links to the web are opened in the browser."""

    def __init__(self, theme: Theme, title: str, text: str, parent: QWidget | None = None) -> None:
        super().__init__()
        if parent is not None:
            self.setParent(parent)
        self._theme = theme
        self._text = text
        self.setAccessibleName(f"Documentation of {title}")
        self.anchorClicked.connect(self._follow)
        theme.changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        self._markdown = MarkdownView(self._theme.tokens)
        body = self._markdown.html(self._text)
        self.setHtml(f'<div style="color:{self._theme.tokens.second}">{body}</div>')
        self.fit()

    def _follow(self, link: QUrl) -> None:
        if link.scheme() == "copy":
            QGuiApplication.clipboard().setText(self._markdown.blocks[int(link.path())])
        elif link.scheme() in ("https", "http"):
            QDesktopServices.openUrl(link)
