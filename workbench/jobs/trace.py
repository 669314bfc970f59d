"""What a training run told: figures by step and by time, and answers to the same prompts again and again."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.jobs.events import EventTail, Metric, Progress, Sample

Floats = NDArray[np.float64]


class RunTrace:
    """Reads a job's events once, a bite at a time, and keeps what a page about a training shows.

    A run that was killed does some steps twice; what it tells the second time takes the first one's place.
    """

    def __init__(self, folder: Path) -> None:
        self._tail = EventTail(folder / "events.jsonl")
        self._by_step: dict[str, _Column] = {}
        self._by_time: dict[str, _Column] = {}
        self._samples: dict[tuple[int, str], Sample] = {}
        #: How many steps were done, of how many; None before the first.
        self.steps: tuple[int, int] | None = None

    def append_new(self, limit_bytes: int = 1 << 20) -> bool:
        """Take in the next events, at most about `limit_bytes` of them; false where nothing was new."""
        before = self._tail.offset
        for event in self._tail.read(limit_bytes):
            if isinstance(event, Progress):
                if event.unit == "steps":
                    self.steps = int(event.done), int(event.total)
            elif isinstance(event, Sample):
                self._samples[event.step, event.prompt] = event
            elif isinstance(event, Metric) and event.step is not None:
                column = self._by_step.setdefault(event.name, _Column(event.unit))
                column.rewind(event.step)
                column.append(event.step, event.value)
            elif isinstance(event, Metric):
                self._by_time.setdefault(event.name, _Column(event.unit)).append(event.t, event.value)
        return self._tail.offset != before

    def by_step(self, name: str) -> tuple[Floats, Floats]:
        """Steps, rising, and values of a series, each of shape (n,); empty where nothing was told."""
        return self._by_step.get(name, _NOTHING).arrays()

    def by_time(self, name: str) -> tuple[Floats, Floats]:
        """Seconds since the epoch and values of a series that has no steps, each of shape (n,)."""
        return self._by_time.get(name, _NOTHING).arrays()

    def last(self, name: str) -> float | None:
        """The newest value of a series; None where nothing was told."""
        column = self._by_step.get(name) or self._by_time.get(name)
        return column.values[-1] if column is not None and column.values else None

    def timed(self) -> dict[str, str]:
        """The series without steps, each with its unit, in the order of their first point."""
        return {name: column.unit for name, column in self._by_time.items()}

    def samples(self) -> tuple[Sample, ...]:
        """Answers by step; those of one step in the order in which they were told."""
        return tuple(sorted(self._samples.values(), key=lambda each: each.step))


class _Column:
    """One series."""

    def __init__(self, unit: str = "") -> None:
        self.unit = unit
        self.places = array("d")
        self.values = array("d")

    def append(self, place: float, value: float) -> None:
        self.places.append(place)
        self.values.append(value)

    def rewind(self, place: float) -> None:
        """Forget what is at this place and behind it."""
        while self.places and self.places[-1] >= place:
            self.places.pop()
            self.values.pop()

    def arrays(self) -> tuple[Floats, Floats]:
        return np.array(self.places), np.array(self.values)


_NOTHING = _Column()


def smoothed(values: Floats, span: int) -> Floats:
    """A running mean whose weights fade, shape (n,): about the last `span` values count.

    The first ones are not drawn towards zero: each mean is over the weights that there are.

    >>> smoothed(np.array([4.0, 4.0, 4.0]), 10).tolist()
    [4.0, 4.0, 4.0]
    """
    if len(values) < 3:
        return values.astype(np.float64)
    keep = 1 - 2 / (span + 1)
    weights = keep ** np.arange(min(len(values), 5 * span))
    sums = np.convolve(values, weights)[: len(values)]
    return np.asarray(sums / np.convolve(np.ones(len(values)), weights)[: len(values)])
