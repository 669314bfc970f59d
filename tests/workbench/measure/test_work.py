from __future__ import annotations

from pathlib import Path

from workbench.library.inspect import inspect
from workbench.measure.work import work_of
from workbench.model import ModelFacts, TensorGroup


def group(name: str, parameters: int) -> TensorGroup:
    return TensorGroup(name=name, type="F16", tensors=1, parameters=parameters, size_bytes=2 * parameters)


def test_shared_embedding_is_read_as_output_matrix(tiny_gguf: Path) -> None:
    facts = inspect(tiny_gguf)
    embedding = sum(each.parameters for each in facts.groups if each.name == "embedding")

    found = work_of(facts)

    assert embedding
    assert found.parameters == facts.parameters
    assert found.prompt_parameters == facts.parameters - embedding
    assert found.bytes == sum(each.size_bytes for each in facts.groups)


def test_embedding_beside_an_output_matrix_is_only_looked_up() -> None:
    facts = ModelFacts(
        format="gguf", groups=(group("embedding", 100), group("attention", 10), group("output", 100))
    )

    found = work_of(facts)

    assert (found.bytes, found.parameters, found.prompt_parameters) == (220, 110, 10)


def test_of_experts_those_count_that_take_part() -> None:
    facts = ModelFacts(
        format="gguf",
        experts=8,
        experts_used=2,
        groups=(group("embedding", 100), group("experts", 800), group("vision", 500)),
    )

    found = work_of(facts)

    assert (found.bytes, found.parameters, found.prompt_parameters) == (600, 300, 200)
