"""The way from the original to a model: measured factors that multiply, and the price of each."""

import msgspec
import pytest

from tests.ui.models.test_compare_variants import candidates
from tests.workbench.measure.cards import card
from ui.models.compare_steps import steps_to
from ui.models.compare_variants import compare
from workbench.measure.card import Identity


def test_the_factors_multiply_to_the_whole() -> None:
    found = compare(candidates(card("Q8_0"), card("Q4_K_M")))

    steps = steps_to(found, 2, {"Q4_K_M": "Q8_0", "Q8_0": None})

    assert [each.title for each in steps] == ["F16", "Q8_0", "Q4_K_M", "16 answers at once"]
    assert [each.price for each in steps] == ["llama.cpp", "KL 0.002", "KL 0.041", "same model"]
    product = 1.0
    for each in steps:
        product *= each.factor
        assert each.total == pytest.approx(product)
        assert each.speed == pytest.approx(107.0 * each.total)
    assert steps[-1].speed == pytest.approx(167 * 4)


def test_only_identical_answers_earn_the_word_lossless_and_slower_is_said() -> None:
    same = Identity(prompts=8, tokens=32, identical=8)
    slow = msgspec.structs.replace(card("Q8_0").speed, decode=card("Q8_0").speed.decode[:1])  # type: ignore[union-attr]
    slow = msgspec.structs.replace(slow, decode=(msgspec.structs.replace(slow.decode[0], tokens_per_s=90.0),))
    made = msgspec.structs.replace(card("Q8_0"), identity=same, speed=slow)

    steps = steps_to(compare(candidates(made)), 1, {})

    assert [each.price for each in steps] == ["llama.cpp", "lossless, slower"]
    assert steps[1].lossless


def test_there_is_no_way_to_the_reference_itself_or_to_what_has_no_speed() -> None:
    silent = msgspec.structs.replace(card("Q8_0"), speed=None)
    found = compare(candidates(silent, card("Q2_K")))

    assert steps_to(found, 0, {}) == ()
    assert steps_to(found, 1, {}) == ()


def test_a_circle_of_parents_ends() -> None:
    found = compare(candidates(card("Q8_0"), card("Q4_K_M")))

    steps = steps_to(found, 2, {"Q4_K_M": "Q8_0", "Q8_0": "Q4_K_M"})

    assert [each.title for each in steps][:3] == ["F16", "Q8_0", "Q4_K_M"]
