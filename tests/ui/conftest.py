"""Fixtures of the window's tests, and a check that no test leaves anything of Qt at work behind."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

# Before Qt is loaded: no test needs a screen.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from PySide6.QtCore import QAbstractAnimation, QCoreApplication, QEvent, QObject, QThread, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from ui.context import AppContext
from ui.theme import Theme
from ui.window import MainWindow
from workbench.home import Home
from workbench.session import Session


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    """Dark, and put on the application, as in the real window."""
    made = Theme("dark")
    made.apply(qapp)
    yield made
    made.deleteLater()
    qapp.setStyleSheet("")


@pytest.fixture
def context(home: Home, theme: Theme) -> Iterator[AppContext]:
    """A real session that supervises its home."""
    with Session.open(home, supervise=True) as session:
        yield AppContext(session, theme)


@pytest.fixture
def window(context: AppContext, qtbot: QtBot) -> Iterator[MainWindow]:
    """The window on its first page, shown, with nothing polled: a test polls when it likes."""
    made = MainWindow(context)
    made.open_page("jobs")
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    yield made
    made.pulse.stop()
    made.hide()
    made.deleteLater()


@pytest.fixture(autouse=True)
def _nothing_of_qt_is_left_at_work(qapp: QApplication) -> Iterator[None]:
    """Fails a test that leaves a running thread, timer or animation behind."""
    gc.collect()
    # What is there already need not be looked through: beside PyTorch that takes a second in each test.
    gc.freeze()
    yield
    _delete_what_is_due()
    left = _at_work()
    if left:
        gc.collect()
        _delete_what_is_due()
        left = _at_work()
    assert not left, "left at work: " + ", ".join(_named(each) for each in left)


def _delete_what_is_due() -> None:
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QCoreApplication.processEvents()


def _at_work() -> list[QObject]:
    """What is at work of all that was made since the last freeze."""
    found: list[QObject] = []
    for each in gc.get_objects():
        if not isinstance(each, QThread | QTimer | QAbstractAnimation) or not isValid(each):
            continue
        if isinstance(each, QThread):
            running = each.isRunning() and each is not QThread.currentThread()
        elif isinstance(each, QTimer):
            running = each.isActive()
        else:
            running = each.state() is QAbstractAnimation.State.Running
        if running:
            found.append(each)
    return found


def _named(each: QObject) -> str:
    parent = each.parent()
    return f"{type(each).__name__} of {type(parent).__name__ if parent is not None else 'nobody'}"
