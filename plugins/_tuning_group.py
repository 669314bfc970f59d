"""What several workers that train one model together ask of each other, on any backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Group(Protocol):
    """The workers of one run. Every worker makes the same calls in the same order, else all wait for ever."""

    @property
    def rank(self) -> int:
        """Which worker this is, from 0; the first one leads: it reports, and writes what is kept."""

    @property
    def size(self) -> int:
        """How many workers there are."""

    def sum(self, values: Sequence[float]) -> list[float]:
        """The sums over all workers, the same on each."""

    def sum_gradients(self, backend: Any) -> None:
        """Put the sums of all workers' gradients in place of this worker's own."""

    def barrier(self) -> None:
        """Wait until every worker is here."""
