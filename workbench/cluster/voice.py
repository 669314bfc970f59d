"""What the worker here says in the events of a job that runs in a cluster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from workbench.errors import JobCancelled, JobPaused
from workbench.jobs.events import Event, EventLog, Log, Progress, State, now
from workbench.jobs.stop_requests import Request, Requests

#: Least time between two reports of progress, in seconds.
_PROGRESS_S = 0.1


class Voice:
    """Appends to a job's events; says each thing once."""

    def __init__(self, folder: Path, requests: Requests) -> None:
        self.log = EventLog(folder / "events.jsonl")
        self._requests = requests
        self._reason: str | None = None
        self._next_progress = 0.0

    def stand(self, reason: str) -> None:
        """Say where the job stands, beside its progress: queued there, running there, the line cut."""
        if reason != self._reason:
            self._reason = reason
            self.log.append(State(now(), "running", reason))

    def warn(self, text: str) -> None:
        self.log.append(Log(now(), text, "warning"))

    def tell(self, text: str) -> None:
        self.log.append(Log(now(), text))

    def progress(
        self, done: int, total: int, label: str, heeds: Sequence[Request] = ("cancel", "pause")
    ) -> None:
        """Report bytes on their way.

        Args:
            heeds: What the person may ask for meanwhile.

        Raises:
            JobCancelled: The person cancelled.
            JobPaused: The person paused.
        """
        moment = time.monotonic()
        if moment >= self._next_progress or done >= total:
            self._next_progress = moment + _PROGRESS_S
            self.log.append(Progress(now(), done, total, "bytes", label))
        self.check(heeds)

    def check(self, heeds: Sequence[Request] = ("cancel", "pause")) -> None:
        """Raise what was asked of the job."""
        asked = self._requests.poll()
        if asked == "cancel" and asked in heeds:
            raise JobCancelled
        if asked == "pause" and asked in heeds:
            raise JobPaused

    def end(self, events: Sequence[Event]) -> None:
        """The last words, in order."""
        for event in events:
            self.log.append(event)
