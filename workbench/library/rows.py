"""Turns rows of the database into records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from workbench.library.records import ModelRecord
from workbench.model import ModelFacts, TuningFacts
from workbench.store.tables import ModelRow

#: What a record holds of a row as it stands, in the order of `ModelRecord`.
_COLUMNS = (
    ModelRow.id,
    ModelRow.name,
    ModelRow.path,
    ModelRow.format,
    ModelRow.architecture,
    ModelRow.quantization,
    ModelRow.parameters,
    ModelRow.bits_per_weight,
    ModelRow.size_bytes,
    ModelRow.sha256,
    ModelRow.in_place,
    ModelRow.source,
    ModelRow.parent_id,
    ModelRow.job_id,
    ModelRow.tags,
    ModelRow.notes,
    ModelRow.created_at,
)
_NAMES = [column.key for column in _COLUMNS]
_PATH, _TAGS = _NAMES.index("path"), _NAMES.index("tags")
#: The last part of a record. GGUF files come from no fine-tuning of ours, and are most of a large library:
#: their facts are not parsed.
_TUNING = case((ModelRow.format != "gguf", func.json_extract(ModelRow.facts, "$.tuning")))


def select_records() -> Select[Any]:
    """The columns of a record, without the rest of the facts, which a long list would have to parse."""
    return cast("Select[Any]", select(*_COLUMNS, _TUNING))


def records(session: Session, query: Select[Any]) -> list[ModelRecord]:
    """The records that a query made by `select_records` finds."""
    # Below the object mapper, which takes longer over ten thousand rows than the database does.
    session.flush()
    return [_record(row) for row in session.connection().execute(query)]


def record_of(row: ModelRow) -> ModelRecord:
    """The record of a whole row."""
    tuning = ModelFacts.model_validate_json(row.facts).tuning if row.format != "gguf" else None
    return _record([*(getattr(row, column.key) for column in _COLUMNS), tuning])


def tags_text(tags: tuple[str, ...]) -> str:
    """Tags as the database holds them: a JSON list."""
    return json.dumps(list(tags), ensure_ascii=False)


def _record(row: Any) -> ModelRecord:
    values = list(row)
    values[_PATH] = Path(values[_PATH])
    values[_TAGS] = tuple(json.loads(values[_TAGS])) if values[_TAGS] != "[]" else ()
    if isinstance(values[-1], str):
        values[-1] = TuningFacts.model_validate_json(values[-1])
    return ModelRecord(*values)
