"""One curve of a plot: long series reduced to what the pixels can show, with gaps where nothing ran."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from workbench.jobs.series import decimate

Floats = npt.NDArray[np.float64]

#: A pause in a series is a gap when it lasts this many of its usual intervals, and this many seconds.
_GAP_INTERVALS = 8.0
_GAP_SECONDS = 4.0

#: Until a series has this many points, its usual interval is worked out anew each time.
_SETTLED_POINTS = 256

_EMPTY: Floats = np.empty(0)


@dataclass(frozen=True, slots=True)
class CurveSpec:
    """What a curve is called and how it is told from the others without its colour.

    Attributes:
        name: The series' name in the job.
        title: What a person reads.
        unit: The unit of its values, for example `B`, `tok/s`, `%`.
        dashed: Drawn with dashes.
        marker: pyqtgraph's symbol at each point while few are shown: `o`, `s`, `t`, `d`; empty for none.
        filled: Whether the area down to zero is tinted.
        colour: Its place among the plot's colours; the next one where not given.
        faint: Drawn weakly and without a name: the single values behind a smoothed curve.
    """

    name: str
    title: str
    unit: str = ""
    dashed: bool = False
    marker: str = ""
    filled: bool = False
    colour: int | None = None
    faint: bool = False


class CurvePoints:
    """The points of one curve, and what of them is drawn in a window of time.

    The arrays are used in place (they may be memory maps of millions of points) and may only grow.
    """

    def __init__(self) -> None:
        self.t: Floats = _EMPTY
        self.v: Floats = _EMPTY
        self.breaks: list[int] = []
        self._seen = 0
        self._interval = 0.0

    def __len__(self) -> int:
        return len(self.t)

    def replace(self, t: Floats, v: Floats) -> bool:
        """Take arrays whose beginning is what is held already; true where points were added."""
        if len(t) < self._seen or (self._seen and t[0] != self.t[0]):
            self._seen = 0
            self.breaks = []
        grown = len(t) != len(self.t)
        self.t, self.v = t, v
        self._find_breaks()
        return grown

    def drawn(self, start: float, end: float, pixels: int) -> tuple[Floats, Floats]:
        """The points to draw between two times: at most a few per pixel, NaN between runs.

        One point beyond either edge is kept, so that lines reach the edges of the window.
        """
        if not len(self.t):
            return _EMPTY, _EMPTY
        first = max(int(np.searchsorted(self.t, start, "left")) - 1, 0)
        last = min(int(np.searchsorted(self.t, end, "right")) + 1, len(self.t))
        edges = [first, *(each for each in self.breaks if first < each < last), last]
        if len(edges) == 2:
            return self._reduced(first, last, pixels)
        span = max(float(self.t[last - 1] - self.t[first]), 1e-9)
        pieces_t: list[Floats] = []
        pieces_v: list[Floats] = []
        for low, high in pairwise(edges):
            share = float(self.t[high - 1] - self.t[low]) / span
            t, v = self._reduced(low, high, max(int(pixels * share), 2))
            pieces_t += [t, t[-1:]]
            pieces_v += [v, np.array([np.nan])]
        return np.concatenate(pieces_t[:-1]), np.concatenate(pieces_v[:-1])

    def at(self, when: float) -> tuple[float, float] | None:
        """The point nearest to a time; None in a gap or outside the curve."""
        if not len(self.t):
            return None
        right = int(np.searchsorted(self.t, when))
        in_gap = right in self.breaks
        left = max(right - 1, 0)
        right = min(right, len(self.t) - 1)
        nearest = left if when - self.t[left] <= self.t[right] - when else right
        slack = max(self._interval, 1e-9)
        is_beyond = in_gap or when < self.t[0] or when > self.t[-1]
        if is_beyond and abs(when - self.t[nearest]) > slack:
            return None
        return float(self.t[nearest]), float(self.v[nearest])

    def _reduced(self, low: int, high: int, pixels: int) -> tuple[Floats, Floats]:
        t, v = self.t[low:high], self.v[low:high]
        if high - low <= 2 * pixels:
            return np.asarray(t), np.asarray(v)
        return decimate(t, v, float(t[0]), float(t[-1]), pixels)

    def _find_breaks(self) -> None:
        if self._seen < _SETTLED_POINTS:
            self._seen = 0
            self.breaks = []
        begin = max(self._seen - 1, 0)
        steps = np.diff(self.t[begin:])
        if len(steps):
            if self._seen < _SETTLED_POINTS:
                self._interval = float(np.median(steps[: 4 * _SETTLED_POINTS]))
            limit = max(_GAP_INTERVALS * self._interval, _GAP_SECONDS)
            self.breaks += (np.flatnonzero(steps > limit) + begin + 1).tolist()
        self._seen = len(self.t)
