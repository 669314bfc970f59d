"""Reads the header of a safetensors file without trusting it.

Source: the format's description in the safetensors repository: eight bytes of length, a JSON object,
then the tensor data without holes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import ModelFileError
from workbench.library.bounded import parse_json
from workbench.library.sniff import head_of, not_a_model, refuse_pickle, regular_size, unreadable

#: One file of 100,000 tensors has a header of about 13 MB.
MAX_HEADER_BYTES = 20_000_000
MAX_TENSORS = 150_000
MAX_NAME = 1024
MAX_DIMENSIONS = 8

#: Bits of one element.
DTYPE_BITS: dict[str, int] = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip

_AGAIN = "Download or copy it again: the file is cut short or damaged."


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor of a safetensors file: elements as stored, so packed weights are not unpacked here.

    Attributes:
        begin: The byte of the file at which its elements begin.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    size_bytes: int
    begin: int


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """All that the header of one safetensors file says; `metadata` holds strings alone."""

    path: Path
    metadata: Mapping[str, str]
    tensors: tuple[StoredTensor, ...]
    size_bytes: int


def read_safetensors_header(path: Path) -> SafetensorsHeader:
    """Read and check the header of one safetensors file.

    Raises:
        UnsafeModelError: It is a pickle in disguise.
        ModelFileError: It is not safetensors, cut short, or inconsistent.
    """
    size = regular_size(path)
    head = head_of(path)
    length = int.from_bytes(head[:8], "little")
    if len(head) < 10 or head[8:9] != b"{":
        refuse_pickle(path)
        raise _other(path, head, length, size)
    if length > size - 8:
        raise _damaged(path, f"a header of {length} bytes is announced in a file of {size} bytes.")
    if length > MAX_HEADER_BYTES:
        raise _damaged(path, f"its header of {length} bytes is larger than any real model's.")
    try:
        with path.open("rb") as file:
            file.seek(8)
            block = file.read(length)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(block) < length:
        raise _damaged(path, "it ends in the middle of its header.")

    content = parse_json(path, block, what="its header")
    if not isinstance(content, dict):
        raise _damaged(path, "its header is not a JSON object.")
    # MLX writes null where it has nothing to say.
    metadata = content.pop("__metadata__", None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged(path, "its metadata is not a table of strings.")
    if len(content) > MAX_TENSORS:
        raise _damaged(path, f"{len(content)} tensors are announced, more than any real model has.")
    tensors = _tensors(path, content, data_begin=8 + length, data_bytes=size - 8 - length)
    return SafetensorsHeader(path, metadata, tensors, size)


def _tensors(
    path: Path, content: dict[str, Any], *, data_begin: int, data_bytes: int
) -> tuple[StoredTensor, ...]:
    tensors: list[StoredTensor] = []
    spans: list[tuple[int, int, str]] = []
    for name, entry in content.items():
        tensor, begin, end = _tensor(path, name, entry, data_begin)
        tensors.append(tensor)
        spans.append((begin, end, name))
    reached, before = 0, ""
    for begin, end, name in sorted(spans):
        if end > data_bytes:
            raise _damaged(
                path, f"it is cut short: the tensor {name!r} ends {end - data_bytes} bytes after the end."
            )
        if begin < reached:
            raise _damaged(path, f"the tensors {before!r} and {name!r} overlap.")
        if begin > reached:
            raise _damaged(path, f"there is a hole of {begin - reached} bytes before the tensor {name!r}.")
        reached, before = end, name
    if reached != data_bytes:
        raise _damaged(path, f"{data_bytes - reached} bytes after the last tensor belong to none.")
    return tuple(tensors)


def _tensor(path: Path, name: str, entry: Any, data_begin: int) -> tuple[StoredTensor, int, int]:
    if not name or len(name) > MAX_NAME:
        raise _damaged(path, f"a tensor name of {len(name)} characters; 1 to {MAX_NAME} are allowed.")
    if not isinstance(entry, dict):
        raise _damaged(path, f"the tensor {name!r} is not described by a JSON object.")
    dtype = entry.get("dtype")
    bits = DTYPE_BITS.get(dtype) if isinstance(dtype, str) else None
    if bits is None or not isinstance(dtype, str):
        raise _damaged(path, f"the tensor {name!r} has the unknown type {str(dtype)[:40]!r}.")
    shape = _whole_numbers(entry.get("shape"), most=MAX_DIMENSIONS)
    if shape is None:
        raise _damaged(path, f"the tensor {name!r} has no proper shape.")
    offsets = _whole_numbers(entry.get("data_offsets"), most=2)
    if offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _damaged(path, f"the tensor {name!r} has no proper place in the file.")
    elements = 1
    for extent in shape:
        elements *= extent
    if elements >= 1 << 62:
        raise _damaged(path, f"the tensor {name!r} claims the impossible shape {list(shape)}.")
    size_bytes = (elements * bits + 7) // 8
    if size_bytes != offsets[1] - offsets[0]:
        raise _damaged(
            path,
            f"the tensor {name!r} of {dtype} {list(shape)} takes {size_bytes} bytes, "
            f"and its place holds {offsets[1] - offsets[0]}.",
        )
    begin, end = offsets
    return StoredTensor(name, dtype, shape, elements, size_bytes, data_begin + begin), begin, end


def _whole_numbers(value: Any, *, most: int) -> tuple[int, ...] | None:
    if not isinstance(value, list) or len(value) > most:
        return None
    if not all(type(each) is int and 0 <= each < 1 << 62 for each in value):
        return None
    return tuple(value)


def _other(path: Path, head: bytes, length: int, size: int) -> ModelFileError:
    known = not_a_model(path, head)
    if "not a model file" not in known.reason:
        return known
    if head[:4] == b"GGUF":
        return ModelFileError(path, "it is a GGUF file.", remedy="Give it the ending .gguf.")
    if length > size:
        return _damaged(path, f"a header of {length} bytes is announced in a file of {size} bytes.")
    return _damaged(path, "it is not a safetensors file: its header does not begin where it must.")


def _damaged(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(path, reason, remedy=_AGAIN)
