"""Combines what several adapters would add to one weight: TIES, DARE, and plain sums.

The arithmetic works on the changes of the full weights, not on the two small matrices of each adapter as
PEFT's `add_weighted_adapter` does: the product of sums is not the sum of products.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any


def summed(deltas: Sequence[Any], weights: Sequence[float]) -> Any:
    """The sum of changes, each times its weight (task arithmetic, arXiv 2212.04089).

    >>> import torch
    >>> summed([torch.tensor([1.0, 2.0]), torch.tensor([3.0, -2.0])], [1.0, 0.5]).tolist()
    [2.5, 1.0]
    """
    return sum(delta * weight for delta, weight in zip(deltas, weights, strict=True))


def elected(deltas: Sequence[Any], weights: Sequence[float]) -> Any:
    """For each number the mean of the changes that point the way of the majority (TIES, arXiv 2306.01708).

    The majority is the sign of the sum of all changes; where that is nought, plus. Changes that are nought
    have no say. Each change counts times its weight once the sign is elected.

    >>> import torch
    >>> elected([torch.tensor([1.0, -4.0, 0.0]), torch.tensor([3.0, 1.0, 2.0])], [1.0, 1.0]).tolist()
    [2.0, -4.0, 2.0]
    """
    import torch

    way = torch.where(summed(deltas, [1.0] * len(deltas)) >= 0, 1.0, -1.0)
    total, voices = torch.zeros_like(way), torch.zeros_like(way)
    for delta, weight in zip(deltas, weights, strict=True):
        agreeing = (delta * way).clamp_(min=0)
        total.add_(agreeing, alpha=weight)
        voices += agreeing.sign_()
    return total.mul_(way).div_(voices.clamp_(min=1))


def trimmed(delta: Any, threshold: float) -> Any:
    """A change without the numbers whose magnitude is below a threshold.

    >>> import torch
    >>> trimmed(torch.tensor([0.1, -0.5, 0.5]), 0.5).tolist()
    [0.0, -0.5, 0.5]
    """
    return delta * (delta.abs() >= threshold)


def dropped(delta: Any, density: float, generator: Any) -> Any:
    """A change without a random share of its numbers, the rest made larger for it (DARE, arXiv 2311.03099).

    Args:
        density: The share that is kept, more than 0.
        generator: Where the random numbers come from.
    """
    import torch

    kept = torch.rand(delta.shape, generator=generator) < density
    return delta * kept / density


def generator_for(seed: int, adapter: int, tensor: str) -> Any:
    """Random numbers that depend on nothing but the seed, the adapter's place in the list and the tensor."""
    import torch

    digest = hashlib.sha256(f"{seed}/{adapter}/{tensor}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


class Magnitudes:
    """Finds the magnitude that a given share of very many numbers reaches, without holding them.

    The numbers are shown twice, in any pieces. The bits of positive floats are ordered as they are, so the
    first time the upper sixteen bits are counted and the second time, within the bin that the limit falls
    into, the lower ones: the threshold is exact.

    >>> import torch
    >>> numbers = torch.tensor([0.3, -0.1, 0.4, -0.2])
    >>> found = Magnitudes(density=0.5)
    >>> found.count(numbers); found.narrow(); found.count(numbers)
    >>> round(found.threshold(), 6)
    0.3
    """

    def __init__(self, density: float) -> None:
        self._density = density
        self._counts: Any = 0
        #: Where the limit falls; -1 until all numbers were shown once.
        self._bin = -1
        self._wanted = 0

    def count(self, numbers: Any) -> None:
        """Take numbers (float32) into account."""
        import torch

        bits = numbers.abs().reshape(-1).view(torch.int32)
        upper = bits >> 16
        shown = upper if self._bin < 0 else (bits & 0xFFFF)[upper == self._bin]
        self._counts = self._counts + torch.bincount(shown, minlength=1 << 16)

    def narrow(self) -> None:
        """All numbers were shown once; they will be shown again."""
        # At least one number is kept, as no change at all would be no answer.
        self._wanted = max(1, int(self._density * int(self._counts.sum())))
        self._bin = self._reached()
        self._counts = 0

    def threshold(self) -> float:
        """The least magnitude that is kept, once all numbers were shown twice."""
        import torch

        bits = (self._bin << 16) | self._reached()
        return float(torch.tensor([bits], dtype=torch.int32).view(torch.float32))

    def _reached(self) -> int:
        """The highest bin above which, itself included, the wanted count lies; the wanted rest stays."""
        above = self._counts.flip(0).cumsum(0)
        place = int((above >= self._wanted).nonzero()[0])
        self._wanted -= int(above[place]) - int(self._counts.flip(0)[place])
        return len(self._counts) - 1 - place
