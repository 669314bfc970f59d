"""Likelihoods of texts, against the engine's own."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from plugins._likelihoods import beginning_of, rolling, scored, split
from workbench.engines.base import Continued, Engine
from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions


@pytest.fixture(scope="module")
def engine(tiny_gguf: Path) -> Engine:
    opened = open_engine(LoadOptions(path=str(tiny_gguf), format="gguf", context=128, threads=1))
    yield opened
    opened.close()


def test_a_continuation_is_as_likely_as_the_engine_says(engine: Engine) -> None:
    before, after = split(engine, "The capital of France is", " Paris, of course.")
    ((expected,),) = engine.likelihoods([Continued(beginning=tuple(before), endings=(tuple(after),))])

    found, greedy = scored(engine, before, after)

    assert found == pytest.approx(expected, rel=1e-4)
    assert greedy is False
    assert len(before) + len(after) == len(
        engine.tokenizer.encode("The capital of France is Paris, of course.", begin=True)
    )


def test_what_greedy_gives_is_said_to_be_so(engine: Engine) -> None:
    before, _ = split(engine, "One two", " three")
    answer: list[int] = []
    for _ in range(3):
        answer.append(int(engine.logits([*before, *answer], len(before) + len(answer) - 1)[0].argmax()))

    assert scored(engine, before, answer)[1] is True
    assert scored(engine, before, [answer[0] ^ 1])[1] is False


def test_spaces_at_the_end_of_a_context_belong_to_what_follows(engine: Engine) -> None:
    assert split(engine, "One two ", "three") == split(engine, "One two", " three")
    assert split(engine, "  ", "three")[0] == [beginning_of(engine)]


def test_a_text_is_as_likely_as_its_tokens_one_by_one(engine: Engine) -> None:
    tokens = engine.tokenizer.encode("It rains, and it will rain again.", begin=False)
    whole = engine.logits([beginning_of(engine), *tokens], 0)

    found = sum(scored(engine, *each)[0] for each in rolling(tokens, beginning_of(engine), 128))

    expected = 0.0
    for place, token in enumerate(tokens):
        row = whole[place].astype(float)
        expected += row[token] - row.max() - math.log(sum(math.exp(each - row.max()) for each in row))
    assert found == pytest.approx(expected, rel=1e-4)
