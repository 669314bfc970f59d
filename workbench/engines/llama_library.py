"""The llama.cpp library: imported once, its log kept where errors can quote it."""

from __future__ import annotations

import re
from collections import deque
from functools import cache
from typing import Any

from workbench.errors import MissingExtraError

_DEBUG, _ERROR, _CONTINUED = 1, 4, 5
_KEPT = 400


@cache
def llama_library() -> LlamaLibrary:
    """The one of this process: the native side calls one log function, which must live as long as it does."""
    return LlamaLibrary()


class LlamaLibrary:
    """llama.cpp with a log of its own; got by `llama_library`.

    Raises:
        MissingExtraError: llama-cpp-python is not installed.
    """

    def __init__(self) -> None:
        try:
            import llama_cpp
        except ImportError as error:
            raise MissingExtraError("llama.cpp", "llama") from error
        self.api: Any = llama_cpp
        self._lines: deque[tuple[int, str]] = deque(maxlen=_KEPT)
        self._level = 0
        # Kept as an attribute: the native side holds no reference of its own.
        self._callback = llama_cpp.llama_log_callback(self._hear)
        llama_cpp.llama_log_set(self._callback, None)
        llama_cpp.llama_backend_init()

    @property
    def version(self) -> str:
        """The version of the binding."""
        return str(self.api.__version__)

    def errors(self) -> str:
        """The last error messages, for the folded part of an error."""
        return "\n".join(text for level, text in self._lines if level == _ERROR)[-4000:]

    def find(self, pattern: str) -> re.Match[str] | None:
        """The newest log line that matches."""
        for _level, text in reversed(self._lines):
            found = re.search(pattern, text)
            if found:
                return found
        return None

    def _hear(self, level: int, text: bytes, _data: Any) -> None:
        if level == _DEBUG or (level == _CONTINUED and self._level == _DEBUG):
            self._level = _DEBUG
            return
        self._level = self._level if level == _CONTINUED else level
        self._lines.append((self._level, text.decode("utf-8", errors="replace").rstrip()))
