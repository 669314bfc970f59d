"""Which measured models can be compared, which can't and why, and what they are called."""

from pathlib import Path
from typing import Any

import msgspec

from tests.workbench.measure.cards import card
from ui.models.compare_variants import Candidate, compare, family_of, short_names
from workbench.library.records import ModelRecord
from workbench.measure.card import Card


def record_of(made: Card, id: str = "", parent: str | None = None, created_at: float = 1.0) -> ModelRecord:
    subject = made.subject
    return ModelRecord(
        id=id or subject.quantization,
        name=subject.name,
        path=Path("model.gguf"),
        format="gguf",
        architecture="llama",
        quantization=subject.quantization,
        parameters=subject.parameters,
        bits_per_weight=subject.bits_per_weight,
        size_bytes=subject.size_bytes,
        sha256=subject.sha256,
        in_place=True,
        source="file",
        parent_id=parent,
        job_id=None,
        tags=(),
        notes="",
        created_at=created_at,
    )


def under(made: Card, **conditions: Any) -> Card:
    return msgspec.structs.replace(made, conditions=msgspec.structs.replace(made.conditions, **conditions))


def candidates(*cards: Card) -> list[Candidate]:
    return [Candidate(record_of(each), (each,)) for each in cards]


def test_the_reference_comes_first_though_only_the_cards_tell_of_it() -> None:
    found = compare(candidates(card("Q2_K"), card("Q8_0")))

    assert [each.label for each in found.variants] == ["F16", "Q8_0", "Q2_K"]
    reference = found.reference
    assert reference is not None
    assert reference.kld == 0.0
    assert reference.model_id is None
    assert reference.decode == card("Q8_0").reference_speed.alone  # type: ignore[union-attr]
    assert found.apart == ()


def test_the_reference_is_recognised_in_the_library_and_by_its_own_card() -> None:
    own = msgspec.structs.replace(card("F16"), reference=None, quality=None)
    known = {own.subject.sha256: record_of(own, id="base")}

    from_library = compare(candidates(card("Q8_0")), known).reference
    with_card = compare(candidates(card("Q8_0"), own)).reference

    assert from_library is not None and from_library.model_id == "base"
    assert with_card is not None and with_card.card == own


def test_a_card_from_another_machine_stays_apart_and_says_why() -> None:
    other = under(card("Q2_K"), machine="Another processor, 64 cores, 256 GB")

    found = compare(candidates(card("Q8_0"), card("Q4_K_M"), other))

    assert [each.model_id for each in found.variants] == [None, "Q8_0", "Q4_K_M"]
    assert [each.model_ids for each in found.apart] == [("Q2_K",)]
    assert found.apart[0].reasons == (
        "They were measured on different machines: Test processor, 2 cores, 25 GB and"
        " Another processor, 64 cores, 256 GB.",
    )


def test_a_divergence_from_another_reference_is_no_comparison() -> None:
    other = msgspec.structs.replace(card("Q2_K"), reference=card("Q8_0").subject)

    found = compare(candidates(card("Q8_0"), card("Q4_K_M"), other))

    assert [each.model_ids for each in found.apart] == [("Q2_K",)]
    assert found.apart[0].reasons == (
        "They were compared with different references: SmolLM2-135M-Instruct-F16 and"
        " SmolLM2-135M-Instruct-Q8_0.",
    )


def test_the_reference_takes_part_though_it_was_itself_compared_with_something_else() -> None:
    """As in a family that was made from a safetensors folder: F16 against that, the others against F16."""
    folder = msgspec.structs.replace(card("F16").subject, format="hf", sha256="f" * 64)
    own = msgspec.structs.replace(card("F16", made_at=1_800_000_000.0), reference=folder)

    found = compare(candidates(own, card("Q8_0"), card("Q2_K")))
    alone = compare(candidates(own))

    assert [each.model_id for each in found.variants] == ["F16", "Q8_0", "Q2_K"]
    assert found.variants[0].is_reference and found.variants[0].card == own
    assert found.apart == ()
    assert [each.is_reference for each in alone.variants] == [True, False]


def test_the_smaller_group_is_shown_where_it_is_asked_for() -> None:
    other = under(card("Q2_K"), form="full")

    found = compare(candidates(card("Q8_0"), card("Q4_K_M"), other), around="Q2_K")

    assert [each.model_id for each in found.variants] == [None, "Q2_K"]
    assert [each.model_ids for each in found.apart] == [("Q8_0", "Q4_K_M")]


def test_a_model_that_was_measured_twice_takes_part_with_the_card_that_fits() -> None:
    newer = under(card("Q2_K", made_at=1_800_000_000.0), form="full")
    twice = Candidate(record_of(newer), (newer, card("Q2_K")))

    found = compare([*candidates(card("Q8_0"), card("Q4_K_M")), twice])

    assert found.apart == ()
    shown = next(each for each in found.variants if each.model_id == "Q2_K")
    assert shown.card.conditions.form == "quick"


def test_a_newer_card_of_speed_alone_does_not_hide_the_quality() -> None:
    newer = msgspec.structs.replace(card("Q2_K", made_at=1_800_000_000.0), quality=None, reference=None)
    twice = Candidate(record_of(newer), (newer, card("Q2_K")))

    found = compare([*candidates(card("Q8_0")), twice])

    assert [each.kld for each in found.variants] == [0.0, 0.002, 0.61]


def test_cards_of_speed_alone_are_compared_without_a_reference() -> None:
    bare = [msgspec.structs.replace(card(kind), quality=None, reference=None) for kind in ("Q8_0", "Q2_K")]

    found = compare(candidates(*bare))

    assert found.reference is None
    assert [each.kld for each in found.variants] == [None, None]


def test_nothing_chosen_is_an_empty_comparison() -> None:
    assert compare([]).variants == ()


def test_names_that_would_be_the_same_stay_whole() -> None:
    assert short_names(["a-model", "a-model"], ["Q8_0", "Q8_0"]) == ["a-model", "a-model"]
    assert short_names([], []) == []
    assert short_names(["only"], ["Q8_0"]) == ["only"]


def test_the_family_with_most_measured_models_is_chosen() -> None:
    base = record_of(card("F16"), id="base")
    small = [record_of(card(kind), parent="base") for kind in ("Q8_0", "Q2_K")]
    grandchild = record_of(card("Q4_K_M"), parent="Q2_K")
    alone = record_of(card("Q5_K_M"), id="alone", created_at=9.0)
    records = [base, *small, grandchild, alone]

    assert family_of(records, lambda record: record.id != "base") == ("Q8_0", "Q2_K", "Q4_K_M")
    assert family_of(records, lambda record: record.id in ("Q2_K", "alone")) == ("alone",)
    assert family_of(records, lambda record: True, around="alone") == ("alone",)
    assert family_of(records, lambda record: False) == ()


def test_a_circle_of_parents_ends() -> None:
    one = record_of(card("Q8_0"), id="one", parent="two")
    two = record_of(card("Q2_K"), id="two", parent="one")

    assert len(family_of([one, two], lambda record: True)) >= 1
