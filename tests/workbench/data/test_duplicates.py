from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from workbench.data import duplicates
from workbench.data.duplicates import alike, refuse_shared, same
from workbench.data.errors import DataError
from workbench.data.token_set import TokenSet
from workbench.data.tokenizing import Recipe, token_set

WORDS = " ".join(f"word{at}" for at in range(60))
OTHER = " ".join(f"other{at}" for at in range(60))


@pytest.fixture
def made(tmp_path: Path, tiny_hf: Path) -> Callable[..., TokenSet]:
    def make(name: str, *texts: str, prompt: str = "") -> TokenSet:
        rows = [{"prompt": prompt, "completion": text} if prompt else {"text": text} for text in texts]
        path = tmp_path / name
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return token_set(Recipe(files=(str(path),), tokenizer=str(tiny_hf)), tmp_path / "cache")

    return make


def test_the_same_rows_and_nearly_the_same_ones_are_found(made: Callable[..., TokenSet]) -> None:
    tokens = made(
        "a.jsonl",
        WORDS,
        "something else entirely, which has nothing in common with the others at all",
        WORDS,
        WORDS.replace("word59", "ending"),
        OTHER,
        "one",
    )

    assert same(tokens) == [[0, 2]]
    assert alike([tokens]) == [(0, 3), (2, 3)]


def test_likeness_reaches_over_two_sets(made: Callable[..., TokenSet]) -> None:
    train, held_out = made("a.jsonl", "short", WORDS), made("b.jsonl", OTHER, WORDS.replace("word0", "begin"))

    assert alike([train, held_out]) == [(1, 3)]
    # Rows of fewer tokens than a run are compared whole.
    assert alike([made("c.jsonl", "a"), made("d.jsonl", "b")]) == []
    # Found once, it is read: what is kept for one set is another thing.
    assert alike([train]) == []
    assert alike([train, held_out], check=lambda: pytest.fail("searched again")) == [(1, 3)]


def test_what_the_template_puts_into_every_row_makes_none_alike(made: Callable[..., TokenSet]) -> None:
    names = [f"{first}{second}at" for first in "bcfhmprst" for second in ("", "l", "r")]
    prompt = "What animal do you see in this picture? Answer in one word and say nothing else, please."

    assert alike([made("a.jsonl", *names, prompt=prompt)]) == []


def test_pairs_agree_with_comparing_every_row_with_every_other(made: Callable[..., TokenSet]) -> None:
    choose = np.random.default_rng(5)
    bases = [choose.integers(0, 500, 80) for _ in range(12)]
    rows = []
    for base in bases:
        for share in (0.0, 0.03, 0.3):
            changed = np.where(choose.random(80) < share, choose.integers(500, 999, 80), base)
            rows.append(" ".join(f"w{each}" for each in changed))
    tokens = made("a.jsonl", *rows)
    shingles = duplicates._Shingles(tokens, duplicates._NONE)
    sets = [set(shingles.of(each).tolist()) for each in range(len(tokens))]

    by_hand = [
        (one, other)
        for one in range(len(sets))
        for other in range(one + 1, len(sets))
        if len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= duplicates.ALIKE
        and rows[one] != rows[other]
    ]
    assert len(by_hand) >= 8
    assert alike([tokens]) == by_hand


def test_a_row_on_both_sides_is_refused_by_its_lines(made: Callable[..., TokenSet]) -> None:
    rows = [f"passage {at}" for at in range(20)]
    train, other, shared = (
        made("a.jsonl", *rows[:12]),
        made("b.jsonl", *rows[12:]),
        made("c.jsonl", *rows[5:]),
    )

    refuse_shared(train, other)
    with pytest.raises(DataError, match=r"7 rows .* c\.jsonl line 1 is a\.jsonl line 6, .* and 2 more"):
        refuse_shared(train, shared)
