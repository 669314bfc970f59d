"""Rows that are in a dataset twice, or nearly."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence

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
#: The share of 64 minima in which two rows of a similarity of 0.8 agree is 0.8 give or take 0.05.
_BELIEVABLE = 0.6
#: Tokens that are hashed at once, and pairs that are looked at.
_AT_ONCE = 16_384
#: Rows that are looked at for what the template puts into most of them, and the fewest that tell.
_SAMPLED, _FEWEST_SAMPLED = 1000, 20
_NONE = np.empty(0, dtype=np.uint64)
#: How many examples are searched for likeness unless told otherwise.
MOST_COMPARED = 200_000
#: Rows that an error names.
_NAMED = 5

Nothing = Callable[[], None]


def same(tokens: TokenSet) -> list[list[int]]:
    """Groups of examples with the same content, each in order, the group with the first row first."""
    hashes = np.asarray(tokens.rows["hash"])
    order = np.argsort(hashes, kind="stable")
    return sorted(order[start:end].tolist() for start, end in _runs(hashes[order]))


def _runs(ordered: NDArray[np.uint64]) -> list[tuple[int, int]]:
    """Where equal values stand side by side, two or more of them: (start, end)."""
    borders = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    starts, ends = np.concatenate([[0], borders]), np.concatenate([borders, [len(ordered)]])
    several = ends - starts > 1
    return list(zip(starts[several].tolist(), ends[several].tolist(), strict=True))


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
        "{} line {} is {} line {}".format(*held_out.place(int(theirs[at])), *train.place(int(ours[at])))
        for at in order
    )
    more = f" and {len(shared) - _NAMED} more" if len(shared) > _NAMED else ""
    count = f"{len(shared)} rows are" if len(shared) > 1 else "1 row is"
    raise DataError(
        f"{count} both trained on and held out: {named}{more}.",
        remedy="Take them out of one of the two files.",
    )


def alike(
    sets: Sequence[TokenSet], *, check: Nothing = lambda: None, most: int = MOST_COMPARED
) -> list[tuple[int, int]]:
    """Pairs of examples whose sets of five-token runs overlap by 80 % or more, the same ones left out.

    What the template puts into more than half of the examples is not compared: short rows would all be alike.
    The search takes seconds for 100,000 rows, so the pairs are kept beside the first set.

    Args:
        sets: Searched together; an example's number counts through them.
        check: Called now and then; raises to end the search.
        most: How many examples of each set are looked at, from its first.
    """
    others = "".join(f"-{each.meta.key}" for each in sets[1:])
    kept = sets[0].folder / f"alike-{most}{others}.npy"
    try:
        pairs: NDArray[np.int64] = np.load(kept, allow_pickle=False)
    except (OSError, ValueError):
        usual = _usual(sets[0])
        found = _alike([_Shingles(each, usual) for each in sets], check, most)
        pairs = np.array(found, dtype=np.int64)
        partial = kept.with_name(f".partial-{uuid.uuid4().hex}.npy")
        np.save(partial, pairs.reshape(-1, 2), allow_pickle=False)
        partial.replace(kept)
    return [(first, later) for first, later in pairs.tolist()]


class _Shingles:
    """The shingles of a set's examples: hashes of their runs of five tokens, without the usual ones. Of a
    preference, those of the better sequence."""

    def __init__(self, tokens: TokenSet, usual: NDArray[np.uint64]) -> None:
        self.tokens = tokens
        self._step = 2 if tokens.meta.pairs else 1
        self._usual = usual

    def of(self, example: int) -> NDArray[np.uint64]:
        """Those of one example, rising."""
        return np.unique(self.between(example, example + 1)[0])

    def between(self, first: int, end: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Those of some examples in a row, in their order, and where those of each begin; each has some."""
        step = self._step
        lengths = self.tokens.lengths[first * step : end * step]
        ids = self.tokens.ids_between(first * step, end * step).astype(np.uint64)
        owner = np.repeat(np.arange(len(lengths)), lengths)
        hashed = np.zeros(len(ids), dtype=np.uint64)
        for ahead in range(_SHINGLE):
            # A run ends with its sequence; what is missing counts as token 0.
            rest = max(len(ids) - ahead, 0)
            shifted = np.zeros_like(ids)
            shifted[:rest] = np.where(owner[ahead:] == owner[:rest], ids[ahead:], 0)
            hashed = mixed(hashed ^ shifted)
        place = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        counts = np.where(owner % step == 0, np.maximum(lengths - _SHINGLE + 1, 1)[owner], 0)
        whole = place < counts
        hashed, owner = hashed[whole], owner[whole] // step
        unusual = ~np.isin(hashed, self._usual)
        # Of a row that is nothing but usual, all counts.
        stays = unusual | (np.bincount(owner, unusual, minlength=end - first)[owner] == 0)
        sizes = np.bincount(owner[stays], minlength=end - first)
        return hashed[stays], np.cumsum(sizes) - sizes


