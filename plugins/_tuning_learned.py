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
        examples, tokens: How many examples there are, and learned tokens in them.
        preferred: Of preferences: whether the better answer's mean token is likelier than the worse one's.
    """

    before: float
    after: float
    examples: int
    tokens: int
    preferred: Paired | None = None


def learned(job: JobContext, side: Side, pair: Pair) -> Learned:
    """Score every held-out example with both models.

    Raises:
        WorkbenchError: A loss is no number.
    """
    plan = BatchPlan(tokens=BATCH_TOKENS, longest=side.longest)
    batches = epoch_batches(side.lengths, plan, 0, 0)
    answers = (0, 1) if side.tokens.meta.pairs else (0,)
    counts: list[list[NDArray[np.int64]]] = [[] for _answer in answers]
    losses: list[list[NDArray[np.float64]]] = [[] for _answer in answers]
    for done, batch in enumerate(batches):
        job.progress(done, len(batches), unit="batches", label="proof: held-out loss")
        rows = tuple(tuple(int(side.examples[each]) for each in row) for row in batch)
        for answer in answers:
            arrays = collate(side.tokens, rows, side.longest, which=answer)
            counts[answer].append((arrays.targets != IGNORED).sum(axis=1))
            found = []
            for tuned in (False, True):
                found.append(pair.losses(arrays, tuned=tuned))
                job.check()
            losses[answer].append(np.stack(found))
    summed = [np.concatenate(each, axis=1) for each in losses]
    tokens = [np.concatenate(each) for each in counts]
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
    return Learned(before, after, len(side), int(tokens[0].sum()), preferred)
