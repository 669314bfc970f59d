"""The mean of a rate over time, not over how often it was told."""

from __future__ import annotations

import numpy as np
import pytest

from ui.widgets.mean_rate import mean_rate


def test_a_rate_counts_for_as_long_as_it_held() -> None:
    # Ten seconds of work that was told twice, then ten of standstill that was told ten times.
    times = np.array([0.0, 5.0, 10.0, *range(11, 21)])
    rates = np.array([9.0, 100.0, 100.0, *[0.0] * 10])

    assert mean_rate(times, rates) == pytest.approx(50)


@pytest.mark.parametrize("times", [[3.0], [3.0, 3.0]])
def test_without_a_span_the_last_one_is_told(times: list[float]) -> None:
    assert mean_rate(np.array(times), np.array([1.0, 7.0])[-len(times) :]) == 7
