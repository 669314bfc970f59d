"""Measures how fast a loaded model reads prompts and writes answers, whatever engine it runs in."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import numpy as np
from msgspec import Struct

from workbench.engines.answer import Clock
from workbench.engines.base import Engine
from workbench.measure.card import Form, Histogram, Rate, Speed
from workbench.measure.limits import Limits
from workbench.measure.medians import FEWEST, median_interval
from workbench.measure.stopwatch import Stopwatch

#: Called with how many figures are measured and how many there will be, before each run; what it raises
#: ends the measurement.
Progress = Callable[[int, int], None]

#: A figure is tight once its interval is no wider than this share of it.
TIGHT = 0.1
#: Most steps of one run of decoding; a run takes about `_RUN_S`, so that a slow model takes fewer.
_MOST_STEPS, _FEWEST_STEPS, _RUN_S = 32, 4, 0.25
#: Steps before the first run of a figure: they tell how long one takes, and warm up what is new in it.
_FIRST_STEPS = 3
#: What an answer needs beside its prompt: its tokens, and those that it gets while others are still read.
_ROOM = _MOST_STEPS + 32
#: A prompt that warms the engine up.
_WARM_TOKENS = 32
#: Bins of times a decade; the edges of all histograms lie on one grid, so that they can be laid over one
#: another.
_BINS_A_DECADE = 40
_MOST_BINS = 200


class SpeedPlan(Struct, frozen=True, kw_only=True):
    """What is measured, and how long that may take.

    The speed of decoding is measured for each batch at the shallowest depth, and for the smallest batch at
    the deeper ones.

    Attributes:
        batches: Sequences at once.
        prompts: Prompt lengths in tokens.
        depths: Tokens in the context before the first that is generated.
        budget_s: Seconds for all of it. Every figure has one run at least, so a slow model may take longer.
        seed: Of the prompts.
    """

    form: Form
    batches: tuple[int, ...]
    prompts: tuple[int, ...]
    depths: tuple[int, ...]
    budget_s: float
    seed: int = 0

    @classmethod
    def of(
        cls,
        form: Form,
        *,
        batches: Sequence[int] = (),
        prompts: Sequence[int] = (),
        depths: Sequence[int] = (),
        budget_s: float | None = None,
        seed: int = 0,
    ) -> SpeedPlan:
        """The plan of a form; what is given stands in for the form's own.

        >>> SpeedPlan.of("quick", depths=(64, 1024)).context
        1088
        """
        own = _FORMS[form]
        return cls(
            form=form,
            batches=tuple(batches) or own.batches,
            prompts=tuple(prompts) or own.prompts,
            depths=tuple(depths) or own.depths,
            budget_s=own.budget_s if budget_s is None else budget_s,
            seed=seed,
        )

    @property
    def parallel(self) -> int:
        """How many rows the engine needs."""
        return max(self.batches)

    @property
    def context(self) -> int:
        """How long a row needs to be."""
        return max(*self.prompts, *self.depths, _WARM_TOKENS) + _ROOM


_FORMS: dict[Form, SpeedPlan] = {
    "quick": SpeedPlan(form="quick", batches=(1, 4), prompts=(128, 512), depths=(64,), budget_s=8.0),
    "full": SpeedPlan(
        form="full", batches=(1, 2, 4, 8, 16), prompts=(128, 512, 1024), depths=(64, 1024), budget_s=110.0
    ),
}


def measure_speed(
    engine: Engine,
    plan: SpeedPlan,
    limits: Limits | None,
    weights_bytes: int,
    progress: Progress = lambda _done, _total: None,
    *,
    parameters: int = 0,
    prompt_parameters: int = 0,
    clock: Clock = time.perf_counter,
) -> Speed:
    """Measure a model that no request uses meanwhile.

    Prompts are random tokens of which no two begin alike, so that no computed prompt is used again by
    accident; answers are greedy and go on past the end of the text. Runs are repeated until the 95 % interval
    of their median is tight or the figure's part of the budget is over; what one figure leaves over, the
    others have. Batches, prompts and depths for which the engine has no room are left out.

    Args:
        limits: What the machine can do; None where that was not measured, or does not bound this engine.
        weights_bytes, parameters, prompt_parameters: What a token makes to do (`Work`), for the shares of the
            limits; 0 where that is not known.

    Raises:
        WorkbenchError: The engine could not compute something.
    """
    watch = Stopwatch(engine, seed=plan.seed, clock=clock)
    room = engine.report.context - _ROOM
    batches = sorted({each for each in plan.batches if 0 < each <= engine.report.parallel})
    prompts = sorted({each for each in plan.prompts if 0 < each <= room})
    depths = sorted({each for each in plan.depths if 0 < each <= room})
    points = [(each, depths[0]) for each in batches if depths]
    points += [(batches[0], each) for each in depths[1:] if batches]
    alone, together, reading = (
        _Bound(limits.bandwidth if limits else 0.0, weights_bytes),
        # A multiplication and an addition for each weight; attention comes on top.
        _Bound(limits.arithmetic if limits else 0.0, 2 * parameters),
        _Bound(limits.arithmetic if limits else 0.0, 2 * prompt_parameters),
    )
    budget = _Budget(plan.budget_s, len(prompts) + len(points), progress, clock)

    watch.prompt(min(_WARM_TOKENS, max(room, 1)))
    gaps: list[float] = []
    decoded = []
    for batch, depth in points:
        runs, steps = _decoding(watch, batch, depth, budget)
        # One sequence reads every weight for one token alone; several share what was read.
        decoded.append(_rate(depth, batch, runs, alone if batch == 1 else together))
        if batch == 1 and depth == depths[0]:
            gaps = steps
    read = []
    first_token_s = 0.0
    for length in prompts:
        seconds = budget.runs(partial(watch.prompt, length))
        read.append(_rate(length, 1, [length / each for each in seconds], reading))
        if length == prompts[0]:
            first_token_s = median(seconds)
    progress(budget.total, budget.total)
    p50, p95, p99 = (float(each) for each in np.percentile(gaps, (50, 95, 99))) if gaps else (0.0, 0.0, 0.0)
    return Speed(
        load_s=engine.report.load_s,
        prompt=tuple(read),
        decode=tuple(decoded),
        first_token_s=first_token_s,
        first_token_prompt=prompts[0] if prompts else 0,
        gap_p50_s=p50,
        gap_p95_s=p95,
        gap_p99_s=p99,
        gaps=histogram_of_times(gaps),
    )


def histogram_of_times(seconds: Sequence[float]) -> Histogram:
    """How often each time came, in bins of equal ratio whose edges are the same for every model.

    >>> histogram_of_times([0.0101, 0.0102, 0.0109]).counts
    (2, 1)
    >>> [round(each, 5) for each in histogram_of_times([0.0101]).edges]
    [0.01, 0.01059]
    """
    found = [each for each in seconds if each > 0]
    if not found:
        return Histogram(edges=(), counts=())
    first = math.floor(_BINS_A_DECADE * math.log10(min(found)))
    last = math.ceil(_BINS_A_DECADE * math.log10(max(found)))
    last = min(max(last, first + 1), first + _MOST_BINS)
    edges = [10 ** (each / _BINS_A_DECADE) for each in range(first, last + 1)]
    counts = np.histogram(np.clip(found, edges[0], edges[-1]), edges)[0]
    return Histogram(edges=tuple(edges), counts=tuple(int(each) for each in counts))


class _Budget:
    """Shares the time out among the figures."""

    def __init__(self, seconds: float, figures: int, progress: Progress, clock: Clock) -> None:
        self.total = figures
        self._done = 0
        self._progress = progress
        self._clock = clock
        self._ends = clock() + seconds

    def runs(self, run: Callable[[], float]) -> list[float]:
        """The results of one figure's runs, which are repeated while that helps and there is time."""
        began = self._clock()
        ends = began + (self._ends - began) / max(1, self.total - self._done)
        found: list[float] = []
        longest = 0.0
        while not found or (self._clock() + longest <= ends and not _is_tight(found)):
            self._progress(self._done, self.total)
            at = self._clock()
            found.append(run())
            longest = max(longest, self._clock() - at)
        self._done += 1
        return found


