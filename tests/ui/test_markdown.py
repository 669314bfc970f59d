"""Markdown as the window shows it: coloured code, no raw HTML."""

from __future__ import annotations

import pytest

from ui.markdown import MarkdownView
from ui.tokens import DARK, LIGHT


def test_code_is_coloured_and_can_be_copied() -> None:
    view = MarkdownView(DARK)

    found = view.html("Look:\n\n```python\ndef f(): return 1\n```\n\nand\n\n```\nplain <b>\n```")

    assert view.blocks == ["def f(): return 1\n", "plain <b>\n"]
    assert 'href="copy:0"' in found
    assert 'href="copy:1"' in found
    assert "<span" in found
    assert "plain &lt;b&gt;" in found


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src='http://x/y.png'>",
        "![tracker](http://evil.example/p.png)",
        "[click](javascript:alert(1))",
        "a `<b>` c",
    ],
)
def test_what_a_model_writes_is_text(hostile: str) -> None:
    found = MarkdownView(LIGHT).html(hostile)

    assert "<script" not in found
    assert "<img" not in found
    assert 'href="javascript' not in found
    assert "<b>" not in found


def test_half_written_markdown_shows_what_is_there() -> None:
    whole = "# Title\n\n- one\n- **two**\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```py\nx = 1\n```\n"
    for end in range(len(whole)):
        assert isinstance(MarkdownView(DARK).html(whole[:end]), str)
    assert "<table" in MarkdownView(DARK).html(whole)
