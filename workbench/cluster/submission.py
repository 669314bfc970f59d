"""Where a job is in a cluster: kept in the job's folder, so that whoever comes later finds it again."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

_NAME = "place.json"


class Submission(msgspec.Struct, frozen=True):
    """One handing over of a job.

    Attributes:
        place: The name of the place.
        attempt: Which one it is, from 1.
        lost: How many attempts before it ended because their node died.
        handed_over: Whether the cluster said that it has it.
        events_read: Bytes of its events there that are in the events here.
        log_read: The same of its log.
        folder: Where its files lie on the node; empty until that is known.
        previous: The same of the attempt before, where its node died.
        ended: Whether nothing of it is at work any more.
    """

    place: str
    id: str
    attempt: int = 1
    lost: int = 0
    handed_over: bool = False
    events_read: int = 0
    log_read: int = 0
    folder: str = ""
    previous: str = ""
    ended: bool = False


def read_submission(folder: Path) -> Submission | None:
    """The last handing over of the job in a folder; None where there was none, or it can't be read."""
    try:
        return msgspec.json.decode((folder / _NAME).read_bytes(), type=Submission)
    except (OSError, msgspec.MsgspecError):
        return None


def write_submission(folder: Path, submission: Submission) -> None:
    """Keep where a job is; a reader sees the old or the new, never half of one."""
    draft = folder / f".{_NAME}"
    with draft.open("wb") as file:
        file.write(msgspec.json.encode(submission))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / _NAME)


def is_away(folder: Path) -> bool:
    """Whether the job in a folder was handed over to a cluster and may still be at work there."""
    submission = read_submission(folder)
    return submission is not None and not submission.ended
