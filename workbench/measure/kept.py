"""Keeps what was measured by what it was measured on, so that the same thing is never measured twice."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")

#: Counts up where a figure comes to mean something else, so that what was kept before is not taken for it.
_MEANING = 1


class Kept:
    """Results in a folder, one file each, named by the hash of what they rest on.

    Args:
        folder: Where; anything in it may be deleted at any time.
        forgotten: Give nothing that was kept before, so that all is measured anew.
    """

    def __init__(self, folder: Path, *, forgotten: bool = False) -> None:
        self._folder = folder
        self._forgotten = forgotten

    def get(self, kind: str, basis: dict[str, Any], type: type[_T]) -> _T | None:
        """What was measured on this basis; None where nothing was, or the file is damaged.

        Args:
            kind: What was measured, for example `quality`.
            basis: All that the result depends on: content hashes, versions, settings. Plain JSON values.
        """
        if self._forgotten:
            return None
        try:
            return msgspec.json.decode(self._path(kind, basis).read_bytes(), type=type)
        except (OSError, msgspec.MsgspecError):
            return None

    def put(self, kind: str, basis: dict[str, Any], value: Any) -> None:
        """Keep a result. A full disk only means that it will be measured again."""
        path = self._path(kind, basis)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(value))
            os.replace(draft, path)  # noqa: PTH105 - the one atomic step, named as such
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)

    def _path(self, kind: str, basis: dict[str, Any]) -> Path:
        text = msgspec.json.encode([_MEANING, kind, basis], order="sorted")
        return self._folder / f"{kind}-{hashlib.sha256(text).hexdigest()[:32]}.json"
