"""What finished trainings of a home tell about the next one: how fast its machine is, how much it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from workbench.errors import WorkbenchError
from workbench.model import ModelFacts
from workbench.tuning.choices import Backend, TuningChoices, choices_of
from workbench.tuning.memory import TuningMemory, tuning_memory
from workbench.tuning.pace import Pass, PastRun, training_flops

#: More runs say nothing new.
_RECENT = 50
_MOST_BYTES = 1_000_000
#: Runs that were shorter say little: their first batches set everything up.
_SHORTEST_S = 5.0


class _Figures(Struct, frozen=True, kw_only=True):
    """What is read of what a run took."""

    backend: Backend
    tokens: int
    seconds: float
    peak_bytes: int


class FinishedJob(Struct, frozen=True, kw_only=True):
    """A finished job that may have been a training.

    Attributes:
        folder: The job's own.
        read: The operation's values, and the facts of the model that it started from; raises a WorkbenchError
            where that is gone. Asked for trainings alone.
    """

    folder: Path
    read: Callable[[], tuple[Mapping[str, Any], ModelFacts]]


def past_runs(jobs: Iterable[FinishedJob], *, is_gpu: bool) -> tuple[PastRun, ...]:
    """The trainings among some jobs, newest first.

    Args:
        is_gpu: Whether they ran in the memory of a GPU of its own.
    """
    found = (each for job in jobs if (each := _run_of(job, is_gpu)) is not None)
    return tuple(islice(found, _RECENT))


def corrected(memory: TuningMemory, backend: Backend, method: str, runs: tuple[PastRun, ...]) -> TuningMemory:
    """An estimate with what past runs of the same kind were off by; the activations take the difference."""
    ratios = [
        each.measured_bytes / each.expected_bytes
        for each in runs
        if each.backend == backend and each.method == method and each.expected_bytes > 0
    ]
    if not ratios:
        return memory
    total = round(memory.total_bytes * median(ratios))
    activations = max(memory.activations_bytes + total - memory.total_bytes, 0)
    return msgspec.structs.replace(memory, total_bytes=total, activations_bytes=activations)


def _run_of(job: FinishedJob, is_gpu: bool) -> PastRun | None:
    """A run's figures; None of a job that trained nothing, or that says something strange."""
    path = _measured_in(job.folder)
    try:
        if path is None or path.stat().st_size > _MOST_BYTES:
            return None
        figures = msgspec.json.decode(path.read_bytes(), type=_Figures)
        params, facts = job.read()
        choices = choices_of(params)
    except (OSError, msgspec.MsgspecError, WorkbenchError):
        return None
    if figures.tokens <= 0 or figures.seconds < _SHORTEST_S:
        return None
    return PastRun(
        backend=figures.backend,
        method=choices.method,
        flops=_flops(facts, choices, figures) / figures.seconds,
        expected_bytes=tuning_memory(facts, choices, figures.backend, is_gpu=is_gpu).total_bytes,
        measured_bytes=figures.peak_bytes,
    )


def _measured_in(folder: Path) -> Path | None:
    """Where a training's job says what it took; runs of older versions say it beside their result."""
    path = folder / "measured.json"
    return path if path.is_file() else next(iter(sorted((folder / "out").glob("*/tuning.json"))), None)


def _flops(facts: ModelFacts, choices: TuningChoices, figures: _Figures) -> float:
    # How many of the tokens were learned is not kept; half of them are in most data, and it changes little.
    what = Pass(tokens=figures.tokens, learned=figures.tokens // 2, mean_length=choices.max_tokens / 2)
    return training_flops(facts, choices, what)
