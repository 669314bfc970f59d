"""McNemar's test against published and enumerated figures."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from workbench.measure.paired import Paired, mcnemar, paired


def test_few_changes_have_the_exact_p() -> None:
    # 2 · Σ C(22, k ≤ 6) / 2²² = 2 · 110056 / 4194304.
    assert mcnemar(6, 16) == 220112 / 4194304


@pytest.mark.parametrize("changed", range(1, 11))
def test_p_is_the_share_of_coin_throws_at_least_as_uneven(changed: int) -> None:
    heads = [sum(throws) for throws in product((0, 1), repeat=changed)]

    for only_before in range(changed + 1):
        uneven = abs(2 * only_before - changed)
        expected = sum(abs(2 * each - changed) >= uneven for each in heads) / len(heads)
        assert mcnemar(only_before, changed - only_before) == expected


def test_many_changes_have_the_p_of_chi_square_with_correction() -> None:
    # (|1250 - 1151| - 1)² / 2401 = 2² and (|1299 - 1102| - 1)² / 2401 = 4²: two and four standard deviations.
    assert mcnemar(1250, 1151) == pytest.approx(0.0455002639)
    assert mcnemar(1102, 1299) == pytest.approx(6.33424837e-05)


@pytest.mark.parametrize("difference", [0, 20, 60, 100])
def test_both_ways_agree_where_one_passes_into_the_other(difference: int) -> None:
    half = 500
    exact = mcnemar(half - difference // 2, half + difference // 2)
    approximate = mcnemar(half - difference // 2, half + difference // 2 + 1)

    assert exact == pytest.approx(approximate, rel=0.1)


def test_it_does_not_matter_which_model_comes_first() -> None:
    assert mcnemar(3, 14) == mcnemar(14, 3)
    assert mcnemar(700, 500) == mcnemar(500, 700)
    assert mcnemar(0, 5000) < 1e-300


def test_the_p_is_rarely_low_by_chance_alone() -> None:
    random = np.random.default_rng(0)
    low = sum(mcnemar(int(heads), 40 - int(heads)) <= 0.05 for heads in random.binomial(40, 0.5, 2000))

    # An exact test never rejects more often than it says; here 3.8 % of all cases, as counts are whole.
    assert 0.02 < low / 2000 < 0.05


def test_items_are_counted_into_the_four_cells() -> None:
    found = paired([True] * 6 + [False] * 4, [True] * 5 + [False] + [True] * 3 + [False])

    assert found == Paired(both=5, only_before=1, only_after=3, neither=1)
    assert (found.items, found.before, found.after) == (10, 0.6, 0.8)
    assert found.p == 0.625
    assert found.wilson_before[0] < 0.6 < found.wilson_before[1]


def test_answers_to_different_items_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        paired([True], [True, False])


def test_no_items_show_nothing() -> None:
    found = paired([], [])

    assert (found.items, found.before, found.after, found.p) == (0, 0.0, 0.0, 1.0)
