"""Axes hold their values, and mark round figures that lie between their ends."""

import random

import pytest

from ui.panels.compare.axes import Axis, linear, log


@pytest.mark.parametrize("make", [linear, log])
def test_values_lie_inside_and_marks_are_few_round_and_inside(make: object) -> None:
    chance = random.Random(5)
    for _ in range(200):
        low = 10 ** chance.uniform(-6, 9)
        values = [low, low * 10 ** chance.uniform(0, 6)]

        axis: Axis = make(values, str)  # type: ignore[operator]

        assert all(0 <= axis.share(value) <= 1 for value in values)
        assert all(axis.low <= tick <= axis.high for tick, _ in axis.ticks)
        assert len(axis.ticks) <= 12
        digits = [f"{tick:.10g}".rstrip("0").replace(".", "").lstrip("0") for tick, _ in axis.ticks]
        assert all(len(each.partition("e")[0]) <= 4 for each in digits)


@pytest.mark.parametrize("values", [[], [0.0], [5.0], [5.0, 5.0], [float("nan"), float("inf")], [-3.0, -3.0]])
def test_one_value_or_none_still_makes_an_axis(values: list[float]) -> None:
    for axis in (linear(values, str), linear(values, str, from_zero=True), log(values, str)):
        assert axis.low < axis.high
        assert all(0 <= axis.share(value) <= 1 for value in values if 0 < value < float("inf"))


def test_an_axis_from_zero_begins_there() -> None:
    assert linear([3.0, 9.0], str, from_zero=True).low == 0.0


def test_a_log_axis_has_at_least_the_factor_asked_for() -> None:
    axis = log([0.041], str, least=10.0)

    assert axis.high / axis.low >= 10.0
    assert axis.ticks
