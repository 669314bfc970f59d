"""Where each trial of a sweep lies on upright axes: one for each thing that is varied, and the metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ui import format as show
from ui.panels.compare.axes import linear, log
from workbench.cluster.sweep_file import Plan, Trial
from workbench.cluster.sweep_space import Dimension

#: Values of a list that are named beside its axis.
_MOST_NAMES = 12
#: A metric that spans this factor is shown on a logarithmic axis.
_WIDE = 100.0


@dataclass(frozen=True, slots=True)
class SweepAxis:
    """One upright axis.

    Attributes:
        share: Where a value lies: 0 below, 1 above; None where it can't be shown.
        ticks: Marks, by their share.
        note: What helps to read it.
    """

    title: str
    share: Callable[[Any], float | None]
    ticks: tuple[tuple[float, str], ...]
    note: str = ""


def axes_of(plan: Plan, trials: Sequence[Trial]) -> tuple[SweepAxis, ...]:
    """The axes of a sweep: its dimensions in order, and last the metric."""
    dimensions = [_dimension(each, [row.get(each.name) for row in plan.values]) for each in plan.dimensions]
    better = "lower" if plan.mode == "min" else "higher"
    found = [each.value for each in trials if each.value is not None and math.isfinite(each.value)]
    wide = bool(found) and min(found) > 0 and max(found) / min(found) > _WIDE
    return (*dimensions, _numbers(plan.metric, found, is_log=wide, note=f"{better} is better"))


def goodness(plan: Plan, trials: Sequence[Trial]) -> list[float | None]:
    """How good each trial is among those with a value: 1 for the best, 0 for the last; None without one."""
    known = sorted({each.value for each in trials if each.value is not None}, reverse=plan.mode == "min")
    place = {value: at / max(1, len(known) - 1) if len(known) > 1 else 1.0 for at, value in enumerate(known)}
    return [place[each.value] if each.value is not None else None for each in trials]


def value_text(value: Any) -> str:
    """A varied value as a person reads it.

    >>> value_text(0.00164), value_text(["q_proj", "v_proj"]), value_text(True)
    ('0.00164', 'q_proj, v_proj', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _dimension(dimension: Dimension, values: Sequence[Any]) -> SweepAxis:
    if not dimension.values:
        return _numbers(dimension.name, [float(each) for each in values], is_log=dimension.log)
    # A short list is evenly spaced, numbers too: what was tried is then told apart.
    ordered = list(dimension.values)
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in ordered):
        ordered.sort()
    texts = [value_text(each) for each in ordered]
    step = 1 / max(1, len(texts) - 1)

    def share(value: Any) -> float | None:
        text = value_text(value)
        if text not in texts:
            return None
        return 0.5 if len(texts) == 1 else texts.index(text) * step

    # Of many values only some are named, so that no two names stand on each other.
    every = math.ceil(len(texts) / _MOST_NAMES)
    named = list(zip(ordered, texts, strict=True))[::every]
    ticks = tuple((share(each) or 0.0, text) for each, text in named)
    return SweepAxis(dimension.name, share, ticks)


def _numbers(title: str, values: Sequence[float], *, is_log: bool, note: str = "") -> SweepAxis:
    axis = (log if is_log else linear)(values, show.number)

    def share(value: Any) -> float | None:
        if value is None or not math.isfinite(value):
            return None
        return min(1.0, max(0.0, axis.share(float(value))))

    return SweepAxis(title, share, tuple((axis.share(at), text) for at, text in axis.ticks), note)
