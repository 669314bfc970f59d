"""Picking for a person: limits, preference, ties that no measurement tells apart, and the reasons told."""

import random
from dataclasses import replace

import msgspec
import pytest

from tests.workbench.measure.cards import FIGURES, card
from workbench.measure.pick import Choice, Limits, Pick, choice_of, pick

KINDS = list(FIGURES)
CHOICES = [choice_of(card(kind), name=kind, is_reference=kind == "F16") for kind in KINDS]


def _name(found: Pick) -> str | None:
    return None if found.best is None else KINDS[found.best]


@pytest.mark.parametrize(
    ("limits", "best"),
    [
        (Limits(), "F16"),
        (Limits(memory_bytes=250e6), "Q6_K"),
        (Limits(decode=165.0), "Q4_K_M"),
        (Limits(mean_kld=0.1), "Q4_K_M"),
        (Limits(mean_kld=0.001), "F16"),
        (Limits(mean_kld=1.0), "Q4_K_M"),
        (Limits(memory_bytes=100e6), None),
        (Limits(memory_bytes=210e6, mean_kld=0.1), None),
    ],
)
def test_a_limit_is_enough_and_the_rest_is_made_best(limits: Limits, best: str | None) -> None:
    assert _name(pick(CHOICES, limits)) == best


def test_what_breaks_a_limit_is_turned_down_with_figure_and_limit() -> None:
    found = pick(CHOICES, Limits(decode=155.0, mean_kld=0.05))

    told = {KINDS[each.place]: each for each in found.rejected}
    assert told["Q2_K"].reasons == ("Its mean KL divergence is 0.61; it has to be at most 0.05.",)
    assert told["F16"].reasons == ("Its speed is 107 tok/s; it has to be at least 155 tok/s.",)
    assert not told["Q8_0"].qualifies
    assert told["Q6_K"].qualifies
    assert told["Q6_K"].reasons == ("It qualifies; Q4_K_M is faster: 167 tok/s, this one 156 tok/s.",)
    assert len(found.rejected) == len(KINDS) - 1


def test_the_best_is_praised_with_its_figures_and_the_limits() -> None:
    found = pick(CHOICES, Limits(memory_bytes=1e9, mean_kld=0.05))

    assert found.reasons == (
        "It takes 225 MB of the 1 GB allowed.",
        "Its mean KL divergence is 0.041; at most 0.05 is allowed.",
        "It is the fastest of the 5 that qualify: 167 tok/s.",
    )


def test_a_figure_that_was_not_measured_can_keep_no_limit() -> None:
    found = pick([Choice("unknown", decode=900.0)], Limits(mean_kld=0.1))

    assert found.best is None
    assert found.rejected[0].reasons == (
        "Its mean KL divergence was not measured; it has to be at most 0.1.",
    )


def test_a_figure_just_beyond_its_limit_is_written_so_that_they_differ() -> None:
    found = pick([Choice("near", mean_kld=0.10004)], Limits(mean_kld=0.1))

    assert found.rejected[0].reasons == ("Its mean KL divergence is 0.10004; it has to be at most 0.1.",)


def test_speeds_whose_intervals_meet_leave_the_choice_to_closeness() -> None:
    fast = Choice("fast", decode=100.0, decode_interval=(92.0, 108.0), mean_kld=0.05)
    near = Choice("near", decode=96.0, decode_interval=(90.0, 102.0), mean_kld=0.01)
    slow = Choice("slow", decode=50.0, decode_interval=(49.0, 51.0), mean_kld=0.001)

    found = pick([fast, near, slow], Limits(mean_kld=0.1))

    assert found.best == 1
    assert "can’t be told from that of fast; what decides is KL 0.01" in found.reasons[-1]
    assert found.rejected[0].reasons == (
        "It qualifies; near is closer to the original: KL 0.01, this one KL 0.05.",
    )


def test_divergences_within_their_errors_leave_the_choice_to_speed() -> None:
    one = Choice("one", decode=50.0, mean_kld=0.040, mean_kld_error=0.003)
    two = Choice("two", decode=90.0, mean_kld=0.042, mean_kld_error=0.003)

    assert pick([one, two], Limits(memory_bytes=None)).best == 1


def test_equal_figures_leave_it_to_memory_and_then_to_the_order() -> None:
    same = Choice("a", memory_bytes=200, decode=10.0, mean_kld=0.1)

    assert pick([same, replace(same, name="b", memory_bytes=100)], Limits()).best == 1
    assert pick([same, replace(same, name="b")], Limits()).best == 0


def test_a_loss_on_a_task_is_the_largest_of_all_tasks() -> None:
    made = card("Q4_K_M")
    hard = msgspec.structs.replace(made.tasks[0], name="Hard", only_before=15, only_after=3)
    choice = choice_of(msgspec.structs.replace(made, tasks=(made.tasks[0], hard)))

    found = pick([choice], Limits(task_loss=0.05))

    assert choice.task_loss == pytest.approx(0.1)
    assert found.rejected[0].reasons == ("Its loss on a task is 10 %; it has to be at most 5 %.",)


def test_a_card_without_figures_is_a_choice_without_figures() -> None:
    bare = msgspec.structs.replace(card("Q8_0"), quality=None, speed=None, memory=None, tasks=())

    assert choice_of(bare) == Choice("SmolLM2-135M-Instruct-Q8_0")


def test_the_best_always_keeps_the_limits_and_everything_is_told_once() -> None:
    chance = random.Random(3)
    for _ in range(200):
        choices = [
            Choice(
                f"c{number}",
                memory_bytes=chance.choice([None, chance.randrange(1, 9)]),
                decode=chance.choice([None, chance.uniform(1, 9)]),
                mean_kld=chance.choice([None, chance.uniform(0, 1)]),
            )
            for number in range(chance.randrange(0, 9))
        ]
        limits = Limits(
            memory_bytes=chance.choice([None, 5]),
            decode=chance.choice([None, 4.0]),
            mean_kld=chance.choice([None, 0.5]),
        )

        found = pick(choices, limits)

        told = [each.place for each in found.rejected] + ([] if found.best is None else [found.best])
        assert sorted(told) == list(range(len(choices)))
        assert all(each.reasons for each in found.rejected)
        if found.best is not None:
            best = choices[found.best]
            assert limits.mean_kld is None or (best.mean_kld or 0.0) <= limits.mean_kld
            assert limits.decode is None or (best.decode or 0.0) >= limits.decode
        assert (found.best is None) == (
            not any(each.qualifies for each in found.rejected) and not found.reasons
        )
