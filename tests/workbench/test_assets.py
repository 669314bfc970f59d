from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from workbench.assets import (
    EVALUATION_ITEMS,
    EVALUATION_TEXT,
    GENERAL_ITEMS,
    GENERAL_TEXT,
    SAMPLE_DATASET,
    SAMPLE_TEST,
)
from workbench.data.report import report
from workbench.data.sides import SideChoices, sides_of
from workbench.data.tokenizing import Recipe

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().decode("utf-8").splitlines()]


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


@pytest.mark.parametrize(
    "path",
    [SAMPLE_DATASET, SAMPLE_TEST, GENERAL_ITEMS, GENERAL_TEXT, EVALUATION_ITEMS, EVALUATION_TEXT],
)
def test_files_are_plain_utf8_with_unix_lines(path: Path) -> None:
    text = path.read_bytes().decode("utf-8")

    assert text.endswith("\n")
    assert not text.startswith("\ufeff")
    assert all(each.isprintable() or each in "\n\t" for each in text)
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize(
    ("path", "rows", "fewest", "most"), [(SAMPLE_DATASET, 300, 37, 38), (SAMPLE_TEST, 80, 10, 10)]
)
def test_every_desk_has_as_many_messages(path: Path, rows: int, fewest: int, most: int) -> None:
    found = _rows(path)

    counts = Counter(row["completion"] for row in found)

    assert len(found) == rows
    assert all(set(row) == {"prompt", "completion"} for row in found)
    assert len(counts) == 8
    assert fewest == min(counts.values())
    assert most == max(counts.values())


def test_codes_are_short_and_differ_from_their_first_token_on(tiny_hf: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tiny_hf / "tokenizer.json"))
    codes = {row["completion"] for row in _rows(SAMPLE_DATASET)}

    ids = [tokenizer.encode(code, add_special_tokens=False).ids for code in codes]

    assert codes == {row["completion"] for row in _rows(SAMPLE_TEST)}
    assert all(3 <= len(each) <= 5 for each in ids)
    assert len({each[0] for each in ids}) == len(codes)


def test_no_message_gives_its_code_away() -> None:
    for row in _rows(SAMPLE_DATASET) + _rows(SAMPLE_TEST):
        assert row["completion"].lower() not in row["prompt"].lower()


def test_messages_are_of_many_lengths_within_bounds() -> None:
    lengths = [len(row["prompt"].split()) for row in _rows(SAMPLE_DATASET) + _rows(SAMPLE_TEST)]

    assert min(lengths) == 8
    assert max(lengths) == 40
    assert len(set(lengths)) > 25


def test_no_message_is_there_twice_or_nearly(tiny_hf: Path, tmp_path: Path) -> None:
    recipe = Recipe(files=(str(SAMPLE_DATASET),), tokenizer=str(tiny_hf))
    choices = SideChoices(held_out_files=(str(SAMPLE_TEST),))

    found = report(sides_of(recipe, choices, tmp_path))

    assert (found.rows, found.bad, found.kind) == (380, 0, "completion")
    assert (found.train.rows, found.held_out) == (300, 80)
    assert (found.same_rows, found.alike_rows, found.alike_across) == (0, 0, 0)


def test_messages_share_few_runs_of_words() -> None:
    """Stricter than the product's own search, which takes only rows for alike that hardly differ."""
    prompts = [row["prompt"] for row in _rows(SAMPLE_DATASET) + _rows(SAMPLE_TEST)]
    pairs = [set(itertools.pairwise(_words(prompt))) for prompt in prompts]

    for (at, one), (other, two) in itertools.combinations(enumerate(pairs), 2):
        assert len(one & two) / len(one | two) < 0.3, (prompts[at], prompts[other])


def test_no_two_messages_begin_alike_often() -> None:
    """Rows that a template made begin with the same words again and again."""
    beginnings = Counter(
        tuple(_words(row["prompt"])[:4]) for row in _rows(SAMPLE_DATASET) + _rows(SAMPLE_TEST)
    )

    assert beginnings.most_common(1)[0][1] <= 2


@pytest.mark.parametrize(("path", "count"), [(GENERAL_ITEMS, 40), (EVALUATION_ITEMS, 120)])
def test_items_have_one_answer_among_four_in_no_fixed_place(path: Path, count: int) -> None:
    items = _rows(path)

    assert len(items) == len({item["prompt"] for item in items}) == count
    assert all(set(item) == {"prompt", "choices", "answer"} for item in items)
    assert all(len(set(item["choices"])) == 4 for item in items)
    assert Counter(item["answer"] for item in items) == dict.fromkeys(range(4), count // 4)


def test_no_item_is_in_both_sets() -> None:
    general = {item["prompt"] for item in _rows(GENERAL_ITEMS)}

    assert not general & {item["prompt"] for item in _rows(EVALUATION_ITEMS)}


@pytest.mark.parametrize(
    ("path", "least", "most"), [(GENERAL_TEXT, 11_000, 13_000), (EVALUATION_TEXT, 58_000, 64_000)]
)
def test_texts_are_long_enough_and_repeat_nothing(path: Path, least: int, most: int) -> None:
    text = path.read_text(encoding="utf-8")
    paragraphs = [each for each in text.split("\n\n") if each.strip()]
    words = _words(text)
    runs = Counter(tuple(words[at : at + 8]) for at in range(len(words) - 7))

    assert least <= len(text.encode()) <= most
    assert len(set(paragraphs)) == len(paragraphs)
    assert runs.most_common(1)[0][1] == 1


def test_any_few_windows_of_the_evaluation_text_meet_several_kinds() -> None:
    sections = EVALUATION_TEXT.read_text(encoding="utf-8")
    width = 6000  # characters: about four windows of 512 tokens
    signs = {
        "German": re.compile(r"\b(und|nicht|der)\b"),
        "code": re.compile(r"[;{}]$|^(def|class|    \w+\()|: \[", re.MULTILINE),
        "dialogue": re.compile(r"[\"»“”—]\s*(said|asked|disse|dijo|\w)"),
        "figures": re.compile(r"\d+[.,]\d"),
        "beyond Latin": re.compile(r"[\u0400-\u04ff\u0600-\u06ff\u0900-\u097f\u3040-\u9fff\uac00-\ud7af]{2}"),
    }

    for begin in range(0, len(sections) - width + 1, width // 2):
        part = sections[begin : begin + width]
        assert sum(sign.search(part) is not None for sign in signs.values()) >= 3
