"""Finds the choices that no other beats: the Pareto front over figures of which less or more is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

#: Which way is better along an axis.
Better = Literal["less", "more"]

_Costs = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one point stands among the others.

    Attributes:
        complete: Whether all of its figures are known; a point that lacks one is neither on the front nor
            beaten, and beats none.
        beaten_by: The place of a point on the front that is at least as good along every axis and better
            along one; None where there is no such point.
    """

    complete: bool
    beaten_by: int | None = None

    @property
    def on_front(self) -> bool:
        return self.complete and self.beaten_by is None


def standings(points: Sequence[Sequence[float | None]], better: Sequence[Better]) -> tuple[Standing, ...]:
    """How each point stands, in the order given. Points that are equal in everything don't beat each other.

    Args:
        points: Of each its figure along every axis; None or a number that is not finite where it is missing.
        better: Of each axis, which way is better.

    >>> megabytes_and_speeds = [(88, 100), (145, 150), (271, 107)]
    >>> [each.on_front for each in standings(megabytes_and_speeds, ("less", "more"))]
    [True, True, False]
    """
    signs = np.array([1.0 if each == "less" else -1.0 for each in better])
    table = np.array(
        [[np.nan if figure is None else figure for figure in point] for point in points], dtype=np.float64
    )
    costs = table.reshape(len(points), len(better)) * signs
    complete = np.isfinite(costs).all(axis=1)
    # A comparison with a missing figure is false, so that such a point beats none.
    costs[~complete] = np.nan
    on_front = complete.copy()
    for place in np.flatnonzero(complete).tolist():
        on_front[place] = not _beats(costs, costs[place]).any()
    leaders = np.flatnonzero(on_front)
    found = []
    for place in range(len(points)):
        beating = leaders[_beats(costs[leaders], costs[place])].tolist()
        found.append(Standing(bool(complete[place]), beating[0] if beating else None))
    return tuple(found)


def front(points: Sequence[Sequence[float | None]], better: Sequence[Better]) -> tuple[int, ...]:
    """The places of the points on the front, along the first axis from its better end.

    >>> front([(271, 107), (145, 150), (88, 172), (93, 158)], ("less", "more"))
    (2,)
    >>> front([(0.002, 150), (0.61, 172), (0.18, 158), (None, 900)], ("less", "more"))
    (0, 2, 1)
    """
    found = [place for place, each in enumerate(standings(points, better)) if each.on_front]
    sign = 1.0 if better[0] == "less" else -1.0
    return tuple(sorted(found, key=lambda place: sign * (points[place][0] or 0.0)))


def _beats(costs: _Costs, cost: _Costs) -> npt.NDArray[np.bool_]:
    """Which rows are nowhere worse than a point, and better somewhere."""
    nowhere_worse: npt.NDArray[np.bool_] = np.all(costs <= cost, axis=1)
    somewhere_better: npt.NDArray[np.bool_] = np.any(costs < cost, axis=1)
    return nowhere_worse & somewhere_better
