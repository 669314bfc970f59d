"""The figures of a job as arrays: read once from its events, kept beside them in binary."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.jobs.events import EventTail, Metric

Floats = NDArray[np.float64]

_FIRST_ROWS = 1024
#: Least new bytes in memory before they are written to the index, so that a running job makes few writes.
_SAVE_EVERY_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its name and the unit of its values."""

    name: str
    unit: str


class _Kept(msgspec.Struct):
    """One series in the index file: how many points of its file are whole."""

    name: str
    unit: str
    points: int


class _Index(msgspec.Struct):
    """The index file: up to which byte the events were read, and what came of it."""

    offset: int = 0
    series: list[_Kept] = []


class SeriesStore:
    """All metric series of one job, in the order of their first point.

    The job's `series/` folder holds each series as pairs of float64 (seconds since the epoch, value), and
    an index that says up to which byte of `events.jsonl` they reach. It can be deleted at any time; where
    it can't be written the store works from memory. One process uses it at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._events = folder / "events.jsonl"
        self._folder = folder / "series"
        self._columns: dict[str, _Column] = {}
        self._saved_offset = 0
        self._load()
        self._tail = EventTail(self._events, self._saved_offset)

    def names(self) -> list[Series]:
        """The series that have points."""
        return [Series(name, column.unit) for name, column in self._columns.items()]

    def read(self, name: str) -> tuple[Floats, Floats]:
        """Times (seconds since the epoch, not falling) and values of a series; views, not to be written to.

        Raises:
            KeyError: There is no such series.
        """
        return self._columns[name].view()

    def append_new(self, limit_bytes: int = 1 << 20) -> bool:
        """Take in the next events, at most about `limit_bytes` of them; false where nothing was new."""
        before = self._tail.offset
        for event in self._tail.read(limit_bytes):
            if isinstance(event, Metric):
                column = self._columns.get(event.name)
                if column is None:
                    column = self._columns[event.name] = _Column(event.unit)
                column.append(event.t, event.value)
        grown = self._tail.offset != before
        behind = self._tail.offset - self._saved_offset
        if behind >= _SAVE_EVERY_BYTES or (behind and not grown):
            self._save()
        return grown

    def _load(self) -> None:
        try:
            index = msgspec.json.decode((self._folder / "index.json").read_bytes(), type=_Index)
            if index.offset > self._events.stat().st_size:
                return  # the events were replaced: read them anew
            columns = {
                kept.name: _Column.from_file(self._file(number), kept)
                for number, kept in enumerate(index.series)
            }
        except (OSError, ValueError, msgspec.MsgspecError):
            return
        self._columns = columns
        self._saved_offset = index.offset

    def _save(self) -> None:
        # What can't be written is only slower to open next time.
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            for number, column in enumerate(self._columns.values()):
                column.append_to(self._file(number))
            kept = [_Kept(name, column.unit, column.points) for name, column in self._columns.items()]
            draft = self._folder / "index.json.new"
            draft.write_bytes(msgspec.json.encode(_Index(self._tail.offset, kept)))
            os.replace(draft, self._folder / "index.json")  # noqa: PTH105 - the one atomic step
            self._saved_offset = self._tail.offset

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:04d}.f64"


class _Column:
    """One series in memory: an array of pairs that doubles when it is full."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.points = 0
        self._pairs: Floats = np.empty((_FIRST_ROWS, 2))
        self._saved = 0

    @classmethod
    def from_file(cls, path: Path, kept: _Kept) -> _Column:
        pairs = np.fromfile(path, dtype="<f8", count=2 * kept.points).reshape(-1, 2)
        if len(pairs) < kept.points:
            raise ValueError(f"{path} is shorter than its index says")
        column = cls(kept.unit)
        column._pairs = pairs if len(pairs) else column._pairs
        column.points = column._saved = kept.points
        return column

    def append(self, t: float, value: float) -> None:
        if self.points == len(self._pairs):
            self._pairs = np.concatenate([self._pairs, np.empty_like(self._pairs)])
        self._pairs[self.points, 0] = t
        self._pairs[self.points, 1] = value
        self.points += 1

    def view(self) -> tuple[Floats, Floats]:
        held = self._pairs[: self.points]
        return held[:, 0], held[:, 1]

    def append_to(self, path: Path) -> None:
        """Write what is not in the file yet; points beyond the saved ones, of a crash, are overwritten."""
        if self._saved == self.points and path.exists():
            return
        with path.open("r+b" if path.exists() else "wb") as file:
            file.seek(16 * self._saved)
            file.write(self._pairs[self._saved : self.points].astype("<f8").tobytes())
            file.truncate()
        self._saved = self.points


def decimate(t: Floats, v: Floats, t0: float, t1: float, pixels: int) -> tuple[Floats, Floats]:
    """At most four points per pixel column that draw the same line: first, least, largest and last of each.

    Args:
        t: Times, not falling, shape (n,).
        v: Values, shape (n,).
        t0: Where the first column begins.
        t1: Where the last column ends.
        pixels: How many columns.

    Returns:
        Times and values in order of time; peaks are kept (after Jugel et al., M4, VLDB 2014).
    """
    first = int(np.searchsorted(t, t0, "left"))
    last = int(np.searchsorted(t, t1, "right"))
    t, v = t[first:last], v[first:last]
    if len(t) <= 4 * pixels or t1 <= t0:
        return np.ascontiguousarray(t), np.ascontiguousarray(v)
    edges = np.searchsorted(t, np.linspace(t0, t1, pixels + 1)[1:-1])
    starts = np.unique(np.concatenate([[0], edges]))
    starts = starts[starts < len(t)]
    ends = np.append(starts[1:], len(t)) - 1
    values = np.ascontiguousarray(v)
    chosen = np.concatenate(
        [starts, ends, _extreme(values, starts, np.minimum), _extreme(values, starts, np.maximum)]
    )
    kept = np.unique(chosen)
    return t[kept], values[kept]


def _extreme(v: Floats, starts: NDArray[np.intp], ufunc: Callable[..., Floats]) -> NDArray[np.intp]:
    """Index of the least (or largest) value of each run that begins at `starts`."""
    reduced = ufunc.reduceat(v, starts)  # type: ignore[attr-defined]
    lengths = np.diff(np.append(starts, len(v)))
    hits = np.flatnonzero(v == np.repeat(reduced, lengths))
    runs = np.searchsorted(starts, hits, "right") - 1
    _, first = np.unique(runs, return_index=True)
    found: NDArray[np.intp] = hits[first]
    return found
