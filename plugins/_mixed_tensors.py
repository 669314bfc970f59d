"""The tensors of a GGUF model that a quantizer may store in other types, and their grouping."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plugins._ggml import Floats, Ggml
from workbench.plugin import Model, ModelFileError

_OF_BLOCK = re.compile(r"^blk\.(\d+)\.(.+)\.weight$")


@dataclass(frozen=True, slots=True)
class MatrixTensor:
    """One tensor.

    Attributes:
        name: For example `blk.0.attn_q.weight`.
        type: How it is stored: `F16`, `BF16` or `F32`.
        columns: Length of a row.
        rows: Rows of one matrix.
        matrices: How many matrices: experts, or one.
    """

    name: str
    type: str
    columns: int
    rows: int
    matrices: int

    @property
    def weights(self) -> int:
        return self.columns * self.rows * self.matrices

    def size_bytes(self, ggml: Ggml, type: str) -> int:
        """What it takes in a type."""
        return ggml.row_bytes(type, self.columns) * self.rows * self.matrices


class ModelWeights:
    """The weights of a GGUF model, read from its memory-mapped files as they are asked for.

    Raises:
        ModelFileError: A file is damaged.
    """

    def __init__(self, model: Model) -> None:
        from gguf import GGUFReader

        files = [name for name in model.facts.files if name.endswith(".gguf")]
        paths = [model.path.parent / Path(name).name for name in files] or [model.path]
        try:
            # The readers keep the files mapped.
            self._readers = [GGUFReader(path) for path in paths]
        except Exception as error:
            raise ModelFileError(model.path, "it is a damaged GGUF file.", details=repr(error)) from error
        self._tensors: dict[str, Any] = {
            tensor.name: tensor for reader in self._readers for tensor in reader.tensors
        }

    def tensors(self, names: Iterable[str]) -> list[MatrixTensor]:
        """Those of the tensors that are named, in the order of the model."""
        wanted = set(names)
        return [_described(each) for name, each in self._tensors.items() if name in wanted]

    def rows(self, tensor: MatrixTensor, matrix: int, step: int = 1) -> Floats:
        """Every `step`th row of one matrix in float32, shape (rows, columns)."""
        from gguf.quants import dequantize

        stored = self._tensors[tensor.name]
        raw = np.asarray(stored.data).reshape(tensor.matrices, tensor.rows, -1)[matrix, ::step]
        found: Floats = np.ascontiguousarray(dequantize(raw, stored.tensor_type), dtype=np.float32)
        return found


def grouped(tensors: Sequence[MatrixTensor], most: int) -> list[tuple[MatrixTensor, ...]]:
    """Tensors of the same role in neighbouring blocks, together; others alone.

    The first and the last block are each on their own where there is room: they are often unlike the rest.

    Args:
        most: About how many groups there may be; never fewer than one for each role.
    """
    alone: list[tuple[MatrixTensor, ...]] = []
    roles: dict[str, list[MatrixTensor]] = {}
    for tensor in tensors:
        match = _OF_BLOCK.match(tensor.name)
        if match is None:
            alone.append((tensor,))
        else:
            roles.setdefault(match[2], []).append(tensor)
    each_role = max(1, (most - len(alone)) // max(1, len(roles)))
    found = list(alone)
    for members in roles.values():
        ordered = sorted(members, key=_block)
        ends = [ordered[:1], ordered[-1:]] if each_role >= 4 and len(ordered) > each_role else []
        inner = ordered[1:-1] if ends else ordered
        parts = np.array_split(np.arange(len(inner)), min(len(inner), each_role - len(ends)))
        found += [tuple(part) for part in (*ends, *([inner[at] for at in part] for part in parts)) if part]
    return found


def group_name(group: Sequence[MatrixTensor]) -> str:
    """For people: `attn_q 4–7`, or the tensor's own name."""
    match = _OF_BLOCK.match(group[0].name)
    if match is None:
        return group[0].name.removesuffix(".weight")
    first, last = _block(group[0]), _block(group[-1])
    return f"{match[2]} {first}" if first == last else f"{match[2]} {first}–{last}"


def _block(tensor: MatrixTensor) -> int:
    match = _OF_BLOCK.match(tensor.name)
    return int(match[1]) if match else -1


def _described(tensor: Any) -> MatrixTensor:
    shape = [int(extent) for extent in tensor.shape] + [1, 1]
    return MatrixTensor(tensor.name, tensor.tensor_type.name, shape[0], shape[1], shape[2])
