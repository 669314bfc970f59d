"""The words that stand for a card: what each figure leads to, and where noise or a fault forbids a claim."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.workbench.measure import cards
from workbench.measure.card import Card, Identity, ParityCheck, Rate
from workbench.measure.grade import GRADES, TONES, by_distance, gain_of, grade, headline, speed_gain
from workbench.measure.verdict import LITTLE_KLD, MUCH_KLD, forgotten


def rate(median: float, spread: float = 0.02, *, tokens: int = 64, noisy: bool = False) -> Rate:
    return Rate(
        tokens=tokens,
        batch=1,
        tokens_per_s=median,
        low=median * (1 - spread),
        high=median * (1 + spread),
        runs=5,
        noisy=noisy,
    )


def with_speeds(after: Rate, before: Rate) -> Card:
    made = cards.card("Q4_K_M")
    return replace(
        made,
        speed=replace(made.speed, decode=(after,)),
        reference_speed=replace(made.reference_speed, decode=(before,)),
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Q8_0", "1.4× faster, 46 % smaller, KL 0.002: same to the eye"),
        ("Q4_K_M", "1.6× faster, 61 % smaller, KL 0.041: close to the original"),
        ("Q3_K_M", "1.5× faster, 66 % smaller, KL 0.18: noticeably different"),
        ("Q2_K", "1.6× faster, 68 % smaller, KL 0.61: damaged"),
    ],
)
def test_headline_tells_speed_size_distance_and_grade(kind: str, expected: str) -> None:
    assert headline(cards.card(kind)) == expected


@pytest.mark.parametrize(
    ("kld", "expected"),
    [
        (0.0, "same to the eye"),
        (LITTLE_KLD, "same to the eye"),
        (LITTLE_KLD + 1e-6, "close to the original"),
        (0.1, "close to the original"),
        (0.1 + 1e-6, "noticeably different"),
        (MUCH_KLD, "noticeably different"),
        (MUCH_KLD + 1e-6, "damaged"),
    ],
)
def test_divergence_alone_decides_where_the_likeliest_tokens_agree(kld: float, expected: str) -> None:
    assert by_distance(replace(cards.quality(kld), same_top=1.0)) == expected


@pytest.mark.parametrize(
    ("same_top", "expected"),
    [
        (0.93, "same to the eye"),
        (0.929, "close to the original"),
        (0.849, "noticeably different"),
        (0.749, "damaged"),
    ],
)
def test_other_likeliest_tokens_make_a_small_divergence_worse(same_top: float, expected: str) -> None:
    assert by_distance(replace(cards.quality(0.001), same_top=same_top)) == expected


def test_grades_never_contradict_what_is_said_of_forgetting() -> None:
    for step in range(1, 400):
        kld = step / 1000
        place = GRADES.index(by_distance(replace(cards.quality(kld), same_top=1.0)))

        assert (forgotten(kld) == "hardly any") == (place <= GRADES.index("same to the eye"))
        if place >= GRADES.index("damaged"):
            assert forgotten(kld) == "much"


def test_lossless_is_earned_by_identical_answers_alone() -> None:
    same = Identity(prompts=8, tokens=32, identical=8, first_difference=(-1,) * 8)
    without = replace(cards.card("F16"), identity=None)

    assert grade(without) == "same to the eye"
    assert grade(replace(without, identity=same)) == "lossless"
    assert grade(replace(without, identity=replace(same, identical=7))) == "same to the eye"
    assert grade(replace(without, identity=Identity(prompts=0, tokens=32, identical=0))) == "same to the eye"
    assert grade(replace(without, identity=same, quality=cards.quality(0.3))) == "damaged"
    assert grade(replace(without, identity=same, quality=None)) == "lossless"


def test_failed_check_overrides_every_figure_and_names_its_stage() -> None:
    failed = ParityCheck(
        name="begin and end tokens", result="failed", finding="Doubled.", stage="Convert to GGUF"
    )
    broken = replace(cards.card("Q8_0"), parity=(failed,))

    assert grade(broken) == "broken"
    assert headline(broken) == "Broken by Convert to GGUF: begin and end tokens"
    assert headline(replace(broken, parity=(replace(failed, stage=""),))) == "Broken: begin and end tokens"
    untested = replace(failed, result="not tested")
    assert grade(replace(broken, parity=(untested,))) == "same to the eye"


def test_difference_within_noise_is_no_gain() -> None:
    within = with_speeds(rate(110), rate(107))
    beyond = with_speeds(rate(110, 0.005), rate(107, 0.005))

    assert headline(within).startswith("as fast as the original, ")
    assert headline(beyond).startswith("3 % faster, ")


def test_slower_and_larger_are_said_plainly() -> None:
    worse = with_speeds(rate(50), rate(107))
    worse = replace(worse, subject=replace(worse.subject, size_bytes=285_000_000))

    assert headline(worse) == "53 % slower, 5 % larger, KL 0.041: close to the original"
    larger = replace(worse, subject=replace(worse.subject, size_bytes=600_000_000))
    assert "2.2× as large" in headline(larger)


def test_noisy_run_is_told_as_about() -> None:
    assert headline(with_speeds(rate(167, noisy=True), rate(107))).startswith("about 1.6× faster")


def test_speeds_of_different_depths_are_not_compared() -> None:
    assert speed_gain(with_speeds(rate(167, tokens=64), rate(107, tokens=1024))) is None
    assert gain_of(rate(0), rate(107)) is None


def test_card_without_a_reference_tells_what_it_measured() -> None:
    alone = replace(
        cards.card("Q4_K_M"), reference=None, quality=None, reference_speed=None, identity=None, parity=()
    )

    assert grade(alone) == ""
    assert headline(alone) == "167 tokens/s, 105 MB"
    assert headline(replace(alone, speed=None)) == "105 MB"


def test_grades_have_tones_that_never_improve_down_the_scale() -> None:
    order = ["good", "warn", "bad"]
    places = [order.index(TONES[each]) for each in GRADES]

    assert places == sorted(places)


def test_what_was_trained_on_differs_on_purpose_and_has_no_grade() -> None:
    card = replace(cards.card("Q2_K"), retrained=True)
    assert grade(card) == ""
    assert headline(card).endswith("KL 0.61")
