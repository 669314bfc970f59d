"""What a training would take on this machine, by every method: memory and time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from workbench.data.report import DataReport
from workbench.model import ModelFacts
from workbench.tuning.choices import METHODS, Backend, Method, TuningChoices
from workbench.tuning.memory import Room, TuningMemory, tuning_memory
from workbench.tuning.pace import Pace, Pass, PastRun, pace_of
from workbench.tuning.past_runs import corrected


class MethodMemory(Struct, frozen=True, kw_only=True):
    """What one method needs, and whether that is free."""

    method: Method
    memory: TuningMemory
    fits: bool


class TuningEstimate(Struct, frozen=True, kw_only=True):
    """What a training would take.

    Attributes:
        room: The memory that it would use.
        memory: For every method, with the other settings as they are.
        epoch: How long an epoch takes with the settings; None where nothing is known of the machine.
        machine_flops, runs: What that rests on, for whoever changes the settings and asks again.
    """

    backend: Backend
    room: Room
    memory: tuple[MethodMemory, ...]
    epoch: Pace | None
    machine_flops: float | None
    runs: tuple[PastRun, ...]

    def of(self, method: Method) -> MethodMemory:
        """What one method needs."""
        return next(each for each in self.memory if each.method == method)


def tuning_estimate(
    facts: ModelFacts,
    data: DataReport,
    choices: TuningChoices,
    backend: Backend,
    room: Room,
    *,
    machine_flops: float | None,
    runs: Sequence[PastRun] = (),
) -> TuningEstimate:
    """What a training takes; arithmetic alone, so that a form can ask at every change."""
    known = tuple(runs)
    found = []
    for method in METHODS:
        with_method = msgspec.structs.replace(choices, method=method)
        need = tuning_memory(facts, with_method, backend, is_gpu=room.is_gpu, is_metal=room.is_metal)
        need = corrected(need, backend, method, known)
        found.append(MethodMemory(method=method, memory=need, fits=need.total_bytes <= room.free_bytes))
    side = data.train
    sequences = side.rows * (2 if "preference" in data.kind else 1)
    what = Pass(tokens=side.tokens, learned=side.learned, mean_length=side.tokens / max(sequences, 1))
    return TuningEstimate(
        backend=backend,
        room=room,
        memory=tuple(found),
        epoch=pace_of(facts, choices, what, backend, machine_flops=machine_flops, runs=known),
        machine_flops=machine_flops,
        runs=known,
    )
