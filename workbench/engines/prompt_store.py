"""Keeps computed prompts on disk between sessions, so that a long one is not computed again."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.engines.base import Rows
from workbench.engines.rows_in_use import common_prefix

#: Shorter prompts are computed faster than they are read.
SHORTEST = 64
#: What the files of one model may take together, in bytes; the oldest go first.
_MOST_BYTES = 4 * 10**9
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Kept:
    """A prompt on disk."""

    path: Path
    tokens: list[int]


class PromptStore:
    """The prompts of one model in one folder. A damaged or foreign file is left out, never trusted.

    Args:
        folder: Belongs to one model, cache type and backend; made when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: list[Kept] | None = None

    def longest(self, prompt: Sequence[int]) -> tuple[Kept | None, int]:
        """The kept prompt that shares most with this one, and how many tokens that are."""
        best: tuple[Kept | None, int] = (None, 0)
        for each in self._index():
            shared = common_prefix(each.tokens, prompt)
            if shared > best[1]:
                best = each, shared
        return best

    def keep(self, rows: Rows, row: int, tokens: list[int]) -> None:
        """Write what a row holds, unless it is short or already there."""
        if len(tokens) < SHORTEST or self.longest(tokens)[1] == len(tokens):
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        raw = array("i", tokens).tobytes()
        name = hashlib.sha256(raw).hexdigest()[:24]
        partial = self._folder / f"{name}.partial"
        try:
            if not rows.save(row, tokens, partial):
                return
            (self._folder / f"{name}.tokens").write_bytes(_digest(partial) + raw)
            partial.replace(self._folder / f"{name}.state")
        except OSError:
            # A full disk costs the cache, not the session.
            (self._folder / f"{name}.tokens").unlink(missing_ok=True)
            return
        finally:
            partial.unlink(missing_ok=True)
        self._kept = None
        self._make_room()

    def is_whole(self, kept: Kept) -> bool:
        """Whether a file is as it was written: a native reader may abort the process on any other."""
        try:
            return kept.path.with_suffix(".tokens").read_bytes()[:_DIGEST_BYTES] == _digest(kept.path)
        except OSError:
            return False

    def forget(self, kept: Kept) -> None:
        """Delete a prompt that could not be used."""
        kept.path.unlink(missing_ok=True)
        kept.path.with_suffix(".tokens").unlink(missing_ok=True)
        self._kept = None

    def _index(self) -> list[Kept]:
        if self._kept is None:
            found = []
            for path in sorted(self._folder.glob("*.state")) if self._folder.is_dir() else []:
                tokens = array("i")
                try:
                    tokens.frombytes(path.with_suffix(".tokens").read_bytes()[_DIGEST_BYTES:])
                except (OSError, ValueError):
                    continue
                found.append(Kept(path, tokens.tolist()))
            self._kept = found
        return self._kept

    def _make_room(self) -> None:
        files = sorted(self._index(), key=lambda each: each.path.stat().st_mtime)
        total = sum(each.path.stat().st_size for each in files)
        for each in files:
            if total <= _MOST_BYTES:
                break
            total -= each.path.stat().st_size
            self.forget(each)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_DIGEST_BYTES)).digest()