def _usual(tokens: TokenSet) -> NDArray[np.uint64]:
    """Shingles that more than half of the first examples have; none where there are too few to tell."""
    sampled = min(len(tokens), _SAMPLED)
    if sampled < _FEWEST_SAMPLED:
        return _NONE
    all_of_them = _Shingles(tokens, _NONE)
    shingles, times = np.unique(
        np.concatenate([all_of_them.of(example) for example in range(sampled)]), return_counts=True
    )
    return shingles[times > sampled / 2]


def _alike(sets: Sequence[_Shingles], check: Nothing, most: int) -> list[tuple[int, int]]:
    counts = [min(len(each.tokens), most) for each in sets]
    owners = np.repeat(np.arange(len(sets)), counts)
    examples = np.concatenate([np.arange(count) for count in counts])
    # An example's number counts through the sets, whose later examples are not looked at.
    starts = np.cumsum([0, *(len(each.tokens) for each in sets[:-1])])
    signatures = np.concatenate([part for each in sets for part in _signatures(each, check, most)])
    content = np.concatenate([each.tokens.rows["hash"][:most] for each in sets])
    found = []
    for pair in _met(signatures):
        check()
        if content[pair[0]] != content[pair[1]]:
            mine, theirs = (sets[int(owners[at])].of(int(examples[at])) for at in pair)
            if _overlap(mine, theirs) >= ALIKE:
                found.append(tuple((examples[pair] + starts[owners[pair]]).tolist()))
    return found


def _signatures(shingles: _Shingles, check: Nothing, most: int) -> Iterator[NDArray[np.uint32]]:
    """For each example and each of 64 hash functions the least hash of a shingle, shapes (some, 64)."""
    lengths = shingles.tokens.example_lengths[:most]
    first = 0
    while first < len(lengths):
        check()
        # So many examples as have about so many tokens together.
        some = int(np.searchsorted(np.cumsum(lengths[first : first + _AT_ONCE]), _AT_ONCE)) + 1
        end = min(first + some, len(lengths))
        hashed, begins = shingles.between(first, end)
        least = [np.minimum.reduceat(mixed(hashed ^ mask) >> np.uint64(32), begins) for mask in _MASKS]
        yield np.stack(least, axis=1).astype(np.uint32)
        first = end


def _met(signatures: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Pairs of examples that are worth comparing, the earlier one first, shape (pairs, 2).

    Those that agree in a band, each with the first of them and with the one before it: all pairs of a large
    group would be its square. Of these, the ones whose whole signatures make a likeness of 0.8 believable.
    """
    pairs = []
    for band in np.split(signatures, _BANDS, axis=1):
        key = np.zeros(len(band), dtype=np.uint64)
        for column in band.T:
            key = mixed(key ^ column.astype(np.uint64))
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        firsts = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
        rest = np.flatnonzero(~is_first)
        pairs += [np.stack([order[others], order[rest]], axis=1) for others in (firsts[rest], rest - 1)]
    found = np.unique(np.concatenate(pairs), axis=0)
    agreeing = np.concatenate(
        [
            (signatures[part[:, 0]] == signatures[part[:, 1]]).mean(axis=1)
            for part in np.array_split(found, len(found) // _AT_ONCE + 1)
        ]
    )
    return found[agreeing >= _BELIEVABLE]


def _overlap(mine: NDArray[np.uint64], theirs: NDArray[np.uint64]) -> float:
    shared = len(np.intersect1d(mine, theirs, assume_unique=True))
    return shared / (len(mine) + len(theirs) - shared)
