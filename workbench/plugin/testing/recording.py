"""A job for unit tests: what an operation reports is kept, and a clock goes when it is told to."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from workbench.errors import DiskFullError, JobCancelled, JobPaused
from workbench.jobs.events import Log, Metric, Progress, Sample
from workbench.library.inspect import inspect
from workbench.model import Model
from workbench.plugin.operation import Operation

_T = TypeVar("_T")


class FakeClock:
    """A clock that stands still until it is moved: for code that takes a `clock` such as `time.monotonic`.

    >>> clock = FakeClock()
    >>> clock.advance(2.5)
    >>> clock()
    2.5
    """

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """Seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: Time would go back.
        """
        if seconds < 0:
            raise ValueError("a clock never goes back")
        self._now += seconds


class RecordingJob:
    """A `JobContext` that keeps what it is told, in the process of the test.

    Attributes:
        events: All that was reported, in order; each bears the time of `clock`.
        work: What `throughput` counted, by unit.
        asked: What the person is taken to have asked: set it, or name `stop_after`.

    Args:
        folder: A new folder of the test's own, such as pytest's `tmp_path`.
        clock: What events are dated by.
        secrets: What `secret` gives.
        free_bytes: How much `reserve` finds free; None for what really is.
        stop_after: After so many reports of progress, `asked` becomes `stop_by`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: int = 0,
        threads: int = 1,
        output_name: str = "result",
        clock: Callable[[], float] | None = None,
        secrets: Mapping[str, str] | None = None,
        free_bytes: int | None = None,
        stop_after: int | None = None,
        stop_by: Literal["cancel", "pause"] = "cancel",
    ) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.checkpoints = folder / "checkpoints"
        self.cache = folder / "cache"
        for each in (self.out, self.checkpoints, self.cache):
            each.mkdir(parents=True, exist_ok=True)
        self.seed = seed
        self.threads = threads
        self.output_name = output_name
        self.events: list[Progress | Metric | Sample | Log] = []
        self.work: dict[str, float] = {}
        self.asked: Literal["cancel", "pause"] | None = None
        self._clock = clock or FakeClock()
        self._secrets = dict(secrets or {})
        self._free_bytes = free_bytes
        self._stop_after = stop_after
        self._stop_by = stop_by

    def progress(self, done: float, total: float, *, unit: str = "", label: str = "") -> None:
        self.events.append(Progress(self._clock(), float(done), float(total), unit, label))
        if self._stop_after is not None and len(self.reported(Progress)) >= self._stop_after:
            self.asked = self._stop_by
        self.check()

    def metric(self, name: str, value: float, *, step: int | None = None, unit: str = "") -> None:
        self.events.append(Metric(self._clock(), name, float(value), step, unit))

    def sample(self, prompt: str, text: str, *, step: int, expected: str = "") -> None:
        self.events.append(Sample(self._clock(), step, prompt, text, expected))

    def throughput(self, amount: float, *, unit: str) -> None:
        self.work[unit] = self.work.get(unit, 0.0) + amount

    def log(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None:
        self.events.append(Log(self._clock(), text, level))

    def check(self) -> None:
        if self.asked == "cancel":
            raise JobCancelled
        if self.asked == "pause":
            raise JobPaused

    @property
    def pausing(self) -> bool:
        return self.asked == "pause"

    def run_native(self, call: Callable[[], _T]) -> _T:
        value = call()
        self.check()
        return value

    def secret(self, name: str) -> str | None:
        return self._secrets.get(name)

    def reserve(self, path: Path, size_bytes: int) -> None:
        free = shutil.disk_usage(self.folder).free if self._free_bytes is None else self._free_bytes
        if size_bytes > free:
            raise DiskFullError(path, needed_bytes=size_bytes, free_bytes=free)

    def reported(self, kind: type[_T]) -> list[_T]:
        """The events of one kind, for example `job.reported(Metric)`."""
        return [event for event in self.events if isinstance(event, kind)]


def run_here(
    function: Callable[..., Path], job: RecordingJob, model: Path | None = None, **values: Any
) -> Path:
    """Call an operation in this process, with its parameters checked and its model read as a worker does.

    Args:
        function: What `@operation` decorates.
        model: The model's file or folder; None for an operation that takes none.
        values: Parameters by name.

    Returns:
        What the operation returned.

    Raises:
        pydantic.ValidationError: A value is wrong.
        ModelFileError: The model can't be read.
    """
    operation: Operation = function.__tenfold_operation__  # type: ignore[attr-defined]
    params = operation.params(**values)
    if model is None:
        return function(job, params)
    return function(job, Model(path=model, name=model.stem, facts=inspect(model)), params)
