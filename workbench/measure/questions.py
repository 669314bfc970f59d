"""Questions with choices, as a model is asked them by likelihood."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from workbench.errors import WorkbenchError


class Question(Struct, frozen=True, kw_only=True):
    """A beginning, and some ways to go on.

    Attributes:
        prompt: What stands before.
        choices: What may follow it, after a space.
        answer: Which of them is right, from 0.
    """

    prompt: str
    choices: tuple[str, ...]
    answer: int


def read_questions(path: Path) -> tuple[Question, ...]:
    """Read questions from lines of JSON.

    Raises:
        WorkbenchError: A line is no question, or its answer is none of its choices.
    """
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            question = msgspec.json.decode(line, type=Question)
        except msgspec.MsgspecError as error:
            raise WorkbenchError(f"{path.name} line {number} is no question: {error}.") from error
        if not 0 <= question.answer < len(question.choices) or len(question.choices) < 2:
            raise WorkbenchError(f"{path.name} line {number}: the answer is none of several choices.")
        found.append(question)
    return tuple(found)
