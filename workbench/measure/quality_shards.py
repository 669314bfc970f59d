"""Measures the distance of two models on windows that are spread over the workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial

import numpy as np
from numpy.typing import NDArray

from workbench.cluster.session import threads_of_worker
from workbench.cluster.shards import Numbered, spread
from workbench.measure.card import Quality
from workbench.measure.measured import Measured
from workbench.measure.proof_parity import opened
from workbench.measure.quality import QualitySums, WindowSums, window_comparison
from workbench.measure.windows import Windows

_Window = NDArray[np.int32]


def spread_quality(
    models: tuple[Measured, Measured],
    windows: Windows,
    workers: int,
    threads: int,
    progress: Callable[[int, int], None],
) -> Quality:
    """See `quality.measure_quality`, whose figures these are to the last digit.

    Every worker loads both models; what it finds of a window is merged in the order of the text.

    Args:
        models: The reference and the candidate; their files must lie where workers see them.
        threads: Of one process that measures alone; workers of one machine share them.
        progress: Called with the windows done and all of them; what it raises ends the work.
    """
    total, width = windows.shape
    compare = partial(_compare, models, threads_of_worker(threads, workers))
    found: dict[int, WindowSums] = {}

    def check() -> None:
        progress(len(found), total)

    for number, sums in spread(compare, list(windows), workers=workers, check=check):
        found[number] = sums
    merged = QualitySums(width)
    for number in range(total):
        merged.add(found[number])
    return merged.quality()


def _compare(
    models: Sequence[Measured], threads: int, share: Sequence[Numbered[_Window]]
) -> Iterator[Numbered[WindowSums]]:
    """What a worker does."""
    with ExitStack() as loaded:
        reference, candidate = (loaded.enter_context(closing(opened(each, threads))) for each in models)
        windows = np.stack([window for _number, window in share])
        compare = window_comparison(reference, candidate, windows, threads=threads)
        for number, window in share:
            yield number, compare(window)
