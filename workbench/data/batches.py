"""Which examples are computed together: by length, or packed into full rows.

Both are pure functions of lengths, seed and epoch, so that a run that goes on after a kill sees what it would
have seen, and torch and MLX see the same.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from workbench.data.order import repeated, shuffled

Batching = Literal["buckets", "packed", "random"]

#: Batches whose examples are sorted together. More save more padding; fewer mix better.
_BATCHES_A_BUCKET = 64
#: Rows that are open for packing at once.
_OPEN_ROWS = 256


class Plan(Struct, frozen=True, kw_only=True):
    """How batches are made.

    Attributes:
        batching: `buckets` puts examples of like length together, `packed` fills rows to the longest length,
            `random` does neither.
        tokens: Most tokens of a batch, padding counted.
        longest: Longest sequence, in tokens; longer ones are cut to it.
        rows: Most rows of a batch; 0 for what `tokens` allows.
    """

    batching: Batching = "buckets"
    tokens: int = 2048
    longest: int = 1024
    rows: int = 0


#: A row of a batch: the examples in it, one unless packed. A batch: its rows.
Row = tuple[int, ...]
Batch = tuple[Row, ...]


def epoch_batches(
    lengths: NDArray[np.int64],
    plan: Plan,
    seed: int,
    epoch: int,
    weights: NDArray[np.float64] | None = None,
) -> list[Batch]:
    """The batches of one epoch, in the order in which they are trained.

    Args:
        lengths: Tokens of each example, shape (examples,).
        weights: How often each example comes; None for once.
    """
    lengths = np.minimum(lengths, plan.longest)
    chosen = np.arange(len(lengths), dtype=np.int64) if weights is None else repeated(weights, seed, epoch)
    chosen = chosen[shuffled(seed, epoch, len(chosen))]
    if plan.batching == "packed":
        rows = packed(lengths, chosen, plan.longest)
        per_batch = max(1, plan.tokens // plan.longest)
        if plan.rows:
            per_batch = min(per_batch, plan.rows)
        batches = [tuple(rows[at : at + per_batch]) for at in range(0, len(rows), per_batch)]
    else:
        batches = _padded(lengths, chosen, plan)
    order = shuffled(seed, epoch, len(batches), purpose=1)
    return [batches[int(at)] for at in order]


def _padded(lengths: NDArray[np.int64], chosen: NDArray[np.int64], plan: Plan) -> list[Batch]:
    if plan.batching == "buckets" and len(chosen):
        mean = max(1.0, float(lengths[chosen].mean()))
        size = max(1, int(_BATCHES_A_BUCKET * (plan.rows or plan.tokens / mean)))
        parts = [chosen[at : at + size] for at in range(0, len(chosen), size)]
        chosen = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in parts])
    batches: list[Batch] = []
    batch: list[Row] = []
    widest = 0
    for example in chosen.tolist():
        length = int(lengths[example])
        width = max(widest, length)
        full = plan.rows and len(batch) >= plan.rows
        if batch and (full or width * (len(batch) + 1) > plan.tokens):
            batches.append(tuple(batch))
            batch, width = [], length
        batch.append((example,))
        widest = width
    if batch:
        batches.append(tuple(batch))
    return batches


def packed(lengths: NDArray[np.int64], chosen: Sequence[int] | NDArray[np.int64], room: int) -> list[Row]:
    """Rows of examples that together take at most `room` tokens: each goes where the least room is left over.

    Best fit over a bounded number of open rows, as sorting all examples first would undo the shuffling.

    >>> packed(np.array([6, 5, 4, 3]), [0, 1, 2, 3], 10)
    [(0, 2), (1, 3)]
    """
    open_rows: list[tuple[int, int, list[int]]] = []  # room left, number, examples; sorted
    full: list[tuple[int, list[int]]] = []
    for number, example in enumerate(np.asarray(chosen).tolist()):
        length = int(lengths[example])
        at = bisect.bisect_left(open_rows, (length, -1, []))
        left, mark, row = open_rows.pop(at) if at < len(open_rows) else (room, number, [])
        row.append(example)
        if left - length > 0:
            bisect.insort(open_rows, (left - length, mark, row))
        else:
            full.append((mark, row))
        if len(open_rows) > _OPEN_ROWS:
            _left, mark, row = open_rows.pop(0)
            full.append((mark, row))
    full.extend((mark, row) for _left, mark, row in open_rows)
    return [tuple(row) for _mark, row in sorted(full, key=lambda each: each[0])]


def padding_share(lengths: NDArray[np.int64], batches: Sequence[Batch], longest: int) -> float:
    """The share of computed tokens that is padding."""
    lengths = np.minimum(lengths, longest)
    real = computed = 0
    for batch in batches:
        widths = [int(sum(lengths[each] for each in row)) for row in batch]
        real += sum(widths)
        computed += max(widths) * len(widths)
    return 1 - real / computed if computed else 0.0
