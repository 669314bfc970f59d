"""What a running operation has in hand: the worker's side of `workbench.plugin.JobContext`."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from workbench.errors import DiskFullError, JobCancelled, JobPaused
from workbench.hardware import physical_cores
from workbench.jobs.events import Log, Metric, Progress, Sample, now
from workbench.jobs.sink import EventSink
from workbench.jobs.stop_requests import Requests

_T = TypeVar("_T")

#: Most progress events a second: what an eye follows, and what keeps an hour-long job's log small.
_PROGRESS_PER_S = 10.0
#: How long a native call may still run after a stop was asked for, before the process ends without it.
#: Long enough for one that reports progress to notice by itself and be left cleanly.
_NATIVE_GRACE_S = 1.0
#: How long a plugin that makes checkpoints on request may take until its next `pausing`.
_CHECKPOINT_GRACE_S = 30.0

_SECRET_VARIABLES: Mapping[str, str] = {"hf-token": "HF_TOKEN"}


class WorkerContext:
    """Implements `JobContext` by events and a request file. Any thread may report.

    Args:
        folder: The job's folder.
        out: Where this run builds its result.
        stop_now: Ends the process with a last word for the exception, without unwinding the stack.
    """

    def __init__(
        self,
        *,
        folder: Path,
        out: Path,
        sink: EventSink,
        requests: Requests,
        seed: int,
        threads: int | None,
        output_name: str,
        stop_now: Callable[[BaseException], NoReturn],
    ) -> None:
        self._folder = folder
        self._out = out
        self._sink = sink
        self._requests = requests
        self._seed = seed
        self._threads = threads or default_threads()
        self._output_name = output_name
        self._stop_now = stop_now
        self._lock = threading.Lock()
        self._amounts: dict[str, float] = {}
        self._secrets: set[str] = set()
        self._unsent: Progress | None = None
        self._next_progress = 0.0
        self._fault: BaseException | None = None
        self._reads_pausing = False
        self._saw_pause = False
        self._pause_since: float | None = None

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def out(self) -> Path:
        return self._out

    @property
    def checkpoints(self) -> Path:
        return self._folder / "checkpoints"

    @property
    def cache(self) -> Path:
        home = self._folder.parent.parent
        # A script that was exported runs in a folder of its own, which belongs to no home.
        of_home = self._folder.parent.name == "jobs" and (home / "cache").is_dir()
        return home / "cache" if of_home else self._folder / "cache"

    @property
    def seed(self) -> int:
        return self._seed

    @property
    def threads(self) -> int:
        return self._threads

    @property
    def output_name(self) -> str:
        return self._output_name

    def progress(self, done: float, total: float, *, unit: str = "", label: str = "") -> None:
        event = Progress(now(), float(done), float(total), unit, label)
        moment = time.monotonic()
        with self._lock:
            due = moment >= self._next_progress or done >= total
            self._unsent = None if due else event
            if due:
                self._next_progress = moment + 1 / _PROGRESS_PER_S
        if due:
            self._sink.emit(event)
        self.check()

    def metric(self, name: str, value: float, *, step: int | None = None, unit: str = "") -> None:
        self._sink.emit(Metric(now(), name, float(value), step, unit))

    def sample(self, prompt: str, text: str, *, step: int, expected: str = "") -> None:
        self._sink.emit(Sample(now(), step, prompt, text, expected))

    def throughput(self, amount: float, *, unit: str) -> None:
        with self._lock:
            self._amounts[unit] = self._amounts.get(unit, 0.0) + amount

    def log(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None:
        line = self.redact(text)
        self._sink.emit(Log(now(), line, level))

    def check(self) -> None:
        if self._fault is not None:
            raise self._fault
        asked = self._requests.poll()
        if asked == "cancel":
            raise JobCancelled
        if asked == "pause" and self._may_pause():
            raise JobPaused

    @property
    def pausing(self) -> bool:
        self._reads_pausing = True
        if self._requests.poll() == "pause":
            self._saw_pause = True
        return self._saw_pause

    def run_native(self, call: Callable[[], _T]) -> _T:
        outcome: dict[str, Any] = {}

        def run() -> None:
            try:
                outcome["value"] = call()
            except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
                outcome["error"] = error

        thread = threading.Thread(target=run, name="native", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.05)
            try:
                self.check()
            except Exception as stop:  # noqa: BLE001 - cancel, pause or a fault that another thread found
                thread.join(_NATIVE_GRACE_S)
                if thread.is_alive():
                    self._stop_now(stop)
                outcome.setdefault("error", stop)
        if "error" in outcome:
            raise outcome["error"]
        value: _T = outcome["value"]
        return value

    def secret(self, name: str) -> str | None:
        value = os.environ.get(
            _SECRET_VARIABLES.get(name, "TENFOLD_SECRET_" + name.upper().replace("-", "_"))
        )
        if not value:
            from workbench import secrets

            value = secrets.get("hf-token") if name == "hf-token" else None
        if value:
            self._secrets.add(value)
        return value or None

    def reserve(self, path: Path, size_bytes: int) -> None:
        place = path
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if size_bytes > free:
            raise DiskFullError(path, needed_bytes=size_bytes, free_bytes=free)

    # What follows is the worker's, not the plugin's.

    def fail(self, error: BaseException) -> None:
        """Make the next `check` raise: for what another thread found out (a full disk, a wrong input)."""
        if self._fault is None:
            self._fault = error

    def take_amounts(self) -> dict[str, float]:
        """The work counted since the last call, by unit; a unit stays known once it was counted."""
        with self._lock:
            taken = dict(self._amounts)
            self._amounts = dict.fromkeys(taken, 0.0)
        return taken

    def flush(self) -> None:
        """Report the progress that was held back, so that the last one is always told."""
        with self._lock:
            event, self._unsent = self._unsent, None
        if event is not None:
            self._sink.emit(event)

    def redact(self, text: str) -> str:
        """Text without the secrets that the operation was given."""
        for value in self._secrets:
            text = text.replace(value, "•••")
        return text

    def _may_pause(self) -> bool:
        """A plugin that checkpoints when it reads `pausing` is left to read it once more."""
        if self._pause_since is None:
            self._pause_since = time.monotonic()
        if not self._reads_pausing or self._saw_pause:
            return True
        return time.monotonic() - self._pause_since > _CHECKPOINT_GRACE_S


def default_threads() -> int:
    """`TENFOLD_THREADS`, else the physical cores: more threads than those slow number crunching down."""
    named = os.environ.get("TENFOLD_THREADS", "")
    return int(named) if named.isdigit() and int(named) > 0 else physical_cores()


def write_to_terminal(text: str) -> None:
    """A line on standard error, which the runner turns into `log.txt`."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
