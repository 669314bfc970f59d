"""Checkpoints that several workers share: the first one writes them, all read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins._tuning_backend import Backend
from plugins._tuning_checkpoint import Checkpoints
from plugins._tuning_group import Group
from workbench.plugin import JobContext


class SharedCheckpoints(Checkpoints):
    """The checkpoints of one job, in a folder that every worker sees.

    Workers that do not lead take part in what is kept, as sharded weights are gathered from all, and write
    nothing: their backend's `save` is called with a folder that it leaves alone.

    Args:
        folder: Where the first worker keeps them; the job's own place where none is given.
    """

    def __init__(self, job: JobContext, group: Group, folder: Path | None = None) -> None:
        self._group = group
        if group.rank == 0:
            super().__init__(job)
        else:
            self._folder = folder or job.checkpoints
        group.barrier()

    def save_last(self, step: int, backend: Backend, state: dict[str, Any]) -> None:
        if self._group.rank == 0:
            super().save_last(step, backend, state)
        else:
            backend.save(self._folder, optimizer=True)
        self._group.barrier()

    def save_best(self, backend: Backend, state: dict[str, Any]) -> None:
        if self._group.rank == 0:
            super().save_best(backend, state)
        else:
            backend.save(self._folder, optimizer=False)
        self._group.barrier()

    def keep_array(self, name: str, array: NDArray[np.float64]) -> None:
        if self._group.rank == 0:
            super().keep_array(name, array)
        self._group.barrier()
