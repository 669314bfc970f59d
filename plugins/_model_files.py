"""The files of a model folder that are not weights: what a model made from another one takes over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from workbench.plugin import ModelFileError

_WEIGHTS = frozenset(
    {".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".gguf", ".h5", ".msgpack", ".onnx"}
)

#: What an operation says of how a model came about; it is not true of what is made from that model.
_RECORDS = frozenset({"tuning.json", "proof.json", "merge.json", "dropped.json", "distilled.json"})


def copy_texts(source: Path, target: Path) -> None:
    """Copy tokenizer, chat template, licence and settings; what `target` has already stays.

    Weights, their index, code, and the records of how the source came about are left out.
    """
    for each in sorted(source.iterdir()):
        ending = each.suffix.lower()
        skipped = (
            ending in _WEIGHTS
            or ending == ".py"
            or each.name.endswith(".index.json")
            or each.name in _RECORDS
        )
        if (
            each.is_file()
            and not skipped
            and not each.name.startswith(".")
            and not (target / each.name).exists()
        ):
            shutil.copyfile(each, target / each.name)


def full_precision_config(folder: Path, why: str) -> dict[str, Any]:
    """What config.json of a model says whose weights are as they were trained.

    Args:
        why: What is wrong with coarser ones, as the end of a sentence about the model.

    Raises:
        ModelFileError: The weights are quantized.
    """
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8-sig"))
    if config.get("quantization_config") or config.get("quantization"):
        raise ModelFileError(
            folder,
            f"its weights are quantized: {why}.",
            remedy="Start from the model in full precision that it was made from.",
        )
    return config
