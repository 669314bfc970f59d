"""Compares a fine-tuned model with its base: what it learned, and what that cost."""

from __future__ import annotations

from typing import Any

from plugins._tuning_pair import Pair
from plugins._tuning_run import Tuned
from workbench.plugin import BatchPlan, JobContext, Side, collate, epoch_batches

#: Tokens of a batch, padding counted.
_BATCH_TOKENS = 512


def prove(job: JobContext, tuned: Tuned, pair: Pair, conditions: dict[str, Any]) -> dict[str, Any]:
    """The figures of a comparison, as `proof.json` has them."""
    side = tuned.sides.held_out
    held_out = None
    if len(side):
        held_out = {
            "before": _loss(job, side, pair, tuned=False),
            "after": _loss(job, side, pair, tuned=True),
        }
    pair.close()
    return {"schema": 1, "held_out": held_out, "conditions": conditions}


def _loss(job: JobContext, side: Side, pair: Pair, *, tuned: bool) -> float:
    plan = BatchPlan(tokens=_BATCH_TOKENS, longest=side.longest)
    batches = epoch_batches(side.lengths, plan, 0, 0)
    total, learned = 0.0, 0
    for done, batch in enumerate(batches):
        job.progress(done, len(batches), unit="batches", label="proof: held-out loss")
        rows = tuple(tuple(int(side.examples[each]) for each in row) for row in batch)
        arrays = collate(side.tokens, rows, side.longest)
        total += float(pair.losses(arrays, tuned=tuned).sum())
        learned += arrays.learned
    return total / learned
