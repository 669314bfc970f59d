"""Intervals of shares, against published figures."""

from __future__ import annotations

import pytest

from workbench.measure.intervals import wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_figures_of_newcombes_table(successes: int, trials: int, low: float, high: float) -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_it_stays_within_its_bounds_and_holds_the_share() -> None:
    for trials in range(1, 30):
        for successes in range(trials + 1):
            low, high = wilson(successes, trials)
            assert 0 <= low <= successes / trials <= high <= 1
            assert wilson(trials - successes, trials) == pytest.approx((1 - high, 1 - low))


def test_more_trials_make_it_narrower_and_none_leave_it_open() -> None:
    widths = [high - low for low, high in (wilson(each / 2, each) for each in (2, 20, 200, 2000))]

    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.05
    assert wilson(0, 0) == (0.0, 1.0)
