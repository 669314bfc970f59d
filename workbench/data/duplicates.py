"""Rows that are in a dataset twice, or nearly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from workbench.data.errors import DataError
from workbench.data.order import keys, mixed
from workbench.data.token_set import TokenSet

#: Tokens of a shingle: long enough that common phrases make no two rows alike.
_SHINGLE = 5
#: MinHash (Broder 1997) in bands: two rows with a Jaccard similarity of 0.8 meet in a band with a chance of
#: 1 - (1 - 0.8^4)^16 = 99.98 %, and what meets is compared exactly.
_BANDS, _BAND_ROWS = 16, 4
ALIKE = 0.8
_MASKS = keys(0, 0, _BANDS * _BAND_ROWS, purpose=3)
#: A template that all rows share meets in every bucket; a bucket is compared with its first member alone.
_LARGEST_BUCKET = 50
#: Rows that an error names.
_NAMED = 5

Nothing = Callable[[], None]


def same(tokens: TokenSet) -> list[list[int]]:
    """Groups of examples with the same content, each in order, the group with the first row first."""
    hashes = np.asarray(tokens.rows["hash"])
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    borders = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    groups = [group.tolist() for group in np.split(order, borders) if len(group) > 1]
    return sorted(groups)


def refuse_shared(train: TokenSet, held_out: TokenSet) -> None:
    """Make sure that no row is trained on and evaluated on: a figure from such rows proves nothing.

    Raises:
        DataError: Some are in both sets; the first few are named by file and line.
    """
    shared, ours, theirs = np.intersect1d(
        np.asarray(train.rows["hash"]), np.asarray(held_out.rows["hash"]), return_indices=True
    )
    if not len(shared):
        return
    order = np.argsort(theirs)[:_NAMED]
    named = ", ".join(
        f"{_place(held_out, int(theirs[at]))} is {_place(train, int(ours[at]))}" for at in order
    )
    more = f" and {len(shared) - _NAMED} more" if len(shared) > _NAMED else ""
    count = f"{len(shared)} rows are" if len(shared) > 1 else "1 row is"
    raise DataError(
        f"{count} both trained on and held out: {named}{more}.",
        remedy="Take them out of one of the two files.",
    )


def _place(tokens: TokenSet, example: int) -> str:
    row = tokens.rows[example]
    return f"{tokens.meta.files[int(row['file'])]} line {int(row['line'])}"


def alike(tokens: TokenSet, *, check: Nothing = lambda: None, most: int = 200_000) -> list[tuple[int, int]]:
    """Pairs of examples whose sets of five-token runs overlap by 80 % or more, the same ones left out.

    Args:
        check: Called now and then; raises to end the search.
        most: How many examples are looked at, from the first.
    """
    count = min(len(tokens), most)
    step = 2 if tokens.meta.pairs else 1
    hashes = np.asarray(tokens.rows["hash"])
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    found: set[tuple[int, int]] = set()
    for example in range(count):
        if example % 256 == 0:
            check()
        shingles = _shingles(tokens.ids(example * step))
        signature = mixed(shingles[:, None] ^ _MASKS).min(axis=0).reshape(_BANDS, _BAND_ROWS)
        met: set[int] = set()
        for band in range(_BANDS):
            bucket = buckets[(band, signature[band].tobytes())]
            met.update(bucket if len(bucket) <= _LARGEST_BUCKET else bucket[:1])
            bucket.append(example)
        for other in met:
            if hashes[other] != hashes[example] and _overlap(tokens, other * step, shingles) >= ALIKE:
                found.add((other, example))
    return sorted(found)


def _shingles(ids: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """A hash for each run of five tokens; of the whole where there are fewer."""
    wide = np.asarray(ids).astype(np.uint64)
    size = min(_SHINGLE, len(wide))
    runs = np.lib.stride_tricks.sliding_window_view(wide, size) if size else np.zeros((1, 1), dtype=np.uint64)
    found = np.zeros(len(runs), dtype=np.uint64)
    for column in range(runs.shape[1]):
        found = mixed(found ^ runs[:, column])
    return np.unique(found)


def _overlap(tokens: TokenSet, other: int, shingles: NDArray[np.uint64]) -> float:
    theirs = _shingles(tokens.ids(other))
    shared = len(np.intersect1d(shingles, theirs, assume_unique=True))
    return shared / (len(shingles) + len(theirs) - shared)
