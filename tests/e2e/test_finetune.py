"""A fine-tuning from the window by keyboard alone: it is stopped, goes on, and ends in an adapter."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.page_list import PAGES
from ui.pages.finetune import SETTINGS, TRAINING, FinetunePage
from ui.theme import Theme
from ui.window import MainWindow
from workbench.home import Home
from workbench.session import Session

_CTRL, _ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
_SHIFT = Qt.KeyboardModifier.ShiftModifier
_PATIENCE_MS = 120_000


@pytest.fixture
def window(home: Home, tiny_hf: Path, qapp: QApplication, qtbot: QtBot) -> Iterator[MainWindow]:
    """The whole window over a home with the tiny model, following its jobs as it does for a person."""
    theme = Theme("dark")
    theme.apply(qapp)
    with Session.open(home, supervise=True) as session:
        session.library.add(tiny_hf)
        made = MainWindow(AppContext(session, theme))
        made.open_page("models")
        with qtbot.waitExposed(made):
            made.show()
        made.start()
        made.activateWindow()
        qtbot.waitUntil(made.isActiveWindow)
        yield made
        made.pulse.stop()
        made.context.closing.emit()
        made.hide()
        made.deleteLater()
    qapp.setStyleSheet("")


def test_a_run_is_started_stopped_resumed_and_ends_in_an_adapter_by_keyboard_alone(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    session = window.context.session
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "\n".join(json.dumps({"prompt": f"Desk {n}?", "completion": f"K-{n % 4}"}) for n in range(120))
    )
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_args: ([str(rows)], ""))

    place = next(place for place, entry in enumerate(PAGES, 1) if entry.name == "finetune")
    qtbot.keyClick(window, Qt.Key(Qt.Key.Key_0 + place), _CTRL)
    page = window.pages["finetune"]
    assert isinstance(page, FinetunePage)
    qtbot.waitUntil(lambda: page.entry is not None, timeout=_PATIENCE_MS)

    # The data: as the model sees it.
    qtbot.keyClick(page, Qt.Key.Key_O, _CTRL)
    qtbot.waitUntil(lambda: page.data.answer is not None, timeout=_PATIENCE_MS)
    assert page.data.answer is not None
    assert page.data.answer.rows == 120
    assert "Desk 0?" in page.data.preview.view.toPlainText()

    # The settings: so many updates that there is time to stop, and no proof, which has tests of its own.
    qtbot.keyClick(page, Qt.Key.Key_2, _ALT)
    assert page.steps.current == SETTINGS
    assert page.settings.form is not None
    epochs = page.settings.form.field("epochs").input
    _tab_to(epochs, page, qtbot)
    qtbot.keyClick(epochs, Qt.Key.Key_A, _CTRL)
    qtbot.keyClicks(epochs, "8")
    proof = page.settings.form.field("proof").input
    _tab_to(proof, page, qtbot)
    qtbot.keyClick(proof, Qt.Key.Key_Space)
    assert (page.settings.values()["epochs"], page.settings.values()["proof"]) == (8, False)

    # The run: the loss is there while it works.
    qtbot.keyClick(page, Qt.Key.Key_Return, _CTRL)
    assert page.steps.current == TRAINING
    job = session.board.list()[0]
    qtbot.waitUntil(lambda: len(_losses(page)) >= 3, timeout=_PATIENCE_MS)
    assert session.board.get(job.id).state == "running"

    qtbot.keyClick(page, Qt.Key.Key_S, _CTRL | _SHIFT)
    _until(lambda: session.board.get(job.id).state == "paused", qtbot)
    done_before = len(_losses(page))
    assert page.training.head.buttons["resume"].isVisible()

    qtbot.keyClick(page, Qt.Key.Key_R, _CTRL)
    _until(lambda: session.board.get(job.id).state == "done", qtbot)
    qtbot.waitUntil(page.training.result.isVisible, timeout=_PATIENCE_MS)

    # The end: every step once, a loss that fell, and an adapter below its base.
    trace = page.training.trace
    assert trace is not None
    steps, _ = trace.by_step("loss/train")
    evaluated, held_out = trace.by_step("loss/held-out")
    assert steps.tolist() == list(range(1, int(evaluated[-1]) + 1))
    assert done_before < len(steps)
    assert held_out[-1] < held_out[0]
    assert trace.samples()
    made = session.library.get(session.board.get(job.id).result_model_id or "")
    assert (made.format, made.parent_id) == ("adapter", job.model_id)
    assert "better" in page.training.result.held_out.verdict.text()


def _losses(page: FinetunePage) -> list[float]:
    trace = page.training.trace
    return trace.by_step("loss/train")[1].tolist() if trace is not None else []


def _tab_to(target: QWidget, page: FinetunePage, qtbot: QtBot) -> None:
    """Press Tab until a control has the focus; it must not take more presses than there are controls."""
    for _ in range(200):
        focus = QApplication.focusWidget()
        if focus is target or (focus is not None and target.isAncestorOf(focus)):
            return
        qtbot.keyClick(focus or page, Qt.Key.Key_Tab)
    raise AssertionError(f"{target.accessibleName()} is not reached by Tab")


def _until(condition: Callable[[], bool], qtbot: QtBot) -> None:
    qtbot.waitUntil(condition, timeout=_PATIENCE_MS)
