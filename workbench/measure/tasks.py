"""Asks models sets of questions, with choices or with an expected answer, and compares how they did.

A set is a file of rows: JSONL, or a table such as CSV. Fields of a row:

| field | what it holds |
| --- | --- |
| `prompt` (or `question`) | the text that the model is given |
| `answer` | the right choice: its text, its number from 0, or its letter; without choices, the answer |
| `choices` | a list of two to 26 texts (JSONL); a table has a column for each: `choice 1`, `choice 2`, … |

With choices the model is asked by likelihood: its answer is the choice that it finds likeliest after the
prompt and a space. Without them it writes an answer, greedily and up to the end of the line, in its chat
template where it has one, and what it wrote has to be the expected answer but for white space and punctuation
at its end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from workbench.assets import EVALUATION_ITEMS
from workbench.data.reading import read_rows
from workbench.engines.base import Continued, Engine, Tokenizer
from workbench.engines.errors import EngineError
from workbench.engines.request import GREEDY, AdapterUse, Message, Request
from workbench.engines.rows_in_use import common_prefix
from workbench.engines.wire import Failed, Finished
from workbench.errors import WorkbenchError
from workbench.measure.card import Task
from workbench.measure.exact_match import exact_match
from workbench.measure.paired import paired
from workbench.measure.questions import Question
from workbench.measure.verdict import verdict

#: What the set that ships with Tenfold is called.
OWN_ITEMS = "Tenfold's own questions"

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: More items say little more, and take hours.
_MOST_ITEMS = 20_000
#: Bad rows that an error names.
_NAMED = 5
#: Tokens beyond those of the expected answer: a model may write it with others, and end with a full stop.
_MORE_TOKENS = 8
_HASHED = 1 << 20

Progress = Callable[[int, int], None]


class TaskError(WorkbenchError):
    """A set of questions can't be used as it is."""

    kind = "task"


class Expected(Struct, frozen=True, kw_only=True):
    """A prompt, and what the model has to write."""

    prompt: str
    answer: str


class TaskSet(Struct, frozen=True, kw_only=True):
    """A set of questions; they have choices, or none of them has.

    Attributes:
        name: What a card calls it.
        sha256: Of its file.
        questions: Those with choices.
        expected: Those without.
    """

    name: str
    sha256: str
    questions: tuple[Question, ...] = ()
    expected: tuple[Expected, ...] = ()

    @property
    def scoring(self) -> Literal["likelihood", "generation"]:
        return "likelihood" if self.questions else "generation"

    @property
    def items(self) -> int:
        return len(self.questions) + len(self.expected)


def read_task(path: Path, name: str = "") -> TaskSet:
    """Read a set of questions.

    Args:
        name: The file's own unless given.

    Raises:
        TaskError: Rows are no questions (the message names the first), there are none or too many, or some
            have choices and some have not.
        DataError: The file is missing, can't be read, or is of another kind.
    """
    questions: list[Question] = []
    expected: list[Expected] = []
    bad: list[str] = []
    for row in read_rows(path):
        if len(questions) + len(expected) + len(bad) >= _MOST_ITEMS:
            raise TaskError(
                f"{path.name} has more than {_MOST_ITEMS:,} questions.", remedy="Take a part of them."
            )
        try:
            item = _item(row.values) if row.values is not None else row.problem
        except ValueError as error:
            item = str(error)
        if isinstance(item, Question):
            questions.append(item)
        elif isinstance(item, Expected):
            expected.append(item)
        else:
            bad.append(f"line {row.line}: {item}")
    _check(path, questions, expected, bad)
    own = OWN_ITEMS if path == EVALUATION_ITEMS else path.stem
    return TaskSet(
        name=name or own, sha256=_sha256(path), questions=tuple(questions), expected=tuple(expected)
    )


def answers(
    engine: Engine,
    task: TaskSet,
    progress: Progress = lambda _done, _total: None,
    *,
    adapters: tuple[AdapterUse, ...] = (),
) -> list[bool]:
    """Which items a model answers rightly, in their order.

    Args:
        engine: A loaded model with nothing under way.
        progress: Called now and then with the items done and their number; what it raises ends the work.
        adapters: Switched on for it.

    Raises:
        ContextFullError: An item is longer than the context.
        EngineError: An answer could not be computed.
    """
    if task.questions:
        asked = [_continued(engine.tokenizer, each) for each in task.questions]
        found = engine.likelihoods(asked, adapters, progress)
        return [
            likelihoods.index(max(likelihoods)) == each.answer
            for likelihoods, each in zip(found, task.questions, strict=True)
        ]
    written = _written(engine, task.expected, progress, adapters)
    return [
        exact_match(text, each.answer, final_punctuation=False)
        for text, each in zip(written, task.expected, strict=True)
    ]


def compared(task: TaskSet, before: Sequence[bool], after: Sequence[bool]) -> Task:
    """What a set showed of two models, from which items each answered rightly."""
    found = paired(before, after)
    return Task(
        name=task.name,
        scoring=task.scoring,
        items=found.items,
        both=found.both,
        only_before=found.only_before,
        only_after=found.only_after,
        p=found.p,
        verdict=verdict(found),
        sha256=task.sha256,
    )


