"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["cosine", "linear", "constant"]


def factor(step: int, steps: int, warmup: int, schedule: Schedule) -> float:
    """The share of the full learning rate at a step, from 0.

    A warm-up rises in a line to the full rate; then the rate stays, or falls to zero at the last step in a
    line or along half a cosine.

    >>> [round(factor(step, 10, 2, "linear"), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.12]
    """
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "constant":
        return 1.0
    share = (step - warmup) / max(1, steps - warmup)
    return 1 - share if schedule == "linear" else (1 + math.cos(math.pi * share)) / 2
