"""Keeps the proof cards of a home: one file each, found by the hash of the model that it is about.

The folder is the truth, as with jobs: a card that is put there is known, one that is taken away is not. A
model is known by its content, so that one that was removed and added again has its proofs still.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workbench.measure.card import ENDING, Card, CardError, encode, read_card

#: As much of a hash as a file name holds.
_HASH = 12


@dataclass(frozen=True, slots=True)
class KeptCard:
    """A card and where it lies."""

    path: Path
    card: Card


class Proofs:
    """The cards in one folder. Reading is cheap: a file is read again only when it changed.

    Args:
        folder: `Home.proofs`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, tuple[tuple[int, int], Card | None]] = {}
        self._waiting: list[Path] = []

    def add(self, card: Card) -> Path:
        """Keep a card, whole or not at all. Returns its place.

        Raises:
            OSError: The disk is full or gone.
        """
        text = encode(card)
        made = f"{card.conditions.made_at:.0f}"
        parts = [card.subject.sha256[:_HASH] or "unknown", made, uuid.uuid4().hex[:6]]
        target = self._folder / f"{'-'.join(parts)}{ENDING}"
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}")
        with draft.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)  # noqa: PTH105 - the one atomic step, named as such
        return target

    def remove(self, path: Path) -> None:
        """Forget a card."""
        path.unlink(missing_ok=True)
        self._known.pop(path, None)

    def all(self) -> tuple[KeptCard, ...]:
        """Every readable card, newest first. What is damaged or altered is left out."""
        found = [KeptCard(path, card) for path in self._paths() if (card := self._read(path)) is not None]
        return tuple(sorted(found, key=lambda each: -each.card.conditions.made_at))

    def read_some(self, seconds: float) -> bool:
        """Go on looking through the folder for about so long; whether the end is reached.

        A window calls it between two frames until it is, so that a thousand cards hold up none of them.
        """
        until = time.perf_counter() + seconds
        self._waiting = self._waiting or self._paths()
        while self._waiting:
            self._read(self._waiting.pop())
            if time.perf_counter() > until:
                break
        return not self._waiting

    def of(self, sha256: str | None) -> tuple[KeptCard, ...]:
        """The cards about a model, newest first; none where its hash is not known yet."""
        return tuple(each for each in self.all() if sha256 and each.card.subject.sha256 == sha256)

    def newest(self, hashes: Iterable[str | None]) -> dict[str, Card]:
        """The card that speaks for each model: the newest with a quality, else the newest of all."""
        wanted = {each for each in hashes if each}
        found: dict[str, Card] = {}
        for kept in self.all():
            key = kept.card.subject.sha256
            if key not in wanted:
                continue
            if key not in found or (found[key].quality is None and kept.card.quality is not None):
                found[key] = kept.card
        return found

    def _paths(self) -> list[Path]:
        pattern = re.compile(rf"[^.].*{re.escape(ENDING)}")
        try:
            return [each for each in self._folder.iterdir() if pattern.fullmatch(each.name)]
        except OSError:
            return []

    def _read(self, path: Path) -> Card | None:
        try:
            state = path.stat()
        except OSError:
            return None
        stamp = (state.st_mtime_ns, state.st_size)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            try:
                known = (stamp, read_card(path))
            except CardError:
                known = (stamp, None)
            self._known[path] = known
        return known[1]
