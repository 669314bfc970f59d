"""Remembers what real loads of models needed, and how far the estimates were off."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from sqlalchemy import select

from workbench.store.database import Store
from workbench.store.guarded import guarded
from workbench.store.tables import LoadRow

#: More than these say nothing new, and old ones were made with older backends.
_RECENT = 200


@dataclass(frozen=True, slots=True)
class Load:
    """One real load: bytes as estimated before any correction, and as measured at the peak."""

    architecture: str
    engine: str
    format: str
    context: int
    batch: int
    estimated_bytes: int
    measured_bytes: int


@dataclass(frozen=True, slots=True)
class Correction:
    """What the loads of one architecture with one engine teach.

    Attributes:
        factor: What an estimate is multiplied with: the median of measured over estimated.
        error_fraction: How far corrected estimates are off: the median distance from the measurement, as a
            share of it. With one load it is the distance of the raw estimate, as nothing better is known.
        loads: How many loads it rests on.
    """

    factor: float
    error_fraction: float
    loads: int


class LoadHistory:
    """Keeps every real load of a home."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, load: Load, *, model_id: str | None, created_at: float) -> None:
        """Keep one load; `created_at` in seconds since the epoch."""
        with guarded(self._store, lock=True) as session:
            session.add(
                LoadRow(
                    model_id=model_id,
                    architecture=load.architecture,
                    engine=load.engine,
                    format=load.format,
                    context=load.context,
                    batch=load.batch,
                    estimated_bytes=load.estimated_bytes,
                    measured_bytes=load.measured_bytes,
                    created_at=created_at,
                )
            )

    def loads(self, architecture: str, engine: str) -> list[Load]:
        """The most recent loads of an architecture with an engine, newest first."""
        query = (
            select(LoadRow)
            .where(LoadRow.architecture == architecture, LoadRow.engine == engine)
            .order_by(LoadRow.created_at.desc(), LoadRow.id.desc())
            .limit(_RECENT)
        )
        with guarded(self._store) as session:
            return [
                Load(
                    row.architecture,
                    row.engine,
                    row.format,
                    row.context,
                    row.batch,
                    row.estimated_bytes,
                    row.measured_bytes,
                )
                for row in session.scalars(query)
            ]

    def correction(self, architecture: str | None, engine: str) -> Correction | None:
        """What to correct an estimate with; None where nothing was loaded yet."""
        return correction_of(self.loads(architecture or "", engine))


def correction_of(loads: list[Load]) -> Correction | None:
    """The correction that some loads teach; one that went wrong by a factor of ten sways a median little.

    >>> load = Load("llama", "llama.cpp", "gguf", 4096, 1, 100, 110)
    >>> correction_of([load, load])
    Correction(factor=1.1, error_fraction=0.0, loads=2)
    """
    ratios = [
        each.measured_bytes / each.estimated_bytes
        for each in loads
        if each.estimated_bytes > 0 and each.measured_bytes > 0
    ]
    if not ratios:
        return None
    factor = median(ratios)
    reference = factor if len(ratios) > 1 else 1.0
    error = median(abs(ratio - reference) / ratio for ratio in ratios)
    return Correction(factor, error, len(ratios))
