"""Reads and writes ggml's tensors from Python, and quantizes rows with ggml's own functions."""

from __future__ import annotations

import ctypes
import struct
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from workbench.plugin import MissingExtraError, WorkbenchError

Floats = NDArray[np.float32]

_F32, _I32 = 0, 26
_POINTER = struct.calcsize("P")
#: `struct ggml_tensor` takes about 330 bytes; what is looked for lies within.
_LOOKED_AT = 320
_MOST_SOURCES = 3


@cache
def ggml() -> Ggml:
    """The ggml library that llama-cpp-python brought along.

    Raises:
        MissingExtraError: llama-cpp-python is not installed.
        WorkbenchError: Its tensors are laid out in a way that is not known.
    """
    return Ggml()


class Ggml:
    """ggml's base library; got by `ggml`.

    Tensors are addresses, as llama.cpp's evaluation callback gives them. Where their fields lie is found by
    looking at tensors with known content, so that a later ggml with other fields is understood or refused,
    never misread.
    """

    def __init__(self) -> None:
        self._library = _load()
        self._declare()
        self._find_fields()

    def name(self, tensor: int) -> str:
        """What a tensor is called, without what a scheduler puts around copies: `CUDA0#NAME#0`."""
        name = str(self._library.ggml_get_name(tensor).decode("utf-8", "replace"))
        return name.split("#")[1] if name.count("#") else name

    def operation(self, tensor: int) -> str:
        """What computes a tensor, for example `MUL_MAT`."""
        return str(self._library.ggml_op_desc(tensor).decode())

    def source(self, tensor: int, place: int) -> int:
        """One of the tensors that a tensor is computed from; 0 where there is none."""
        return int(ctypes.c_size_t.from_address(tensor + self._sources + place * _POINTER).value)

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Four extents, the row length first."""
        return tuple((ctypes.c_int64 * 4).from_address(tensor + self._extents))

    def type_name(self, tensor: int) -> str:
        """How a tensor is stored, for example `f16`."""
        return str(self._library.ggml_type_name(self._type(tensor)).decode())

    def read(self, tensor: int) -> NDArray[Any]:
        """A copy of a tensor of float32 or int32, from wherever it lies; four axes, columns last.

        Raises:
            WorkbenchError: It is of another type.
        """
        kinds = {_F32: np.dtype("<f4"), _I32: np.dtype("<i4")}
        kind = kinds.get(self._type(tensor))
        if kind is None:
            raise WorkbenchError(
                f"{self.name(tensor)} is stored as {self.type_name(tensor)}, not as numbers."
            )
        size = int(self._library.ggml_nbytes(tensor))
        buffer = np.empty(size, dtype=np.uint8)
        self._library.ggml_backend_tensor_get(tensor, buffer.ctypes.data, 0, size)
        strides = tuple((ctypes.c_size_t * 4).from_address(tensor + self._strides))
        numbers = np.ndarray((size // kind.itemsize,), dtype=kind, buffer=buffer)
        # A view into another tensor has gaps between its rows, which the strides know.
        return as_strided(numbers, self.shape(tensor)[::-1], strides[::-1]).copy()

    def read_bytes(self, tensor: int) -> bytes:
        """All bytes of a tensor."""
        size = int(self._library.ggml_nbytes(tensor))
        buffer = ctypes.create_string_buffer(size)
        self._library.ggml_backend_tensor_get(tensor, buffer, 0, size)
        return buffer.raw

    def write_bytes(self, tensor: int, content: bytes) -> None:
        """Replace all bytes of a tensor; llama.cpp must have loaded it into memory of its own."""
        size = int(self._library.ggml_nbytes(tensor))
        if len(content) != size:
            raise ValueError(f"{self.name(tensor)} has {size} bytes, not {len(content)}")
        self._library.ggml_backend_tensor_set(tensor, content, 0, size)

    def quantize(self, rows: Floats, type: str, importance: Floats | None = None) -> NDArray[np.uint8]:
        """Rows in a quantized type, by the function that llama.cpp's quantizer calls.

        Args:
            rows: Shape (rows, columns); columns a multiple of the type's block.
            type: For example `Q4_K`.
            importance: Of each column, shape (columns,).

        Returns:
            The stored bytes, shape (rows, bytes of a row).
        """
        number = self.type_number(type)
        source = np.ascontiguousarray(rows, dtype=np.float32)
        width = int(self._library.ggml_row_size(number, source.shape[1]))
        stored = np.zeros((len(source), width), dtype=np.uint8)
        weights = None if importance is None else np.ascontiguousarray(importance, dtype=np.float32)
        self._library.ggml_quantize_chunk(
            number,
            source.ctypes.data,
            stored.ctypes.data,
            0,
            *source.shape,
            None if weights is None else weights.ctypes.data,
        )
        return stored

    def dequantize(self, stored: NDArray[np.uint8], type: str, columns: int) -> Floats:
        """What a quantized type's rows stand for, shape (rows, columns)."""
        rows = np.empty((len(stored), columns), dtype=np.float32)
        function = getattr(self._library, f"dequantize_row_{self._exact_name(type)}")
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
        function(stored.ctypes.data, rows.ctypes.data, rows.size)
        return rows

    def row_bytes(self, type: str, columns: int) -> int:
        """What a row takes."""
        return int(self._library.ggml_row_size(self.type_number(type), columns))

    def block(self, type: str) -> int:
        """How many weights are stored together: a row is a multiple of it."""
        return int(self._library.ggml_blck_size(self.type_number(type)))

    @property
    def type_names(self) -> tuple[str, ...]:
        """All types that it has, in capitals."""
        return tuple(self._types)

    def type_number(self, type: str) -> int:
        """ggml's number of a type.

        Raises:
            WorkbenchError: There is no such type.
        """
        found = self._types.get(type.upper())
        if found is None:
            raise WorkbenchError(
                f"ggml has no type “{type}”.", remedy=f"It has: {', '.join(sorted(self._types))}."
            )
        return found

    def _exact_name(self, type: str) -> str:
        """As ggml writes it: `q4_K`."""
        return str(self._library.ggml_type_name(self.type_number(type)).decode())

    def _type(self, tensor: int) -> int:
        return int(ctypes.c_int32.from_address(tensor).value)

    def _declare(self) -> None:
        pointer, number, size, count = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_int64
        for name, result, arguments in (
            ("ggml_init", pointer, [_InitParams]),
            ("ggml_free", None, [pointer]),
            ("ggml_tensor_overhead", size, []),
            ("ggml_new_tensor_2d", pointer, [pointer, number, count, count]),
            ("ggml_mul_mat", pointer, [pointer, pointer, pointer]),
            ("ggml_get_name", ctypes.c_char_p, [pointer]),
            ("ggml_op_desc", ctypes.c_char_p, [pointer]),
            ("ggml_type_name", ctypes.c_char_p, [number]),
            ("ggml_nbytes", size, [pointer]),
            ("ggml_row_size", size, [number, count]),
            ("ggml_blck_size", count, [number]),
            ("ggml_backend_tensor_get", None, [pointer, pointer, size, size]),
            ("ggml_backend_tensor_set", None, [pointer, pointer, size, size]),
            ("ggml_quantize_chunk", size, [number, pointer, pointer, count, count, count, pointer]),
        ):
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
        import llama_cpp

        most = int(llama_cpp.GGML_TYPE_COUNT)
        named = {each: self._library.ggml_type_name(each) for each in range(most)}
        self._types = {
            name.decode().upper(): each
            for each, name in named.items()
            if name and self._library.ggml_blck_size(each) > 0
        }

    def _find_fields(self) -> None:
        """Where a tensor's extents, strides and sources lie, from a product of two small matrices."""
        context = self._library.ggml_init(_InitParams(16 * self._library.ggml_tensor_overhead(), None, True))
        try:
            left = self._library.ggml_new_tensor_2d(context, _F32, 5, 7)
            right = self._library.ggml_new_tensor_2d(context, _F32, 5, 3)
            product = self._library.ggml_mul_mat(context, left, right)
            content = ctypes.string_at(product, _LOOKED_AT)
            self._extents = content.find(struct.pack("<4q", 7, 3, 1, 1))
            self._strides = content.find(struct.pack("<4Q", 4, 28, 84, 84))
            self._sources = content.find(struct.pack("PP", left, right))
            of_left = ctypes.string_at(left, _LOOKED_AT).find(struct.pack("<4q", 5, 7, 1, 1))
            known = (
                min(self._extents, self._strides, self._sources) > 0
                and of_left == self._extents
                and self._type(product) == _F32
                and self.operation(product) == "MUL_MAT"
                and all(not self.source(product, place) for place in range(2, _MOST_SOURCES))
            )
        finally:
            self._library.ggml_free(context)
        if not known:
            raise WorkbenchError(
                "This llama.cpp lays out its tensors in a way that Tenfold does not know.",
                remedy="Install another version of llama-cpp-python.",
            )


class _InitParams(ctypes.Structure):
    """`struct ggml_init_params`."""

    _fields_ = [
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", ctypes.c_void_p),
        ("no_alloc", ctypes.c_bool),
    ]


def _load() -> Any:
    try:
        import llama_cpp
    except ImportError as error:
        raise MissingExtraError("llama.cpp (llama-cpp-python)", "llama") from error
    folder = Path(llama_cpp.__file__).parent / "lib"
    names = {"win32": ("ggml-base.dll", "libggml-base.dll"), "darwin": ("libggml-base.dylib",)}
    for name in names.get(sys.platform, ("libggml-base.so",)):
        if (folder / name).is_file():
            # llama_cpp has loaded this very file before; this only gets another handle of it.
            return ctypes.CDLL(str(folder / name))
    raise WorkbenchError(
        "This llama.cpp has no ggml library beside it.",
        remedy="Install llama-cpp-python from its own package, which brings one.",
    )
