"""Questions with choices, read from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import WorkbenchError
from workbench.measure.questions import Question, read_questions


def test_questions_are_lines_of_json(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"prompt": "Ice is", "choices": ["hot", "cold"], "answer": 1}\n\n', encoding="utf-8")

    assert read_questions(path) == (Question(prompt="Ice is", choices=("hot", "cold"), answer=1),)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no json", "line 2 is no question"),
        ('{"prompt": "Ice is", "answer": 1}', "line 2 is no question"),
        ('{"prompt": "Ice is", "choices": ["hot", "cold"], "answer": 2}', "line 2: the answer is none"),
        ('{"prompt": "Ice is", "choices": ["cold"], "answer": 0}', "line 2: the answer is none"),
    ],
)
def test_what_is_no_question_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "items.jsonl"
    good = '{"prompt": "Ice is", "choices": ["hot", "cold"], "answer": 1}'
    path.write_text(f"{good}\n{line}\n", encoding="utf-8")

    with pytest.raises(WorkbenchError, match=said):
        read_questions(path)
