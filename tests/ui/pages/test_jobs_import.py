"""Results that a script made elsewhere, taken in on the Jobs page by the process that does it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from tests.workbench.export.conftest import folder_from_elsewhere, zipped
from ui.context import AppContext
from ui.pages.jobs import JobsPage
from ui.widgets.job_import import dropped_result

_SPEC = {
    "operation": "count-things",
    "plugin": "file:counting.py",
    "title": "Count things",
    "output_name": "x",
}
_BEFORE = (
    {"kind": "spec", "t": 0.5, "spec": _SPEC},
    {"kind": "machine", "t": 0.6, "name": "node-7", "cores": 16, "gpus": ["NVIDIA H100"]},
)


@pytest.fixture
def page(context: AppContext, qtbot: QtBot) -> JobsPage:
    made = JobsPage(context)
    qtbot.addWidget(made)
    made.resize(1100, 700)
    made.show()
    return made


def test_dropped_zip_becomes_the_chosen_job_and_says_where_it_was_made(
    page: JobsPage, tmp_path: Path, qtbot: QtBot
) -> None:
    source = zipped(folder_from_elsewhere(tmp_path / "away", before=_BEFORE), tmp_path / "away.zip")

    with qtbot.waitSignal(page.importing.imported, timeout=60_000) as came:
        _drop(page, source)
        assert page.importing.isVisible()

    job = page.detail.job
    assert job is not None and job.id == came.args[0] == page.listing.current_id()
    assert job.title == "Count things (made elsewhere)"
    assert page.detail._came.text() == "Made on node-7: 16 cores, NVIDIA H100"
    assert not page.importing.isVisible()
    page.detail.open_tab("Log")
    assert "It worked." in page.detail._log.text.toPlainText()


def test_what_is_no_job_is_said_in_a_bar_that_goes_away(
    page: JobsPage, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pictures").mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_words: str(tmp_path / "pictures"))

    with qtbot.waitSignal(page.importing._process.failed, timeout=60_000):
        page.import_menu.actions()[0].trigger()

    assert page.importing.isVisible()
    assert "pictures is not the folder of a job" in page.importing._problem.accessibleName()
    qtbot.keyClick(_button(page, "Dismiss this message"), Qt.Key.Key_Space)
    assert not page.importing.isVisible()


def test_cancelled_import_leaves_nothing(page: JobsPage, context: AppContext, tmp_path: Path) -> None:
    page.importing.begin(folder_from_elsewhere(tmp_path / "away", before=_BEFORE))

    _button(page, "Cancel the import").click()

    assert not page.importing.is_busy
    assert list(context.session.home.jobs.iterdir()) == []


@pytest.mark.parametrize("name", ["model.gguf", "nowhere"])
def test_only_a_folder_or_a_zip_can_be_dropped(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.gguf").touch()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / name))])

    assert dropped_result(data) is None


def _drop(page: JobsPage, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    left = Qt.MouseButton.LeftButton
    event = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, left, Qt.KeyboardModifier.NoModifier)
    page.dropEvent(event)


def _button(page: JobsPage, name: str) -> QPushButton:
    return next(each for each in page.findChildren(QPushButton) if each.accessibleName() == name)
