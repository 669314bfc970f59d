"""Compares two models on the same items: what changed from right to wrong and back, and whether by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from workbench.measure.intervals import wilson

#: Items that changed, up to which the test is exact. From there on chi-square's p is within 1 % of the exact
#: one wherever it is above 0.001, and the exact sum begins to take long.
_EXACT = 1000


@dataclass(frozen=True, slots=True)
class Paired:
    """How two models did on the same items.

    Attributes:
        both: Items that both got right.
        only_before: Those that the first model alone got right.
        only_after: Those that the second model alone got right.
        neither: Those that none got right.
    """

    both: int
    only_before: int
    only_after: int
    neither: int

    @property
    def items(self) -> int:
        return self.both + self.only_before + self.only_after + self.neither

    @property
    def before(self) -> float:
        """The first model's accuracy; 0 where there are no items."""
        return (self.both + self.only_before) / self.items if self.items else 0.0

    @property
    def after(self) -> float:
        """The second model's accuracy; 0 where there are no items."""
        return (self.both + self.only_after) / self.items if self.items else 0.0

    @property
    def wilson_before(self) -> tuple[float, float]:
        """The 95 % interval of the first accuracy."""
        return wilson(self.both + self.only_before, self.items)

    @property
    def wilson_after(self) -> tuple[float, float]:
        """The 95 % interval of the second accuracy."""
        return wilson(self.both + self.only_after, self.items)

    @property
    def p(self) -> float:
        """See `mcnemar`."""
        return mcnemar(self.only_before, self.only_after)


def paired(before: ArrayLike, after: ArrayLike) -> Paired:
    """Count two models' answers to the same items.

    Args:
        before, after: Whether each item was right, in the same order, shape (items,).

    >>> found = paired([1, 1, 0, 0, 0], [1, 0, 1, 1, 0])
    >>> found.both, found.only_before, found.only_after, found.neither
    (1, 1, 2, 1)
    """
    first, second = np.asarray(before, dtype=bool), np.asarray(after, dtype=bool)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError("both models answer the same items")
    return Paired(
        both=int((first & second).sum()),
        only_before=int((first & ~second).sum()),
        only_after=int((~first & second).sum()),
        neither=int((~first & ~second).sum()),
    )


def mcnemar(only_before: int, only_after: int) -> float:
    """The two-sided p of McNemar's test (1947): how likely so uneven a change is where none is better.

    Items that both models got right or wrong say nothing about which is better; of the others, either model
    would have half by chance. Up to 1000 of these the p is the exact binomial one; above that it is that of
    chi-square with one degree of freedom and Edwards's continuity correction (1948).

    >>> mcnemar(1, 9)
    0.021484375
    >>> mcnemar(0, 0), mcnemar(4, 4)
    (1.0, 1.0)
    """
    changed = only_before + only_after
    if changed > _EXACT:
        distance = max(0, abs(only_before - only_after) - 1)
        return math.erfc(distance / math.sqrt(2 * changed))
    fewer = min(only_before, only_after)
    # Whole numbers as long as possible: a quotient of two of them is rounded once.
    tail = sum(math.comb(changed, count) for count in range(fewer + 1))
    share: float = 2 * tail / 2**changed
    return min(1.0, share)
