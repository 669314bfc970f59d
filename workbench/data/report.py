"""What a dataset is, in figures: for the Data panel and `tenfold data inspect`."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from workbench.data.duplicates import Nothing, alike, same
from workbench.data.token_set import BadRow, TokenSet

_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_BINS = 40


class DataReport(Struct, frozen=True, kw_only=True):
    """The figures of a tokenized dataset.

    Attributes:
        rows: Examples that can be used.
        tokens: All tokens; `longest` is that of the longest sequence.
        masked_share: Share of the tokens that are seen but not learned.
        percentiles: Tokens of a sequence by percentile.
        cut_rows: Sequences longer than the limit, and `cut_share` the share of tokens behind it.
        held_out: Examples kept for evaluation.
        same_rows: Rows whose content was there before.
        alike_rows: Rows that are nearly one that was there before.
        histogram: Sequences by length; `edges` has one entry more.
    """

    kind: str
    files: tuple[str, ...]
    rows: int
    bad: int
    tokens: int
    trained: int
    masked_share: float
    longest: int
    percentiles: dict[str, int]
    limit: int
    cut_rows: int
    cut_share: float
    held_out: int
    same_rows: int
    alike_rows: int
    alike: tuple[tuple[int, int], ...]
    histogram: tuple[int, ...]
    edges: tuple[int, ...]
    bad_rows: tuple[BadRow, ...]


def report(
    tokens: TokenSet, *, limit: int, held_out: float, most_bad: int = 1000, check: Nothing = lambda: None
) -> DataReport:
    """Describe a set.

    Args:
        limit: Longest sequence of the training, in tokens.
        held_out: Share of the examples that is kept for evaluation.
        most_bad: How many bad rows to list; all are counted.
        check: Called now and then; raises to end the work.
    """
    lengths = tokens.lengths
    counts, edges = np.histogram(lengths, bins=_BINS, range=(0, max(int(lengths.max()), limit)))
    near = alike(tokens, check=check)
    lines = tokens.rows["line"]
    return DataReport(
        kind=tokens.meta.kind,
        files=tokens.meta.files,
        rows=len(tokens),
        bad=tokens.meta.bad,
        tokens=tokens.meta.tokens,
        trained=tokens.meta.trained,
        masked_share=1 - tokens.meta.trained / tokens.meta.tokens,
        longest=int(lengths.max()),
        percentiles={str(each): int(np.percentile(lengths, each)) for each in _PERCENTILES},
        limit=limit,
        cut_rows=int((lengths > limit).sum()),
        cut_share=float(np.maximum(lengths - limit, 0).sum() / tokens.meta.tokens),
        held_out=int(tokens.held_out(held_out).sum()),
        same_rows=sum(len(group) - 1 for group in same(tokens)),
        alike_rows=len({later for _first, later in near}),
        alike=tuple((int(lines[one]), int(lines[other])) for one, other in near[:most_bad]),
        histogram=tuple(counts.tolist()),
        edges=tuple(np.round(edges).astype(int).tolist()),
        bad_rows=tuple(tokens.bad_rows()[:most_bad]),
    )
