"""Opens the two sides of a training: the examples that are learned, and those that are held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from workbench.data.duplicates import refuse_shared
from workbench.data.errors import DataError
from workbench.data.token_set import BadRow, TokenSet
from workbench.data.tokenizing import Progress, Recipe, token_set

#: What happens with rows that can't be used.
BadRows = Literal["skip", "refuse"]
#: What happens with examples that are longer than the training's longest sequence.
LongRows = Literal["cut", "skip", "refuse"]

#: Rows that an error names.
_NAMED = 5


class SideChoices(Struct, frozen=True, kw_only=True):
    """How a dataset becomes two sides.

    Attributes:
        weights: How often an epoch has each row of each file; empty for once each.
        held_out: Share of the examples that is held out, chosen by each one's content.
        held_out_files: Files whose rows are held out instead, absolute paths.
        bad_rows: What happens with rows that can't be used.
        long_rows: What happens with examples longer than `longest`.
        longest: Most tokens of a sequence.
    """

    weights: tuple[float, ...] = ()
    held_out: float = 0.1
    held_out_files: tuple[str, ...] = ()
    bad_rows: BadRows = "skip"
    long_rows: LongRows = "cut"
    longest: int = 1024


class Side(Struct, frozen=True, kw_only=True):
    """Some examples of a token set.

    Attributes:
        tokens: The set they are in.
        examples: Their numbers in it, rising, shape (n,).
        longest: Where their sequences are cut, in tokens.
        weights: How often an epoch has each of them, shape (n,); None for once.
    """

    tokens: TokenSet
    examples: NDArray[np.int64]
    longest: int
    weights: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self.examples)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each example as it is trained, shape (n,): of a preference, of its longer sequence."""
        return np.minimum(self.tokens.example_lengths[self.examples], self.longest)

    @property
    def token_count(self) -> int:
        """Tokens that the model sees in an epoch: those of all sequences, without what is cut."""
        return self._in_an_epoch(np.minimum(self.tokens.lengths, self.longest))

    @property
    def learned_count(self) -> int:
        """Tokens that it has to predict in an epoch."""
        return self._in_an_epoch(self.tokens.learned(self.longest))

    def _in_an_epoch(self, counts: NDArray[np.int64]) -> int:
        mine = counts.reshape(len(self.tokens), -1)[self.examples].sum(axis=1)
        return int(mine.sum() if self.weights is None else (mine * self.weights).sum())


class Sides(Struct, frozen=True, kw_only=True):
    """What is trained on, and what is evaluated on.

    Attributes:
        train: Never empty where `open_sides` made it.
        held_out: Maybe empty; maybe in the same token set.
        refusals: Why training does not begin on this.
        lines: What a person is told about it.
    """

    train: Side
    held_out: Side
    refusals: tuple[DataError, ...]
    lines: tuple[str, ...]

    @property
    def token_sets(self) -> tuple[TokenSet, ...]:
        """The sets that the two sides are in: one, or two where files are held out."""
        return tuple(dict.fromkeys((self.train.tokens, self.held_out.tokens)))


def open_sides(
    recipe: Recipe,
    choices: SideChoices,
    cache: Path,
    *,
    processes: int = 1,
    progress: Progress = lambda _done, _total: None,
) -> Sides:
    """The two sides for a training, tokenized where they were not before.

    Args:
        recipe: `files` are those that are learned.
        cache, processes, progress: As for `token_set`.

    Raises:
        DataError: What `token_set` raises; rows are bad or too long, and that is to be refused; rows are on
            both sides; or nothing is left to learn.
    """
    found = sides_of(recipe, choices, cache, processes=processes, progress=progress)
    if found.refusals:
        raise found.refusals[0]
    return found


def sides_of(
    recipe: Recipe,
    choices: SideChoices,
    cache: Path,
    *,
    processes: int = 1,
    progress: Progress = lambda _done, _total: None,
) -> Sides:
    """The same for whoever looks at data before a training: what would be refused is said in `refusals`."""
    _check(recipe, choices)
    tokens = token_set(recipe, cache, processes=processes, progress=progress)
    apart = tokens
    if choices.held_out_files:
        other = msgspec.structs.replace(recipe, files=choices.held_out_files)
        apart = token_set(other, cache, processes=processes, progress=progress)
        if apart.meta.pairs != tokens.meta.pairs:
            raise DataError(
                "One side has preferences, and the other has not.",
                remedy="Hold out rows of the kind that is learned.",
            )
        is_held = np.zeros(len(tokens), dtype=bool)
        held = np.arange(len(apart))
    else:
        is_held = tokens.held_out(choices.held_out)
        held = np.flatnonzero(is_held)
    stays = staying(tokens, choices)
    stays_apart = stays if apart is tokens else staying(apart, choices)
    examples = np.flatnonzero(~is_held & stays)
    weights = None
    if any(weight != 1 for weight in choices.weights):
        weights = tokens.weights_of(choices.weights)[examples]
    train = Side(tokens=tokens, examples=examples, longest=choices.longest, weights=weights)
    held_out = Side(tokens=apart, examples=held[stays_apart[held]], longest=choices.longest)
    sets = (tokens,) if apart is tokens else (tokens, apart)
    return Sides(
        train=train,
        held_out=held_out,
        refusals=tuple(_refusals(train, held_out, choices)),
        lines=tuple(_lines(sets, train, held_out, choices)),
    )


