"""How far a step may move predictions, by the bits of what it rounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.library.inspect import inspect
from workbench.measure.parity_limits import limit_of, rounded_bits
from workbench.model import ModelFacts, TensorGroup


def _group(name: str, bits: int, parameters: int) -> TensorGroup:
    return TensorGroup(
        name=name, type="", tensors=1, parameters=parameters, size_bytes=bits * parameters // 8
    )


def test_weights_that_were_left_whole_do_not_narrow_the_limit(tiny_gguf: Path) -> None:
    layers, embedding = _group("attention", 4, 800), _group("embedding", 16, 200)
    facts: ModelFacts = inspect(tiny_gguf).model_copy(
        update={"groups": (layers, embedding), "bits_per_weight": 6.4}
    )

    assert rounded_bits(facts) == 4
    assert (
        limit_of(same_type=False, bits=rounded_bits(facts)).share > limit_of(same_type=False, bits=6.4).share
    )


def test_without_anything_rounded_the_mean_of_all_is_told(tiny_gguf: Path) -> None:
    facts = inspect(tiny_gguf)

    assert rounded_bits(facts) == pytest.approx(facts.bits_per_weight)
