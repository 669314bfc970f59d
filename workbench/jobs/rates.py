"""Turns work that is counted now and then into a rate over time."""

from __future__ import annotations

#: So long may nothing be counted before that is told as a standstill, in seconds.
_LEAST_PATIENCE_S = 3.0
#: Where steps take longer: so many times what the last one took.
_PATIENCE = 3.0


class Rate:
    """The rate of one kind of work, looked at every now and then.

    A step that takes several looks is counted in one of them: the others would read as a standstill, and
    that one as far too fast. So a look without work says nothing, and the next with work gives the rate
    since the one before. Each rate holds for the time since the rate before it.

    Args:
        begun: When counting began, in seconds by a clock that never goes back.
    """

    def __init__(self, begun: float) -> None:
        self._told = begun
        self._counted = begun
        self._gap = 0.0

    def look(self, moment: float, amount: float) -> float | None:
        """Take what was counted since the last look; the rate a second, None while a step may be at work."""
        if amount > 0:
            self._gap = moment - self._counted
            self._counted = moment
        elif moment - self._counted <= max(_LEAST_PATIENCE_S, _PATIENCE * self._gap):
            return None
        elapsed = max(moment - self._told, 1e-3)
        self._told = moment
        return amount / elapsed

    def end(self, moment: float) -> float | None:
        """The rate of what is still open: no work came for it."""
        return 0.0 if moment > self._told else None
