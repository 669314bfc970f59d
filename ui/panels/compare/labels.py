"""Finds places for names beside the points of a chart, where they cover neither each other nor a point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF

#: How far from its point a name is tried, in pixels; from the second on a thin line leads to it.
_DISTANCES = (9.0, 18.0, 30.0, 44.0)
#: Sides in the order of preference: right, above to the right, below to the right, left, above, below, …
_SIDES = ((1, 0), (1, -1), (1, 1), (-1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1))
#: What is kept free around a name and a point.
_GAP, _POINT = 2.0, 6.0
#: What a place costs: a line that it lies across, a point that it is nearer to than to its own, a step in the
#: order of preference, a step away.
_CROSSED, _NEARER, _SIDE, _STEP = 30.0, 40.0, 1.0, 12.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A name and the point that it belongs to; the first in a list get the best places."""

    point: QPointF
    size: QSizeF


def place_names(
    wanted: Sequence[Wanted], frame: QRectF, lines: Sequence[QLineF] = (), taken: Sequence[QRectF] = ()
) -> list[QRectF | None]:
    """A rectangle for each name; None where there is no room for it.

    Args:
        frame: No name leaves it.
        lines: Names avoid lying across these, where they can.
        taken: Nothing lies on these.
    """
    points = [
        QRectF(each.point.x() - _POINT, each.point.y() - _POINT, 2 * _POINT, 2 * _POINT) for each in wanted
    ]
    filled = [*taken, *points]
    found: list[QRectF | None] = []
    for own, each in enumerate(wanted):
        best, least = None, float("inf")
        for step, distance in enumerate(_DISTANCES):
            for rank, side in enumerate(_SIDES):
                box = _beside(each, side, distance)
                cost = step * _STEP + rank * _SIDE
                if cost >= least or not frame.contains(box):
                    continue
                # Its own point is beside the name, by construction.
                if any(box.intersects(other) for other in filled if other is not points[own]):
                    continue
                cost += _CROSSED * sum(_crosses(box, line) for line in lines)
                away = _away(box, each.point)
                cost += _NEARER * sum(_away(box, other.point) < away for other in wanted)
                if cost < least:
                    best, least = box, cost
        found.append(best)
        if best is not None:
            filled.append(best.adjusted(-_GAP, -_GAP, _GAP, _GAP))
    return found


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Middles of lines of text as near as may be to where they are wanted, in their order, not overlapping.

    Args:
        gap: From one line's middle to the next one's.
        low, high: All stay between these; where there is no room for all, they stand closer than `gap`.

    >>> spread([10.0, 11.0, 40.0], 12.0, 0.0, 100.0)
    [4.5, 16.5, 40.0]
    """
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    clusters: list[tuple[float, list[int]]] = []
    for place in order:
        clusters.append((_held(wanted[place], 0.0, low, high), [place]))
        while len(clusters) > 1 and _end(clusters[-2], gap) + gap > clusters[-1][0] + 1e-9:
            _, last = clusters.pop()
            _, before = clusters.pop()
            members = before + last
            middle = sum(wanted[each] - number * gap for number, each in enumerate(members)) / len(members)
            clusters.append((_held(middle, (len(members) - 1) * gap, low, high), members))
    found = [0.0] * len(wanted)
    for start, members in clusters:
        for number, place in enumerate(members):
            found[place] = start + number * gap
    return found


def _held(start: float, length: float, low: float, high: float) -> float:
    return max(min(start, high - length), low)


def _end(cluster: tuple[float, list[int]], gap: float) -> float:
    start, members = cluster
    return start + (len(members) - 1) * gap


def _beside(wanted: Wanted, side: tuple[int, int], distance: float) -> QRectF:
    width, height = wanted.size.width(), wanted.size.height()
    across, down = side
    x = wanted.point.x() + (distance if across > 0 else -distance - width if across < 0 else -width / 2)
    far = distance if across == 0 else distance * 0.8
    y = wanted.point.y() - height / 2 + down * (far + (height / 2 if across == 0 else height * 0.3))
    return QRectF(x, y, width, height)


def _away(box: QRectF, point: QPointF) -> float:
    """How far a point is from a rectangle."""
    x = max(box.left() - point.x(), point.x() - box.right(), 0.0)
    y = max(box.top() - point.y(), point.y() - box.bottom(), 0.0)
    return math.hypot(x, y)


def _crosses(box: QRectF, line: QLineF) -> bool:
    if box.contains(line.p1()) or box.contains(line.p2()):
        return True
    corners = (box.topLeft(), box.topRight(), box.bottomRight(), box.bottomLeft())
    for place in range(4):
        edge = QLineF(corners[place], corners[(place + 1) % 4])
        meets, _ = line.intersects(edge)
        if meets is QLineF.IntersectionType.BoundedIntersection:
            return True
    return False
