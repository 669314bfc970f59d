"""Keeps the sums of an importance matrix between two runs of its job."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plugins._imatrix_sums import ImportanceSums, InputSums

_ABOUT = "about"
_SQUARES, _COUNTS = "squares:", "counts:"


@dataclass(frozen=True, slots=True)
class KeptSums:
    """Sums as far as they came.

    Attributes:
        windows: How many windows they hold.
        sums: In float64, bit for bit as they were.
    """

    windows: int
    sums: ImportanceSums


def keep_sums(path: Path, kept: KeptSums, fingerprint: str) -> None:
    """Replace the checkpoint, whole or not at all.

    Args:
        fingerprint: Of the model, the text and the settings that the sums belong to.
    """
    arrays = {_ABOUT: np.array(json.dumps({"windows": kept.windows, "of": fingerprint}))}
    for name, found in kept.sums.tensors.items():
        arrays[_SQUARES + name], arrays[_COUNTS + name] = found.squares, found.counts
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    partial.replace(path)


def kept_sums(path: Path, fingerprint: str) -> KeptSums | None:
    """The checkpoint; None where there is none, or one of other work."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file[_ABOUT]))
            if about["of"] != fingerprint:
                return None
            sums = ImportanceSums()
            for key in file.files:
                if key.startswith(_SQUARES):
                    name = key.removeprefix(_SQUARES)
                    sums.tensors[name] = InputSums(file[key], file[_COUNTS + name])
            return KeptSums(int(about["windows"]), sums)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
