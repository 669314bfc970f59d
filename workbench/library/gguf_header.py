"""Reads the header of a GGUF file without trusting a single number in it.

Every count, length and offset is held against the real size of the file before anything is read or
kept, so that a hostile file costs neither time nor memory. Token arrays are walked, never built.
Source: the GGUF specification, ggml repository, docs/gguf.md.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from workbench.errors import ModelFileError
from workbench.library.ggml_types import GGML_TYPES, RETIRED_TYPES, GgmlType
from workbench.library.sniff import head_of, not_a_model, refuse_pickle, regular_size, unreadable

#: Real files have about 50 keys and up to some thousand tensors.
MAX_KEYS = 16_384
MAX_TENSORS = 100_000
MAX_KEY_BYTES = 65_535
#: llama.cpp allows 63.
MAX_TENSOR_NAME_BYTES = 256
MAX_DIMENSIONS = 4
#: Elements of all string and nested arrays together; the largest vocabularies hold 300,000 tokens.
MAX_WALKED = 4_000_000
MAX_NESTING = 4
#: Longer strings are passed over: no chat template or licence comes near.
MAX_KEPT_STRING = 1 << 20
#: All keys and kept strings together.
MAX_KEPT_TOTAL = 16 << 20
#: Number arrays up to this length are kept: they hold one figure per layer.
MAX_KEPT_ARRAY = 2048

_CHUNK = 1 << 20
_U64 = struct.Struct("<Q")
_U32 = struct.Struct("<I")
_TRUNCATED = "Download or copy it again: the file is cut short or damaged."

#: Value types by number: name, `struct` format.
_SCALARS: dict[int, tuple[str, struct.Struct]] = {
    0: ("u8", struct.Struct("<B")),
    1: ("i8", struct.Struct("<b")),
    2: ("u16", struct.Struct("<H")),
    3: ("i16", struct.Struct("<h")),
    4: ("u32", _U32),
    5: ("i32", struct.Struct("<i")),
    6: ("f32", struct.Struct("<f")),
    7: ("bool", struct.Struct("<?")),
    10: ("u64", _U64),
    11: ("i64", struct.Struct("<q")),
    12: ("f64", struct.Struct("<d")),
}
_STRING = 8
_ARRAY = 9


@dataclass(frozen=True, slots=True)
class GgufArray:
    """An array in the metadata: its length, and its items where they are few numbers.

    Attributes:
        item_type: `u8` … `f64`, `string`, `array`; `text` stands for one string too long to keep.
        length: Number of items (bytes for `text`).
        items: The numbers; None where they were passed over.
    """

    item_type: str
    length: int
    items: tuple[int | float, ...] | None = None


GgufValue = int | float | bool | str | GgufArray


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor as the header describes it.

    Attributes:
        name: For example `blk.0.attn_q.weight`.
        shape: Dimensions in ggml's order: the row length first.
        type: How its rows are stored.
        offset: Bytes from the begin of the data section.
        parameters: Number of weights.
        size_bytes: Bytes that it takes.
    """

    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int
    parameters: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """All that the header of one GGUF file says.

    Attributes:
        version: 2 or 3.
        metadata: Keys and values; long arrays by length alone.
        tensors: In file order.
        data_offset: Where the tensor data begins, in bytes from the begin of the file.
        size_bytes: Size of the file.
    """

    path: Path
    version: int
    metadata: Mapping[str, GgufValue]
    tensors: tuple[GgufTensor, ...]
    data_offset: int
    size_bytes: int

    def text(self, key: str) -> str | None:
        """The string under a key; None where there is none, or something else."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def integer(self, key: str) -> int | None:
        """The whole number under a key; the largest of them where it is given per layer."""
        value = self.metadata.get(key)
        if isinstance(value, GgufArray) and value.items:
            value = max(value.items)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def number(self, key: str) -> float | None:
        """The number under a key, whole or not."""
        value = self.metadata.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def length(self, key: str) -> int | None:
        """The length of the array under a key."""
        value = self.metadata.get(key)
        return value.length if isinstance(value, GgufArray) and value.item_type != "text" else None


def read_gguf_header(path: Path) -> GgufHeader:
    """Read and check the header of one GGUF file (version 2 or 3, little-endian).

    Raises:
        UnsafeModelError: It is a pickle in disguise.
        ModelFileError: It is not GGUF, of another version or byte order, cut short, or inconsistent.
    """
    size = regular_size(path)
    head = head_of(path)
    if head[:4] != b"GGUF":
        refuse_pickle(path)
        raise not_a_model(path, head)
    try:
        with path.open("rb", buffering=0) as file:
            return _read(_Cursor(path, file, size))
    except OSError as error:
        raise unreadable(path, error) from error


def _read(cursor: _Cursor) -> GgufHeader:
    cursor.skip(4)
    version = _version(cursor)
    tensor_count = cursor.u64()
    key_count = cursor.u64()
    # A key takes at least a length, a type and one byte; a tensor a length, dimensions, type and offset.
    cursor.check_count("metadata keys", key_count, limit=MAX_KEYS, least_bytes=14)
    cursor.check_count("tensors", tensor_count, limit=MAX_TENSORS, least_bytes=25)

    metadata: dict[str, GgufValue] = {}
    for _ in range(key_count):
        key = _name(cursor, "metadata key", MAX_KEY_BYTES)
        cursor.keep(len(key))
        if key in metadata:
            raise cursor.damaged(f"the metadata key {key[:80]!r} stands there twice.")
        metadata[key] = _value(cursor, cursor.u32(), key)
    alignment = _alignment(cursor, metadata)

    tensors = [_tensor(cursor) for _ in range(tensor_count)]
    data_offset = cursor.position + -cursor.position % alignment
    _check_tensors(cursor, tensors, data_offset, alignment)
    return GgufHeader(
        path=cursor.path,
        version=version,
        metadata=metadata,
        tensors=tuple(tensors),
        data_offset=data_offset,
        size_bytes=cursor.size,
    )


def _version(cursor: _Cursor) -> int:
    version = cursor.u32()
    if version in (2, 3):
        return version
    if version == 1:
        raise ModelFileError(
            cursor.path,
            "it is GGUF version 1 of August 2023, which nothing current loads.",
            remedy="Get or make the file again with a current llama.cpp.",
        )
    if version & 0xFFFF == 0 and version >> 16:
        raise ModelFileError(
            cursor.path,
            "it is a big-endian GGUF file, made for another kind of processor.",
            remedy="Get the little-endian file, or convert it with gguf-py's `gguf-convert-endian`.",
        )
    raise ModelFileError(
        cursor.path,
        f"it is GGUF version {version}, and this Tenfold reads 2 and 3.",
        remedy="Update Tenfold, or download the file again in case it is damaged.",
    )


def _name(cursor: _Cursor, what: str, limit: int) -> str:
    length = cursor.u64()
    if length > limit or length == 0:
        raise cursor.damaged(f"a {what} of {length} bytes is announced; 1 to {limit} are allowed.")
    try:
        return cursor.take(length).decode()
    except UnicodeDecodeError:
        raise cursor.damaged(f"a {what} is not valid UTF-8.") from None


def _value(cursor: _Cursor, kind: int, key: str) -> GgufValue:
    if kind in _SCALARS:
        scalar = _SCALARS[kind][1]
        value: int | float | bool = scalar.unpack(cursor.take(scalar.size))[0]
        return value
    if kind == _STRING:
        return _string(cursor)
    if kind == _ARRAY:
        return _array(cursor, key, depth=1)
    raise cursor.damaged(f"the metadata key {key[:80]!r} has the unknown value type {kind}.")


def _string(cursor: _Cursor) -> str | GgufArray:
    length = cursor.u64()
    cursor.check_length("string", length)
    if length > MAX_KEPT_STRING or cursor.kept + length > MAX_KEPT_TOTAL:
        cursor.skip(length)
        return GgufArray("text", length)
    cursor.keep(length)
    # Some makers cut strings inside a character; a name with one replaced sign is no reason to refuse.
    return cursor.take(length).decode("utf-8", "replace")


def _array(cursor: _Cursor, key: str, depth: int) -> GgufArray:
    if depth > MAX_NESTING:
        raise cursor.damaged(f"the array {key[:80]!r} is nested more than {MAX_NESTING} deep.")
    kind = cursor.u32()
    length = cursor.u64()
    if kind in _SCALARS:
        name, scalar = _SCALARS[kind]
        cursor.check_count(f"items of {key[:80]!r}", length, limit=1 << 62, least_bytes=scalar.size)
        if length > MAX_KEPT_ARRAY:
            cursor.skip(length * scalar.size)
            return GgufArray(name, length)
        block = cursor.take(length * scalar.size)
        return GgufArray(name, length, tuple(each[0] for each in scalar.iter_unpack(block)))
    if kind not in (_STRING, _ARRAY):
        raise cursor.damaged(f"the array {key[:80]!r} has the unknown item type {kind}.")
    cursor.check_count(f"items of {key[:80]!r}", length, limit=MAX_WALKED - cursor.walked, least_bytes=8)
    cursor.walked += length
    if kind == _STRING:
        cursor.skip_strings(length)
        return GgufArray("string", length)
    for _ in range(length):
        _array(cursor, key, depth + 1)
    return GgufArray("array", length)


def _alignment(cursor: _Cursor, metadata: Mapping[str, GgufValue]) -> int:
    value = metadata.get("general.alignment", 32)
    if not isinstance(value, int) or value <= 0 or value & (value - 1) or value > 1 << 31:
        raise cursor.damaged("general.alignment is not a power of two.")
    return value


def _tensor(cursor: _Cursor) -> GgufTensor:
    name = _name(cursor, "tensor name", MAX_TENSOR_NAME_BYTES)
    dimensions = cursor.u32()
    if dimensions > MAX_DIMENSIONS:
        raise cursor.damaged(f"the tensor {name!r} has {dimensions} dimensions; 4 is the most.")
    shape = struct.unpack(f"<{dimensions}Q", cursor.take(8 * dimensions))
    kind, offset = struct.unpack("<IQ", cursor.take(12))
    found = GGML_TYPES.get(kind)
    if found is None:
        raise _unknown_type(cursor.path, name, kind)
    parameters = 1
    for extent in shape:
        parameters *= extent
    if parameters >= 1 << 62 or any(extent >= 1 << 62 for extent in shape):
        raise cursor.damaged(f"the tensor {name!r} claims the impossible shape {shape}.")
    if parameters and (shape[0] if shape else 1) % found.block:
        raise cursor.damaged(
            f"the rows of the tensor {name!r} do not fill whole blocks of {found.name} ({found.block})."
        )
    return GgufTensor(name, shape, found, offset, parameters, parameters // found.block * found.block_bytes)


def _unknown_type(path: Path, tensor: str, kind: int) -> ModelFileError:
    if kind in RETIRED_TYPES:
        return ModelFileError(
            path,
            f"the tensor {tensor!r} is stored as {RETIRED_TYPES[kind]}, which llama.cpp gave up.",
            remedy="Get the file in another quantization.",
        )
    return ModelFileError(
        path,
        f"the tensor {tensor!r} has the unknown storage type {kind}.",
        remedy="Update Tenfold, or download the file again in case it is damaged.",
    )


def _check_tensors(cursor: _Cursor, tensors: list[GgufTensor], data_offset: int, alignment: int) -> None:
    room = cursor.size - data_offset
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            raise cursor.damaged(f"the tensor {tensor.name!r} stands there twice.")
        names.add(tensor.name)
        if tensor.offset % alignment:
            raise cursor.damaged(f"the tensor {tensor.name!r} begins at an odd place.")
        if tensor.offset + tensor.size_bytes > room:
            missing = tensor.offset + tensor.size_bytes - room
            raise ModelFileError(
                cursor.path,
                f"it is cut short: the tensor {tensor.name!r} ends {missing} bytes after the end.",
                remedy=_TRUNCATED,
            )
    end, before = 0, ""
    for tensor in sorted(tensors, key=lambda each: each.offset):
        if tensor.size_bytes and tensor.offset < end:
            raise cursor.damaged(f"the tensors {before!r} and {tensor.name!r} overlap.")
        if tensor.size_bytes:
            end, before = tensor.offset + tensor.size_bytes, tensor.name


class _Cursor:
    """Reads forward in blocks, never past the end of the file, and counts what is kept."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path = path
        self.size = size
        self.kept = 0
        self.walked = 0
        self._file = file
        self._block = b""
        self._start = 0
        self._at = 0

    @property
    def position(self) -> int:
        return self._start + self._at

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._block):
            self._load(self.position, count)
            end = count
        taken = self._block[self._at : end]
        self._at = end
        return taken

    def skip(self, count: int) -> None:
        if self.position + count > self.size:
            raise self.cut_short()
        self._at += count
        if self._at > len(self._block):
            self._start, self._at, self._block = self.position, 0, b""

    def u32(self) -> int:
        value: int = _U32.unpack(self.take(4))[0]
        return value

    def u64(self) -> int:
        value: int = _U64.unpack(self.take(8))[0]
        return value

    def skip_strings(self, count: int) -> None:
        """Pass over `count` strings: the inner loop of a vocabulary, so without calls."""
        unpack, block, at, end = _U64.unpack_from, self._block, self._at, len(self._block)
        for _ in range(count):
            if at + 8 > end:
                self._load(self._start + at, 8)
                block, at, end = self._block, 0, len(self._block)
            at += 8 + unpack(block, at)[0]
            if at > end:
                position = self._start + at
                if position > self.size:
                    raise self.cut_short()
                self._start, self._block, block, at, end = position, b"", b"", 0, 0
        self._at = at

    def keep(self, count: int) -> None:
        self.kept += count
        if self.kept > MAX_KEPT_TOTAL:
            raise self.damaged("its metadata is larger than any real model's.")

    def check_count(self, what: str, count: int, *, limit: int, least_bytes: int) -> None:
        if count > limit or count * least_bytes > self.size - self.position:
            raise self.damaged(f"{count} {what} are announced, more than the file can hold.")

    def check_length(self, what: str, length: int) -> None:
        left = self.size - self.position
        if length > left:
            raise self.damaged(f"a {what} of {length} bytes is announced where {left} bytes are left.")

    def damaged(self, reason: str) -> ModelFileError:
        return ModelFileError(self.path, reason, remedy=_TRUNCATED)

    def cut_short(self) -> ModelFileError:
        return ModelFileError(
            self.path, f"it ends in the middle of its header, at byte {self.size}.", remedy=_TRUNCATED
        )

    def _load(self, position: int, count: int) -> None:
        if position + count > self.size:
            raise self.cut_short()
        self._file.seek(position)
        wanted = max(_CHUNK, count)
        block = self._file.read(wanted)
        while len(block) < count:
            more = self._file.read(wanted - len(block))
            if not more:
                raise self.cut_short()
            block += more
        self._start, self._at, self._block = position, 0, block
