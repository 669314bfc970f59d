"""What a conformance check found: one line for each thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.errors import PluginError

Verdict = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: `declared`, `parameters`, `runs`, `events`, `reproducible`, `cancel` or `files`.
        reason: What was seen; why it failed, or why it can't be told.
    """

    name: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Conformance:
    """All that was looked at in one operation."""

    plugin: str
    operation: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.verdict == "failed")

    def text(self) -> str:
        """For a person: a line for each check."""
        width = max((len(check.name) for check in self.checks), default=0)
        marks = {"passed": "✓", "failed": "✗", "not applicable": "–"}
        lines = [f"{self.operation} ({self.plugin})"]
        lines += [f"  {marks[each.verdict]} {each.name.ljust(width)}  {each.reason}" for each in self.checks]
        return "\n".join(lines)

    def require(self) -> None:
        """Let a test fail where a check did.

        Raises:
            PluginError: Its message names every check that failed, and why.
        """
        if self.failed:
            reasons = " ".join(f"{check.name}: {check.reason}" for check in self.failed)
            raise PluginError(f"The operation {self.operation} does not conform. {reasons}")
