from __future__ import annotations

import numpy as np
import pytest

from workbench.measure.medians import FEWEST, median_interval


@pytest.mark.parametrize(
    ("count", "rank"),
    [(6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (17, 5), (20, 6), (25, 8), (30, 10), (100, 40)],
)
def test_ends_are_at_the_ranks_of_the_published_tables(count: int, rank: int) -> None:
    # Those of the sign test, for example in Nair 1940, Sankhya 4.
    values = list(range(1, count + 1))

    assert median_interval(values)[1:] == (rank, count + 1 - rank)


def test_interval_holds_the_median_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    # Skewed, as run times are.
    rows = random.exponential(size=(4000, 12))

    held = 0
    for row in rows:
        _middle, low, high = median_interval(list(row))
        held += low <= np.log(2) <= high

    # The exact share of 12 values between ranks 3 and 10 is 96.1 %.
    assert held / len(rows) == pytest.approx(0.961, abs=0.012)


def test_too_few_values_give_their_ends() -> None:
    assert median_interval([2.0]) == (2.0, 2.0, 2.0)
    assert median_interval([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert FEWEST == 6


def test_nothing_has_no_median() -> None:
    with pytest.raises(ValueError, match="no values"):
        median_interval([])
