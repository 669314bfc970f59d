"""The mean of a rate that was told at uneven times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mean_rate(times: Floats, rates: Floats) -> float:
    """All work over all time: each rate holds for the time since the one before, the first for none known.

    Args:
        times: In seconds, rising; at least one.
        rates: A second, as many.
    """
    spans = np.diff(times)
    if not spans.sum() > 0:
        return float(rates[-1])
    return float(np.average(rates[1:], weights=spans))
