"""`job.py --verify`: does the first part of a job again, and says whether this computer gives the same."""

from __future__ import annotations

import math
from collections.abc import Callable

from workbench.errors import JobCancelled
from workbench.jobs.events import Event, Metric, Progress
from workbench.jobs.expected import Expected, Figures, FirstPoints

#: Where nothing was told in the first part: the share of a long job that shows that it works here at all.
_SHARE = 0.05
#: Smaller differences are what sums in float32 leave of nothing.
_ROUNDING = 1e-8


class SeenEnough(JobCancelled):
    """Ends an operation as a cancel does: what was to be compared is there."""


class Verification:
    """Compares the events of a run with what the script carries.

    Args:
        repeatable: Whether the same inputs give the same bytes, as the operation declares.
    """

    def __init__(self, expected: Expected, *, repeatable: bool) -> None:
        self._expected = expected
        self._repeatable = repeatable
        self._seen = FirstPoints()
        self._share = 0.0
        #: Set by the worker: makes the operation stop at its next `check`.
        self.stop: Callable[[BaseException], None] = lambda _reason: None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Metric):
            self._seen.add(event)
        elif isinstance(event, Progress) and event.total:
            self._share = event.done / event.total
        else:
            return
        if not self._expected.is_short and self._is_enough():
            self.stop(SeenEnough())

    def outcome(self, sha256: str | None) -> tuple[bool, list[str]]:
        """Whether everything agrees, and a line for each thing that was compared.

        Args:
            sha256: The result's hash; None where the run ended before there was one.
        """
        agreed, lines = True, []
        for name, figures in self._expected.figures.items():
            same, line = _compared(name, figures, self._seen.points.get(name, {}))
            agreed &= same
            lines.append(line)
        if sha256 is not None:
            same, line = self._result(sha256, agreed)
            agreed &= same
            lines.append(line)
        if sha256 is None and not self._expected.figures:
            lines.append(
                "The job told no figures that could be compared. It starts here, and its first part works."
            )
        lines.append(
            "This computer gives the same." if agreed else "This computer does not give the same: see above."
        )
        return agreed, lines

    def _is_enough(self) -> bool:
        wanted = self._expected.figures
        if not wanted:
            return self._share >= _SHARE
        return all(
            place in self._seen.points.get(name, {})
            for name, figures in wanted.items()
            for place, _value in figures.points
        )

    def _result(self, sha256: str, agreed: bool) -> tuple[bool, str]:
        wanted = self._expected.sha256
        if not self._repeatable:
            return True, "result: not compared, as the operation does not repeat its bytes (it holds times)."
        if sha256 == wanted:
            return True, f"result: the same, sha256 {sha256}."
        text = f"result: its sha256 is {sha256}, and the job's was {wanted}"
        if self._expected.figures and agreed:
            return True, f"{text}; another processor or library rounds the last bits otherwise."
        return False, f"{text}."


def _compared(name: str, wanted: Figures, seen: dict[int, float]) -> tuple[bool, str]:
    """Whether one series agrees, in words, with the largest difference."""
    missing = [place for place, _value in wanted.points if place not in seen]
    if missing:
        return False, f"{name}: {len(missing)} of {len(wanted.points)} figures were not told here."
    worst = max(((_apart(value, seen[place]), place, value) for place, value in wanted.points), default=None)
    if worst is None:
        return True, f"{name}: nothing to compare."
    share, place, value = worst
    if share == 0:
        return True, f"{name}: the same in {len(wanted.points)} figures."
    where = f"{seen[place]:.6g} here, {value:.6g} there, at {place}"
    if share <= wanted.tolerance:
        return True, f"{name}: agrees within {share:.2%} (allowed {wanted.tolerance:.0%}): {where}."
    return False, f"{name}: differs by {share:.2%} (allowed {wanted.tolerance:.0%}): {where}."


def _apart(one: float, other: float) -> float:
    """By which share of the larger two values differ; two that are not numbers are the same."""
    if one == other or (math.isnan(one) and math.isnan(other)):
        return 0.0
    if not (math.isfinite(one) and math.isfinite(other)):
        return math.inf
    difference = abs(one - other)
    return difference / max(abs(one), abs(other)) if difference > _ROUNDING else 0.0
