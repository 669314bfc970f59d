"""The way from the original to a model: measured factors that multiply, and the price of each."""

import msgspec
import pytest

from tests.ui.models.test_compare_variants import candidates, under
from tests.workbench.measure.cards import card
from ui.models.compare_steps import steps_to
from ui.models.compare_variants import compare
from workbench.measure.card import Card, Identity


def _against(kind: str, reference: str) -> Card:
    """A card of a kind whose reference is another than F16."""
    other = card(reference)
    return msgspec.structs.replace(card(kind), reference=other.subject, reference_speed=other.speed)


def test_the_factors_multiply_to_the_whole() -> None:
    second = _against("Q4_K_M", "Q8_0")
    found = compare(candidates(second))
    known = {card("Q8_0").subject.sha256: (card("Q8_0"),)}

    steps = steps_to(found, 1, known)

    assert [each.title for each in steps] == ["F16 GGUF", "Q8_0", "Q4_K_M", "16 answers at once"]
    assert [each.price for each in steps] == ["llama.cpp", "KL 0.002", "KL 0.041", "same model"]
    assert [each.variant for each in steps] == [None, 0, 1, 1]
    product = 1.0
    for each in steps:
        product *= each.factor
        assert each.total == pytest.approx(product)
        assert each.speed == pytest.approx(107.0 * each.total)
    assert steps[-1].speed == pytest.approx(167 * 4)


def test_a_change_of_the_engine_is_told_with_the_step_that_made_it() -> None:
    made = msgspec.structs.replace(
        card("Q8_0"),
        conditions=msgspec.structs.replace(card("Q8_0").conditions, reference_engine="torch 2.13 on CPU"),
    )

    steps = steps_to(compare(candidates(made)), 1, {})

    assert steps[0].price == "torch"
    assert steps[1].title == "Q8_0, llama.cpp"


def test_a_card_from_another_machine_is_no_step_on_the_way() -> None:
    second = _against("Q4_K_M", "Q8_0")
    elsewhere = under(card("Q8_0"), machine="Another processor")

    steps = steps_to(compare(candidates(second)), 1, {elsewhere.subject.sha256: (elsewhere,)})

    assert [each.title for each in steps] == ["Q8_0", "Q4_K_M", "16 answers at once"]


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


def test_a_circle_of_references_ends() -> None:
    one, two = _against("Q4_K_M", "Q8_0"), _against("Q8_0", "Q4_K_M")
    known = {each.subject.sha256: (each,) for each in (one, two)}

    steps = steps_to(compare(candidates(one)), 1, known)

    assert [each.title for each in steps][:3] == ["Q4_K_M", "Q8_0", "Q4_K_M"]
