"""Follows one running job: reads its events on, sees whether its worker lives, and ends it where it won't."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from workbench.jobs import processes
from workbench.jobs.events import Event, EventTail
from workbench.jobs.log_limit import LogLimit
from workbench.jobs.stop_requests import request_path

#: How long a worker may take to let go of its memory after it was asked to cancel. A killed MLX worker can
#: leave wired memory behind on a Mac, so the wait is generous.
CANCEL_GRACE_S = 20.0

#: Events are read in bites, so that one poll never takes long; 5,000 events a second are 50 kB per poll.
_BITE_BYTES = 512 << 10


class Watch:
    """One job at work.

    Attributes:
        ended: Whether its worker is gone, and all that it said has been read.
        exit_code: What the system said of its end; None for a worker of an earlier run of this program.
    """

    def __init__(
        self,
        job_id: str,
        folder: Path,
        *,
        offset: int,
        pid: int,
        created_at: float | None,
        child: subprocess.Popen[bytes] | None = None,
        gpu: int | None = None,
    ) -> None:
        self.job_id = job_id
        self.folder = folder
        self.pid = pid
        self.created_at = created_at
        self.gpu = gpu
        self.ended = False
        self.exit_code: int | None = None
        self._child = child
        self._tail = EventTail(folder / "events.jsonl", offset)
        self._log = LogLimit(folder / "log.txt")
        self._cancel_at: float | None = None
        self._forced = False

    @property
    def offset(self) -> int:
        return self._tail.offset

    @property
    def was_forced(self) -> bool:
        """Whether the worker had to be killed because it did not heed a cancel."""
        return self._forced

    def read(self) -> Sequence[Event]:
        """What the job said since the last call; notices its end."""
        gone = self._is_gone()
        before = self._tail.offset
        events = self._tail.read(_BITE_BYTES)
        if gone and self._tail.offset == before:
            self.ended = True
            processes.kill_leftovers(self.pid, self.created_at)
            processes.kill_strays(self.folder)
        elif not gone:
            self._press()
            self._log.keep()
        return events

    def asked_to_cancel(self) -> bool:
        try:
            return request_path(self.folder).read_text(encoding="utf-8").strip() == "cancel"
        except OSError:
            return False

    def _is_gone(self) -> bool:
        if self._child is not None:
            self.exit_code = self._child.poll()
            return self.exit_code is not None
        return not processes.is_alive(self.pid, self.created_at)

    def _press(self) -> None:
        """After a cancel: the polite signal once, and the end by force where it was not heeded."""
        if not self.asked_to_cancel():
            return
        moment = time.monotonic()
        if self._cancel_at is None:
            self._cancel_at = moment
            processes.ask_to_end(self.pid)
        elif moment - self._cancel_at > CANCEL_GRACE_S:
            self._forced = True
            processes.kill_tree(self.pid, self.created_at)
