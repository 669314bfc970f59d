"""Random order that is a pure function of seed and epoch: the same on every machine, backend and numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea, Flood 2014), which spreads counters over all 64 bits."""
    with np.errstate(over="ignore"):
        found = values + np.uint64(_GOLDEN)
        found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))


def keys(seed: int, epoch: int, count: int, purpose: int = 0) -> NDArray[np.uint64]:
    """64 random bits for each of `count` things; `purpose` keeps different choices of one epoch apart."""
    start = mixed(np.array([seed & (1 << 64) - 1], dtype=np.uint64))
    for each in (epoch, purpose):
        start = mixed(start ^ np.uint64(each))
    with np.errstate(over="ignore"):
        return mixed(start + np.arange(count, dtype=np.uint64) * np.uint64(_GOLDEN))


def shuffled(seed: int, epoch: int, count: int, purpose: int = 0) -> NDArray[np.int64]:
    """The numbers 0 to `count` - 1 in random order.

    >>> sorted(shuffled(7, 0, 4).tolist())
    [0, 1, 2, 3]
    """
    return np.argsort(keys(seed, epoch, count, purpose), kind="stable").astype(np.int64)


def repeated(weights: NDArray[np.float64], seed: int, epoch: int) -> NDArray[np.int64]:
    """Each example as often as its weight says; the fraction by chance, another each epoch.

    Args:
        weights: How often an epoch has each example, shape (examples,).
    """
    chance = keys(seed, epoch, len(weights), purpose=2) / float(1 << 64)
    times = np.floor(weights).astype(np.int64) + (chance < weights - np.floor(weights))
    return np.repeat(np.arange(len(weights), dtype=np.int64), times)
