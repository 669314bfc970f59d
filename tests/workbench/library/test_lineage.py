"""Trees of models show every model once, whatever the database holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from workbench.library.lineage import rows, tree
from workbench.library.records import ModelRecord

_PLAIN = ModelRecord(
    "", "", Path("m"), "gguf", "llama", "F16", 1, 16.0, 1, None, True, "file", None, None, (), "", 0.0
)


def record(id: str, parent: str | None = None, created_at: float = 0.0) -> ModelRecord:
    return replace(_PLAIN, id=id, name=id, parent_id=parent, created_at=created_at)


def shown(*records: ModelRecord) -> list[tuple[str, int]]:
    return [(row.record.id, row.depth) for row in rows(tree(records))]


def test_derived_models_stand_below_their_base_by_age() -> None:
    listed = [record("q4", "f16", 2.0), record("base"), record("q8", "f16", 1.0), record("f16", "base")]

    assert shown(*listed) == [("base", 0), ("f16", 1), ("q8", 2), ("q4", 2)]


def test_bases_keep_the_order_given() -> None:
    assert shown(record("b"), record("a"), record("c", "a")) == [("b", 0), ("a", 0), ("c", 1)]


def test_model_whose_parent_is_not_shown_stands_as_a_base() -> None:
    assert shown(record("q4", "filtered-away")) == [("q4", 0)]


def test_circles_lose_nobody() -> None:
    listed = [record("a", "b"), record("b", "a"), record("self", "self"), record("c", "a")]

    found = shown(*listed)

    assert sorted(id for id, _depth in found) == ["a", "b", "c", "self"]


def test_very_long_chains_are_no_trouble() -> None:
    chain = [record("0"), *(record(str(n), str(n - 1)) for n in range(1, 5000))]

    assert shown(*chain)[-1] == ("4999", 4999)
