"""Keeps what a search for mixed types has measured, for going on and for the next search."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from plugins._mixed_errors import Errors


class Measured(Struct):
    """What is known of one model under one importance matrix, text and windows.

    Attributes:
        of: The fingerprint of all that.
        errors: Of each tensor in each type; see `output_errors`.
        divergences: Of each group in its types, in nats; the key names tensors and types.
    """

    of: str
    errors: Errors = {}
    divergences: dict[str, float] = {}


class Kept:
    """One file in the cache folder, written anew whole at every `save`."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._path = folder / f"{fingerprint[:32]}.json"
        self.measured = _read(self._path, fingerprint) or Measured(of=fingerprint)

    def save(self) -> None:
        """Replace the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(f".partial-{os.getpid()}")
        partial.write_bytes(msgspec.json.encode(self.measured))
        partial.replace(self._path)


def _read(path: Path, fingerprint: str) -> Measured | None:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Measured)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found if found.of == fingerprint else None
