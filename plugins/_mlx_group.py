"""The processes that `mlx.launch` started to train one model together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np


class MlxGroup:
    """See `_tuning_group.Group`."""

    def __init__(self) -> None:
        import mlx.core as mx

        self._mx = mx
        self._group = mx.distributed.init()

    @property
    def rank(self) -> int:
        return int(self._group.rank())

    @property
    def size(self) -> int:
        return int(self._group.size())

    def sum(self, values: Sequence[float]) -> list[float]:
        found: list[float] = np.array(self._summed(self._mx.array(list(values))), dtype=np.float64).tolist()
        return found

    def sum_gradients(self, backend: Any) -> None:
        mx, gradients = self._mx, backend.gradients
        names = sorted(gradients)
        # All at once: sent one by one, an adapter's many small arrays would wait for the network each.
        flat = self._summed(mx.concatenate([gradients[name].reshape(-1) for name in names]))
        ends = np.cumsum([gradients[name].size for name in names])[:-1].tolist()
        parts = mx.split(flat, ends)
        backend.gradients = {
            name: part.reshape(gradients[name].shape) for name, part in zip(names, parts, strict=True)
        }
        mx.eval(backend.gradients)

    def barrier(self) -> None:
        self._summed(self._mx.array([0.0]))

    def _summed(self, array: Any) -> Any:
        found = self._mx.distributed.all_sum(array, group=self._group)
        self._mx.eval(found)
        return found


def launched_group() -> MlxGroup | None:
    """The group that this process belongs to; None for one that was started alone."""
    if "MLX_RANK" not in os.environ and "OMPI_COMM_WORLD_RANK" not in os.environ:
        return None
    group = MlxGroup()
    return group if group.size > 1 else None
