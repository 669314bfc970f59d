"""Axes of the Compare page's charts: where a figure lies between two ends, and round figures to mark."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

#: A step between marks is one of these times a power of ten; the second row divides a decade of a log axis.
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_SPARSE, _DENSE = (1.0,), (1.0, 2.0, 5.0)
#: A log axis marks whole decades alone from so many of them on.
_MANY_DECADES = 2.2

#: More marks than this crowd an axis.
_MOST_MARKS = 9
#: As far beyond its ends, in its own length, a figure is placed at the most.
_BEYOND = 2.0
#: Figures are held within this, so that no arithmetic on them overflows.
_LARGEST = 1e100

Words = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Axis:
    """The ends and the marks of an axis."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    is_log: bool = False

    def share(self, value: float) -> float:
        """Where a figure lies: 0 at the low end, 1 at the high one, and never far beyond either.

        Qt's painter does not survive coordinates of any size, and a figure in a card may have any.
        """
        if self.is_log:
            share = math.log(max(value, 1e-300) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(max(share, -_BEYOND), 1 + _BEYOND)


def linear(
    values: Iterable[float], words: Words, *, from_zero: bool = False, room: float = 0.06, most: int = 6
) -> Axis:
    """An axis that holds all values, with some room at its ends.

    >>> [text for _, text in linear([88e6, 271e6], lambda size: f"{size / 1e6:.0f}").ticks]
    ['100', '150', '200', '250']
    """
    found = [value for value in values if abs(value) <= _LARGEST]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    if from_zero:
        low = min(low, 0.0)
    if high - low < 1e-9 * max(abs(high), 1e-9):
        half = abs(high) * 0.1
        low, high = (low - half, high + half) if half else (low, low + 1.0)
    spread = (high - low) * room
    low, high = (low if from_zero and low == 0 else low - spread), high + spread
    return Axis(low, high, tuple((tick, words(tick)) for tick in _round_figures(low, high, most)))


def log(
    values: Iterable[float],
    words: Words,
    *,
    room: float = 0.06,
    least: float = 2.0,
    ticks: Sequence[float] | None = None,
) -> Axis:
    """A logarithmic axis that holds all values above 0.

    Args:
        least: From end to end there is at least this factor.
        ticks: What is marked; round figures where not given.

    >>> [text for _, text in log([0.002, 0.61], str).ticks]
    ['0.01', '0.1']
    """
    found = [value for value in values if 1 / _LARGEST <= value <= _LARGEST]
    low, high = (min(found), max(found)) if found else (1.0, 10.0)
    if high < least * low:
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(least), middle * math.sqrt(least)
    factor = (high / low) ** room
    low, high = low / factor, high * factor
    marks = _decades(low, high) if ticks is None else [each for each in ticks if low <= each <= high]
    return Axis(low, high, tuple((tick, words(tick)) for tick in marks), is_log=True)


def _round_figures(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in _STEPS if power * each >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    parts = _SPARSE if math.log10(high / low) >= _MANY_DECADES else _DENSE
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    # As text and back: 10 ** -1 times 2 is no round figure in binary.
    marks = [float(f"{part:g}e{exponent}") for exponent in exponents for part in parts]
    inside = [mark for mark in marks if low <= mark <= high]
    return inside[:: math.ceil(len(inside) / _MOST_MARKS) or 1]
