"""The Pareto front: nothing on it is beaten, everything off it is, ties and missing figures included."""

import math
import random
from itertools import product

import pytest

from tests.workbench.measure.cards import FIGURES
from workbench.measure.pareto import Better, front, standings


def _beats(one: tuple[float, ...], other: tuple[float, ...], better: tuple[Better, ...]) -> bool:
    signed = [(a, b) if each == "less" else (-a, -b) for a, b, each in zip(one, other, better, strict=True)]
    return all(a <= b for a, b in signed) and any(a < b for a, b in signed)


@pytest.mark.parametrize("better", list(product(("less", "more"), repeat=2)))
def test_nothing_on_the_front_is_beaten_and_everything_off_it_is(better: tuple[Better, ...]) -> None:
    chance = random.Random(7)
    for _ in range(40):
        # Few values, so that there are ties along one axis and in both.
        points = [(chance.randrange(8), chance.randrange(8)) for _ in range(chance.randrange(1, 30))]

        found = standings(points, better)

        for place, standing in enumerate(found):
            beaten = any(_beats(other, points[place], better) for other in points)
            assert standing.on_front is not beaten
            if standing.beaten_by is not None:
                assert found[standing.beaten_by].on_front
                assert _beats(points[standing.beaten_by], points[place], better)


def test_three_axes_keep_what_is_best_in_any_of_them() -> None:
    points = [(1, 9, 9), (9, 1, 9), (9, 9, 1), (9, 9, 9)]

    found = standings(points, ("less", "less", "less"))

    assert [each.on_front for each in found] == [True, True, True, False]


def test_equal_points_are_all_on_the_front() -> None:
    assert front([(1.0, 2.0), (1.0, 2.0), (2.0, 1.0)], ("less", "more")) == (0, 1)


def test_a_missing_figure_beats_nothing_and_is_beaten_by_nothing() -> None:
    found = standings([(0.1, 100), (None, 900), (math.nan, 900), (0.0, math.inf)], ("less", "more"))

    assert [each.complete for each in found] == [True, False, False, False]
    assert [each.on_front for each in found] == [True, False, False, False]
    assert all(each.beaten_by is None for each in found)


def test_no_points_have_no_front() -> None:
    assert standings([], ("less", "more")) == ()
    assert front([], ("less", "more")) == ()


def test_the_sample_s_front_is_the_same_in_both_ways_of_looking() -> None:
    names = list(FIGURES)
    closeness_and_size = front([(kld, size) for kld, size, _speed in FIGURES.values()], ("less", "less"))
    closeness_and_speed = front([(kld, speed) for kld, _size, speed in FIGURES.values()], ("less", "more"))

    assert [names[place] for place in closeness_and_size] == names
    assert [names[place] for place in closeness_and_speed] == [name for name in names if name != "Q3_K_M"]


def test_a_thousand_points_take_no_time_to_speak_of() -> None:
    chance = random.Random(1)
    points = [(chance.random(), chance.random()) for _ in range(1000)]

    found = standings(points, ("less", "less"))

    assert 0 < sum(each.on_front for each in found) < 50