class _Bound(Struct, frozen=True):
    """What bounds a speed on this machine: so much a second there is, and so much a token needs."""

    limit: float
    needed: float

    def share(self, tokens_per_s: float) -> float | None:
        """How much of the limit a speed uses; None where one of both is not known."""
        return tokens_per_s * self.needed / self.limit if self.needed > 0 and self.limit > 0 else None


def _decoding(watch: Stopwatch, batch: int, depth: int, budget: _Budget) -> tuple[list[float], list[float]]:
    """Tokens per second of each run, and the seconds of every step.

    All runs of a figure go on from the same prompts: computing them again would take longer than the runs.
    """
    prompts = [watch.random_prompt(depth) for _row in range(batch)]
    watch.read(prompts)
    trial = watch.answers(prompts, _FIRST_STEPS)
    step_s = median(trial.steps_s)
    count = max(_FEWEST_STEPS, min(_MOST_STEPS, round(_RUN_S / max(step_s, 1e-6))))
    steps: list[float] = []

    def run() -> float:
        found = watch.answers(prompts, count)
        steps.extend(found.steps_s)
        return found.tokens / sum(found.steps_s)

    return budget.runs(run), steps


def _rate(tokens: int, batch: int, runs: Sequence[float], bound: _Bound) -> Rate:
    middle, low, high = median_interval(runs)
    return Rate(
        tokens=tokens,
        batch=batch,
        tokens_per_s=middle,
        low=low,
        high=high,
        runs=len(runs),
        noisy=not _is_tight(runs),
        share=bound.share(middle),
    )


def _is_tight(runs: Sequence[float]) -> bool:
    middle, low, high = median_interval(runs)
    return len(runs) >= FEWEST and high - low <= TIGHT * middle
