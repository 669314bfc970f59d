"""Asks the database for models and jobs that have to do with one model."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from workbench.jobs.events import RESTING
from workbench.library.layout import Layout
from workbench.library.records import ModelRecord
from workbench.library.rows import records, select_records
from workbench.model import ModelFacts
from workbench.store.tables import JobRow, ModelRow


def same_files(session: Session, layout: Layout) -> ModelRow | None:
    """The row with the same path, or one of the same size whose path leads to the same file."""
    row = session.scalar(select(ModelRow).where(ModelRow.path == str(layout.path)))
    if row is not None:
        return row
    for candidate in session.scalars(select(ModelRow).where(ModelRow.size_bytes == layout.size_bytes)):
        try:
            if os.path.samefile(candidate.path, layout.path):  # noqa: PTH121 - takes both as text
                return candidate
        except OSError:
            continue
    return None


def same_hash(session: Session, sha256: str | None) -> ModelRow | None:
    """The oldest row with this content hash whose files are still there."""
    if sha256 is None:
        return None
    rows = session.scalars(select(ModelRow).where(ModelRow.sha256 == sha256).order_by(ModelRow.created_at))
    return next((row for row in rows if Path(row.path).exists()), None)


def same_header(session: Session, facts: ModelFacts) -> ModelRow | None:
    """A model that agrees in all facts but the file's name: likely a copy, as only its hash can prove.

    Of adapters this says nothing: two that were trained in the same way differ in their weights alone.
    """
    if facts.format == "adapter":
        return None
    text = facts.model_copy(update={"files": ()})
    rows = session.scalars(
        select(ModelRow)
        .where(ModelRow.size_bytes == facts.size_bytes, ModelRow.parameters == facts.parameters)
        .order_by(ModelRow.created_at)
        .limit(20)
    )
    for row in rows:
        if ModelFacts.model_validate_json(row.facts).model_copy(update={"files": ()}) == text:
            return row
    return None


def others_with(session: Session, sha256: str | None, id: str) -> tuple[ModelRecord, ...]:
    """The other models with this content hash, oldest first."""
    if sha256 is None:
        return ()
    same = (ModelRow.sha256 == sha256) & (ModelRow.id != id)
    return tuple(records(session, select_records().where(same).order_by(ModelRow.created_at)))


def children(session: Session, id: str) -> tuple[ModelRecord, ...]:
    """What was made from a model, oldest first."""
    made = select_records().where(ModelRow.parent_id == id).order_by(ModelRow.created_at)
    return tuple(records(session, made))


def blocking_jobs(session: Session, row: ModelRow) -> tuple[str, ...]:
    """Jobs that read the model or will (a paused one goes on from it), or that are making it anew."""
    resting = RESTING - {"paused"}
    return tuple(
        session.scalars(
            select(JobRow.title)
            .where(
                or_(JobRow.model_id == row.id, JobRow.id == row.job_id),
                JobRow.state.not_in(resting),
                or_(JobRow.state != "paused", JobRow.model_id == row.id),
            )
            .order_by(JobRow.position)
        )
    )
