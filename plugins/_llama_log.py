"""Listens to llama.cpp's log while one native call runs, and tells its tensors apart."""

from __future__ import annotations

import ctypes
import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from workbench.plugin import JobCancelled, JobPaused

#: `[  12/ 272] blk.0.ffn_up.weight - [576, 1536, 1, 1], type = f16, `
_TENSOR = re.compile(r"^\[\s*(\d+)/\s*(\d+)\]\s+(\S+)")
_SIZE = re.compile(r"size =\s*([\d.]+) MiB")
_KEPT_LINES = 60
_ERROR_LEVEL = 4

#: Tensor number, tensors in all, name, and the MiB of the tensor before.
OnTensor = Callable[[int, int, str, float], None]


class LlamaLog:
    """While entered, llama.cpp's messages come here: tensors to `on_tensor`, the last lines to `lines`.

    llama.cpp has one log per process, so one at a time. It calls from the thread that works.

    Args:
        keep: Gets every line, not the last ones alone.
    """

    def __init__(self, llama_cpp: Any, on_tensor: OnTensor, keep: list[str] | None = None) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.errors: deque[str] = deque(maxlen=_KEPT_LINES)
        self._llama = llama_cpp
        self._on_tensor = on_tensor
        self._keep = keep
        self._rest = ""
        self._mib = 0.0
        # Kept as an attribute: the native side holds no reference of its own.
        self._callback = llama_cpp.llama_log_callback(self._hear)
        self._before: tuple[Any, ctypes.c_void_p] = (None, ctypes.c_void_p())

    def __enter__(self) -> LlamaLog:
        self._before = self._listener()
        self._llama.llama_log_set(self._callback, None)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        # Who listened before listens again: a loaded model's engine reads there what became of its options.
        # Somebody who has begun to listen meanwhile is left to it.
        if _address(self._listener()[0]) == _address(self._callback):
            self._llama.llama_log_set(*self._before)

    def _listener(self) -> tuple[Any, ctypes.c_void_p]:
        """The function that llama.cpp calls now, and what it is given."""
        callback, data = self._llama.llama_log_callback(), ctypes.c_void_p()
        self._llama.llama_log_get(ctypes.byref(callback), ctypes.byref(data))
        return callback, data

    def _hear(self, level: int, text: bytes, _user_data: object) -> None:
        said = text.decode("utf-8", "replace")
        begun = _TENSOR.match(said)
        if begun:
            # A stop is raised where the job waits for this call; here it would be lost in native code.
            with suppress(JobCancelled, JobPaused, OSError):
                self._on_tensor(int(begun[1]), int(begun[2]), begun[3], self._mib)
        size = _SIZE.search(said)
        if size:
            self._mib = float(size[1])
        self._rest += said
        *whole, self._rest = self._rest.split("\n")
        self.lines.extend(whole)
        if self._keep is not None:
            self._keep.extend(whole)
        if level >= _ERROR_LEVEL:
            self.errors.extend(line for line in said.splitlines() if line.strip())


def _address(callback: Any) -> int | None:
    return ctypes.cast(callback, ctypes.c_void_p).value
