"""The prompts on which two models differ most, with real small engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workbench.measure.answers import greedy_answer, prompt_tokens
from workbench.measure.examples import most_different

PROMPTS = ("What comes after one?", "yes", "no", "After the number comes two.", "user", "one one one two two")


def test_the_most_different_come_first_with_both_answers(load, small_hf: Path, changed_hf: Path) -> None:
    reference, candidate = load(small_hf, "hf"), load(changed_hf, "hf")
    expected = {}
    for prompt in PROMPTS:
        given = prompt_tokens(reference, prompt)
        whole = given + greedy_answer(reference, given, 8).tokens
        first, second = (
            values - np.log(np.exp(values).sum(-1, keepdims=True))
            for values in (
                engine.logits(whole)[len(given) - 1 :].astype(np.float64) for engine in (reference, candidate)
            )
        )
        expected[prompt] = float((np.exp(first) * (first - second)).sum(-1).mean())

    found = most_different(reference, candidate, PROMPTS, 3, tokens=8)

    assert [each.prompt for each in found] == sorted(PROMPTS, key=lambda each: -expected[each])[:3]
    for each in found:
        given = prompt_tokens(reference, each.prompt)
        assert each.mean_kld == pytest.approx(expected[each.prompt], rel=1e-3)
        assert each.reference == greedy_answer(reference, given, 8).text
        assert each.candidate == greedy_answer(candidate, given, 8).text
    assert found[0].mean_kld > 0


def test_there_are_no_more_than_there_are_prompts(load, small_hf: Path) -> None:
    engine = load(small_hf, "hf")
    told: list[tuple[int, int]] = []

    found = most_different(engine, engine, PROMPTS[:2], tokens=4, progress=lambda *now: told.append(now))

    assert [each.prompt for each in found] == list(PROMPTS[:2])
    assert [each.mean_kld for each in found] == [0, 0]
    assert told == [(done, 4) for done in range(5)]
    assert most_different(engine, engine, ()) == ()


def test_models_without_a_template_go_on_with_the_text(load, small_hf: Path, tmp_path: Path) -> None:
    for each in small_hf.iterdir():
        if each.name != "chat_template.jinja":
            (tmp_path / each.name).write_bytes(each.read_bytes())
    engine = load(tmp_path, "hf")

    found = most_different(engine, engine, ["What comes"], tokens=4)

    assert prompt_tokens(engine, "What comes") == tuple(engine.tokenizer.encode("What comes", begin=True))
    assert found[0].reference == found[0].candidate
