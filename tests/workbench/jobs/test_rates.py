"""Rates of work that is counted in steps longer or shorter than the time between two looks."""

from __future__ import annotations

import pytest

from workbench.jobs.rates import Rate

_EVERY_S = 0.5


def _told(amounts: list[float]) -> list[tuple[float, float]]:
    """The moments at which a rate was told, with it."""
    rate = Rate(0.0)
    moments = [number * _EVERY_S for number in range(1, len(amounts) + 1)]
    found = [(moment, rate.look(moment, amount)) for moment, amount in zip(moments, amounts, strict=True)]
    found.append((moments[-1], rate.end(moments[-1])))
    return [(moment, value) for moment, value in found if value is not None]


def test_steps_longer_than_a_look_give_an_even_rate() -> None:
    assert _told([0, 0, 0, 800] * 3) == [(2.0, 400), (4.0, 400), (6.0, 400)]


def test_steps_shorter_than_a_look_are_told_at_once() -> None:
    assert _told([10, 30]) == [(0.5, 20), (1.0, 60)]


def test_a_standstill_is_told_and_what_follows_it_has_its_own_rate() -> None:
    told = _told([10] * 4 + [0] * 20 + [10] * 4)

    assert told[:4] == [(0.5, 20), (1.0, 20), (1.5, 20), (2.0, 20)]
    assert [moment for moment, value in told if value == 0] == [5.5 + at * _EVERY_S for at in range(14)]
    assert [value for _moment, value in told[-4:]] == [20] * 4


def test_a_long_step_is_waited_for_longer() -> None:
    step = [0.0] * 19 + [100.0]

    assert [value for moment, value in _told(step * 3) if moment > 10] == [10, 10]


@pytest.mark.parametrize("amounts", [[0, 0, 8, 0, 2, 2, *[0] * 12, 40, 0], [5], [0, 0]])
def test_each_rate_for_its_time_is_all_work(amounts: list[float]) -> None:
    told = _told(amounts)

    begun = [0.0, *(moment for moment, _value in told)]
    work = sum(value * (moment - before) for (moment, value), before in zip(told, begun, strict=False))
    assert work == pytest.approx(sum(amounts))
    assert told[-1][0] == len(amounts) * _EVERY_S
