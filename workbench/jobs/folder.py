"""A job's folder: made whole or not at all, and read without a database."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from workbench.errors import NotFoundError
from workbench.jobs.events import EventLog, EventTail, Spec, State, now
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec

_DRAFT = ".new-"
#: The end of a log that is read for its last lines.
_LOG_TAIL_BYTES = 256 << 10


def new_id() -> str:
    """An id that sorts by time, for example `20261124-031500-ab12`."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def create(jobs: Path, job_id: str, spec: JobSpec) -> Path:
    """Make the folder of a new job, with its script and its first two events.

    Raises:
        OSError: The disk is full or can't be written; nothing is left then.
    """
    draft, folder = jobs / f"{_DRAFT}{job_id}", jobs / job_id
    try:
        for each in ("checkpoints", "out"):
            (draft / each).mkdir(parents=True)
        (draft / "job.py").write_text(render(spec), encoding="utf-8")
        (draft / "log.txt").touch()
        log = EventLog(draft / "events.jsonl")
        try:
            log.append(Spec(now(), spec.model_dump(mode="json")))
            log.append(State(now(), "queued"))
        finally:
            log.close()
        os.replace(draft, folder)  # noqa: PTH105 - the one atomic step, named as such
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return folder


def all_ids(jobs: Path) -> Iterator[str]:
    """The ids of all jobs that have a folder; drafts of a crash are left out."""
    with os.scandir(jobs) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield entry.name


def remove_drafts(jobs: Path) -> None:
    """Remove folders that were being made when their process was killed."""
    for draft in jobs.glob(f"{_DRAFT}*"):
        shutil.rmtree(draft, ignore_errors=True)


def read_spec(folder: Path) -> JobSpec:
    """What a job is to do, from its first event.

    Raises:
        NotFoundError: The folder holds no readable job.
    """
    for event in EventTail(folder / "events.jsonl").read(1 << 16)[:1]:
        if isinstance(event, Spec):
            try:
                return JobSpec.model_validate(event.spec)
            except ValidationError as error:
                raise NotFoundError(
                    f"The job in {folder} was written by another version of Tenfold.", details=str(error)
                ) from error
    raise NotFoundError(
        f"The job in {folder} can't be read: its events are damaged or gone.",
        remedy="Remove the job; a model that it made stays.",
    )


def append_state(folder: Path, state: State) -> None:
    """Write a state into the events of a job that has no worker now."""
    log = EventLog(folder / "events.jsonl")
    try:
        log.append(state)
    finally:
        log.close()


def last_log_lines(folder: Path, count: int = 200) -> list[str]:
    """The end of a job's log: at most `count` lines, without their line ends."""
    try:
        with (folder / "log.txt").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOG_TAIL_BYTES))
            block = file.read()
    except OSError:
        return []
    lines = block.decode("utf-8", "replace").splitlines()
    # A terminal would show only what follows the last carriage return.
    return [line.rpartition("\r")[2] for line in lines[-count:]]
