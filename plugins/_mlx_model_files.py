"""Writes what MLX trained: single tensors, and whole models whose files are those of their base."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plugins._model_files import copy_texts
from workbench.plugin import ModelFileError

_OUTPUT = "lm_head.weight"
#: mlx-lm reads these alone.
_SHARDS = "model*.safetensors"


def save_tensors(path: Path, tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file.

    Raises:
        OSError: The disk is full or failed; MLX itself does not say which.
    """
    import mlx.core as mx

    try:
        # MLX writes a table without order: the same names put in by the same order give the same bytes.
        mx.save_safetensors(str(path), dict(sorted(tensors.items())), metadata=dict(metadata or {}))
    except RuntimeError as error:
        if "write" not in str(error) and "open" not in str(error):
            raise
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
        needed = sum(each.nbytes for each in tensors.values())
        written = path.stat().st_size if path.exists() else 0
        full = shutil.disk_usage(path.parent).free + written < needed
        code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from error


def check_names(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Make sure that the files know these weights by the names and shapes that MLX has for them.

    Raises:
        ModelFileError: They don't, so that no result could be written that others read.
    """
    stored = {name: shape for shard in shards(folder) for name, shape in _shapes(shard).items()}
    for name, shape in shapes.items():
        if stored.get(name) != shape:
            raise ModelFileError(
                folder,
                f"MLX arranges its weights otherwise than its files do ({name}).",
                remedy="Fine-tune it with PyTorch (finetune-torch).",
            )


def stored_names(folder: Path) -> frozenset[str]:
    """The names of all tensors in a model's folder."""
    return frozenset(name for shard in shards(folder) for name in _shapes(shard))


def shards(folder: Path) -> list[Path]:
    """The files that a model's weights are in."""
    return sorted(folder.glob(_SHARDS))


def write_model(source: Path, target: Path, trained: Mapping[str, Any], names: frozenset[str]) -> None:
    """Write a model as its base with other values: same files, names and types; one file in memory at a time.

    Args:
        trained: New values by name, in any type.
        names: Of all weights that the model has in MLX; what the files hold beside them repeats others.
    """
    import mlx.core as mx

    target.mkdir(parents=True)
    embedding = next((each for name, each in trained.items() if name.endswith("embed_tokens.weight")), None)
    for shard in shards(source):
        loaded: Any = mx.load(str(shard), return_metadata=True)
        tensors, metadata = loaded
        for name, stored in tensors.items():
            value = trained.get(name)
            if name.endswith(_OUTPUT) and name not in names:
                # The embedding once more: the model uses one matrix for both of its ends.
                value = embedding
            if value is not None:
                tensors[name] = value.astype(stored.dtype)
        save_tensors(target / shard.name, tensors, metadata or {"format": "pt"})
    for index in source.glob("*.safetensors.index.json"):
        shutil.copyfile(index, target / index.name)
    copy_texts(source, target)


def _shapes(shard: Path) -> dict[str, tuple[int, ...]]:
    import mlx.core as mx

    # Lazily: only the header is read.
    loaded: Any = mx.load(str(shard))
    return {name: tuple(each.shape) for name, each in loaded.items()}
