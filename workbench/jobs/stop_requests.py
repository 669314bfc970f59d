"""How a running job is asked to stop: a file in its folder, or a signal."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Literal

Request = Literal["cancel", "pause"]

#: Least time between two looks at the request file, in seconds.
_POLL_S = 0.1


def request_path(folder: Path) -> Path:
    """The file that holds `cancel` or `pause`; any process may write it."""
    return folder / "request"


class Requests:
    """What was asked of this job, from the request file and from signals. A cancel outranks a pause."""

    def __init__(self, folder: Path) -> None:
        self._path = request_path(folder)
        self._next_look = 0.0
        self.asked: Request | None = None

    def poll(self) -> Request | None:
        """What was asked so far; looks at the file at most ten times a second."""
        moment = time.monotonic()
        if self.asked != "cancel" and moment >= self._next_look:
            self._next_look = moment + _POLL_S
            self._look()
        return self.asked

    def ask(self, request: Request) -> None:
        if self.asked != "cancel":
            self.asked = request

    def _look(self) -> None:
        try:
            text = self._path.read_text(encoding="utf-8").strip()
        except OSError:
            return
        if text == "cancel":
            self.ask("cancel")
        elif text == "pause":
            self.ask("pause")

    def listen(self, *, interrupt: Request = "cancel") -> None:
        """Take the signals that ask a process to end. A second Ctrl+C ends it at once.

        Args:
            interrupt: What Ctrl+C asks for.
        """
        signal.signal(signal.SIGTERM, lambda *_: self.ask("cancel"))
        if sys.platform == "win32":
            # CTRL_BREAK is the one signal that another process can send to a process group on Windows.
            signal.signal(signal.SIGBREAK, lambda *_: self.ask("cancel"))

        def on_interrupt(_number: int, _frame: FrameType | None) -> None:
            if self.asked is not None:
                os._exit(130)
            self.ask(interrupt)

        signal.signal(signal.SIGINT, on_interrupt)
