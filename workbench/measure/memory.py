"""What a model takes in memory: its weights, its keys and values, and the most that using it took."""

from __future__ import annotations

from collections.abc import Sequence

import psutil

from workbench.engines.base import Engine
from workbench.engines.wire import LoadReport
from workbench.hardware import machine, peak_resident_bytes
from workbench.library.memory_need import memory_need
from workbench.measure.card import Cache, Memory
from workbench.measure.limits import bound
from workbench.model import ModelFacts

#: For which the caches are told, as far as the model was trained for them.
CONTEXTS = (512, 2048, 8192, 32768)
BATCHES = (1, 4, 16)
#: Where a header names no longest context.
_UNKNOWN_CONTEXT = 8192


class MemoryMark:
    """What this process holds before a model is loaded, from which the model's peak is counted.

    Make it in a process that has loaded no other model, once the engine's libraries are imported: these are
    the same for every model.
    """

    def __init__(self) -> None:
        self._before = _resident_bytes()

    def peak_bytes(self, engine: Engine) -> int:
        """The most that the process has held above the mark, and what its model holds on a device."""
        on_device = max(0, engine.memory_bytes() - _resident_bytes())
        return max(0, peak_resident_bytes() - self._before) + on_device


def measure_memory(
    facts: ModelFacts,
    report: LoadReport,
    peak_bytes: int,
    *,
    contexts: Sequence[int] = CONTEXTS,
    batches: Sequence[int] = BATCHES,
) -> Memory:
    """What a loaded model takes, beside what the library's estimate says of the same load.

    Weights and caches follow from the shapes in the model's header, so they hold for contexts that were not
    loaded; that engines take just this is what the tests measure.

    Args:
        peak_bytes: Measured (`MemoryMark`), after the model has been used.
    """
    longest = max(facts.context_length or _UNKNOWN_CONTEXT, min(contexts))
    caches = tuple(
        Cache(
            context=context,
            batch=batch,
            bytes=memory_need(facts, report.engine, context=context, batch=batch).kv_bytes,
        )
        for context in contexts
        if context <= longest
        for batch in batches
    )
    need = memory_need(facts, report.engine, context=report.context, batch=report.parallel)
    return Memory(
        weights=need.weights_bytes,
        caches=caches,
        peak=peak_bytes,
        estimated=report.estimated_bytes or need.total_bytes,
        limit=_limit_bytes(report),
    )


def _limit_bytes(report: LoadReport) -> int:
    """The memory of the place where the model was loaded."""
    here = machine()
    return here.ram_bytes if bound(report) or not here.gpus else sum(gpu.memory_bytes for gpu in here.gpus)


def _resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)
