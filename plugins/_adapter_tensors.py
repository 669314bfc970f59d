"""Reads and writes safetensors files some rows at a time, so that memory does not grow with the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any

from workbench.plugin import ModelFileError, UnsafeModelError

#: The types that weights are computed in, by safetensors' name: torch's name, and the bytes of a number.
FLOATS = {"F64": ("float64", 8), "F32": ("float32", 4), "BF16": ("bfloat16", 2), "F16": ("float16", 2)}
#: Bytes of a number in the types that a model carries along unchanged.
_OTHERS = {
    "BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "U32": 4, "I32": 4, "U64": 8, "I64": 8,
    "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip
#: Numbers in one piece: 4 MB in float32. Eight times as many took five times as long for each number, as
#: the system hands out larger blocks anew every time.
_PIECE = 1 << 20
#: What the files of torch.save begin with: a zip archive, or a bare pickle.
_PICKLE_HEADS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class Stored:
    """One tensor of a file: its name there, its type by safetensors' name, and its shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)

    @property
    def rows(self) -> int:
        """How many rows it has: its first dimension, 1 where it has none."""
        return self.shape[0] if self.shape else 1

    @property
    def size_bytes(self) -> int:
        return self.count * bytes_of(self.dtype)


def bytes_of(dtype: str) -> int:
    """Bytes of a number of a type; 0 for a type that is not known."""
    return FLOATS[dtype][1] if dtype in FLOATS else _OTHERS.get(dtype, 0)


def pieces(shape: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The rows of a tensor in pieces of bounded size: `(start, stop)` along the first dimension.

    >>> list(pieces([5, 1 << 19]))
    [(0, 2), (2, 4), (4, 5)]
    >>> list(pieces([]))
    [(0, 1)]
    """
    rows = shape[0] if shape else 1
    step = max(1, _PIECE // max(1, prod(shape[1:])))
    for start in range(0, rows, step):
        yield start, min(rows, start + step)


class TensorFile:
    """A safetensors file, open for reading.

    Raises:
        UnsafeModelError: It is a pickle in disguise.
        ModelFileError: It is damaged, or not safetensors.
    """

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = path
        try:
            opened: Any = safe_open(str(path), "pt")
            self._file = opened
            self.tensors: Mapping[str, Stored] = {name: self._described(name) for name in list(opened.keys())}
        except SafetensorError as error:
            # Only now: a header of 640 bytes begins like a pickle, too.
            with path.open("rb") as file:
                if file.read(4).startswith(_PICKLE_HEADS):
                    raise UnsafeModelError(
                        path,
                        "it is a pickle under another name, which could run code when it is loaded.",
                        remedy="Look for the same weights as safetensors.",
                    ) from error
            raise ModelFileError(
                path,
                "it is damaged, or no safetensors file.",
                remedy="Download or copy it again.",
                details=str(error),
            ) from error
        except OSError as error:
            raise ModelFileError(path, f"it can't be read: {error.strerror or error}.") from error

    @property
    def metadata(self) -> dict[str, str]:
        return dict(self._file.metadata() or {})

    def rows(self, name: str, start: int, stop: int) -> Any:
        """Some rows of a tensor along its first dimension, in its own type; all of one without dimensions."""
        if not self.tensors[name].shape:
            return self._file.get_tensor(name)
        return self._file.get_slice(name)[start:stop]

    def whole(self, name: str) -> Any:
        """A tensor, in its own type."""
        return self._file.get_tensor(name)

    def _described(self, name: str) -> Stored:
        piece = self._file.get_slice(name)
        return Stored(name, str(piece.get_dtype()), tuple(piece.get_shape()))


class TensorWriter:
    """Writes a safetensors file whose tensors are announced before their numbers are there.

    The file is as safetensors' own writer would make it: eight bytes of length, a JSON header filled up with
    spaces, then the numbers without holes, widest types first so that each is aligned.

    Args:
        tensors: What will be written, in any order; `order` is the order in which it must come.
    """

    def __init__(self, path: Path, tensors: Sequence[Stored], metadata: Mapping[str, str]) -> None:
        self.order = sorted(tensors, key=lambda each: (-bytes_of(each.dtype), each.name))
        header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
        reached = 0
        for each in self.order:
            end = reached + each.size_bytes
            header[each.name] = {
                "dtype": each.dtype,
                "shape": list(each.shape),
                "data_offsets": [reached, end],
            }
            reached = end
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        text += b" " * (-len(text) % 8)
        self._file = path.open("wb")
        self._file.write(len(text).to_bytes(8, "little") + text)

    def __enter__(self) -> TensorWriter:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, rows: Any) -> int:
        """Add rows of the tensor whose turn it is, already in its type. Returns their bytes."""
        import torch

        block = rows.contiguous().reshape(-1).view(torch.uint8).numpy()
        self._file.write(block.data)
        return int(block.nbytes)
