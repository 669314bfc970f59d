"""Tests that a card's claims are judged by a new measurement, and only where it can be compared."""

from msgspec.structs import replace

from tests.workbench.measure import cards
from workbench.measure.card import Card, Figure, Identity
from workbench.measure.checking import Finding, check_claims


def _by_claim(claimed: Card, found: Card) -> dict[str, Finding]:
    return {each.claim: each for each in check_claims(claimed, found)}


def test_a_card_holds_against_itself() -> None:
    card = cards.card("Q4_K_M")
    findings = check_claims(card, card)
    assert {each.outcome for each in findings} == {"holds"}
    assert {each.claim for each in findings} >= {"content of the model", "mean KL divergence", "decode speed"}


def test_a_better_distance_than_there_is_does_not_hold() -> None:
    honest, boast = cards.card("Q4_K_M"), replace(cards.card("Q4_K_M"), quality=cards.quality(0.02))
    assert _by_claim(boast, honest)["mean KL divergence"].outcome == "does not hold"
    assert _by_claim(boast, honest)["decode speed"].outcome == "holds"


def test_another_file_under_the_same_name_does_not_hold() -> None:
    assert (
        _by_claim(cards.card("Q4_K_M"), cards.card("Q2_K"))["content of the model"].outcome == "does not hold"
    )


def test_rounding_of_another_version_is_no_difference() -> None:
    card = cards.card("Q4_K_M")
    assert card.quality is not None
    near = replace(card, quality=replace(card.quality, mean_kld=card.quality.mean_kld * 1.015))
    assert _by_claim(card, near)["mean KL divergence"].outcome == "holds"


def test_speeds_of_another_machine_or_thread_count_are_not_judged() -> None:
    card = cards.card("Q4_K_M")
    elsewhere = replace(card, conditions=replace(card.conditions, machine="Another, 64 cores"))
    finding = _by_claim(elsewhere, card)["decode speed"]
    assert finding.outcome == "not checked" and "Another, 64 cores" in finding.why
    threads = replace(card, conditions=replace(card.conditions, threads=8))
    assert _by_claim(threads, card)["decode speed"].outcome == "not checked"


def test_figure_of_a_plugin_holds_within_its_errors_and_for_the_same_source_alone() -> None:
    claimed = replace(cards.card("Q4_K_M"), metrics=cards.metrics())
    metric = cards.metrics()[0]

    def found(**changed: object) -> Finding:
        return _by_claim(claimed, replace(claimed, metrics=(replace(metric, **changed),)))[
            "Length of answers"
        ]

    assert found(figure=Figure(value=45.0, error=3.0)).outcome == "holds"
    assert found(figure=Figure(value=90.0, error=3.0)).outcome == "does not hold"
    assert found(sha256="0" * 64).why == "The plugin's source is not that of the card."
    assert "no idea" in found(figure=None, problem="no idea").why
    alone = _by_claim(claimed, cards.card("Q4_K_M"))
    assert alone["Length of answers, of the reference"].outcome == "not checked"
    # What could not be measured claims nothing.
    assert not any("Loops" in claim for claim in alone)


def test_twice_the_speed_does_not_hold() -> None:
    card = cards.card("Q4_K_M")
    boast = replace(card, speed=cards.speeds(334.0))
    assert _by_claim(boast, card)["decode speed"].outcome == "does not hold"


def test_a_distance_on_other_windows_is_not_judged() -> None:
    card = cards.card("Q4_K_M")
    assert card.quality is not None
    other = replace(card, quality=replace(card.quality, windows=99))
    assert _by_claim(card, other)["perplexity"].outcome == "not checked"


def test_lossless_needs_every_answer() -> None:
    card = cards.card("Q8_0")
    claimed = replace(card, identity=Identity(prompts=8, tokens=32, identical=8))
    assert _by_claim(claimed, card)["lossless"].outcome == "does not hold"
    assert _by_claim(claimed, claimed)["lossless"].outcome == "holds"
