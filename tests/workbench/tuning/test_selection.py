"""Tests the choice of weights by blocks, patterns and kinds."""

import pytest

from workbench.errors import ParameterError
from workbench.tuning.selection import is_target, read_selection

NORM = "model.layers.3.input_layernorm.weight"
UP = "model.layers.3.mlp.up_proj.weight"
EMBEDDING = "model.embed_tokens.weight"


def test_nothing_said_means_everything() -> None:
    chosen = read_selection("", (), "everything")
    assert all(chosen(name) for name in (NORM, UP, EMBEDDING))
    assert not chosen.is_partial and chosen.blocks is None


@pytest.mark.parametrize(("layers", "found"), [("3", True), ("0-3", True), ("4-9", False), (" 2 - 4 ", True)])
def test_a_range_of_blocks_leaves_out_what_is_in_no_block(layers: str, found: bool) -> None:
    chosen = read_selection(layers, (), "everything")
    assert chosen(UP) is found
    assert not chosen(EMBEDDING)


@pytest.mark.parametrize("layers", ["9-3", "three", "1,2", "-"])
def test_what_is_no_range_is_refused(layers: str) -> None:
    with pytest.raises(ParameterError, match="no range of blocks"):
        read_selection(layers, (), "everything")


def test_a_pattern_without_signs_is_looked_for_anywhere() -> None:
    assert not read_selection("", ("mlp",), "everything")(UP)
    assert read_selection("", ("mlp.*",), "everything")(UP)
    assert not read_selection("", ("*.mlp.*",), "everything")(UP)


@pytest.mark.parametrize(
    ("only", "names"),
    [("norms", [NORM]), ("embeddings", [EMBEDDING]), ("embeddings-and-norms", [NORM, EMBEDDING])],
)
def test_kinds_of_weights_can_be_trained_alone(only: str, names: list[str]) -> None:
    chosen = read_selection("", (), only)
    assert [name for name in (NORM, UP, EMBEDDING) if chosen(name)] == names


def test_targets_are_ends_of_names() -> None:
    assert is_target("model.layers.3.mlp.up_proj", ["mlp.up_proj"])
    assert not is_target("model.layers.3.mlp.gate_up_proj", ["up_proj"])
    assert is_target("model.layers.3.mlp.up_proj", [" "])
