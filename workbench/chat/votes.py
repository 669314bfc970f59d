"""Votes between two answers, and what they add up to: a win rate with its interval, never a bare number."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import or_, select

from workbench.measure.intervals import wilson
from workbench.store.database import Store
from workbench.store.guarded import guarded
from workbench.store.tables import VoteRow

Winner = Literal["first", "second", "tie"]


@dataclass(frozen=True, slots=True)
class WinRate:
    """How often one was preferred to another; a tie counts half.

    Attributes:
        low, high: The 95 % Wilson interval of the rate.
    """

    votes: int
    rate: float
    low: float
    high: float


class Votes:
    """All votes of a home."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def cast(self, *, prompt: str, first: str, second: str, winner: Winner, blind: bool) -> None:
        """Keep a vote between two answers, named by model and setting."""
        with guarded(self._store, lock=True) as session:
            session.add(
                VoteRow(
                    prompt=prompt,
                    first=first,
                    second=second,
                    winner=winner,
                    blind=blind,
                    created_at=self._clock(),
                )
            )

    def win_rate(self, one: str, other: str) -> WinRate | None:
        """How often `one` was preferred to `other`; None where nobody voted yet."""
        query = select(VoteRow).where(
            or_(
                (VoteRow.first == one) & (VoteRow.second == other),
                (VoteRow.first == other) & (VoteRow.second == one),
            )
        )
        with guarded(self._store) as session:
            rows = [(row.first, row.winner) for row in session.scalars(query)]
        if not rows:
            return None
        worth = {"first": 1.0, "second": 0.0, "tie": 0.5}
        wins = sum(worth[winner] if first == one else 1 - worth[winner] for first, winner in rows)
        low, high = wilson(wins, len(rows))
        return WinRate(len(rows), wins / len(rows), low, high)
