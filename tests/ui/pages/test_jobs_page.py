"""The Jobs page, over a real board, a real runner and a real quantization."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.models.job_list import JobFilter
from ui.pages.jobs import JobsPage
from workbench.jobs.build import make_spec
from workbench.jobs.records import JobRecord


@pytest.fixture
def page(context: AppContext, qtbot: QtBot) -> JobsPage:
    made = JobsPage(context)
    qtbot.addWidget(made)
    made.resize(1100, 700)
    made.show()
    return made


def test_without_jobs_the_page_says_what_to_do_next(
    page: JobsPage, context: AppContext, qtbot: QtBot
) -> None:
    button = next(each for each in page.findChildren(QPushButton) if each.text() == "Choose an operation")

    with qtbot.waitSignal(context.open_page) as asked:
        button.click()

    assert button.isVisible()
    assert asked.args == ["optimize", None]


def test_waiting_jobs_are_moved_by_keyboard_and_the_board_knows(
    page: JobsPage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    first, second, third = (_submit(context, tiny_gguf, kind) for kind in ("Q8_0", "Q4_0", "Q5_0"))
    page.refresh()
    page.open(third.id)

    for _ in range(2):
        qtbot.keyClick(page.listing.view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)

    assert _waiting(context) == [third.id, first.id, second.id]
    assert page.listing.current_id() == third.id
    qtbot.keyClick(page.listing.view, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert _waiting(context) == [first.id, third.id, second.id]


def test_a_waiting_job_is_cancelled_and_then_removed(
    page: JobsPage, context: AppContext, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _submit(context, tiny_gguf, "Q8_0")
    page.refresh()
    page.open(job.id)
    monkeypatch.setattr(page, "_agreed", lambda _job: True)

    page.detail._buttons["cancel"].click()
    assert context.session.board.get(job.id).state == "cancelled"
    assert page.model.find(job.id).state == "cancelled"  # type: ignore[union-attr]
    page._do("remove", job.id)

    assert context.session.board.list() == []
    assert not page.detail.isVisible()
    assert not job.folder.exists()


def test_removing_asks_first_and_keeping_is_the_default(
    page: JobsPage, context: AppContext, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _submit(context, tiny_gguf, "Q8_0")
    context.session.board.cancel(job.id)
    page.refresh()
    asked: list[str] = []

    def keep(box: QMessageBox) -> int:
        asked.append(box.text())
        box.defaultButton().click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", keep)
    page._do("remove", job.id)

    assert len(asked) == 1
    assert job.title in asked[0]
    assert context.session.board.get(job.id).id == job.id


@pytest.mark.real_model
def test_a_real_quantization_is_followed_to_its_result(
    page: JobsPage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    job = _submit(context, tiny_gguf, "Q8_0")
    page.refresh()
    page.open(job.id)
    assert "pyqtgraph" in sys.modules

    _work(context, qtbot, job.id)

    assert page.model.find(job.id).state == "done"  # type: ignore[union-attr]
    assert page.detail._result.isVisible()
    assert "sha256" in page.detail._result_facts.text()
    assert page.detail._tiles["progress"]._figure.text() == "100\u202f%"
    qtbot.waitUntil(lambda: len(page.detail._plots.series("memory")) > 0, timeout=10_000)  # type: ignore[union-attr]
    names = [
        page.detail.history.table.item(row, 1).text() for row in range(page.detail.history.table.rowCount())
    ]
    assert names[0] == "created"
    assert "published" in names
    assert names[-1] == "done"


@pytest.mark.real_model
def test_the_chosen_job_is_exported_as_the_script_that_ran(
    page: JobsPage, context: AppContext, tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _submit(context, tiny_gguf, "Q8_0")
    page.refresh()
    page.open(job.id)
    chosen = tmp_path / "quantize.py"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(chosen), ""))

    page._export.click()

    assert chosen.read_text() == (job.folder / "job.py").read_text()


@pytest.mark.parametrize(
    ("name", "ending", "begins"),
    [
        ("export-bundle", ".zip", b"PK"),
        ("export-slurm", ".sbatch", b"#!/bin/bash"),
        ("export-notebook", ".ipynb", b"{"),
    ],
)
def test_the_menu_exports_the_job_in_its_other_forms(
    page: JobsPage,
    context: AppContext,
    tiny_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    ending: str,
    begins: bytes,
) -> None:
    job = _submit(context, tiny_gguf, "Q8_0")
    page.refresh()
    page.open(job.id)
    asked: list[str] = []

    def choose(_parent: object, _title: str, start: str, _filter: str) -> tuple[str, str]:
        asked.append(start)
        return str(tmp_path / start), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)

    page.detail._actions[name].trigger()

    assert asked == [f"gguf-quantize{ending}"]
    assert (tmp_path / asked[0]).read_bytes().startswith(begins)


def test_a_failed_job_says_what_happened_and_what_can_be_done(
    page: JobsPage, context: AppContext, tiny_gguf: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    copied = tmp_path / "gone.gguf"
    copied.write_bytes(tiny_gguf.read_bytes())
    job = _submit(context, copied, "Q8_0")
    copied.unlink()
    page.refresh()
    page.open(job.id)

    _work(context, qtbot, job.id)

    assert page.model.find(job.id).state == "failed"  # type: ignore[union-attr]
    assert page.detail._error.isVisible()
    page.listing.buttons[JobFilter.DONE].click()
    assert page.model.rowCount() == 0
    page.listing.buttons[JobFilter.ATTENTION].click()
    assert page.model.rowCount() == 1


def test_a_list_of_ten_thousand_jobs_scrolls_to_the_one_asked_for(page: JobsPage, qtbot: QtBot) -> None:
    from dataclasses import replace

    base = _record()
    page._stale = False
    page.model.set_jobs(replace(base, id=f"job-{number}", ended_at=float(number)) for number in range(10_000))

    assert page.listing.choose("job-0")
    assert page.listing.view.currentIndex().row() == 9_999


def _submit(context: AppContext, path: Path, kind: str) -> JobRecord:
    library = context.session.library
    model = library.add(path).record
    entry = context.session.catalogue.operation("gguf-quantize")
    spec = make_spec(
        entry, model, library.facts(model.id), {"type": kind}, input=library.to_spec_input(model.id)
    )
    return context.session.board.submit(spec)


def _work(context: AppContext, qtbot: QtBot, job_id: str) -> None:
    """Let the runner work until a job rests, as the window's timer does."""

    def rested() -> bool:
        updates = context.session.runner.poll()
        if updates:
            context.jobs_changed.emit(updates)
        return context.session.board.get(job_id).state in ("done", "failed", "cancelled", "interrupted")

    qtbot.waitUntil(rested, timeout=120_000)


def _waiting(context: AppContext) -> list[str]:
    waiting = context.session.board.list(states=("queued",))
    return [job.id for job in sorted(waiting, key=lambda job: job.position)]


def _record() -> JobRecord:
    empty = dict.fromkeys(JobRecord.__dataclass_fields__, "")
    numbers = {"position": 0.0, "created_at": 0.0, "attempts": 0, "progress_done": 0.0, "progress_total": 0.0}
    rest = {"id": "job", "title": "A job", "state": "done", "folder": Path("job"), "started_at": None}
    return JobRecord(
        **{**empty, **numbers, **rest, "ended_at": None, "model_id": None, "result_model_id": None}
    )
