"""Says how far the median of a few runs can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

#: With fewer runs no two of them enclose the median in 95 of 100 cases.
FEWEST = 6
#: How often the interval encloses the median.
COVERAGE = 0.95


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, and the ends of its 95 % interval, whatever the values' distribution is.

    The ends are order statistics: of n values in rising order those at the ranks r and n + 1 - r, with the
    largest r for which the binomial distribution puts the median between them in at least 95 % of the cases
    (Thompson 1936; David and Nagaraja, Order Statistics, 3rd edition, section 7.1). Fewer than `FEWEST`
    values have no such ranks; their ends are the smallest and the largest value, which promise less.

    >>> median_interval([3, 1, 2, 5, 4, 6])
    (3.5, 1.0, 6.0)
    >>> median_interval(range(1, 12))
    (6.0, 2.0, 10.0)
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(map(float, values))
    rank = _rank(len(ordered))
    return float(np.median(ordered)), ordered[rank - 1], ordered[-rank]


@cache
def _rank(count: int) -> int:
    """The largest rank whose tail is small enough, from 1."""
    tail, rank = 0.0, 0
    while rank < (count + 1) // 2:
        tail += math.comb(count, rank) / 2**count
        if tail > (1 - COVERAGE) / 2:
            break
        rank += 1
    return max(1, rank)
