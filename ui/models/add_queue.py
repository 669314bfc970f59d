"""Adds models one after the other, one in each turn of the window's loop, so that it never stands still."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from workbench.errors import WorkbenchError
from workbench.library.library import Library


@dataclass(frozen=True, slots=True)
class Wanted:
    """One model to add. `sha256` where the place that it lies in vouches for it."""

    path: Path
    source: str = "file"
    name: str | None = None
    sha256: str | None = None


class AddQueue(QObject):
    """Reads headers, never weights; a bad file is one failure and stops nothing.

    Signals:
        added: One `Added`.
        failed: What was wanted, and the error.
        finished: Nothing is left: how many were added, how many were known, how many failed.
    """

    added = Signal(object)
    failed = Signal(object, object)
    finished = Signal(int, int, int)

    def __init__(self, library: Library, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._waiting: deque[Wanted] = deque()
        self._counts = [0, 0, 0]
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._next)

    @property
    def is_busy(self) -> bool:
        return self._timer.isActive()

    @property
    def left(self) -> int:
        return len(self._waiting)

    def put(self, wanted: Iterable[Wanted]) -> None:
        """Add these after those that wait already."""
        self._waiting.extend(wanted)
        if self._waiting and not self._timer.isActive():
            self._counts = [0, 0, 0]
            self._timer.start()

    def stop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._timer.stop()

    def _next(self) -> None:
        if not self._waiting:
            self._timer.stop()
            self.finished.emit(*self._counts)
            return
        wanted = self._waiting.popleft()
        try:
            added = self._library.add(
                wanted.path, name=wanted.name, source=wanted.source, sha256=wanted.sha256
            )
        except WorkbenchError as error:
            self._counts[2] += 1
            self.failed.emit(wanted, error)
        else:
            self._counts[1 if added.already_known else 0] += 1
            self.added.emit(added)
