"""Keeps a job's log from filling the disk: of one that grows too long, the end is kept."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

#: More than anyone reads; a job that says a line for each of a million steps stays below it.
MOST_BYTES = 64 << 20
#: What is kept of a log that was longer.
_KEPT_BYTES = 1 << 20
#: Between two looks, in seconds.
_INTERVAL_S = 1.0


class LogLimit:
    """Looks at one log now and then, and cuts it where it is too long.

    Its writer appends, so it goes on after what was kept. What it writes in the moment of a cut may be lost.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._next_look = 0.0

    def keep(self) -> None:
        """Cut the log where that is needed; looks at it once a second at most."""
        moment = time.monotonic()
        if moment < self._next_look:
            return
        self._next_look = moment + _INTERVAL_S
        with contextlib.suppress(OSError):
            # The folder may be gone, or the disk full: neither is this one's to tell.
            self._cut()

    def _cut(self) -> None:
        size = self._path.stat().st_size
        if size <= self._most_bytes:
            return
        with self._path.open("r+b") as file:
            file.seek(-min(_KEPT_BYTES, size // 2), os.SEEK_END)
            end = file.read(_KEPT_BYTES)
            file.truncate(0)
        with self._path.open("ab") as file:
            file.write(f"\n… {(size - len(end)) / 1e6:.0f} MB of output were cut here …\n".encode() + end)
