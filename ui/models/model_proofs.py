"""Knows which proof speaks for each model, and what it says in the columns of a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from PySide6.QtCore import QObject, QTimer, Signal

from workbench.measure.card import Card
from workbench.measure.grade import Gain, Grade, grade, headline, speed_gain
from workbench.measure.proofs import KeptCard, Proofs

#: How long one look may take: half of a frame at 60 Hz.
_SLICE_S = 0.008


@dataclass(frozen=True, slots=True)
class ProofRow:
    """A model's proof in the columns of a list.

    Attributes:
        speed: Tokens a second of one answer; None where it was not measured.
        gain: How many times as fast as what it was compared with.
        kld: Mean KL divergence from it.
        grade: Empty where there is none.
        headline: The card in a line; empty for what was measured as the reference of others alone.
        is_reference: Whether others were compared with it.
    """

    speed: float | None = None
    gain: Gain | None = None
    kld: float | None = None
    grade: Grade | Literal[""] = ""
    headline: str = ""
    is_reference: bool = False


class ModelProofs(QObject):
    """The cards of a home by their model. Reads what changed, between two frames, and keeps the rest.

    Signals:
        changed: Other cards are known now.
    """

    changed = Signal()

    def __init__(self, proofs: Proofs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._proofs = proofs
        self._kept: tuple[KeptCard, ...] = ()
        self._cards: dict[str, tuple[KeptCard, ...]] = {}
        self._rows: dict[str, ProofRow] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.read)

    @property
    def rows(self) -> Mapping[str, ProofRow]:
        """What stands in the columns, by content hash."""
        return self._rows

    def read(self) -> None:
        """Look for new, changed and removed cards; goes on by itself where there are many."""
        if not self._proofs.read_some(_SLICE_S):
            self._timer.start()
            return
        kept = self._proofs.all()
        if kept == self._kept:
            return
        self._kept = kept
        self._cards = _by_model(kept)
        self._rows = _rows(self._cards)
        self.changed.emit()

    @property
    def is_reading(self) -> bool:
        """Whether some of the folder is still to be looked at."""
        return self._timer.isActive()

    def stop(self) -> None:
        """Read no further."""
        self._timer.stop()

    def cards(self, sha256: str | None) -> tuple[KeptCard, ...]:
        """The cards of a model: the one that speaks for it, then the others, newest first."""
        return self._cards.get(sha256 or "", ())


def _by_model(kept: tuple[KeptCard, ...]) -> dict[str, tuple[KeptCard, ...]]:
    found: dict[str, list[KeptCard]] = {}
    for each in kept:
        if each.card.subject.sha256:
            found.setdefault(each.card.subject.sha256, []).append(each)
    for cards in found.values():
        # The newest with a quality speaks, as in `Proofs.newest`.
        place = next((place for place, each in enumerate(cards) if each.card.quality is not None), 0)
        cards.insert(0, cards.pop(place))
    return {key: tuple(cards) for key, cards in found.items()}


def _rows(cards: Mapping[str, tuple[KeptCard, ...]]) -> dict[str, ProofRow]:
    rows = {key: row_of(kept[0].card) for key, kept in cards.items()}
    # A reference that has no card of its own was measured beside those that were compared with it.
    for kept in cards.values():
        card = kept[0].card
        if card.reference is None or not card.reference.sha256:
            continue
        alone = card.reference_speed.alone if card.reference_speed is not None else None
        row = rows.get(card.reference.sha256, ProofRow())
        speed = alone.tokens_per_s if row.speed is None and alone is not None else row.speed
        rows[card.reference.sha256] = replace(row, speed=speed, is_reference=True)
    return rows


def row_of(card: Card) -> ProofRow:
    """What one card says in the columns."""
    alone = card.speed.alone if card.speed is not None else None
    return ProofRow(
        speed=alone.tokens_per_s if alone is not None else None,
        gain=speed_gain(card),
        kld=card.quality.mean_kld if card.quality is not None else None,
        grade=grade(card),
        headline=headline(card),
    )
