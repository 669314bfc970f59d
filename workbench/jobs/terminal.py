"""Shows a job's events on standard error: one living line on a terminal, whole lines in a log."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from workbench.jobs.events import Artifact, Error, Event, Log, Progress, State

_BAR = 24
#: Between two drawings of the living line, in seconds.
_INTERVAL_S = 0.1
#: Between two lines of progress where lines stay: enough to see that it goes on.
_LINE_INTERVAL_S = 10.0


class TerminalWatch:
    """A callable for `EventSink`: prints what is said, and draws progress where a person looks.

    Args:
        log: A file that gets the same as plain lines, unless standard error leads there already.
    """

    def __init__(
        self,
        *,
        living: bool | None = None,
        now: Callable[[], float] = time.monotonic,
        log: Path | None = None,
    ) -> None:
        self._living = sys.stderr.isatty() if living is None else living
        self._now = now
        self._started = now()
        self._drawn_at = 0.0
        self._width = 0
        self._line_at = self._started
        self._error = ""
        self._log = log if log is not None and not _is_standard_error(log) else None

    def __call__(self, event: Event) -> None:
        match event:
            case Progress():
                self._draw(event)
            case Log(text=text, level=level):
                self._print(text if level == "info" else f"{level}: {text}")
            case State(state=state, reason=reason):
                # An error was said already, and more of it.
                self._print(f"{state}. {reason}" if reason and reason != self._error else f"{state}.")
            case Error(message=message, remedy=remedy, details=details):
                self._error = message
                self._print(f"error: {message} {remedy}".rstrip())
                if details:
                    self._print(details)
            case Artifact(path=path, sha256=sha256, size_bytes=size_bytes):
                self._print(f"made {path.removeprefix('../')} ({size_bytes / 1e6:.1f} MB, sha256 {sha256})")
            case _:
                return

    def _draw(self, event: Progress) -> None:
        moment = self._now()
        if moment - self._line_at >= _LINE_INTERVAL_S:
            self._line_at = moment
            line = progress_line(event, moment - self._started)
            if self._living:
                self._keep(line)
            else:
                self._print(line)
        if not self._living or (moment - self._drawn_at < _INTERVAL_S and event.done < event.total):
            return
        self._drawn_at = moment
        line = progress_line(event, moment - self._started)
        sys.stderr.write("\r" + line.ljust(self._width)[:200])
        self._width = len(line)
        sys.stderr.flush()

    def _print(self, text: str) -> None:
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            self._width = 0
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
        self._keep(text)

    def _keep(self, text: str) -> None:
        if self._log is None:
            return
        # On a full disk the events still have room for the last word, and that is what counts.
        with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def progress_line(event: Progress, elapsed_s: float) -> str:
    """`[█████░░░░░]  48 %  131/272 tensors  0:04 left  blk.12.ffn_up.weight`."""
    share = min(1.0, max(0.0, event.done / event.total)) if event.total else 0.0
    full = int(share * _BAR)
    parts = [f"[{'█' * full}{'░' * (_BAR - full)}] {share:4.0%}"]
    if event.unit == "bytes":
        parts.append(f"{event.done / 1e6:.1f}/{event.total / 1e6:.1f} MB")
    else:
        parts.append(f"{event.done:g}/{event.total:g} {event.unit}".rstrip())
    if 0.02 < share < 1 and elapsed_s > 1:
        left = elapsed_s * (1 - share) / share
        parts.append(f"{int(left // 60)}:{int(left % 60):02d} left")
    if event.label:
        parts.append(event.label)
    return "  ".join(parts)


def _is_standard_error(path: Path) -> bool:
    """Whether what is written to standard error goes into this file."""
    try:
        return os.path.samestat(os.fstat(sys.stderr.fileno()), path.stat())
    except (OSError, ValueError, AttributeError):
        return False  # the file is not there yet, or standard error is none
