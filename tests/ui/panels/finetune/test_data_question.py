"""Questions about data, answered by real child processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from ui.panels.finetune.data_answer import DataAnswer, FieldsAnswer
from ui.panels.finetune.data_choice import DataChoice
from ui.panels.finetune.data_question import DataQuestion
from workbench.errors import WorkbenchError
from workbench.home import Home
from workbench.session import Session

Asked = Callable[[DataChoice], DataAnswer]


@pytest.fixture
def question(home: Home, tiny_hf: Path) -> DataQuestion:
    with Session.open(home, supervise=False) as session:
        session.library.add(tiny_hf)
    return DataQuestion(home.root)


@pytest.fixture
def choice(tmp_path: Path) -> DataChoice:
    file = tmp_path / "rows.jsonl"
    rows = [{"prompt": f"Number {n}?", "completion": "long " * (100 if n == 0 else 3)} for n in range(20)]
    file.write_text("\n".join(map(json.dumps, rows)))
    return DataChoice().with_files([file])


def _answer(question: DataQuestion, choice: DataChoice, qtbot: QtBot) -> DataAnswer:
    with qtbot.waitSignal(question.answered, timeout=60_000) as answered:
        question.ask(choice, "tiny-hf")
    found = answered.args[0]
    assert isinstance(found, DataAnswer)
    return found


def test_another_cut_off_is_answered_without_reading_the_examples_anew(
    question: DataQuestion, choice: DataChoice, qtbot: QtBot
) -> None:
    whole = _answer(question, choice, qtbot)

    short = _answer(question, replace(choice, max_tokens=64), qtbot)

    assert "--preview" in question._words
    assert question._words[question._words.index("--preview") + 1] == "0"
    assert (whole.cut_rows, short.cut_rows) == (0, 1)
    assert [each.line for each in short.preview] == [each.line for each in whole.preview]
    tokens = short.preview[0].sequences[0]
    assert [token.cut for token in tokens] == [place >= 64 for place in range(len(tokens))]
    assert not any(token.cut for token in whole.preview[0].sequences[0])


def test_the_newest_question_alone_is_answered(
    question: DataQuestion, choice: DataChoice, qtbot: QtBot
) -> None:
    answers: list[DataAnswer] = []
    question.answered.connect(answers.append)

    question.ask(choice, "tiny-hf")
    qtbot.waitUntil(lambda: question._inspect.is_running, timeout=60_000)
    question.ask(replace(choice, max_tokens=32), "tiny-hf")
    qtbot.waitUntil(lambda: not question.is_asking, timeout=60_000)

    assert [each.limit for each in answers] == [32]


def test_what_is_wrong_is_told_and_the_fields_can_be_asked_for(
    question: DataQuestion, tmp_path: Path, qtbot: QtBot
) -> None:
    file = tmp_path / "odd.csv"
    file.write_text("q,a\nWhat?,That.\n")
    choice = DataChoice().with_files([file])

    with qtbot.waitSignal(question.failed, timeout=60_000) as failed:
        question.ask(choice, "tiny-hf")
    with qtbot.waitSignal(question.fields_found, timeout=60_000) as found:
        question.ask_fields(choice)

    error, fields = failed.args[0], found.args[0]
    assert isinstance(error, WorkbenchError)
    assert error.remedy
    assert isinstance(fields, FieldsAnswer)
    assert fields.files[0].fields == {"q": "What?", "a": "That."}


def test_without_files_nothing_is_asked(question: DataQuestion) -> None:
    question.ask(DataChoice(), "tiny-hf")

    assert not question.is_asking
