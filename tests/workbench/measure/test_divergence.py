"""The distance of predictions: right figures, whatever the pieces they come in, in bounded memory."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from workbench.errors import WorkbenchError
from workbench.measure.divergence import Distance, Divergence, percentile


def predictions(positions: int, vocabulary: int, seed: int) -> NDArray[np.float32]:
    logits = np.random.default_rng(seed).normal(0, 2, (positions, vocabulary))
    found: NDArray[np.float32] = (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)
    return found


def distance(reference: NDArray[np.floating], candidate: NDArray[np.floating]) -> Distance:
    found = Divergence()
    found.add(reference, candidate)
    return found.distance()


def test_two_positions_by_hand() -> None:
    reference = np.log([[0.5, 0.5], [0.9, 0.1]])
    candidate = np.log([[0.25, 0.75], [0.9, 0.1]])
    first = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)

    found = distance(reference, candidate)

    assert found.positions == 2
    assert found.mean_kld == pytest.approx(first / 2)
    assert found.median_kld == pytest.approx(first / 2)
    assert found.max_kld == pytest.approx(first)
    # The two values are 0 and `first`: their standard deviation is first / √2, the mean's error half of that.
    assert found.mean_kld_error == pytest.approx(first / 2)
    # Of the first position the reference finds the first token likeliest (the first of two that tie).
    assert found.same_top == 0.5
    assert found.same_top_error == pytest.approx(0.5)


def test_percentiles_lie_between_the_positions() -> None:
    # KL of (1, 0) from (1 - x, x) is -log(1 - x).
    wanted = np.linspace(0, 1, 1001)
    candidate = np.stack([-wanted, np.log(-np.expm1(-wanted) + 1e-300)], -1)
    reference = np.broadcast_to(np.array([0.0, -np.inf]), candidate.shape)

    found = distance(reference, candidate)

    assert (found.median_kld, found.p90_kld, found.p99_kld, found.p999_kld, found.max_kld) == pytest.approx(
        (0.5, 0.9, 0.99, 0.999, 1.0)
    )


def test_the_same_predictions_have_no_distance() -> None:
    reference = predictions(50, 300, 1)

    found = distance(reference, reference.copy())

    assert (found.mean_kld, found.max_kld, found.mean_kld_error, found.same_top) == (0, 0, 0, 1)


def test_pieces_and_shapes_don_t_matter() -> None:
    reference, candidate = predictions(60, 500, 1), predictions(60, 500, 2)
    whole = distance(reference, candidate)
    probabilities = np.exp(reference.astype(np.float64))
    expected = (probabilities * (reference.astype(np.float64) - candidate)).sum(-1)

    pieces = Divergence()
    for at in range(0, 60, 7):
        pieces.add(reference[at : at + 7], candidate[at : at + 7])
    as_windows = distance(reference.reshape(4, 15, 500), candidate.reshape(4, 15, 500))

    assert whole.mean_kld == pytest.approx(expected.mean())
    assert whole.mean_kld_error == pytest.approx(expected.std(ddof=1) / math.sqrt(60))
    assert whole.same_top == (reference.argmax(-1) == candidate.argmax(-1)).mean()
    assert pieces.distance() == as_windows == whole
    assert pieces.positions == 60


def test_threads_change_nothing() -> None:
    # More than one block for each thread.
    reference, candidate = predictions(60, 20_000, 1), predictions(60, 20_000, 2)
    alone = Divergence()
    expected = alone.add(reference, candidate)
    shared = Divergence(threads=3)

    found = shared.add(reference, candidate)

    assert shared.distance() == alone.distance()
    assert (found.reference == expected.reference).all()
    assert (found.candidate == expected.candidate).all()


def test_what_is_no_number_is_refused_in_threads_too() -> None:
    reference, candidate = predictions(60, 20_000, 1), predictions(60, 20_000, 2)
    candidate[41, 7] = np.nan

    with pytest.raises(WorkbenchError, match="the other model's are no finite numbers"):
        Divergence(threads=3).add(reference, candidate)


def test_logits_need_not_be_normalized() -> None:
    reference, candidate = predictions(60, 500, 1), predictions(60, 500, 2)
    expected = distance(reference, candidate)
    found = Divergence()

    sums = found.add(reference + np.float32(5), candidate - np.float32(3))

    assert found.distance().mean_kld == pytest.approx(expected.mean_kld, rel=1e-5)
    assert found.distance().same_top == expected.same_top
    assert sums.reference == pytest.approx(np.full(60, 5), abs=1e-5)
    assert sums.candidate == pytest.approx(np.full(60, -3), abs=1e-5)


def test_float32_is_exact_enough_for_models_that_hardly_differ() -> None:
    logits = np.random.default_rng(1).normal(0, 4, (40, 50_000))
    other = logits + np.random.default_rng(2).normal(0, 0.01, logits.shape)
    exact = distance(logits, other)

    found = distance(logits.astype(np.float32), other.astype(np.float32))

    assert exact.mean_kld < 1e-4
    assert found.mean_kld == pytest.approx(exact.mean_kld, rel=0.01)
    assert found.median_kld == pytest.approx(exact.median_kld, rel=0.01)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_percentile_s_error_is_how_much_it_varies(share: float) -> None:
    samples = np.sort(np.random.default_rng(3).exponential(size=(300, 2000)), axis=-1)

    found = [percentile(each, share) for each in samples]

    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(-math.log(1 - share), rel=0.02)
    assert errors.mean() == pytest.approx(values.std(), rel=0.15)


def test_a_histogram_counts_every_position() -> None:
    wanted = np.array([0.05, 0.2, 0.5, 0.5, 3.0])
    candidate = np.stack([-wanted, np.log(-np.expm1(-wanted))], -1)
    found = Divergence()
    found.add(np.broadcast_to(np.array([0.0, -np.inf]), candidate.shape), candidate)

    assert found.counts(np.array([0.1, 0.3, 0.9, 1.0])).tolist() == [2, 2, 1]


def test_it_is_never_below_zero_though_float32_rounds() -> None:
    reference = predictions(400, 2000, 1)
    candidate = np.nextafter(reference, np.float32(0))

    found = Divergence()
    found.add(reference, candidate)

    assert found.distance().mean_kld >= 0
    assert found.distance().max_kld < 1e-6


def test_memory_does_not_grow_with_what_is_compared() -> None:
    # 160 positions of 100 000 tokens: 128 MB for each array of all of them in float64.
    row = predictions(1, 100_000, 1)
    reference = np.broadcast_to(row, (160, 100_000))
    found = Divergence()

    tracemalloc.start()
    found.add(reference, reference)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found.distance().positions == 160
    assert peak < 110e6


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_what_is_no_number_is_refused_and_not_averaged(bad: float) -> None:
    reference, candidate = predictions(4, 30, 1), predictions(4, 30, 2)
    candidate[2, 5] = bad

    with pytest.raises(WorkbenchError, match="no finite numbers"):
        distance(reference, candidate)


def test_what_both_exclude_is_no_distance() -> None:
    reference, candidate = predictions(4, 30, 1), predictions(4, 30, 2)
    reference[:, 3] = candidate[:, 3] = -np.inf

    assert math.isfinite(distance(reference, candidate).mean_kld)


def test_different_vocabularies_are_refused() -> None:
    with pytest.raises(ValueError, match="same tokens"):
        distance(predictions(4, 30, 1), predictions(4, 31, 1))


def test_nothing_has_no_distance() -> None:
    with pytest.raises(ValueError, match="nothing"):
        Divergence().distance()
