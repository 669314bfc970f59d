"""Checkpoints of a training run: tensors in safetensors, the rest in JSON, whole or not there."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins._tuning_backend import Backend
from workbench.plugin import DiskFullError, JobContext

_STATE = "state.json"


class Checkpoints:
    """The checkpoints of one job: the last one to go on from, and the best one to end with."""

    def __init__(self, job: JobContext) -> None:
        self._folder = job.checkpoints
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(".partial-*"):
            shutil.rmtree(left, ignore_errors=True)

    def save_last(self, step: int, backend: Backend, state: dict[str, Any]) -> None:
        """Keep everything that going on needs; what was kept before goes when this is whole.

        Raises:
            DiskFullError: There is no room; the checkpoint before is as it was.
        """
        name = f"step-{step:08d}"
        self._write(name, backend, state, optimizer=True)
        for old in self._steps():
            if old.name != name:
                shutil.rmtree(old, ignore_errors=True)

    def save_best(self, backend: Backend, state: dict[str, Any]) -> None:
        """Keep the weights with the lowest held-out loss.

        Raises:
            DiskFullError: There is no room; what was the best before is as it was.
        """
        self._write("best", backend, state, optimizer=False)

    def load_last(self, backend: Backend) -> dict[str, Any] | None:
        """Put the newest checkpoint's tensors into place, and return its state; None where there is none."""
        steps = self._steps()
        if not steps:
            return None
        backend.load(steps[-1], optimizer=True)
        state: dict[str, Any] = json.loads((steps[-1] / _STATE).read_text(encoding="utf-8"))
        return state

    def load_best(self, backend: Backend) -> bool:
        """Put the best weights into place; false where none were kept."""
        folder = self._folder / "best"
        if (folder / _STATE).is_file():
            backend.load(folder, optimizer=False)
            return True
        return False

    def keep_array(self, name: str, array: NDArray[np.float64]) -> None:
        """Keep figures that are computed once.

        Raises:
            DiskFullError: There is no room.
        """
        partial = self._folder / f".partial-{name}"
        try:
            with partial.open("wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._folder / name)
        except OSError as error:
            raise self._explained(error) from error

    def array(self, name: str) -> NDArray[np.float64] | None:
        """Figures that were kept; None where there are none."""
        path = self._folder / name
        return np.load(path, allow_pickle=False) if path.is_file() else None

    def _steps(self) -> list[Path]:
        return sorted(each for each in self._folder.glob("step-*") if (each / _STATE).is_file())

    def _write(self, name: str, backend: Backend, state: dict[str, Any], *, optimizer: bool) -> None:
        partial = self._folder / f".partial-{name}"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir()
            backend.save(partial, optimizer=optimizer)
            (partial / _STATE).write_text(json.dumps(state), encoding="utf-8")
            for written in partial.iterdir():
                with written.open("rb+") as opened:
                    os.fsync(opened.fileno())
            target = self._folder / name
            old = self._folder / f".partial-old-{name}"
            if target.exists():
                target.rename(old)
            partial.rename(target)
            shutil.rmtree(old, ignore_errors=True)
        except Exception as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> Exception:
        """safetensors reports a full disk as an error of its own, with the system's words."""
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        return DiskFullError(self._folder) if full else error
