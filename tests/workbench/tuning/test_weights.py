from __future__ import annotations

from typing import Any

import pytest

from workbench.model import ModelFacts
from workbench.tuning.choices import TuningChoices, choices_of
from workbench.tuning.weights import shape_of, trained_weights, weights_of


def count(facts: ModelFacts, **choices: Any) -> int:
    return trained_weights(facts, TuningChoices(**choices)).weights


def test_adapters_have_the_weights_that_peft_gives_them(smollm: ModelFacts) -> None:
    # What PEFT 0.21 makes of SmolLM2-135M, as the operation logs it.
    assert count(smollm, rank=16) == 4_884_480
    assert count(smollm, rank=8) == 4_884_480 // 2
    assert count(smollm, rank=16, targets=("q_proj", "v_proj")) == 30 * 16 * (2 * 576 + 576 + 192)
    assert count(smollm, rank=16, layers="20-29") == 4_884_480 // 3
    assert count(smollm, rank=16, freeze=("*.mlp.*",)) == count(
        smollm, rank=16, targets=("q_proj", "k_proj", "v_proj", "o_proj")
    )
    magnitudes = 30 * (576 + 192 + 192 + 576 + 1536 + 1536 + 576)
    assert count(smollm, rank=16, method="dora") == 4_884_480 + magnitudes


def test_all_the_weights_are_counted_and_chosen_by_name(smollm: ModelFacts, llama8b: ModelFacts) -> None:
    for facts in (smollm, llama8b):
        assert sum(each.parameters for each in weights_of(facts)) == facts.parameters
        assert count(facts, method="full") == facts.parameters
    assert (shape_of(smollm).tied, shape_of(llama8b).tied) == (True, False)
    assert count(smollm, method="full", only="norms") == 61 * 576
    assert count(smollm, method="full", only="embeddings") == 49_152 * 576
    assert count(smollm, method="full", only="embeddings-and-norms") == 49_152 * 576 + 61 * 576
    assert count(llama8b, method="full", only="embeddings") == 128_256 * 4096
    block = 2 * 576 * (576 + 192) + 3 * 576 * 1536 + 2 * 576
    assert count(smollm, method="full", layers="28-29") == 2 * block
    assert count(smollm, method="full", freeze=("embed",)) == 134_515_008 - 49_152 * 576


@pytest.mark.parametrize(
    ("choices", "blocks"),
    [
        ({}, 30),
        ({"layers": "20-29"}, 10),
        ({"layers": "5"}, 25),
        ({"method": "full"}, 30),
        ({"method": "full", "layers": "28-29"}, 2),
        ({"method": "full", "only": "embeddings"}, 30),
    ],
)
def test_activations_are_kept_from_the_first_trained_block_on(
    smollm: ModelFacts, choices: dict[str, Any], blocks: int
) -> None:
    assert trained_weights(smollm, TuningChoices(**choices)).blocks == blocks


def test_a_header_that_says_little_is_filled_with_usual_widths() -> None:
    shape = shape_of(ModelFacts(format="hf", embedding_length=512, heads=8))

    assert (shape.queries, shape.keys, shape.feed_forward) == (512, 512, 2048)
    assert count(ModelFacts(format="hf"), rank=4) > 0


def test_choices_are_taken_from_the_values_of_any_form() -> None:
    found = choices_of({"method": "dora", "rank": 8, "targets": ["q_proj"], "data": ["a"], "unknown": 1})

    assert found == TuningChoices(method="dora", rank=8, targets=("q_proj",))
