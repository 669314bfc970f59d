"""Sampling: what each setting keeps and leaves out, on small made-up distributions."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import pytest

from workbench.engines.request import GREEDY, Sampling
from workbench.engines.sampling import Sampler, likeliest, log_probabilities

LOGITS = np.log(np.array([0.5, 0.25, 0.15, 0.07, 0.03], dtype=np.float32))


def drawn(times: int = 2000, **asked: object) -> Counter[int]:
    plain = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "seed": 5}
    sampler = Sampler(Sampling(**{**plain, **asked}), prompt=[])
    return Counter(sampler.choose(LOGITS) for _ in range(times))


def test_frequencies_follow_the_probabilities() -> None:
    found = drawn(20_000)

    assert [found[token] / 20_000 for token in range(5)] == pytest.approx(
        [0.5, 0.25, 0.15, 0.07, 0.03], abs=0.015
    )


def test_greedy_takes_the_likeliest() -> None:
    assert Sampler(GREEDY, []).choose(LOGITS) == 0


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"top_k": 2}, {0, 1}),
        ({"top_p": 0.7}, {0, 1}),
        ({"top_p": 0.76}, {0, 1, 2}),
        ({"min_p": 0.2}, {0, 1, 2}),
        ({"top_p": 0.001}, {0}),
        ({"min_p": 1.0}, {0}),
        ({"top_k": 1}, {0}),
    ],
)
def test_filters_keep_exactly_these(asked: dict[str, float], kept: set[int]) -> None:
    assert set(drawn(3000, **asked)) == kept


def test_temperature_sharpens_and_flattens() -> None:
    assert drawn(temperature=0.3)[0] > drawn(temperature=1.0)[0] > drawn(temperature=3.0)[0]


def test_same_seed_same_choices_other_seed_others() -> None:
    def choices(seed: int) -> list[int]:
        sampler = Sampler(Sampling(temperature=1.0, seed=seed), [])
        return [sampler.choose(LOGITS) for _ in range(50)]

    assert choices(3) == choices(3)
    assert choices(3) != choices(4)


def test_repetition_penalty_counts_prompt_and_answer_within_its_window() -> None:
    asked = msgspec.structs.replace(GREEDY, repetition_penalty=10.0, repetition_window=2)
    sampler = Sampler(asked, prompt=[0])
    logits = np.array([3.0, 2.9, 2.0], dtype=np.float32)

    first = sampler.choose(logits)
    sampler.accept(first)
    second = sampler.choose(logits)
    sampler.accept(second)
    third = sampler.choose(logits)

    # 0 is out by the prompt, then 1 by the answer; when 2 pushes 0 out of the window, 0 is back.
    assert [first, second, third] == [1, 2, 0]


def test_presence_and_frequency_count_the_answer_alone() -> None:
    asked = msgspec.structs.replace(GREEDY, presence_penalty=0.5, frequency_penalty=0.5)
    sampler = Sampler(asked, prompt=[0, 0, 0])
    logits = np.array([2.0, 1.2, 0.0], dtype=np.float32)

    assert sampler.choose(logits) == 0
    sampler.accept(0)
    assert sampler.choose(logits) == 1


def test_bias_moves_a_token_and_unknown_ones_are_ignored() -> None:
    asked = msgspec.structs.replace(GREEDY, logit_bias={4: 100.0, 999: 5.0})

    assert Sampler(asked, []).choose(LOGITS) == 4


def test_logits_are_not_changed() -> None:
    before = LOGITS.copy()
    Sampler(Sampling(repetition_penalty=2.0, logit_bias={0: -5.0}), [0, 1]).choose(LOGITS)

    assert np.array_equal(before, LOGITS)


def test_log_probabilities_sum_to_one_for_huge_logits() -> None:
    found = log_probabilities(np.array([1e4, 1e4 - 1, -1e4], dtype=np.float32))

    assert np.exp(found).sum() == pytest.approx(1)
    assert likeliest(found, 2) == [0, 1]
    assert likeliest(found, 0) == []
