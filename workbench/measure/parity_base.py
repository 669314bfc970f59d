"""Tells whether a model's weights were rounded to 4 bits or fewer, though they may be stored in more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.library.roles import role_of
from workbench.library.safetensors_header import StoredTensor, read_safetensors_header
from workbench.measure.card import ParityCheck
from workbench.model import Model

NAME = "quantized base"

#: Weights of a row that every 4-bit type rounds with one scale, or with a part of a larger block's.
_BLOCK = 32
#: What 4 bits tell apart.
_LEVELS = 16
#: Blocks with fewer weights than this that are not 0 say nothing: pruned weights have few values by nature.
_FEWEST = 24
#: Share of a tensor's blocks that have to be so. Of 32 weights that were not rounded, 29 or more differ.
_ALMOST_ALL = 0.98
#: Tensors that are looked at, spread over the model, and bytes that are read of each.
_TENSORS, _BYTES = 24, 1 << 17
#: Fewer bits a weight than this, and its own files are quantized.
_FULL = 15.9
_TYPES = {"F32": np.uint32, "F16": np.uint16, "BF16": np.uint16}


def check_base(base: Model, *, damaged: bool | None) -> ParityCheck:
    """Whether adapters were merged into a model that is or was quantized to 4 bits.

    An adapter is trained on the weights that it is added to. Merged into weights that were rounded since, it
    corrects what is no longer there, and where the sum is rounded again most of it is lost. A base that was
    unpacked from 4 bits looks like any other from outside; its weights tell.

    Where the adapter was trained on that very base, nothing is wrong with merging into it: so an unpacked one
    is only a fault where the predictions departed from those of base and adapter side by side.

    Args:
        base: What the adapters were merged into.
        damaged: Whether the result's predictions differ from those of base and adapter side by side; None
            where that was not measured.
    """
    remedy = "merge into the model in full precision that the adapter was trained on, and quantize the result"
    if base.facts.bits_per_weight < _FULL:
        bits = f"{base.facts.bits_per_weight:.2g} bits a weight"
        finding = f"{base.name}, the base, is quantized to {bits}: {remedy}."
        return ParityCheck(name=NAME, result="failed", finding=finding)
    on_grid, looked_at = rounded_tensors(base.path, base.facts.files)
    if not on_grid * 2 > looked_at:
        finding = f"No sign of 4-bit weights in {looked_at} tensors of the base."
        return ParityCheck(name=NAME, result="passed", finding=finding)
    seen = (
        f"{base.name}, the base, was unpacked from 4 bits or fewer: in {on_grid} of {looked_at} tensors no"
        f" {_BLOCK} weights in a row have more than {_LEVELS} values"
    )
    if damaged is None:
        finding = f"{seen}. It is a fault unless the adapter was trained on these weights."
        return ParityCheck(name=NAME, result="not tested", finding=finding)
    if damaged:
        return ParityCheck(name=NAME, result="failed", finding=f"{seen}; {remedy}.")
    finding = f"{seen}; the adapter fits them, as the result predicts what both did."
    return ParityCheck(name=NAME, result="passed", finding=finding)


def rounded_tensors(folder: Path, files: tuple[str, ...]) -> tuple[int, int]:
    """How many of a safetensors model's weight matrices lie on a grid of 4 bits, and how many were looked at.

    Raises:
        ModelFileError: A file is damaged.
    """
    matrices = [
        (folder / name, each)
        for name in files
        if name.endswith(".safetensors")
        for each in read_safetensors_header(folder / name).tensors
        if _is_matrix(each)
    ]
    chosen = matrices[:: max(1, -(-len(matrices) // _TENSORS))]
    return sum(_on_grid(path, each) for path, each in chosen), len(chosen)


def _is_matrix(tensor: StoredTensor) -> bool:
    """Whether it is one of those weights of a layer that every quantization rounds.

    Embeddings, the output's weights and routers are often left in more bits.
    """
    return (
        role_of(tensor.name) in ("attention", "feed-forward", "experts")
        and tensor.dtype in _TYPES
        and len(tensor.shape) > 1
        and tensor.shape[-1] % _BLOCK == 0
    )


def _on_grid(path: Path, tensor: StoredTensor) -> bool:
    kind = np.dtype(_TYPES[tensor.dtype])
    count = min(tensor.size_bytes, _BYTES) // kind.itemsize // _BLOCK * _BLOCK
    # The bits are compared, not the numbers, so bfloat16 needs no arithmetic of its own.
    bits = np.fromfile(path, dtype=kind, count=count, offset=tensor.begin)
    return share_on_grid(bits.reshape(-1, _BLOCK)) >= _ALMOST_ALL


def share_on_grid(blocks: NDArray[np.unsignedinteger]) -> float:
    """The share of blocks with at most 16 values besides 0, of those that have enough weights besides 0.

    Args:
        blocks: The bits of the weights, shape (blocks, 32).

    >>> share_on_grid(np.arange(64, dtype=np.uint16).reshape(2, 32) % 17)
    1.0
    >>> share_on_grid(np.arange(64, dtype=np.uint16).reshape(2, 32))
    0.0
    """
    ordered = np.sort(blocks, axis=1)
    used = ordered != 0
    first = np.ones_like(used)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    enough = used.sum(axis=1) >= _FEWEST
    levels = (first & used).sum(axis=1)[enough]
    return float((levels <= _LEVELS).mean()) if levels.size else 0.0
