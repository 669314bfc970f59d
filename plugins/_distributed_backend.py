"""A backend whose work several workers share: each computes some rows of every batch, and they are summed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plugins._tuning_backend import Backend, Measured, Piece
from plugins._tuning_group import Group
from workbench.plugin import Arrays

#: Makes each worker's dropout its own; the first one's is that of a run with one worker.
_SEED_STEP = 7_919


class SharedBackend:
    """See `_tuning_backend.Backend`. On every worker the same calls return the same figures.

    The rows of a piece go to the workers in equal parts, in their order. Losses and gradients are sums that
    were divided by the whole update's weight before, so those of all workers add up to what one computes; no
    worker's share is averaged, however many rows it has.

    Args:
        own: This worker's model.
    """

    def __init__(self, own: Backend, group: Group) -> None:
        self._own = own
        self._group = group

    @property
    def trained(self) -> int:
        return self._own.trained

    @property
    def parameters(self) -> int:
        return self._own.parameters

    def begin(self, seed: int) -> None:
        self._own.begin((seed + _SEED_STEP * self._group.rank) & ((1 << 63) - 1))

    def add(self, piece: Piece, divisor: float) -> float:
        share, counts = self._share(piece)
        loss, short = 0.0, 0.0
        try:
            # A worker without rows computes one all the same, as sharded weights are gathered by all at once.
            loss = self._own.add(share, divisor if counts else math.inf)
        except (MemoryError, RuntimeError) as error:
            if not self._own.is_out_of_memory(error):
                raise
            short = 1.0
        total, shorts = self._group.sum([loss, short])
        if shorts:
            # All halve their batches, or none: the workers must go on making the same calls.
            raise MemoryError("not enough memory on a worker")
        return total

    def norm(self, clip: float) -> float:
        self._group.sum_gradients(self._own)
        return self._own.norm(clip)

    def update(self, rate: float) -> None:
        self._own.update(rate)

    def measure(self, piece: Piece) -> Measured:
        share, counts = self._share(piece)
        found = self._own.measure(share)
        loss, preferred = self._group.sum([found.loss, found.preferred] if counts else [0.0, 0.0])
        return Measured(loss, piece.weight, round(preferred))

    def log_probabilities(self, arrays: Arrays) -> NDArray[np.float64]:
        share, counts = self._share(Piece(arrays))
        found = np.zeros(arrays.ids.shape[0])
        if counts:
            rows = np.array_split(np.arange(len(found)), min(self._group.size, len(found)))[self._group.rank]
            found[rows] = self._own.log_probabilities(share.arrays)
        else:
            self._own.log_probabilities(share.arrays)
        return np.array(self._group.sum(found.tolist()))

    def generate(self, prompts: Sequence[Sequence[int]], longest: int) -> list[list[int]]:
        # Every worker answers all: one that waited would have nothing else to do.
        return self._own.generate(prompts, longest)

    def save(self, folder: Path, *, optimizer: bool) -> None:
        self._own.save(folder, optimizer=optimizer)

    def load(self, folder: Path, *, optimizer: bool) -> None:
        self._own.load(folder, optimizer=optimizer)

    def publish(self, target: Path) -> None:
        self._own.publish(target)
        self._group.barrier()

    def is_out_of_memory(self, error: BaseException) -> bool:
        return self._own.is_out_of_memory(error)

    def free(self) -> None:
        self._own.free()

    def peak_bytes(self) -> int:
        return self._own.peak_bytes()

    def _share(self, piece: Piece) -> tuple[Piece, bool]:
        """This worker's rows, and whether they count: where there are fewer rows than workers, some don't."""
        shares = piece.halves(self._group.size)
        counts = self._group.rank < len(shares)
        return shares[self._group.rank if counts else 0], counts
