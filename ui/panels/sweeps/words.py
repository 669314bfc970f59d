"""How a sweep stands, in words."""

from __future__ import annotations

import time

from ui.models.sweep_axes import value_text
from workbench.cluster.sweep_file import Sweep

#: A process that has not begun with its sweep by then never will.
_BEGINS_S = 60.0


def state_of(sweep: Sweep, *, at_work: bool) -> str:
    """How a sweep stands, in a word; one whose process was killed is interrupted, whatever it said last."""
    if sweep.state in ("running", "waiting"):
        if at_work:
            return "at work"
        young = time.time() - sweep.since < _BEGINS_S
        return "begins" if sweep.state == "waiting" and young else "interrupted"
    return sweep.state


def count_words(sweep: Sweep) -> str:
    """How many of its trials are over."""
    done = sum(each.state in ("done", "failed", "stopped") for each in sweep.trials)
    failed = sum(each.state == "failed" for each in sweep.trials)
    return f"{done} of {len(sweep.trials)} trials" + (f", {failed} failed" if failed else "")


def best_words(sweep: Sweep) -> str:
    """What the best trial tried, and what came of it."""
    best = sweep.best()
    if sweep.plan is None:
        return ""
    if best is None:
        return f"No trial has told its {sweep.plan.metric} yet." if sweep.trials else ""
    values = ", ".join(
        f"{name} = {value_text(value)}" for name, value in sweep.plan.values[best.number].items()
    )
    return f"Best so far: trial {best.number + 1} with {values}: {sweep.plan.metric} {best.value:.4g}."
