"""Reads what a fine-tuning wrote beside its result: the figures of the run, and of the proof."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import ModelFileError
from workbench.library.bounded import read_json
from workbench.model import TuningFacts

RUN = "tuning.json"
PROOF = "proof.json"
MAX_BYTES = 8_000_000
#: The loss of a uniform guess among a million tokens is 13.8; nothing that was trained is far above.
_MAX_LOSS = 1000.0


def tuning_facts(folder: Path) -> TuningFacts | None:
    """The figures of the fine-tuning that made what lies in a folder; None where there are none.

    They are told to a person and decide nothing, so a file that is damaged counts as none.

    Example of `proof.json`, whose figures win over those of the run in `tuning.json`::

        {"held_out": {"before": 2.3, "after": 0.4}, "task": {"before": 0.0, "after": 0.9, "p": 1e-9},
         "forgetting": {"mean_kld": 0.02}}
    """
    run, proof = _content(folder / RUN), _content(folder / PROOF)
    if not run and not proof:
        return None
    held_out, task, forgetting = (_part(proof, name) for name in ("held_out", "task", "forgetting"))
    steps = run.get("steps")
    found = TuningFacts(
        steps=steps if type(steps) is int and 0 < steps < 1 << 53 else None,
        held_out_before=_figure(held_out.get("before"), run.get("held_out_before"), most=_MAX_LOSS),
        held_out_after=_figure(held_out.get("after"), run.get("held_out_best"), most=_MAX_LOSS),
        accuracy_before=_figure(task.get("before"), most=1.0),
        accuracy_after=_figure(task.get("after"), most=1.0),
        p=_figure(task.get("p"), most=1.0),
        mean_kld=_figure(forgetting.get("mean_kld"), most=_MAX_LOSS),
    )
    return found if found != TuningFacts() else None


def _content(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        return read_json(path, MAX_BYTES)
    except ModelFileError:
        return {}


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = content.get(name)
    return part if isinstance(part, dict) else {}


def _figure(*candidates: Any, most: float) -> float | None:
    """The first of some values that can be meant."""
    for value in candidates:
        if type(value) in (int, float) and math.isfinite(value) and 0 <= value <= most:
            return float(value)
    return None
