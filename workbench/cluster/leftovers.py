"""Stops what still runs in a cluster of jobs that were ended here while the line to it was cut."""

from __future__ import annotations

from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from workbench.cluster.client import RayJobs
from workbench.cluster.submission import read_submission, write_submission
from workbench.jobs.events import EventTail, State
from workbench.jobs.folder import all_ids

#: The end of an event file that is searched for a last word.
_TAIL_BYTES = 64 << 10


def stop_leftovers(jobs: Path, client: RayJobs) -> int:
    """Stop every job of this home in the cluster that nobody here waits for. Returns how many there were."""
    count = 0
    for job_id in all_ids(jobs):
        folder = jobs / job_id
        submission = read_submission(folder)
        if submission is None or submission.ended or submission.place != client.place.name:
            continue
        lock = FileLock(folder / "worker.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        try:
            if _is_over(folder):
                client.stop(submission.id)
                write_submission(folder, msgspec.structs.replace(submission, ended=True))
                count += 1
        finally:
            lock.release()
    return count


def _is_over(folder: Path) -> bool:
    path = folder / "events.jsonl"
    tail = EventTail(path, max(0, path.stat().st_size - _TAIL_BYTES)).read(_TAIL_BYTES)
    last = next((each for each in reversed(tail) if isinstance(each, State)), None)
    return last is not None and last.state in ("done", "failed", "cancelled")
