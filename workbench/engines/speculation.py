"""Guesses for speculative decoding (arXiv 2211.17192), and the book that says whether they pay.

A guess is checked by computing it along with the last token: positions whose token the target itself chooses
are kept. Every token is chosen from the target's own logits with the answer's own random numbers, so that the
text is what plain decoding gives, up to the arithmetic of larger batches.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Protocol

#: Tokens of plain decoding that are timed before the first guess, and the rounds of guessing that are timed
#: before judging. Both are short, as they are paid for by every answer.
_PLAIN_TOKENS = 6
_ROUNDS = 8
#: How much of its weight a round keeps with every round that follows.
_KEPT = 0.9


class Drafter(Protocol):
    """Something that guesses the next tokens of rows."""

    #: Whether asking takes time worth counting, even where it brings no guess.
    costs: bool

    def propose(self, rows: Sequence[tuple[int, Sequence[int], int]]) -> list[list[int]]:
        """For each (row, all tokens so far, most guesses): the guesses, possibly none."""

    def forget(self, row: int) -> None:
        """The row now belongs to another answer."""

    def close(self) -> None:
        """Free what it holds."""


class NgramDrafter:
    """Guesses that what followed the last few tokens earlier will follow them again (prompt lookup).

    Source: Saxena, "Prompt Lookup Decoding", 2023. It costs nothing, and is right where an answer quotes its
    prompt: summaries, edits, code.

    >>> NgramDrafter().propose([(0, [5, 6, 7, 8, 9, 5, 6, 7], 2)])
    [[8, 9]]

    Args:
        longest: The longest run of tokens that is looked for, tried first.
        shortest: The shortest.
    """

    costs = False

    def __init__(self, longest: int = 4, shortest: int = 2) -> None:
        self._longest = longest
        self._shortest = shortest
        # For each row: how many tokens are indexed, and for each run the position after its last occurrence.
        self._index: dict[int, tuple[int, dict[tuple[int, ...], int]]] = {}

    def propose(self, rows: Sequence[tuple[int, Sequence[int], int]]) -> list[list[int]]:
        return [self._guess(row, tokens, most) for row, tokens, most in rows]

    def forget(self, row: int) -> None:
        self._index.pop(row, None)

    def close(self) -> None:
        self._index.clear()

    def _guess(self, row: int, tokens: Sequence[int], most: int) -> list[int]:
        done, index = self._index.get(row, (0, {}))
        # The newest position is left out: it would find itself.
        for end in range(max(done, self._shortest), len(tokens)):
            for length in range(self._shortest, min(self._longest, end) + 1):
                index[tuple(tokens[end - length : end])] = end
        self._index[row] = (len(tokens), index)
        for length in range(self._longest, self._shortest - 1, -1):
            if length > len(tokens):
                continue
            found = index.get(tuple(tokens[len(tokens) - length :]))
            if found is not None:
                return list(tokens[found : found + most])
        return []


class Judge:
    """Decides for one answer whether to guess on, by timing plain and guessed steps of that very answer.

    Attributes:
        plain_s: Seconds a token without guessing, the median; 0 where not measured yet.
        speculative_s: Seconds a token with guessing, over the rounds lately; 0 where not measured yet.
    """

    def __init__(self) -> None:
        self._plain: list[float] = []
        self._rounds = 0
        self._seconds = 0.0
        self._tokens = 0.0
        self.plain_s = 0.0
        self.speculative_s = 0.0
        self.lost = False

    @property
    def wants_guess(self) -> bool:
        """Whether the next step should carry a guess."""
        return not self.lost and len(self._plain) >= _PLAIN_TOKENS

    def plain_step(self, seconds: float) -> None:
        """A step for which no guess was asked gave one token."""
        if len(self._plain) < _PLAIN_TOKENS:
            self._plain.append(seconds)
            self.plain_s = statistics.median(self._plain)

    def guessed_step(self, seconds: float, tokens: int) -> None:
        """A step for which a guess was asked gave so many tokens; seconds include the guessing.

        In the first one the draft reads the whole prompt. That is paid once, whatever follows, so it says
        nothing on whether to go on.
        """
        self._rounds += 1
        if self._rounds == 1:
            return
        # Seconds and tokens apart: a round of one token must not weigh as much as a round of five.
        self._seconds = self._seconds * _KEPT + seconds
        self._tokens = self._tokens * _KEPT + max(1, tokens)
        self.speculative_s = self._seconds / self._tokens
        if self._rounds > _ROUNDS and self.speculative_s > self.plain_s:
            self.lost = True
