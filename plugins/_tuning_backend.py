"""What the training loop asks of a backend, so that torch and MLX run the same loop on the same batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.plugin import Arrays

#: What is minimised. `supervised`: cross-entropy of the learned tokens. `dpo`: direct preference optimization
#: (arXiv 2305.18290). `orpo`: odds-ratio preference optimization (arXiv 2403.07691).
Objective = Literal["supervised", "dpo", "orpo"]


@dataclass(frozen=True, slots=True)
class Piece:
    """What is computed at once: a batch of examples, or the two answers of a batch of preferences.

    Attributes:
        arrays: The examples; of preferences the better answers.
        worse: The worse answers, in the same order; None for examples.
        reference: Log-probabilities of both answers under the model before training, shape (rows, 2), for
            `dpo`.
    """

    arrays: Arrays
    worse: Arrays | None = None
    reference: NDArray[np.float64] | None = None

    @property
    def weight(self) -> int:
        """What the summed loss is divided by: learned tokens, or pairs."""
        return self.arrays.learned if self.worse is None else self.arrays.ids.shape[0]

    @property
    def real(self) -> int:
        """Tokens that are no padding."""
        return self.arrays.real + (self.worse.real if self.worse is not None else 0)

    @property
    def computed(self) -> int:
        """Tokens with the padding."""
        return self.arrays.ids.size + (self.worse.ids.size if self.worse is not None else 0)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and width of the larger half."""
        rows, width = self.arrays.ids.shape
        return rows, max(width, self.worse.ids.shape[1] if self.worse is not None else 0)

    def halves(self, parts: int) -> list[Piece]:
        """The rows in so many parts, each a piece of its own."""
        rows = self.arrays.ids.shape[0]
        return [
            Piece(
                _rows(self.arrays, part),
                _rows(self.worse, part) if self.worse is not None else None,
                self.reference[part] if self.reference is not None else None,
            )
            for part in np.array_split(np.arange(rows), min(parts, rows))
        ]


@dataclass(frozen=True, slots=True)
class Measured:
    """A loss without gradients.

    Attributes:
        loss: Summed over what `weight` counts.
        weight: Learned tokens, or pairs.
        preferred: Pairs whose better answer has the higher reward; 0 for examples.
    """

    loss: float
    weight: int
    preferred: int = 0


class Backend(Protocol):
    """A model in training, on one backend.

    One update is `begin`, `add` for each piece, `norm`, and `update`. Gradients are sums, so that pieces may
    be cut as the memory asks without changing the update.
    """

    def begin(self, seed: int) -> None:
        """Forget the gradients, and make every random choice of this update a function of the seed."""

    def add(self, piece: Piece, divisor: float) -> float:
        """Add the gradients of the piece's summed loss, divided; returns that loss, divided."""

    def norm(self, clip: float) -> float:
        """The norm of the gradients; above `clip` they are scaled to it. 0 for no limit."""

    def update(self, rate: float) -> None:
        """One step of the optimizer."""

    def measure(self, piece: Piece) -> Measured:
        """The loss in evaluation: no gradients, no dropout."""

    def log_probabilities(self, arrays: Arrays) -> NDArray[np.float64]:
        """Of each row, the sum over its learned tokens, in evaluation; shape (rows,)."""

    def generate(self, prompts: Sequence[Sequence[int]], longest: int) -> list[list[int]]:
        """The likeliest tokens after each prompt (greedy), up to an end token, which is left out."""

    def save(self, folder: Path, *, optimizer: bool) -> None:
        """Write the trained weights, and what the optimizer remembers, into an empty folder as safetensors.

        Raises:
            OSError: The disk is full or failed.
        """

    def load(self, folder: Path, *, optimizer: bool) -> None:
        """Put back what `save` wrote."""

    def publish(self, target: Path) -> None:
        """Write the result: an adapter as a PEFT folder, or the whole model."""

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether an error says that the device's or the machine's memory is full."""

    def free(self) -> None:
        """Give back what is cached, after the memory was full."""

    def peak_bytes(self) -> int:
        """The most memory of a device of its own that was held at once; 0 where there is none."""

    @property
    def trained(self) -> int:
        """Weights that are trained."""

    @property
    def parameters(self) -> int:
        """All weights."""


def preference_loss(
    better: Any, worse: Any, *, objective: Objective, beta: float, log_sigmoid: Any
) -> tuple[Any, Any]:
    """The loss and the margin of each pair, for both backends' arrays.

    Args:
        better, worse: For `dpo` the log-probabilities of the answers less those of the reference; for `orpo`
            the log odds of the answers, each of their mean token. Shape (rows,).
        beta: How strongly a margin counts: DPO's beta, ORPO's lambda.
        log_sigmoid: The backend's function.

    Returns:
        Losses, without ORPO's supervised part, and margins, each of shape (rows,).
    """
    margin = better - worse
    if objective == "dpo":
        return -log_sigmoid(beta * margin), margin
    return -beta * log_sigmoid(margin), margin


def _rows(arrays: Arrays, part: NDArray[np.int64]) -> Arrays:
    return Arrays(arrays.ids[part], arrays.targets[part], arrays.positions[part], arrays.segments[part])
