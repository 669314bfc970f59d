"""What the rest of Tenfold sees of a job."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute

from workbench.home import Home
from workbench.jobs.events import JobState
from workbench.jobs.spec import Slot
from workbench.store.tables import JobRow


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job as the database knows it. Times are seconds since the epoch.

    Attributes:
        reason: Why it is in its state, in words; empty where that is plain.
        needs: The slot it takes up.
        position: Its place among those that wait: the least goes first.
        model_id: The model that it starts from.
        result_model_id: The model that it made.
        queued_at: When it last began to wait.
        started_at: When its worker was last started.
        attempts: How often its worker was started.
        error_kind: The `kind` of the error, `bug`, or how the worker died.
    """

    id: str
    operation: str
    title: str
    state: JobState
    reason: str
    needs: Slot
    position: float
    model_id: str | None
    result_model_id: str | None
    created_at: float
    queued_at: float
    started_at: float | None
    ended_at: float | None
    pid: int | None
    attempts: int
    progress_done: float
    progress_total: float
    progress_unit: str
    progress_label: str
    error_kind: str
    error_message: str
    error_remedy: str
    error_details: str
    folder: Path


_NAMES = tuple(field.name for field in fields(JobRecord) if field.name != "folder")
_COLUMNS = tuple(cast("InstrumentedAttribute[Any]", getattr(JobRow, name)) for name in _NAMES)


def select_records() -> Select[Any]:
    """The columns of a record, without the spec, which a long list would have to parse."""
    return cast("Select[Any]", select(*_COLUMNS))


def record_of_columns(values: Any, home: Home) -> JobRecord:
    """The record of a row that `select_records` found."""
    made: JobRecord = cast(Any, JobRecord)(*values, home.jobs / values[0])
    return made


def record_of(row: JobRow, home: Home) -> JobRecord:
    """The record of a whole row."""
    return record_of_columns([getattr(row, name) for name in _NAMES], home)
