"""Checkpoints of a training run: tensors in safetensors, the rest in JSON, whole or not there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from workbench.plugin import DiskFullError, JobContext

_WEIGHTS, _OPTIMIZER, _STATE = "weights.safetensors", "optimizer.safetensors", "state.json"


class Checkpoints:
    """The checkpoints of one job: the last one to go on from, and the best one to end with."""

    def __init__(self, job: JobContext) -> None:
        self._folder = job.checkpoints
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(".partial-*"):
            shutil.rmtree(left, ignore_errors=True)

    def save_last(self, step: int, model: Any, optimizer: Any, state: dict[str, Any]) -> None:
        """Keep everything that going on needs; what was kept before goes when this is whole.

        Raises:
            DiskFullError: There is no room; the checkpoint before is as it was.
        """
        name = f"step-{step:08d}"
        self._write(name, {_WEIGHTS: trainable(model), _OPTIMIZER: _flat(optimizer)}, {**state, "step": step})
        for old in self._steps():
            if old.name != name:
                shutil.rmtree(old, ignore_errors=True)

    def save_best(self, model: Any, state: dict[str, Any]) -> None:
        """Keep the weights with the lowest held-out loss."""
        self._write("best", {_WEIGHTS: trainable(model)}, state)

    def load_last(self, model: Any, optimizer: Any) -> dict[str, Any] | None:
        """Put the newest checkpoint's tensors into place, and return its state; None where there is none."""
        from safetensors.torch import load_file

        steps = self._steps()
        if not steps:
            return None
        _put(model, load_file(steps[-1] / _WEIGHTS))
        _restore(optimizer, load_file(steps[-1] / _OPTIMIZER))
        state: dict[str, Any] = json.loads((steps[-1] / _STATE).read_text(encoding="utf-8"))
        return state

    def load_best(self, model: Any) -> bool:
        """Put the best weights into place; false where none were kept."""
        from safetensors.torch import load_file

        path = self._folder / "best" / _WEIGHTS
        if path.is_file():
            _put(model, load_file(path))
        return path.is_file()

    def _steps(self) -> list[Path]:
        return sorted(each for each in self._folder.glob("step-*") if (each / _STATE).is_file())

    def _write(self, name: str, tensors: dict[str, dict[str, Any]], state: dict[str, Any]) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        partial = self._folder / f".partial-{name}"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir()
            for file, found in tensors.items():
                save_file(found, partial / file)
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
        except (OSError, SafetensorError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            if getattr(error, "errno", None) == 28 or "No space left" in str(error):
                raise DiskFullError(self._folder) from error
            raise


def trainable(model: Any) -> dict[str, Any]:
    """The weights that are trained, by name, as contiguous tensors on the CPU."""
    return {
        name: each.detach().cpu().contiguous()
        for name, each in model.named_parameters()
        if each.requires_grad
    }


def _put(model: Any, tensors: dict[str, Any]) -> None:
    import torch

    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def _flat(optimizer: Any) -> dict[str, Any]:
    """An optimizer's tensors as one level of names: `0.exp_avg` and so on."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": value.detach().cpu().contiguous()
        for number, each in state.items()
        for name, value in each.items()
    }


def _restore(optimizer: Any, tensors: dict[str, Any]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    whole = optimizer.state_dict()
    whole["state"] = state
    optimizer.load_state_dict(whole)
