"""Turns the progress of several parts of a measurement into one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol


class Report(Protocol):
    """As much of a job's context as a measurement reports to."""

    def progress(self, done: float, total: float, *, unit: str = "", label: str = "") -> None:
        """Report progress; may raise to stop the work."""

    def log(self, text: str) -> None:
        """Write a line for the person."""


class Stages:
    """Parts that take about so long each, in any unit.

    Args:
        shares: By name, in the order in which they come.
    """

    def __init__(self, report: Report, shares: Mapping[str, float]) -> None:
        self._report = report
        self._shares = dict(shares)
        self._total = sum(shares.values())

    def of(self, name: str) -> Callable[[int, int], None]:
        """What a part reports to: how much it has done, of how much."""
        names = list(self._shares)
        before = sum(self._shares[each] for each in names[: names.index(name)])

        def progress(done: int, total: int) -> None:
            share = self._shares[name] * (done / total if total else 1.0)
            self._report.progress(round(100 * (before + share) / self._total, 1), 100, unit="%", label=name)

        return progress
