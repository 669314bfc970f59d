from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from workbench.data.batches import Plan, epoch_batches, packed, padding_share
from workbench.data.order import repeated, shuffled

LENGTHS = np.clip(np.random.default_rng(3).lognormal(4.2, 0.6, 1000).astype(np.int64), 2, 400)


def examples(batches: list[tuple[tuple[int, ...], ...]]) -> list[int]:
    return [example for batch in batches for row in batch for example in row]


def test_order_is_a_pure_function_of_seed_and_epoch() -> None:
    assert shuffled(7, 1, 100).tolist() == shuffled(7, 1, 100).tolist()
    assert shuffled(7, 1, 100).tolist() != shuffled(7, 2, 100).tolist() != shuffled(8, 2, 100).tolist()
    # Fixed values: the same on every machine and with every numpy.
    assert shuffled(7, 0, 8).tolist() == FIXED


FIXED = [4, 0, 1, 5, 3, 7, 6, 2]


@pytest.mark.parametrize("batching", ["buckets", "packed", "random"])
def test_every_example_comes_once_an_epoch_within_the_budget(batching: str) -> None:
    plan = Plan(batching=batching, tokens=2048, longest=300)  # type: ignore[arg-type]
    first, again, next_epoch = (epoch_batches(LENGTHS, plan, 7, epoch) for epoch in (0, 0, 1))

    assert sorted(examples(first)) == list(range(1000))
    assert first == again
    assert examples(first) != examples(next_epoch)
    for batch in first:
        widths = [sum(min(300, int(LENGTHS[each])) for each in row) for row in batch]
        assert max(widths) * len(widths) <= 2048
        assert max(widths) <= 300


def test_buckets_and_packing_save_the_padding() -> None:
    shares = {
        name: padding_share(
            LENGTHS, epoch_batches(LENGTHS, Plan(batching=name, tokens=2048, longest=400), 7, 0), 400
        )  # type: ignore[arg-type]
        for name in ("random", "buckets", "packed")
    }

    assert shares["random"] > 0.3
    assert shares["buckets"] < 0.08
    assert shares["packed"] < 0.08


def test_an_example_longer_than_the_budget_is_a_batch_of_its_own() -> None:
    batches = epoch_batches(np.array([500, 10, 10]), Plan(tokens=100, longest=500), 7, 0)

    assert ((0,),) in batches


def test_the_number_of_rows_can_be_bounded() -> None:
    for batching in ("buckets", "packed", "random"):
        plan = Plan(batching=batching, tokens=100_000, longest=300, rows=4)  # type: ignore[arg-type]
        assert all(len(batch) <= 4 for batch in epoch_batches(LENGTHS, plan, 7, 0))


def test_no_examples_are_no_batches() -> None:
    for batching in ("buckets", "packed", "random"):
        assert epoch_batches(np.array([], dtype=np.int64), Plan(batching=batching), 7, 0) == []  # type: ignore[arg-type]


def test_packed_rows_are_never_too_full_and_rarely_half_empty() -> None:
    rows = packed(LENGTHS, list(range(1000)), 512)
    fill = [sum(int(LENGTHS[each]) for each in row) for row in rows]

    assert max(fill) <= 512
    assert sum(fill) / (512 * len(rows)) > 0.95


def test_weights_say_how_often_an_example_comes() -> None:
    weights = np.array([0.0, 1.0, 2.0, 0.5] * 500)
    counts = Counter(each % 4 for each in repeated(weights, 7, 0).tolist())

    assert counts[0] == 0
    assert (counts[1], counts[2]) == (500, 1000)
    assert 200 < counts[3] < 300
    assert repeated(weights, 7, 0).tolist() != repeated(weights, 7, 1).tolist()
