"""Says how far a share that was counted on few items can be trusted."""

from __future__ import annotations

import math

#: Standard deviations that hold 95 % of a normal distribution.
Z_95 = 1.959964


def wilson(successes: float, trials: int, z: float = Z_95) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927), which holds for few trials and extreme shares too.

    Args:
        successes: From 0 to `trials`; a tie may count half.
        z: How wide, in standard deviations; 95 % by default.

    Returns:
        Its ends, between 0 and 1; all of that where nothing was tried.

    >>> [round(each, 3) for each in wilson(8, 10)]
    [0.49, 0.943]
    >>> [round(each, 3) for each in wilson(0, 20)]
    [0.0, 0.161]
    """
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    below = 1 + z * z / trials
    # Rounding may move an end past the share itself, at 0 and 1.
    return max(0.0, min(share, (centre - spread) / below)), min(1.0, max(share, (centre + spread) / below))
