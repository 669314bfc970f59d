"""Finds the jobs whose folders the database does not know, and writes their rows anew."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from workbench.errors import WorkbenchError
from workbench.home import Home
from workbench.jobs import folder as job_folder
from workbench.jobs.board import new_row
from workbench.jobs.events import Artifact, Error, Event, EventTail, Progress, State
from workbench.jobs.results import register
from workbench.library.library import Library
from workbench.store.database import Store
from workbench.store.guarded import guarded
from workbench.store.tables import JobRow

#: The end of an event file that is searched for a last word.
_TAIL_BYTES = 256 << 10

_E = TypeVar("_E", bound=Event)


def recover_rows(store: Store, home: Home, library: Library) -> list[str]:
    """Index every job folder without a row; returns the ids of those found.

    A folder that holds no readable job (only a kept result, for example) is left alone.
    """
    job_folder.remove_drafts(home.jobs)
    with guarded(store) as session:
        known = set(session.scalars(select(JobRow.id)))
    found = []
    for job_id in sorted(job_folder.all_ids(home.jobs)):
        if job_id in known or not (home.jobs / job_id / "events.jsonl").is_file():
            continue
        try:
            recover_row(store, home, library, job_id)
        except WorkbenchError:
            continue
        found.append(job_id)
    return found


def recover_row(store: Store, home: Home, library: Library, job_id: str) -> None:
    """Index one job folder; one that has its row is left alone.

    Raises:
        NotFoundError: It holds no readable job.
        ModelFileError: The model that the job made can't be read.
    """
    with guarded(store, lock=True) as session:
        if session.get(JobRow, job_id) is None:
            _recover(session, job_id, home.jobs / job_id, library)


def last_event(folder: Path, kind: type[_E]) -> _E | None:
    """The last event of a kind near the end of a job's events."""
    return next((each for each in reversed(_last_events(folder)) if isinstance(each, kind)), None)


def _last_events(folder: Path) -> list[Event]:
    path = folder / "events.jsonl"
    try:
        size = path.stat().st_size
    except OSError:
        return []
    # Where the tail begins inside a line, that line counts as damaged and is left out.
    return EventTail(path, max(0, size - _TAIL_BYTES)).read(_TAIL_BYTES)


def _recover(session: Session, job_id: str, folder: Path, library: Library) -> None:
    spec = job_folder.read_spec(folder)
    row = new_row(job_id, spec, position=0.0)
    events = _last_events(folder)
    state = next((each for each in reversed(events) if isinstance(each, State)), None)
    error = next((each for each in reversed(events) if isinstance(each, Error)), None)
    progress = next((each for each in reversed(events) if isinstance(each, Progress)), None)
    first = EventTail(folder / "events.jsonl").read(1 << 16)[:1]
    row.created_at = row.queued_at = first[0].t if first else row.created_at
    row.position = row.created_at
    row.events_offset = (folder / "events.jsonl").stat().st_size
    row.attempts = 1
    if state is not None:
        row.state, row.reason, row.pid = state.state, state.reason, state.pid
        row.started_at = row.created_at
        row.ended_at = state.t if state.state not in ("queued", "running", "paused") else None
    if error is not None and row.state in ("failed", "interrupted"):
        row.error_kind, row.error_message = error.error, error.message
        row.error_remedy, row.error_details = error.remedy, error.details
    if progress is not None:
        row.progress_done, row.progress_total = progress.done, progress.total
        row.progress_unit, row.progress_label = progress.unit, progress.label
    session.add(row)
    session.flush()
    artifact = next((each for each in reversed(events) if isinstance(each, Artifact)), None)
    if row.state == "done" and artifact is not None and artifact.role == "model":
        row.result_model_id = register(session, library, row, folder, artifact).id
