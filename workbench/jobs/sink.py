"""Where a worker's events go: to `events.jsonl`, and to a terminal where a person watches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from workbench.jobs.events import Event, EventLog

#: Kept free beside the events, so that a job which fills the disk can still say so.
_RESERVE_BYTES = 64 << 10


class EventSink:
    """Appends events from any thread; shows each to `watch` as well.

    A full disk raises `OSError` in the thread that reported, like any other failed write.
    """

    def __init__(self, events: Path, watch: Callable[[Event], None] | None = None) -> None:
        self._log = EventLog(events)
        self._watch = watch
        self._lock = threading.Lock()
        self._reserve = events.with_name(".last-word")
        self._closed = False
        self._reserve.write_bytes(b"\0" * _RESERVE_BYTES)

    def emit(self, event: Event) -> None:
        with self._lock:
            if self._closed:
                return
            self._log.append(event)
            if self._watch is not None:
                self._watch(event)

    def make_room(self) -> None:
        """Give the reserve back, so that the last word fits on a full disk."""
        self._reserve.unlink(missing_ok=True)

    def close(self) -> None:
        """End the log. What another thread still reports is dropped: nothing follows the last word."""
        with self._lock:
            self._closed = True
            self._log.close()
            self.make_room()
