"""The list of jobs: its order, its filters, and updates that touch their own row alone."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester, QSignalSpy

from ui.models.job_list import JobFilter, JobListModel
from ui.widgets.job_words import TimeLeft, progress_text, state_line
from workbench.jobs.records import JobRecord


@pytest.fixture
def model(qapp: object) -> JobListModel:
    made = JobListModel()
    # Qt's own tester fails the test when rows and signals do not agree.
    made.tester = QAbstractItemModelTester(  # type: ignore[attr-defined]
        made, QAbstractItemModelTester.FailureReportingMode.Fatal
    )
    return made


def test_running_stands_first_then_the_queue_in_its_order_then_the_newest(model: JobListModel) -> None:
    model.set_jobs(
        [
            _job("old", "done", ended_at=10.0),
            _job("new", "failed", ended_at=20.0),
            _job("second", "queued", position=2.0),
            _job("first", "queued", position=1.0),
            _job("now", "running", started_at=5.0),
        ]
    )

    assert _ids(model) == ["now", "first", "second", "new", "old"]


def test_progress_changes_one_row_and_moves_none(model: JobListModel) -> None:
    job = _job("now", "running", started_at=5.0)
    model.set_jobs([job, _job("old", "done", ended_at=1.0)])
    changed, moved, reset = (
        QSignalSpy(model.dataChanged),
        QSignalSpy(model.rowsMoved),
        QSignalSpy(model.modelReset),
    )

    model.update_jobs([replace(job, progress_done=3.0)])

    assert (changed.count(), moved.count(), reset.count()) == (1, 0, 0)
    assert model.job(0).progress_done == 3.0  # type: ignore[union-attr]


def test_a_job_that_ends_moves_and_the_selection_stays_on_it(model: JobListModel) -> None:
    job = _job("b", "running", started_at=5.0)
    model.set_jobs([job, _job("a", "queued", position=1.0), _job("c", "done", ended_at=1.0)])

    model.update_jobs([replace(job, state="done", ended_at=50.0)])

    assert _ids(model) == ["a", "b", "c"]
    model.update_jobs([_job("a", "running", started_at=60.0), _job("d", "queued", position=5.0)])
    assert _ids(model) == ["a", "d", "b", "c"]


def test_a_filter_shows_its_jobs_and_follows_their_state(model: JobListModel) -> None:
    job = _job("a", "running", started_at=1.0)
    model.set_jobs([job, _job("b", "done", ended_at=1.0), _job("c", "interrupted", ended_at=2.0)])

    model.set_filter(JobFilter.ACTIVE)
    assert _ids(model) == ["a"]
    model.update_jobs([replace(job, state="failed", ended_at=9.0)])

    assert _ids(model) == []
    model.set_filter(JobFilter.ATTENTION)
    assert _ids(model) == ["a", "c"]
    model.set_filter(JobFilter.ALL, "c JOB")
    assert _ids(model) == ["c"]
    assert model.counts() == {"failed": 1, "done": 1, "interrupted": 1}


def test_only_waiting_jobs_can_be_dragged_and_only_among_themselves(model: JobListModel) -> None:
    model.set_jobs(
        [
            _job("now", "running", started_at=5.0),
            *(_job(name, "queued", position=place) for place, name in enumerate("xyz")),
            _job("old", "done", ended_at=10.0),
        ]
    )
    wanted = QSignalSpy(model.move_wanted)
    carried = model.mimeData([model.index(3)])  # z
    move = Qt.DropAction.MoveAction

    assert model.flags(model.index(1)) & Qt.ItemFlag.ItemIsDragEnabled
    assert not model.flags(model.index(0)) & Qt.ItemFlag.ItemIsDragEnabled
    assert not model.canDropMimeData(carried, move, 0, 0, QModelIndex())
    assert not model.canDropMimeData(carried, move, 5, 0, QModelIndex())
    model.dropMimeData(carried, move, 1, 0, QModelIndex())
    model.dropMimeData(model.mimeData([model.index(1)]), move, 4, 0, QModelIndex())

    assert [wanted.at(number) for number in range(wanted.count())] == [["z", "x"], ["x", None]]


def test_neighbours_of_a_waiting_job_are_known_to_the_keyboard(model: JobListModel) -> None:
    model.set_jobs([_job(name, "queued", position=place) for place, name in enumerate("xyz")])

    assert model.neighbours("x") == (None, "y", "z")
    assert model.neighbours("y") == ("x", "z", None)
    assert model.neighbours("z") == ("y", None, None)


def test_a_removed_job_leaves_the_list(model: JobListModel) -> None:
    model.set_jobs([_job("a", "done", ended_at=1.0), _job("b", "done", ended_at=2.0)])

    model.forget("b")
    model.forget("unknown")

    assert _ids(model) == ["a"]


def test_ten_thousand_jobs_take_an_update_in_well_under_a_frame(model: JobListModel) -> None:
    del model.tester  # type: ignore[attr-defined]  # it checks every row at every change
    jobs = [_job(f"job-{number}", "done", ended_at=float(number)) for number in range(10_000)]
    model.set_jobs(jobs)

    began = time.perf_counter()
    for number in range(100):
        model.update_jobs([replace(jobs[number], ended_at=20_000.0 + number)])
    took = time.perf_counter() - began

    assert _ids(model)[:2] == ["job-99", "job-98"]
    print(f"one update among 10,000 jobs: {took / 100 * 1e3:.2f} ms")


def test_every_state_is_told_in_words() -> None:
    lines = {
        "waiting for CPU": _job("a", "queued"),
        "waiting for the network": _job("a", "queued", needs="network"),
        "193 of 272 tensors": _job(
            "a", "running", progress_done=193, progress_total=272, progress_unit="tensors"
        ),
        "interrupted at 50\u202f% — resume": _job("a", "interrupted", progress_done=1, progress_total=2),
        "failed — The disk is full.": _job("a", "failed", error_message="The disk is full."),
        "cancelled": _job("a", "cancelled"),
    }

    assert [state_line(job) for job in lines.values()] == list(lines)
    assert progress_text(_job("a", "running")) == ""
    percent = _job(
        "a", "running", progress_done=44, progress_total=100, progress_unit="%", progress_label="text"
    )
    assert progress_text(percent) == "text"


def test_time_left_follows_real_progress_and_forgets_a_slow_start() -> None:
    left = TimeLeft()
    assert left.seconds(0.0) is None

    left.report(0.0, 0, 100)
    assert left.seconds(0.5) is None
    for second in range(1, 31):
        left.report(float(second), second * 0.1, 100)  # slow: 0.1 a second
    for second in range(31, 131):
        left.report(float(second), 3 + (second - 30) * 0.5, 100)  # then five times as fast

    assert left.seconds(130.0) == pytest.approx((100 - 53) / 0.5, rel=0.05)
    assert left.seconds(140.0) == pytest.approx((100 - 53) / 0.5 - 10, rel=0.1)


def test_time_left_begins_anew_when_the_work_does() -> None:
    left = TimeLeft()
    for second in range(10):
        left.report(float(second), second * 10.0, 100)

    left.report(20.0, 0, 100)

    assert left.seconds(21.0) is None


def _ids(model: JobListModel) -> list[str]:
    return [model.job(row).id for row in range(model.rowCount())]  # type: ignore[union-attr]


def _job(job_id: str, state: str, **changes: Any) -> JobRecord:
    plain: dict[str, Any] = {
        "id": job_id,
        "operation": "gguf-quantize",
        "title": f"Job {job_id}",
        "state": state,
        "reason": "",
        "needs": "cpu",
        "position": 0.0,
        "model_id": None,
        "result_model_id": None,
        "created_at": 0.0,
        "queued_at": 0.0,
        "pid": None,
        "started_at": None,
        "ended_at": None,
        "attempts": 0,
        "progress_done": 0.0,
        "progress_total": 0.0,
        "progress_unit": "",
        "progress_label": "",
        "error_kind": "",
        "error_message": "",
        "error_remedy": "",
        "error_details": "",
        "folder": Path(job_id),
    }
    return JobRecord(**{**plain, **changes})
