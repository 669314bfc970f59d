"""What a proof asks of a base and the model that was made from it, both loaded from their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.plugin import Arrays


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model makes of the tokens of a batch that are learned.

    Attributes:
        losses: Their cross-entropy, summed over each row, shape (rows,).
        likeliest: The token that it finds likeliest in place of each of them, row after row; shape (learned
            tokens,).
    """

    losses: NDArray[np.float64]
    likeliest: NDArray[np.int64]


class Pair(Protocol):
    """Two models for evaluation: the base as it was, and the published result.

    `tuned` says which of the two is asked. Where the memory is full, each call raises an `OutOfMemoryError`.
    """

    def scores(self, arrays: Arrays, *, tuned: bool) -> Scores:
        """What the model makes of the learned tokens."""

    def generate(self, prompts: Sequence[Sequence[int]], longest: int, *, tuned: bool) -> list[list[int]]:
        """The likeliest tokens after each prompt (greedy), up to an end token, which is left out."""

    def log_probabilities(
        self, ids: NDArray[np.int64], *, tuned: bool, since: int = 0
    ) -> NDArray[np.float32]:
        """Of every next token at the positions from `since` on.

        Args:
            ids: Texts of the same length, shape (rows, width).

        Returns:
            Shape (rows, width - since, vocabulary).
        """

    def close(self) -> None:
        """Give the memory back."""
