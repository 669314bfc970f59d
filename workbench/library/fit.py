"""Whether a model fits: what it needs at a context and a batch, against the memory that is free here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.hardware import Machine, nvidia, ram_free_bytes
from workbench.hardware import machine as this_machine
from workbench.library.load_history import LoadHistory
from workbench.library.memory_need import Engine, MemoryNeed, engine_of, memory_need
from workbench.model import ModelFacts

#: The longest context that is looked for where a header is silent.
_UNKNOWN_CONTEXT = 32768
#: A largest context is told to this many tokens.
_STEP = 256


@dataclass(frozen=True, slots=True)
class FitPlace:
    """One memory of this machine.

    Attributes:
        name: `Memory`, or the GPU's name.
        kind: `ram` or `gpu`.
        total_bytes: How much there is.
        free_bytes: How much a new load could have, with what is loaded already taken off.
        fits: Whether the model's estimate is within that.
    """

    name: str
    kind: Literal["ram", "gpu"]
    total_bytes: int
    free_bytes: int
    fits: bool


@dataclass(frozen=True, slots=True)
class FitEstimate:
    """What a model needs, in bytes, and where that is free.

    Attributes:
        weights_bytes: The weights as the engine holds them.
        kv_bytes: Keys and values of the whole context, for every sequence of the batch.
        working_bytes: Everything else: vocabulary, activations, buffers; with the correction of past loads.
        total_bytes: All of it.
        error_fraction: How far off corrected estimates were; None where nothing was loaded yet.
        loads: How many loads of this architecture with this engine that rests on.
        largest_context: The longest context that fits into the roomiest memory, in tokens; None where
            not even the shortest does.
        places: The memories of this machine; the first is where the engine would put it.
        engine: The engine it was estimated for.
    """

    weights_bytes: int
    kv_bytes: int
    working_bytes: int
    total_bytes: int
    error_fraction: float | None
    loads: int
    largest_context: int | None
    places: tuple[FitPlace, ...]
    engine: Engine


def estimate(
    facts: ModelFacts,
    *,
    context: int,
    batch: int,
    engine: Engine | None = None,
    history: LoadHistory | None = None,
    loaded_bytes: int = 0,
    machine: Machine | None = None,
) -> FitEstimate:
    """Estimate before anything is loaded; takes microseconds, and one query where there is a history.

    Args:
        context: Tokens of each sequence.
        batch: Sequences at once.
        engine: What would load it; by its format where not given.
        history: Past loads, which correct the estimate for the architecture and the engine.
        loaded_bytes: Memory that is promised to loads which have not taken it yet.
        machine: Another machine than this one, whose memory then counts as free.
    """
    chosen = engine or engine_of(facts.format)
    learnt = history.correction(facts.architecture, chosen) if history is not None else None
    factor = learnt.factor if learnt is not None else 1.0
    need = memory_need(facts, chosen, context=context, batch=batch)
    total = round(need.total_bytes * factor)
    places = _places(machine, loaded_bytes, total)
    room = max((place.free_bytes for place in places), default=0)
    return FitEstimate(
        weights_bytes=need.weights_bytes,
        kv_bytes=need.kv_bytes,
        # What past loads add or take off is no part of weights or cache, whose sizes are known.
        working_bytes=max(total - need.weights_bytes - need.kv_bytes, 0),
        total_bytes=total,
        error_fraction=learnt.error_fraction if learnt is not None else None,
        loads=learnt.loads if learnt is not None else 0,
        largest_context=_largest_context(facts, chosen, batch, factor, room),
        places=places,
        engine=chosen,
    )


def _largest_context(facts: ModelFacts, engine: Engine, batch: int, factor: float, room: int) -> int | None:
    """The need grows with the context, so the last that fits is found by halving."""

    def needed(context: int) -> float:
        need: MemoryNeed = memory_need(facts, engine, context=context, batch=batch)
        return need.total_bytes * factor

    longest = facts.context_length or _UNKNOWN_CONTEXT
    if needed(longest) <= room:
        return longest
    low, high = 0, longest // _STEP
    while low < high:
        middle = (low + high + 1) // 2
        if needed(middle * _STEP) <= room:
            low = middle
        else:
            high = middle - 1
    return low * _STEP or None


def _places(machine: Machine | None, loaded_bytes: int, total: int) -> tuple[FitPlace, ...]:
    here = machine or this_machine()
    ram_free = here.ram_bytes if machine is not None else ram_free_bytes()
    found = []
    readings = {each.index: each for each in nvidia().readings()} if machine is None else {}
    for gpu in here.gpus:
        reading = readings.get(gpu.index)
        if reading is not None:
            free = reading.memory_total_bytes - reading.memory_used_bytes
        else:
            # A Metal GPU takes its memory from the machine's own.
            free = min(gpu.memory_bytes, ram_free) if gpu.kind == "metal" else gpu.memory_bytes
        found.append(_place(gpu.name, "gpu", gpu.memory_bytes, free - loaded_bytes, total))
    found.append(_place("Memory", "ram", here.ram_bytes, ram_free - loaded_bytes, total))
    return tuple(found)


def _place(name: str, kind: Literal["ram", "gpu"], total_bytes: int, free: int, needed: int) -> FitPlace:
    return FitPlace(name, kind, total_bytes, max(free, 0), needed <= free)