def _item(values: Mapping[str, Any]) -> Question | Expected:
    """What a row asks.

    Raises:
        ValueError: It is no question; the message says why.
    """
    prompt = values.get("prompt", values.get("question"))
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("it has no text in the field prompt or question.")
    answer = values.get("answer")
    if isinstance(answer, bool) or not isinstance(answer, str | int) or not str(answer).strip():
        raise ValueError("it has no text and no number in the field answer.")
    choices = _choices(values)
    if not choices:
        return Expected(prompt=prompt, answer=str(answer))
    if not 2 <= len(choices) <= len(_LETTERS):
        raise ValueError(f"it has {len(choices)} choices; from 2 to {len(_LETTERS)} can be asked.")
    if len(set(choices)) < len(choices):
        raise ValueError("two of its choices are the same.")
    return Question(prompt=prompt, choices=choices, answer=_place(answer, choices))


def _choices(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The list, or what stands in columns that are called choice; empty cells are none."""
    listed = values.get("choices")
    if listed is None:
        columns = [value for name, value in values.items() if name.strip().lower().startswith("choice")]
        return tuple(str(each) for each in columns if each is not None and str(each).strip())
    if not isinstance(listed, list) or not all(isinstance(each, str) and each.strip() for each in listed):
        raise ValueError("the field choices is no list of texts.")
    return tuple(listed)


def _place(answer: str | int, choices: tuple[str, ...]) -> int:
    """Which choice an answer means; a table has text alone, so a number may be one there too."""
    if isinstance(answer, str):
        text = answer.strip()
        if text in choices:
            return choices.index(text)
        if len(text) == 1 and text.upper() in _LETTERS[: len(choices)]:
            return _LETTERS.index(text.upper())
        answer = int(text) if text.isdecimal() else -1
    if not 0 <= answer < len(choices):
        raise ValueError("its answer is none of its choices.")
    return answer


def _check(
    path: Path, questions: Sequence[Question], expected: Sequence[Expected], bad: Sequence[str]
) -> None:
    if bad:
        rest = f" and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""
        raise TaskError(
            f"{path.name} has rows that are no questions: {' '.join(bad[:_NAMED])}{rest}".rstrip(),
            remedy="Correct or remove them: a score must not depend on what was left out.",
        )
    if not questions and not expected:
        raise TaskError(f"{path.name} has no questions.", remedy="Choose a file that has some.")
    if questions and expected:
        raise TaskError(
            f"In {path.name} {len(questions):,} questions have choices and {len(expected):,} have none.",
            remedy="Make two files of them.",
        )


def _continued(tokenizer: Tokenizer, question: Question) -> Continued:
    """A question as tokens.

    Each choice is tokenized together with the prompt, as a tokenizer may join the space to what follows or
    write it by itself; what all have in common with the prompt is the beginning.
    """
    before = tokenizer.encode(question.prompt, begin=True)
    whole = [tokenizer.encode(f"{question.prompt} {choice}", begin=True) for choice in question.choices]
    shared = min(min(common_prefix(before, each), len(each) - 1) for each in whole)
    endings = tuple(tuple(each[shared:]) for each in whole)
    if shared == 0:
        # Nothing stands before the first token: the model is told that a text begins, as at its training.
        return Continued(beginning=(min(tokenizer.end_tokens, default=0),), endings=endings)
    return Continued(beginning=tuple(before[:shared]), endings=endings)


def _written(
    engine: Engine, asked: Sequence[Expected], progress: Progress, adapters: tuple[AdapterUse, ...]
) -> list[str]:
    """What a model answers, in the order of the prompts."""
    for number, each in enumerate(asked):
        engine.add(_request(engine, str(number), each, adapters))
    found: dict[str, str] = {}
    try:
        while engine.active or engine.waiting:
            for event in engine.step():
                if isinstance(event, Failed):
                    raise EngineError(
                        event.error.message, remedy=event.error.remedy, details=event.error.details
                    )
                if isinstance(event, Finished):
                    found[event.id] = event.text
                    progress(len(found), len(asked))
    except BaseException:
        for number in range(len(asked)):
            engine.cancel(str(number))
        raise
    return [found[str(number)] for number in range(len(asked))]


def _request(engine: Engine, id: str, asked: Expected, adapters: tuple[AdapterUse, ...]) -> Request:
    tokens = len(engine.tokenizer.encode(asked.answer, begin=False)) + _MORE_TOKENS
    # What stands on later lines explains the answer and is no part of it.
    stop = () if "\n" in asked.answer.strip() else ("\n",)
    sampling = msgspec.structs.replace(GREEDY, max_tokens=tokens, stop=stop)
    if engine.report.has_template:
        turn = Message(role="user", content=asked.prompt)
        return Request(id=id, messages=(turn,), sampling=sampling, adapters=adapters)
    return Request(id=id, prompt=asked.prompt, sampling=sampling, adapters=adapters)


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_HASHED):
            found.update(piece)
    return found.hexdigest()
