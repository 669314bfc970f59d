"""Identity of greedy answers, with real small engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.engines.request import DraftOptions
from workbench.measure.answers import Known, greedy_answer, prompt_tokens, remembering
from workbench.measure.identity import measure_identity
from workbench.measure.same_vocabulary import VocabularyError

PROMPTS = ("What comes after one?", "yes", "After the number comes two, and after it no number comes.")


def test_a_model_is_identical_to_itself_whatever_computes_it(load, small_hf: Path) -> None:
    torch, mlx = load(small_hf, "hf", engine="torch"), load(small_hf, "hf", engine="mlx")

    found = measure_identity(torch, mlx, PROMPTS, 12)

    assert (found.prompts, found.tokens, found.identical) == (3, 12, 3)
    assert found.first_difference == (-1, -1, -1)
    assert found.lossless


def test_a_draft_is_used_and_changes_nothing(load, tiny_gguf: Path) -> None:
    plain = load(tiny_gguf)
    drafted = load(tiny_gguf, draft=DraftOptions(kind="ngram", tokens=3))

    assert measure_identity(plain, drafted, PROMPTS, 24).lossless


def test_the_first_different_token_is_found(load, small_hf: Path, changed_hf: Path) -> None:
    reference, candidate = load(small_hf, "hf"), load(changed_hf, "hf")
    answers = [
        [greedy_answer(engine, prompt_tokens(reference, prompt), 12).tokens for prompt in PROMPTS]
        for engine in (reference, candidate)
    ]

    found = measure_identity(reference, candidate, PROMPTS, 12)

    for place, one, other in zip(found.first_difference, *answers, strict=True):
        if place < 0:
            assert one == other
        else:
            assert one[:place] == other[:place]
            assert one[place : place + 1] != other[place : place + 1]
    assert found.identical == found.first_difference.count(-1) < 3
    assert not found.lossless


def test_an_answer_may_end_by_itself(load, small_hf: Path) -> None:
    engine = load(small_hf, "hf")
    given = prompt_tokens(engine, "yes")
    whole = greedy_answer(engine, given, 12)
    engine.tokenizer.end_tokens = frozenset({whole.tokens[4]})  # type: ignore[misc]

    ended = greedy_answer(engine, given, 12)

    assert ended.tokens == whole.tokens[: whole.tokens.index(whole.tokens[4])]
    assert whole.text.startswith(ended.text)


def test_progress_is_told_prompt_by_prompt(load, small_hf: Path) -> None:
    engine = load(small_hf, "hf")
    told: list[tuple[int, int]] = []

    measure_identity(engine, engine, PROMPTS, 2, progress=lambda *now: told.append(now))

    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_no_prompts_prove_nothing(load, small_hf: Path) -> None:
    engine = load(small_hf, "hf")

    assert not measure_identity(engine, engine, ()).lossless


def test_other_vocabularies_are_refused(load, small_hf: Path, tiny_hf: Path) -> None:
    with pytest.raises(VocabularyError):
        measure_identity(load(small_hf, "hf"), load(tiny_hf, "hf"), PROMPTS)


def test_an_answer_is_remembered_by_model_prompt_and_length(load, small_hf: Path) -> None:
    known: Known = {}
    engine, ask = load(small_hf, "hf"), remembering(known)
    given = prompt_tokens(engine, PROMPTS[0])

    first = ask(engine, given, 4)

    assert first == greedy_answer(engine, given, 4)
    assert ask(engine, given, 4) is first
    assert known == {(id(engine), given, 4): first}
    assert len(ask(engine, given, 8).tokens) == 8
