from __future__ import annotations

from pathlib import Path

from workbench.engines.drafts import possible_drafts, propose_draft
from workbench.library.records import ModelRecord


def record(
    id: str, size: int, *, parameters: int = 100, parent: str | None = None, **other: str
) -> ModelRecord:
    return ModelRecord(
        id=id,
        name=id,
        path=Path(id),
        format=other.get("format", "gguf"),
        architecture=other.get("architecture", "llama"),
        quantization="Q8_0",
        parameters=parameters,
        bits_per_weight=8.0,
        size_bytes=size,
        sha256=None,
        in_place=False,
        source="file",
        parent_id=parent,
        job_id=None,
        tags=(),
        notes="",
        created_at=0.0,
    )


def test_only_smaller_models_of_the_same_kind_may_guess() -> None:
    target = record("target", 1000)
    models = [
        target,
        record("larger", 2000),
        record("other-architecture", 100, architecture="qwen2"),
        record("other-format", 100, format="mlx"),
        record("half", 500),
        record("tenth", 100, parameters=10),
    ]

    assert [each.id for each in possible_drafts(target, models)] == ["tenth", "half"]


def test_the_smallest_is_proposed_and_a_sibling_before_a_stranger_of_its_size() -> None:
    target = record("target", 1000, parent="base")
    stranger, sibling = record("stranger", 400, parameters=40), record("sibling", 450, parent="base")

    assert propose_draft(target, [target, stranger, sibling]) is sibling
    assert propose_draft(target, [target, stranger, sibling, record("tiny", 50, parameters=5)]).id == "tiny"  # type: ignore[union-attr]


def test_nothing_is_proposed_that_is_nearly_as_large() -> None:
    target = record("target", 1000)

    assert propose_draft(target, [target, record("nearly", 900)]) is None
    assert propose_draft(target, [target]) is None
