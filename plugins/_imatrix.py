"""Importance matrices as files of llama.cpp's imatrix tool: GGUF, and to read the older binary form too."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from plugins._imatrix_sums import ImportanceSums
from workbench.plugin import ModelFileError

Floats = NDArray[np.float32]

_REMEDY = "Make one with “Measure importance”."

#: More entries, longer names or rows than any model has mean a damaged file.
_MAX_ENTRIES = 1 << 20
_MAX_NAME = 1 << 10
_MAX_VALUES = 1 << 28


def read_imatrix(path: Path) -> dict[str, Floats]:
    """The mean squared activation of each input column, by tensor name.

    Returns:
        Float32 arrays of shape (columns × matrices,); matrices are the experts of a layer, or one.

    Raises:
        ModelFileError: The file is gone, damaged, or no importance matrix.
    """
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
            found = _read_gguf(path) if is_gguf else _read_legacy(file, path)
    except OSError as error:
        raise ModelFileError(path, f"it can't be read: {error.strerror}.") from error
    if not found:
        raise ModelFileError(path, "it holds no importance matrix.", remedy=_REMEDY)
    for name, values in found.items():
        if not np.all(np.isfinite(values)):
            raise ModelFileError(path, f"the importance of {name} is not a finite number.")
    return found


def write_imatrix(
    path: Path, sums: ImportanceSums, *, texts: Sequence[str], windows: int, width: int
) -> None:
    """Write the GGUF form, which `llama-quantize --imatrix` and `read_imatrix` take.

    The same sums give the same bytes.

    Args:
        texts: What the texts are called that the sums come from.
        windows: How many windows of them were read.
        width: Tokens of a window.
    """
    from gguf import GGUFWriter

    writer = GGUFWriter(path, "imatrix")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", list(texts))
    writer.add_uint32("imatrix.chunk_count", windows)
    writer.add_uint32("imatrix.chunk_size", width)
    for name in sorted(sums.tensors):
        found = sums.tensors[name]
        by_count = found.squares.reshape(len(found.counts), -1)
        writer.add_tensor(f"{name}.in_sum2", by_count.astype(np.float32))
        writer.add_tensor(f"{name}.counts", found.counts.astype(np.float32).reshape(-1, 1))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def importance_of(sums: ImportanceSums) -> dict[str, Floats]:
    """What `read_imatrix` gives of a file with these sums."""
    return {
        name: _means(
            found.squares.reshape(len(found.counts), -1).astype(np.float32),
            found.counts.astype(np.float32),
        )
        for name, found in sums.tensors.items()
    }


def _read_gguf(path: Path) -> dict[str, Floats]:
    from gguf import GGUFReader

    try:
        tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    except Exception as error:
        raise ModelFileError(path, "it is a damaged GGUF file.", details=repr(error)) from error
    found: dict[str, Floats] = {}
    for name, tensor in tensors.items():
        base = name.removesuffix(".in_sum2")
        counts = tensors.get(f"{base}.counts")
        if base == name or counts is None:
            continue
        sums = np.asarray(tensor.data, dtype=np.float32).reshape(-1)
        matrices = np.asarray(counts.data, dtype=np.float32).reshape(-1)
        if not len(matrices) or len(sums) % len(matrices):
            raise ModelFileError(path, f"the importance of {base} has the wrong shape.")
        found[base] = _means(sums.reshape(len(matrices), -1), matrices)
    return found


def _means(sums: Floats, counts: Floats) -> Floats:
    """Sums over counts, flat; an expert that no text reached counts as even, as llama.cpp's tool has it."""
    used = counts[:, None] > 0
    means: Floats = np.where(used, sums / np.where(used, counts[:, None], 1), np.ones_like(sums))
    return means.reshape(-1)


def _read_legacy(file: BinaryIO, path: Path) -> dict[str, Floats]:
    """Little-endian: entries; of each the name, the number of calls, and the sums of squares."""
    file.seek(0)
    found: dict[str, Floats] = {}
    for _ in range(_count(file, path, _MAX_ENTRIES)):
        name = _bytes(file, path, _count(file, path, _MAX_NAME)).decode("utf-8", "replace")
        calls = struct.unpack("<i", _bytes(file, path, 4))[0]
        values = np.frombuffer(_bytes(file, path, 4 * _count(file, path, _MAX_VALUES)), dtype="<f4")
        found[name] = (values / calls if calls > 0 else values).astype(np.float32)
    return found


def _count(file: BinaryIO, path: Path, limit: int) -> int:
    value = int(struct.unpack("<i", _bytes(file, path, 4))[0])
    if not 0 < value <= limit:
        raise ModelFileError(path, "it is damaged or no importance matrix.", remedy=_REMEDY)
    return value


def _bytes(file: BinaryIO, path: Path, size: int) -> bytes:
    left = path.stat().st_size - file.tell()
    if size > left:
        raise ModelFileError(path, "it is cut short.", remedy="Copy or make it again.")
    return file.read(size)
