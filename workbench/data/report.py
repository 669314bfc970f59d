"""What a dataset is, in figures: for the Data panel and `tenfold data inspect`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from msgspec import Struct

from workbench.data.duplicates import MOST_COMPARED, Nothing, alike, same
from workbench.data.layout import Layout
from workbench.data.sides import Side, Sides
from workbench.data.token_set import BadRow

_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_BINS = 40


class SideReport(Struct, frozen=True, kw_only=True):
    """One side in figures: its rows, and the tokens of an epoch that are seen and that are learned."""

    rows: int
    tokens: int
    learned: int


class FileReport(Struct, frozen=True, kw_only=True):
    """One file: what its rows are and which field is which part, and how many can be used."""

    name: str
    layout: Layout
    rows: int
    weight: float
    held_out: bool


class LongRow(Struct, frozen=True, kw_only=True):
    """A row with more tokens than the limit."""

    file: str
    line: int
    tokens: int


class AlikeRows(Struct, frozen=True, kw_only=True):
    """Two rows that are nearly the same; `across` where one is trained on and the other held out."""

    file: str
    line: int
    other_file: str
    other_line: int
    across: bool


class DataReport(Struct, frozen=True, kw_only=True):
    """The figures of a tokenized dataset, held-out files included.

    Attributes:
        kind: What the rows are; several kinds are joined by a comma.
        rows: Examples that can be used.
        tokens: All tokens; `longest` is that of the longest sequence.
        trained: Tokens that are learned, before anything is cut.
        masked_share: Share of the tokens that are seen but not learned.
        percentiles: Tokens of a sequence by percentile.
        limit: Tokens at which a sequence is cut.
        cut_rows: Sequences longer than that, and `cut_share` the share of tokens behind it.
        left_out: Examples on neither side: too long, or nothing of them would be learned.
        train, evaluation: The two sides.
        held_out: Examples of the evaluation side.
        same_rows: Rows whose content was there before.
        alike_rows: Rows that are nearly one that was there before, among the first `alike_of`.
        alike_across: Pairs of rows that are nearly the same and on different sides.
        histogram: Sequences by length; `edges` has one entry more.
        long_rows, alike, bad_rows: The first of them by file and line.
        refused: Why a training would not begin on this.
    """

    kind: str
    files: tuple[FileReport, ...]
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
    left_out: int
    train: SideReport
    evaluation: SideReport
    held_out: int
    same_rows: int
    alike_rows: int
    alike_across: int
    alike_of: int
    histogram: tuple[int, ...]
    edges: tuple[int, ...]
    long_rows: tuple[LongRow, ...]
    alike: tuple[AlikeRows, ...]
    bad_rows: tuple[BadRow, ...]
    refused: tuple[str, ...]


def report(
    sides: Sides, weights: tuple[float, ...] = (), *, most: int = 1000, check: Nothing = lambda: None
) -> DataReport:
    """Describe a dataset.

    Args:
        weights: Of the files that are learned.
        most: How many rows of each list to name; all are counted.
        check: Called now and then; raises to end the work.
    """
    sets, limit = sides.token_sets, sides.train.longest
    lengths = np.concatenate([each.lengths for each in sets])
    tokens, trained = (sum(getattr(each.meta, name) for each in sets) for name in ("tokens", "trained"))
    top = max(int(lengths.max()), limit)
    counts, edges = np.histogram(lengths, bins=_BINS, range=(0, top))
    percentiles = np.percentile(lengths, _PERCENTILES)
    near = list(_near(sides, check))
    rows = sum(map(len, sets))
    return DataReport(
        kind=", ".join(dict.fromkeys(each.meta.kind for each in sets)),
        files=tuple(_files(sides, weights)),
        rows=rows,
        bad=sum(each.meta.bad for each in sets),
        tokens=tokens,
        trained=trained,
        masked_share=1 - trained / tokens,
        longest=int(lengths.max()),
        percentiles={str(each): int(value) for each, value in zip(_PERCENTILES, percentiles, strict=True)},
        limit=limit,
        cut_rows=int((lengths > limit).sum()),
        cut_share=float(np.maximum(lengths - limit, 0).sum() / tokens),
        left_out=rows - len(sides.train) - len(sides.held_out),
        train=_side(sides.train),
        evaluation=_side(sides.held_out),
        held_out=len(sides.held_out),
        same_rows=sum(len(group) - 1 for each in sets for group in same(each)),
        alike_rows=len({(pair.other_file, pair.other_line) for pair in near}),
        alike_across=sum(pair.across for pair in near),
        alike_of=min(rows, MOST_COMPARED),
        histogram=tuple(counts.tolist()),
        edges=tuple(np.round(edges).astype(int).tolist()),
        long_rows=tuple(_long(sides, most)),
        alike=tuple(near[:most]),
        bad_rows=tuple(islice((row for each in sets for row in each.bad_rows(most)), most)),
        refused=tuple(map(str, sides.refusals)),
    )


def _files(sides: Sides, weights: tuple[float, ...]) -> Iterator[FileReport]:
    for tokens in sides.token_sets:
        held_out = tokens is not sides.train.tokens
        rows = np.bincount(tokens.rows["file"], minlength=len(tokens.meta.files)).tolist()
        for place, (name, layout) in enumerate(zip(tokens.meta.files, tokens.meta.layouts, strict=True)):
            weight = weights[place] if weights and not held_out else 1.0
            yield FileReport(name=name, layout=layout, rows=rows[place], weight=weight, held_out=held_out)


def _side(side: Side) -> SideReport:
    return SideReport(rows=len(side), tokens=side.token_count, learned=side.learned_count)


def _near(sides: Sides, check: Nothing) -> Iterator[AlikeRows]:
    """Pairs that are nearly the same, the earlier row first."""
    sets = sides.token_sets
    first = sets[0]
    held_out = np.zeros(sum(map(len, sets)), dtype=bool)
    held_out[sides.held_out.examples + (0 if sides.held_out.tokens is first else len(first))] = True

    def place(number: int) -> tuple[str, int]:
        return first.place(number) if number < len(first) else sets[1].place(number - len(first))

    for one, other in alike(sets, check=check):
        (file, line), (other_file, other_line) = place(one), place(other)
        across = bool(held_out[one] != held_out[other])
        yield AlikeRows(file=file, line=line, other_file=other_file, other_line=other_line, across=across)


def _long(sides: Sides, most: int) -> Iterator[LongRow]:
    limit = sides.train.longest
    found = (
        (tokens, int(number))
        for tokens in sides.token_sets
        for number in np.flatnonzero(tokens.example_lengths > limit)
    )
    for tokens, number in islice(found, most):
        file, line = tokens.place(number)
        yield LongRow(file=file, line=line, tokens=int(tokens.example_lengths[number]))
