from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.data import tokenizing
from workbench.data.batches import Plan, epoch_batches
from workbench.data.collate import collate
from workbench.data.errors import DataError
from workbench.data.report import report
from workbench.data.sides import SideChoices, Sides, open_sides, side_of, sides_of
from workbench.data.tokenizing import Recipe


def write(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def texts(*names: object, words: int = 1) -> list[dict[str, str]]:
    return [{"text": f"passage {name} " * words} for name in names]


class Opened:
    """Opens sides of the test's files."""

    def __init__(self, folder: Path, tokenizer: Path) -> None:
        self.folder = folder
        self._tokenizer = str(tokenizer)

    def __call__(self, *files: str, look: bool = False, **choices: Any) -> Sides:
        opens = sides_of if look else open_sides
        recipe = Recipe(files=files, tokenizer=self._tokenizer)
        return opens(recipe, SideChoices(**choices), self.folder / "cache")


@pytest.fixture
def opened(tmp_path: Path, tiny_hf: Path) -> Opened:
    return Opened(tmp_path, tiny_hf)


def test_rows_are_held_out_by_their_content_and_added_ones_move_none(opened: Opened) -> None:
    rows = texts(*range(200))
    few = opened(write(opened.folder / "a.jsonl", *rows[50:]), held_out=0.2)
    more = opened(write(opened.folder / "b.jsonl", *rows), held_out=0.2)

    assert few.train.tokens is few.held_out.tokens
    assert sorted([*more.train.examples, *more.held_out.examples]) == list(range(200))
    assert 20 < len(more.held_out) < 60
    assert (few.held_out.examples + 50).tolist() == [each for each in more.held_out.examples if each >= 50]
    assert len(opened(write(opened.folder / "b.jsonl", *rows), held_out=0).held_out) == 0


def test_files_of_their_own_are_held_out_and_must_have_other_rows(opened: Opened) -> None:
    train = write(opened.folder / "a.jsonl", *texts(*range(10)))
    apart = write(opened.folder / "b.jsonl", *texts(*range(10, 14)))
    shared = write(opened.folder / "c.jsonl", *texts(3, 12))

    found = opened(train, held_out_files=(apart,), held_out=0.5)

    assert (len(found.train), len(found.held_out)) == (10, 4)
    assert found.held_out.tokens.place(int(found.held_out.examples[0])) == ("b.jsonl", 1)
    with pytest.raises(DataError, match=r"1 row is both .* c\.jsonl line 1 is a\.jsonl line 4"):
        opened(train, held_out_files=(shared,))
    # Whoever only looks is told so.
    assert len(opened(train, held_out_files=(shared,), look=True).refusals) == 1


def test_weights_say_how_often_an_epoch_has_the_rows_of_a_file(opened: Opened) -> None:
    files = [
        write(opened.folder / f"{name}.jsonl", *texts(*(f"{name}{at}" for at in range(5)))) for name in "ab"
    ]

    found = opened(*files, weights=(3.0, 0.0), held_out=0)

    assert found.train.weights is not None
    assert found.train.weights.tolist() == [3.0] * 5 + [0.0] * 5
    batches = epoch_batches(found.train.lengths, Plan(), 7, 0, found.train.weights)
    counts = np.bincount([example for batch in batches for row in batch for example in row], minlength=10)
    assert counts.tolist() == [3] * 5 + [0] * 5
    assert found.train.token_count == 3 * int(found.train.lengths[:5].sum())
    # Weights are no part of what is tokenized.
    assert opened(*files, held_out=0).train.tokens.folder == found.train.tokens.folder
    assert opened(*files, weights=(1.0, 1.0)).train.weights is None


@pytest.mark.parametrize(
    ("choices", "word"),
    [
        ({"weights": (1.0,)}, "2 files, and 1 weights"),
        ({"weights": (1.0, -1.0)}, "from 0 on"),
        ({"weights": (1.0, float("nan"))}, "from 0 on"),
        ({"weights": (0.0, 0.0)}, "weight 0"),
        ({"held_out": 1.0}, "between 0 and 1"),
        ({"longest": 1}, "at least two tokens"),
        ({"longest": 2}, "Nothing is left to learn"),
    ],
)
def test_choices_that_make_no_training_are_refused(
    opened: Opened, choices: dict[str, Any], word: str
) -> None:
    rows = [{"prompt": "Hi", "completion": f"answer {at}"} for at in range(4)]
    files = [write(opened.folder / f"{name}.jsonl", *rows) for name in "ab"]
    with pytest.raises(DataError, match=word):
        opened(*files, **choices)


def test_bad_rows_are_skipped_or_refused_by_their_lines(opened: Opened) -> None:
    path = opened.folder / "a.jsonl"
    bad = ["null", '{"text": ""}', '{"text": 3}', "{", '{"other": ""}', "7"]
    path.write_text("\n".join(["", *bad, json.dumps(texts(1)[0])]), encoding="utf-8")

    skipped = opened(str(path), held_out=0)

    assert len(skipped.train) == 1
    assert any("6 bad rows left out; the first, a.jsonl line 2" in line for line in skipped.lines)
    with pytest.raises(DataError) as refused:
        opened(str(path), held_out=0, bad_rows="refuse")
    assert "6 rows can't be used: a.jsonl line 2: The row is not an object" in refused.value.message
    assert "line 6" in refused.value.message
    assert "line 7" not in refused.value.message
    assert "and 1 more" in refused.value.message


def test_long_rows_are_cut_skipped_or_refused_by_their_lines(opened: Opened) -> None:
    rows = [*texts("a", "b"), *texts("c", "d", words=30), *texts("e")]
    data = write(opened.folder / "a.jsonl", *rows)

    cut, skipped = (opened(data, held_out=0, longest=20, long_rows=choice) for choice in ("cut", "skip"))

    assert cut.train.examples.tolist() == [0, 1, 2, 3, 4]
    assert cut.train.lengths.max() == 20
    assert skipped.train.examples.tolist() == [0, 1, 4]
    assert "2 examples cut at 20 tokens" in cut.lines
    assert "2 examples left out: longer than 20 tokens" in skipped.lines
    with pytest.raises(DataError, match=r"2 rows longer than 20 tokens: a\.jsonl line 3, a\.jsonl line 4\."):
        opened(data, held_out=0, longest=20, long_rows="refuse")


def test_what_has_its_answer_behind_the_cut_is_left_out(opened: Opened) -> None:
    rows = [
        {"prompt": "word " * 60, "completion": "never seen"},
        {"prompt": "Hi", "completion": "word " * 60},
    ]
    found = opened(write(opened.folder / "a.jsonl", *rows), held_out=0, longest=50)

    assert found.train.examples.tolist() == [1]
    assert any("nothing to learn before that" in line for line in found.lines)
    arrays = collate(found.train.tokens, ((1,),), 50)
    assert found.train.learned_count == arrays.learned > 0
    assert found.train.token_count == arrays.real


def test_both_answers_of_a_preference_count(opened: Opened) -> None:
    rows = [{"prompt": "Hi", "chosen": "Yes", "rejected": "No, " * (20 * at + 1)} for at in range(3)]
    data = write(opened.folder / "a.jsonl", *rows)
    found = opened(data, held_out=0)
    lengths = found.train.tokens.lengths

    assert found.train.lengths.tolist() == [max(pair) for pair in lengths.reshape(3, 2).tolist()]
    assert found.train.token_count == int(lengths.sum())
    short = opened(data, held_out=0, longest=int(found.train.lengths[0]), long_rows="skip")
    assert short.train.examples.tolist() == [0]
    plain = write(opened.folder / "b.jsonl", *texts(1))
    with pytest.raises(DataError, match="preferences"):
        opened(data, held_out_files=(plain,))


def test_a_second_training_tokenizes_nothing(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [
        write(opened.folder / f"{name}.jsonl", *texts(*range(at, at + 5)))
        for name, at in (("a", 0), ("b", 9))
    ]
    first = opened(files[0], held_out_files=(files[1],))
    monkeypatch.setattr(tokenizing, "Worker", None)
    monkeypatch.setattr(tokenizing, "HfTokenizer", None)

    again = opened(files[0], held_out_files=(files[1],), longest=300, weights=(2.0,))

    assert again.train.tokens.folder == first.train.tokens.folder
    assert len(again.held_out) == 5


def test_the_report_describes_both_sides(opened: Opened) -> None:
    words = " ".join(f"word{at}" for at in range(40))
    train = write(
        opened.folder / "a.jsonl", {"text": words}, {"text": words}, {"text": "short"}, {"text": ""}
    )
    apart = write(opened.folder / "b.jsonl", {"text": words.replace("word39", "end")}, {"text": "other"})

    found = report(opened(train, held_out_files=(apart,), weights=(2.0,), longest=50), (2.0,))

    assert (found.rows, found.bad, found.held_out, found.same_rows) == (5, 1, 2, 1)
    assert [(each.name, each.rows, each.weight, each.held_out) for each in found.files] == [
        ("a.jsonl", 3, 2.0, False),
        ("b.jsonl", 2, 1.0, True),
    ]
    assert found.files[0].layout.fields == {"text": "text"}
    assert (found.alike_rows, found.alike_across) == (1, 2)
    assert (found.alike[0].file, found.alike[0].other_file, found.alike[0].other_line) == (
        "a.jsonl",
        "b.jsonl",
        1,
    )
    assert found.cut_rows == len(found.long_rows) == 3
    assert found.train.rows == 3
    # Two rows that are cut and a short one, twice an epoch; the first token of each is not learned.
    assert (found.train.tokens, found.train.learned) == (2 * (50 + 50 + 3), 2 * (49 + 49 + 2))
    assert sum(found.histogram) == 5
    assert found.bad_rows[0].line == 4
    assert found.refused == ()


def test_a_share_to_measure_on_is_what_a_training_holds_out(opened: Opened, tiny_hf: Path) -> None:
    rows = write(opened.folder / "a.jsonl", *texts(*range(60)), {"text": "x"})
    recipe = Recipe(files=(rows,), tokenizer=str(tiny_hf))
    cache = opened.folder / "cache"
    held_out = opened(rows, held_out=0.3).held_out

    share, everything = side_of(recipe, cache, share=0.3), side_of(recipe, cache)

    assert share.examples.tolist() == held_out.examples.tolist()
    assert set(range(60)) <= set(everything.examples.tolist())
    with pytest.raises(DataError, match="none is left to measure on"):
        side_of(recipe, cache, share=1e-12)
