"""Finds the files that finished jobs published beside models, so that a later job can be given one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.jobs.board import JobBoard
from workbench.jobs.events import Artifact
from workbench.jobs.records import JobRecord
from workbench.jobs.recover import last_event


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that a job made.

    Attributes:
        title: What its job is called.
        model_id: The model that the job started from.
        made_at: When the job ended, seconds since the epoch.
    """

    job_id: str
    title: str
    path: Path
    model_id: str | None
    made_at: float


def files_made_by(board: JobBoard, operation: str) -> list[MadeFile]:
    """The files that jobs of an operation made and that are still there, newest first.

    Raises:
        StoreError: The database can't be read.
    """
    done = (job for job in board.list(("done",)) if job.operation == operation)
    return [made for job in done if (made := file_of(job)) is not None]


def file_of(job: JobRecord) -> MadeFile | None:
    """The file that a job made; None where it made a model or nothing, or where the file is gone."""
    artifact = last_event(job.folder, Artifact) if job.state == "done" else None
    if artifact is None or artifact.role != "file":
        return None
    path = job.folder / artifact.path
    if not path.exists():
        return None
    return MadeFile(job.id, job.title, path, job.model_id, job.ended_at or artifact.t)
