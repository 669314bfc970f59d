from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from workbench.assets import EVALUATION_ITEMS, GENERAL_ITEMS
from workbench.data.errors import DataError
from workbench.measure.paired import Paired
from workbench.measure.questions import Question, read_questions
from workbench.measure.tasks import (
    OWN_ITEMS,
    Expected,
    TaskError,
    TaskSet,
    answers,
    compared,
    read_task,
)


def written(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in rows))
    return path


@pytest.mark.parametrize(("path", "name"), [(EVALUATION_ITEMS, OWN_ITEMS), (GENERAL_ITEMS, "general-items")])
def test_sets_that_ship_with_tenfold_are_read(path: Path, name: str) -> None:
    task = read_task(path)

    assert task.questions == read_questions(path)
    assert (task.name, task.scoring, task.items) == (name, "likelihood", len(task.questions))
    assert task.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("answer", ["Rome", 1, "b", "B", "1"])
def test_right_choice_is_named_by_text_number_or_letter(tmp_path: Path, answer: str | int) -> None:
    row = {"question": "Capital of Italy?", "choices": ["Paris", "Rome", "Bonn"], "answer": answer}

    task = read_task(written(tmp_path / "set.jsonl", [row]))

    expected = Question(prompt="Capital of Italy?", choices=("Paris", "Rome", "Bonn"), answer=1)
    assert task.questions == (expected,)


def test_choices_that_are_numbers_are_found_by_their_text_first(tmp_path: Path) -> None:
    row = {"prompt": "1 + 1 =", "choices": ["1", "2", "0"], "answer": "0"}

    assert read_task(written(tmp_path / "set.jsonl", [row])).questions[0].answer == 2


def test_table_has_a_column_for_each_choice(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt", "answer", "Choice 1", "Choice 2", "Choice 3"])
        writer.writerow(["The sky is", "blue", "green", "blue", ""])
        writer.writerow(["Snow is", "2", "red", "black", "white"])

    task = read_task(path)

    assert [(each.choices, each.answer) for each in task.questions] == [
        (("green", "blue"), 1),
        (("red", "black", "white"), 2),
    ]


def test_rows_without_choices_are_answered_in_writing(tmp_path: Path) -> None:
    rows = [{"prompt": "2 + 2", "answer": 4}, {"prompt": "Name a colour.", "answer": "red"}]

    task = read_task(written(tmp_path / "set.jsonl", rows))

    assert task.scoring == "generation"
    assert task.expected == (
        Expected(prompt="2 + 2", answer="4"),
        Expected(prompt="Name a colour.", answer="red"),
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", "line 2"),
        ({"answer": "a"}, "field prompt"),
        ({"prompt": "a", "answer": True}, "field answer"),
        ({"prompt": "a"}, "field answer"),
        ({"prompt": "a", "choices": ["x", "y"], "answer": 2}, "none of its choices"),
        ({"prompt": "a", "choices": ["x", "y"], "answer": "z"}, "none of its choices"),
        ({"prompt": "a", "choices": ["x", "y"], "answer": "²"}, "none of its choices"),
        ({"prompt": "a", "choices": ["x", "x"], "answer": 0}, "the same"),
        ({"prompt": "a", "choices": ["x"], "answer": 0}, "1 choices"),
        ({"prompt": "a", "choices": ["x"] * 27, "answer": 0}, "27 choices"),
        ({"prompt": "a", "choices": "xy", "answer": 0}, "no list of texts"),
        ({"prompt": "a", "choices": ["x", 3], "answer": 0}, "no list of texts"),
    ],
)
def test_bad_row_is_named_with_its_line(tmp_path: Path, row: Any, reason: str) -> None:
    good = {"prompt": "a", "choices": ["x", "y"], "answer": 0}

    with pytest.raises(TaskError, match="line 2: ") as caught:
        read_task(written(tmp_path / "set.jsonl", [good, row]))

    assert reason in caught.value.message
    assert caught.value.remedy


def test_many_bad_rows_make_a_short_message(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="and 95 more") as caught:
        read_task(written(tmp_path / "set.jsonl", [{"prompt": "x" * 1000}] * 100))

    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no questions"),
        (
            [{"prompt": "a", "choices": ["x", "y"], "answer": 0}, {"prompt": "b", "answer": "c"}],
            "1 have none",
        ),
    ],
)
def test_set_is_of_one_kind_and_not_empty(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        read_task(written(tmp_path / "set.jsonl", rows))


def test_missing_file_and_binary_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_task(tmp_path / "none.jsonl")
    (tmp_path / "bytes.jsonl").write_bytes(bytes(range(256)) * 10)
    with pytest.raises(TaskError):
        read_task(tmp_path / "bytes.jsonl")


def test_set_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.measure.tasks._MOST_ITEMS", 3)

    with pytest.raises(TaskError, match="more than 3 questions"):
        read_task(written(tmp_path / "set.jsonl", [{"prompt": "a", "answer": "b"}] * 4))


def test_sample_model_knows_what_everybody_knows(sample_gguf: Path, load: Any) -> None:
    engine = load(sample_gguf, parallel=4, context=256)
    task = read_task(GENERAL_ITEMS)
    easy = TaskSet(name="easy", sha256="", questions=task.questions[:8])
    seen: list[tuple[int, int]] = []

    found = answers(engine, easy, lambda done, total: seen.append((done, total)))

    assert sum(found) >= 7
    assert seen[-1] == (8, 8)


def test_sample_model_writes_what_is_expected(sample_gguf: Path, load: Any) -> None:
    engine = load(sample_gguf, parallel=2, context=256)
    asked = (
        Expected(
            prompt="What is the capital of France? Answer with one sentence.",
            answer="The capital of France is Paris",
        ),
        Expected(prompt="What is the capital of France?", answer="Madrid"),
        Expected(prompt="Say hello.", answer="no model writes this"),
    )

    found = answers(engine, TaskSet(name="own", sha256="", expected=asked))

    assert found == [True, False, False]
    assert engine.active == engine.waiting == 0


def test_measurement_that_is_stopped_leaves_the_engine_free(tiny_gguf: Path, load: Any) -> None:
    engine = load(tiny_gguf)
    asked = tuple(Expected(prompt=f"Number {number}", answer="x") for number in range(4))

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answers(engine, TaskSet(name="own", sha256="", expected=asked), stop)

    assert engine.active == engine.waiting == 0


def test_comparison_says_what_was_shown() -> None:
    task = TaskSet(
        name="own", sha256="ab", questions=(Question(prompt="a", choices=("x", "y"), answer=0),) * 12
    )

    found = compared(task, [True] * 12, [False] * 9 + [True] * 3)

    counted = Paired(both=3, only_before=9, only_after=0, neither=0)
    assert (found.items, found.both, found.only_before, found.only_after) == (12, 3, 9, 0)
    assert found.p == counted.p
    assert found.verdict == "worse, p = 0.0039"
    assert (found.name, found.scoring, found.sha256) == ("own", "likelihood", "ab")
