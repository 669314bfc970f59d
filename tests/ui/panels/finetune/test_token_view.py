"""The tokens that a model is shown, on their grounds."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QTextCursor
from pytestqt.qtbot import QtBot

from ui.panels.finetune.token_view import TokenView, told
from ui.theme import Theme
from workbench.data.preview import PreviewToken

_TOKENS = (
    PreviewToken(1, "<|user|>", False, False),
    PreviewToken(2, "\n", False, False),
    PreviewToken(3, "🦊", True, False),
    PreviewToken(4, " runs", True, False),
    PreviewToken(5, " off", True, True),
)


def _shown(theme: Theme, qtbot: QtBot) -> TokenView:
    view = TokenView(theme)
    qtbot.addWidget(view)
    view.resize(400, 200)
    view.show_tokens(_TOKENS)
    view.show()
    return view


def _place(view: TokenView, text: str) -> QPoint:
    """The middle of a text in the view."""
    found = view.document().find(text)
    cursor = QTextCursor(view.document())
    cursor.setPosition(found.selectionStart() + len(text) // 2)
    return view.cursorRect(cursor).center()


def test_every_token_is_found_under_the_mouse(theme: Theme, qtbot: QtBot) -> None:
    view = _shown(theme, qtbot)

    assert view.toPlainText() == "<|user|>↵\n🦊 runs off"
    assert [view.token_at(_place(view, text)) for text in ("|user|", "runs", "off")] == [0, 3, 4]


def test_what_is_learned_seen_and_cut_differs_in_more_than_colour(theme: Theme, qtbot: QtBot) -> None:
    view = _shown(theme, qtbot)

    def look(text: str) -> tuple[bool, bool, QColor]:
        look = view.document().find(text).charFormat()
        return look.fontWeight() > 400, look.fontStrikeOut(), look.background().color()

    assert look("user")[:2] == (False, False)
    assert look("runs")[:2] == (True, False)
    assert look("off")[:2] == (False, True)
    assert look("🦊")[2] != look("runs")[2]
    assert view.accessibleDescription() == "5 tokens, 2 learned, 1 cut off"


def test_a_token_tells_its_id_and_what_it_is() -> None:
    assert told(3, _TOKENS[3]) == "Token 4 · id 4 · learned\n' runs'"
    assert "cut off" in told(4, _TOKENS[4])


def test_other_colours_are_drawn_when_the_theme_changes(theme: Theme, qtbot: QtBot) -> None:
    view = _shown(theme, qtbot)
    before = view.document().find("runs").charFormat().background().color()

    theme.set_mode("light")

    assert view.document().find("runs").charFormat().background().color() != before


def test_the_arrow_keys_tell_the_tokens_one_by_one(theme: Theme, qtbot: QtBot) -> None:
    view = _shown(theme, qtbot)
    told_of: list[str] = []
    view.pointed.connect(told_of.append)
    view.activateWindow()
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)

    qtbot.keyClick(view, Qt.Key.Key_Down)
    qtbot.keyClick(view, Qt.Key.Key_Home)
    for _ in range(2):
        qtbot.keyClick(view, Qt.Key.Key_Right)

    assert told_of[-1] == "Token 4 · id 4 · learned · ' runs'"
