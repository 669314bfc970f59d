"""The files of a model folder that are not weights: what a model made from another one takes over."""

from __future__ import annotations

import shutil
from pathlib import Path

_WEIGHTS = frozenset(
    {".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".gguf", ".h5", ".msgpack", ".onnx"}
)


def copy_texts(source: Path, target: Path) -> None:
    """Copy tokenizer, chat template, licence and settings; what `target` has already stays.

    Weights, their index and code are left out.
    """
    for each in sorted(source.iterdir()):
        ending = each.suffix.lower()
        skipped = ending in _WEIGHTS or ending == ".py" or each.name.endswith(".index.json")
        if (
            each.is_file()
            and not skipped
            and not each.name.startswith(".")
            and not (target / each.name).exists()
        ):
            shutil.copyfile(each, target / each.name)
