"""What a training taught, by the losses of held-out examples before and after."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plugins._tuning_pair import Pair
from workbench.plugin import (
    IGNORED,
    BatchPlan,
    JobContext,
    Paired,
    Side,
    WorkbenchError,
    collate,
    epoch_batches,
    paired,
)

#: Tokens of a batch, padding counted: well below a second of a small model on a CPU, so that a job answers.
BATCH_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Learned:
    """How well held-out examples are predicted.

    Attributes:
        before, after: Mean cross-entropy of a learned token; of preferences, in their better answers.
        tokens: How many of these there are.
        likeliest: By the number of each example: the tokens that both models find likeliest in place of each
            learned one, shape (2, learned tokens); of preferences, in their better answers.
        preferred: Of preferences: whether the better answer's mean token is likelier than the worse one's.
    """

    before: float
    after: float
    tokens: int
    likeliest: dict[int, NDArray[np.int64]]
    preferred: Paired | None = None


def learned(job: JobContext, side: Side, pair: Pair) -> Learned:
    """Score every held-out example with both models.

    Raises:
        WorkbenchError: A loss is no number.
    """
    plan = BatchPlan(tokens=BATCH_TOKENS, longest=side.longest)
    batches = epoch_batches(side.lengths, plan, 0, 0)
    losses, counts = [], []
    likeliest: dict[int, NDArray[np.int64]] = {}
    for done, batch in enumerate(batches):
        job.progress(done, len(batches), unit="batches", label="proof: held-out examples")
        numbers = [int(side.examples[row[0]]) for row in batch]
        found = [
            _scored(job, side, numbers, pair, answer) for answer in range(2 if side.tokens.meta.pairs else 1)
        ]
        losses.append([each.losses for each in found])
        counts.append([each.counts for each in found])
        ends = np.cumsum(found[0].counts)[:-1]
        likeliest.update(zip(numbers, np.split(found[0].likeliest, ends, axis=1), strict=True))
    # By answer, model and example; by answer and example.
    summed, tokens = np.concatenate(losses, axis=2), np.concatenate(counts, axis=1)
    before, after = (float(each) for each in summed[0].sum(axis=1) / tokens[0].sum())
    if not math.isfinite(before) or not math.isfinite(after):
        raise WorkbenchError(
            f"The {'result' if math.isfinite(before) else 'base'}'s loss on held-out examples is no number.",
            remedy="Its weights are damaged, or its training diverged: try a lower learning rate.",
        )
    preferred = None
    if side.tokens.meta.pairs:
        better = summed[0] / tokens[0] < summed[1] / tokens[1]
        preferred = paired(better[0], better[1])
    return Learned(before, after, int(tokens[0].sum()), likeliest, preferred)


@dataclass(frozen=True, slots=True)
class _Scored:
    """A batch, scored by both models: losses (2, rows), counts (rows,) and likeliest (2, learned tokens)."""

    losses: NDArray[np.float64]
    counts: NDArray[np.int64]
    likeliest: NDArray[np.int64]


def _scored(job: JobContext, side: Side, numbers: list[int], pair: Pair, answer: int) -> _Scored:
    arrays = collate(side.tokens, tuple((each,) for each in numbers), side.longest, which=answer)
    found = []
    for tuned in (False, True):
        found.append(pair.scores(arrays, tuned=tuned))
        job.check()
    return _Scored(
        losses=np.stack([each.losses for each in found]),
        counts=(arrays.targets != IGNORED).sum(axis=1),
        likeliest=np.stack([each.likeliest for each in found]),
    )
