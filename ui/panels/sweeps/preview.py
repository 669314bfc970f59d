"""Says before a sweep starts how many trials it has, and roughly what they take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ui import format
from ui.widgets.optimize_plan import estimated_bytes
from workbench.catalogue_entry import OperationEntry
from workbench.model import ModelFacts


@dataclass(frozen=True, slots=True)
class Cost:
    """What is known of the cost of a sweep's trials.

    Attributes:
        seconds: What the jobs of one trial took here; None where none has run.
        on_top: Whether the time of some of them is not known, and comes on top.
        parallel: Trials at the same time.
        slots: Jobs that this computer runs at once; None where the trials run elsewhere.
        result_bytes: About what all results take on the disk; None where that is not known.
    """

    seconds: float | None
    on_top: bool
    parallel: int
    slots: int | None
    result_bytes: int | None
    free_bytes: int


def count_text(trials: int) -> str:
    """`1 trial`, `12 trials`."""
    return f"{format.grouped(trials)} trial{'' if trials == 1 else 's'}"


def cost_text(trials: int, cost: Cost) -> str:
    """What the trials take, in sentences."""
    said = []
    at_once = max(1, min(cost.parallel, trials))
    if cost.slots is not None and cost.slots < at_once:
        at_once = cost.slots
        jobs = "one job" if at_once == 1 else f"{at_once} jobs"
        said.append(f"The Settings let {jobs} work at the same time, so the other trials wait.")
    if cost.seconds is None and cost.slots is None:
        said.append("How long one takes there is not known.")
    elif cost.seconds is None:
        said.append("How long one takes is not known: no such job has run here yet.")
    else:
        whole = math.ceil(trials / at_once) * cost.seconds
        rest = ", and what follows each comes on top" if cost.on_top else ""
        said.append(
            f"By the last runs here a trial takes {format.duration(cost.seconds)}{rest}: together about "
            f"{format.duration(whole)}."
        )
    if cost.result_bytes is not None:
        said.append(
            f"The results take about {format.bytes(cost.result_bytes)}; "
            f"{format.bytes(cost.free_bytes)} are free."
        )
    return " ".join(said)


def results_bytes(
    entry: OperationEntry,
    fixed: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]],
    facts: ModelFacts | None,
) -> int | None:
    """About what the first step's results take together; None where a size is not known beforehand."""
    if entry.output in (None, "adapter"):
        return None
    sizes = [estimated_bytes(entry.fields, {**fixed, **each}, facts) for each in trials]
    known = [each for each in sizes if each is not None]
    return sum(known) if known and len(known) == len(sizes) else None