def side_of(
    recipe: Recipe,
    cache: Path,
    *,
    share: float = 1.0,
    longest: int = 1024,
    processes: int = 1,
    progress: Progress = lambda _done, _total: None,
) -> Side:
    """Examples to measure a model on, where nothing is trained.

    Args:
        share: Of the files' examples, chosen by content as `SideChoices.held_out` chooses; 1 for all.
        longest: Where their sequences are cut, in tokens.
        cache, processes, progress: As for `token_set`.

    Raises:
        DataError: What `token_set` raises, or no example is left.
    """
    tokens = token_set(recipe, cache, processes=processes, progress=progress)
    stays = staying(tokens, SideChoices(longest=longest))
    found = np.flatnonzero(stays if share >= 1 else stays & tokens.held_out(share))
    if not len(found):
        raise DataError(
            f"Of {_counted(len(tokens), 'example')} none is left to measure on.",
            remedy="Take a larger share, allow more tokens, or use more examples.",
        )
    return Side(tokens=tokens, examples=found, longest=longest)


def staying(tokens: TokenSet, choices: SideChoices) -> NDArray[np.bool_]:
    """Which examples of a set stay, shape (examples,).

    Examples of which nothing is learned once they are cut never do: they would be computed for nothing.
    """
    keeps = (tokens.learned(choices.longest) > 0).reshape(len(tokens), -1).all(axis=1)
    if choices.long_rows == "skip":
        keeps = keeps & (tokens.example_lengths <= choices.longest)
    return np.asarray(keeps)


def _check(recipe: Recipe, choices: SideChoices) -> None:
    weights = choices.weights
    if weights and len(weights) != len(recipe.files):
        raise DataError(
            f"There are {len(recipe.files)} files, and {len(weights)} weights.",
            remedy="Give each file a weight, in the same order.",
        )
    if any(not math.isfinite(each) or each < 0 for each in weights):
        raise DataError("A weight is a number from 0 on.", remedy="2 has an epoch see each row twice.")
    if not 0 <= choices.held_out < 1:
        raise DataError("The share that is held out lies between 0 and 1.")
    if choices.longest < 2:
        raise DataError("A sequence has at least two tokens: one to see, and one to learn.")


def _refusals(train: Side, held_out: Side, choices: SideChoices) -> list[DataError]:
    tokens = train.tokens
    sets = (tokens,) if held_out.tokens is tokens else (tokens, held_out.tokens)
    found = []
    bad = sum(each.meta.bad for each in sets)
    if choices.bad_rows == "refuse" and bad:
        named = [row for each in sets for row in each.bad_rows(_NAMED)][:_NAMED]
        words = "; ".join(f"{row.file} line {row.line}: {row.problem.rstrip('.')}" for row in named)
        found.append(
            DataError(
                f"{_counted(bad, 'row')} can't be used: {words}{_more(bad)}.",
                remedy="Mend them, or have bad rows skipped.",
            )
        )
    long = [each.tokens.place(int(number)) for each in (train, held_out) for number in _long(each)]
    if choices.long_rows == "refuse" and long:
        words = ", ".join(f"{file} line {line}" for file, line in long[:_NAMED])
        found.append(
            DataError(
                f"{_counted(len(long), 'row')} longer than {choices.longest} tokens:"
                f" {words}{_more(len(long))}.",
                remedy="Shorten them, allow more tokens, or have long rows cut or skipped.",
            )
        )
    if held_out.tokens is not tokens:
        try:
            refuse_shared(tokens, held_out.tokens)
        except DataError as error:
            found.append(error)
    if not len(train):
        found.append(
            DataError(
                f"Nothing is left to learn: all {_counted(len(tokens), 'example')} are held out, too long, or"
                f" have nothing to learn within {choices.longest} tokens.",
                remedy="Use more examples, hold out fewer, or allow more tokens.",
            )
        )
    elif train.weights is not None and not train.weights.any():
        found.append(DataError("Every file has the weight 0: there is nothing to learn."))
    return found


def _lines(sets: Sequence[TokenSet], train: Side, held_out: Side, choices: SideChoices) -> list[str]:
    lines = [
        f"{_counted(len(train), 'example')} to learn from, {len(held_out)} held out; an epoch has"
        f" {train.token_count} tokens, {train.learned_count} of them learned"
    ]
    bad: list[BadRow] = [row for each in sets for row in each.bad_rows(1)]
    if bad:
        count = _counted(sum(each.meta.bad for each in sets), "bad row")
        lines.append(f"{count} left out; the first, {bad[0].file} line {bad[0].line}: {bad[0].problem}")
    cut = len(_long(train)) + len(_long(held_out))
    if cut:
        lines.append(f"{_counted(cut, 'example')} cut at {choices.longest} tokens")
    stayed = len(train) + len(held_out)
    left_out = sum(map(len, sets)) - stayed
    if left_out:
        lines.append(
            f"{_counted(left_out, 'example')} left out: longer than {choices.longest} tokens"
            + ("" if choices.long_rows == "skip" else ", with nothing to learn before that")
        )
    return lines


def _long(side: Side) -> NDArray[np.int64]:
    """The examples of a side that are cut."""
    return side.examples[side.tokens.example_lengths[side.examples] > side.longest]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _more(count: int) -> str:
    return f" and {count - _NAMED} more" if count > _NAMED else ""
