"""Turns a batch of examples into arrays that a backend computes, with or without packing."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from workbench.data.batches import Batch
from workbench.data.token_set import TokenSet

#: Where nothing is learned; what torch's cross-entropy leaves out by default.
IGNORED = -100


class Arrays(Struct, frozen=True):
    """A batch as rectangular arrays, each of shape (rows, width).

    Attributes:
        ids: Tokens; 0 where there is padding.
        targets: What each position has to predict, already moved by one; `IGNORED` where nothing is learned:
            on masked tokens, on padding and on the last token of an example.
        positions: Each token's place in its own example, from 0.
        segments: Which example of its row a token belongs to, from 1; 0 for padding. A token may attend to
            earlier tokens of its own segment alone.
    """

    ids: NDArray[np.int64]
    targets: NDArray[np.int64]
    positions: NDArray[np.int64]
    segments: NDArray[np.int64]

    @property
    def learned(self) -> int:
        """Positions that are learned: what a summed loss is divided by."""
        return int((self.targets != IGNORED).sum())

    @property
    def real(self) -> int:
        """Tokens that are no padding."""
        return int((self.segments > 0).sum())

    @property
    def is_packed(self) -> bool:
        """Whether a row has several examples, so that the backend needs `allowed`."""
        return bool((self.segments > 1).any())

    def allowed(self) -> NDArray[np.bool_]:
        """Which positions may attend to which, shape (rows, width, width): causal, within a segment.

        Padding attends to itself, as a row of a softmax with nothing in it is not a number.
        """
        same = self.segments[:, :, None] == self.segments[:, None, :]
        causal = np.tril(np.ones((self.ids.shape[1],) * 2, dtype=bool))
        found: NDArray[np.bool_] = same & causal
        return found


def collate(tokens: TokenSet, batch: Batch, longest: int, *, multiple: int = 1, which: int = 0) -> Arrays:
    """The arrays of a batch.

    Args:
        batch: Rows of examples, as `epoch_batches` gives them.
        longest: Tokens at which an example is cut.
        multiple: The width is a multiple of this: some kernels are faster so, and compile for fewer shapes.
        which: Of a preference, 0 for the better sequence and 1 for the worse.
    """
    step = 2 if tokens.meta.pairs else 1
    sequences = [[example * step + which for example in row] for row in batch]
    widths = [sum(min(int(tokens.lengths[each]), longest) for each in row) for row in sequences]
    width = -(-max(widths) // multiple) * multiple
    shape = (len(batch), width)
    ids, positions, segments = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    targets = np.full(shape, IGNORED, dtype=np.int64)
    for row, members in enumerate(sequences):
        at = 0
        for segment, sequence in enumerate(members, start=1):
            piece = tokens.ids(sequence)[:longest]
            end = at + len(piece)
            ids[row, at:end] = piece
            positions[row, at:end] = np.arange(len(piece))
            segments[row, at:end] = segment
            learned = tokens.trained(sequence)[1:longest] > 0
            targets[row, at : end - 1] = np.where(learned, ids[row, at + 1 : end], IGNORED)
            at = end
    return Arrays(ids, targets, positions, segments)
