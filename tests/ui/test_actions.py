"""Actions of a page: their keys, their order, and what they call."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from ui.actions import add_action


def test_actions_stand_in_their_order_and_each_key_of_one_calls_it(qtbot: QtBot) -> None:
    called: list[str] = []
    page = QWidget()
    qtbot.addWidget(page)
    add_action(page, "Start", "Ctrl+Return; Ctrl+Enter", lambda: called.append("start"))
    add_action(page, "Reset", "", lambda: called.append("reset"))
    page.show()
    page.activateWindow()
    page.setFocus()
    qtbot.waitUntil(page.hasFocus)

    qtbot.keyClick(page, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(page, Qt.Key.Key_Enter, Qt.KeyboardModifier.ControlModifier)
    page.actions()[1].trigger()

    assert [action.text() for action in page.actions()] == ["Start", "Reset"]
    assert page.actions()[0].shortcut() == QKeySequence("Ctrl+Return")
    assert page.actions()[1].shortcuts() == []
    assert called == ["start", "start", "reset"]
