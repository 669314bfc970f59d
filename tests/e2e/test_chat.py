"""A person talks to the sample model in the real window, with the keyboard alone."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.pages.chat import ChatPage
from ui.theme import Theme
from ui.window import MainWindow
from workbench.home import Home
from workbench.session import Session

WAIT_MS = 90_000


def press(widget: QWidget, keys: str) -> None:
    QTest.keySequence(widget, QKeySequence(keys))


def focused() -> QWidget:
    found = QApplication.focusWidget()
    assert found is not None
    return found


@pytest.mark.timeout(300)
def test_a_conversation_with_the_keyboard_alone(
    home: Home, sample_gguf: Path, qapp: QApplication, qtbot: QtBot
) -> None:
    with Session.open(home, supervise=False) as session:
        record = session.library.add(sample_gguf).record
        window = MainWindow(AppContext(session, Theme()))
        qtbot.addWidget(window)
        with qtbot.waitActive(window):
            window.show()
            window.activateWindow()
        page = window.open_page("chat", record.id)
        assert isinstance(page, ChatPage)
        page.settings.form.choose("Greedy")
        page.settings.form.longest.setValue(24)

        press(window, "Ctrl+M")
        assert focused() is page.composer.editor
        QTest.keyClicks(focused(), "Name the colours of the rainbow.")
        QTest.keyClick(focused(), Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: len(page.transcript.views) == 2 and page.rests, timeout=WAIT_MS)
        first = page.transcript.views[1]
        said = first.text
        assert "rainbow" in said
        assert "tokens/s" in first.figures_text

        QTest.keyClicks(focused(), "Thank you.")
        QTest.keyClick(focused(), Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: len(page.transcript.views) == 4 and page.rests, timeout=WAIT_MS)
        # The second turn begins with all of the first: nearly all of it is not computed again.
        assert "prompt tokens reused" in page.transcript.views[3].figures_text

        press(window, "Ctrl+N")
        assert page.transcript.views == ()
        press(window, "Ctrl+F")
        QTest.keyClicks(focused(), "rainbow")
        qtbot.waitUntil(lambda: page.history.list.count() == 1)
        page.history.refresh()
        QTest.keyClick(focused(), Qt.Key.Key_Tab)
        assert focused() is page.history.list
        QTest.keyClick(focused(), Qt.Key.Key_Down)
        assert page.transcript.views[1].text == said

        engine = psutil.Process(page.engine.process_id)
        window.close()
        assert not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE
