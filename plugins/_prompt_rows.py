"""Reads prompts from JSONL and CSV files, a row at a time, and says what is wrong with a bad one."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.plugin import Message, ParameterError

#: A row longer than this is no prompt.
_LONGEST_ROW = 10_000_000


@dataclass(frozen=True, slots=True)
class PromptRow:
    """One row of the file.

    Attributes:
        line: Its number in the file, from 1; a CSV's head is not counted.
        id: What the row calls itself; empty where it does not.
        messages: The conversation; empty where `problem` is set.
        problem: Why the row can't be used; empty where it can.
    """

    line: int
    id: str = ""
    messages: tuple[Message, ...] = field(default=())
    problem: str = ""


def read_prompts(path: Path, *, field_name: str, system: str) -> Iterator[PromptRow]:
    """The rows of a file; blank lines are left out.

    Args:
        path: `.jsonl`, `.ndjson`, `.json` (one object a line) or `.csv`.
        field_name: The field that holds the prompt, where a row has no `messages`.
        system: Put before every conversation that has no system turn; empty for none.

    Raises:
        ParameterError: The file is missing, or of another kind.
    """
    if not path.is_file():
        raise ParameterError("prompts", f"{path} is not a file.")
    readers = {".jsonl": _json_rows, ".ndjson": _json_rows, ".json": _json_rows, ".csv": _csv_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ParameterError("prompts", f"{path.name} is neither .jsonl nor .csv.")
    for line, values, problem in reader(path):
        yield _row(line, values, problem, field_name, system)


_Read = Iterator[tuple[int, Any, str]]


def _json_rows(path: Path) -> _Read:
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            if len(raw) > _LONGEST_ROW:
                yield line, None, "The row is longer than 10 MB."
                continue
            try:
                yield line, json.loads(raw.decode("utf-8-sig")), ""
            except UnicodeDecodeError:
                yield line, None, "The row is not valid UTF-8."
            except (ValueError, RecursionError) as error:
                yield line, None, f"The row is not JSON: {error}"


def _csv_rows(path: Path) -> _Read:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        csv.field_size_limit(_LONGEST_ROW)
        reader = csv.DictReader(file)
        line = 0
        while True:
            line += 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, None, f"The row is not CSV: {error}"
                continue
            yield line, values, ""


def _row(line: int, values: Any, problem: str, field_name: str, system: str) -> PromptRow:
    if problem:
        return PromptRow(line, problem=problem)
    if not isinstance(values, dict):
        return PromptRow(line, problem="The row is not an object.")
    name = str(values.get("id") or "")
    try:
        turns = _turns(values, field_name)
    except ValueError as error:
        return PromptRow(line, id=name, problem=str(error))
    if system and turns[0].role != "system":
        turns = (Message(role="system", content=system), *turns)
    return PromptRow(line, id=name, messages=turns)


def _turns(values: dict[str, Any], field_name: str) -> tuple[Message, ...]:
    given = values.get("messages")
    if given is None:
        prompt = values.get(field_name)
        if not isinstance(prompt, str) or not prompt.strip():
            raise ValueError(f"The row has no text in {field_name!r}, and no messages.")
        return (Message(role="user", content=prompt),)
    if not isinstance(given, list) or not given:
        raise ValueError("messages is not a list of turns.")
    turns = []
    for each in given:
        role = each.get("role") if isinstance(each, dict) else None
        content = each.get("content") if isinstance(each, dict) else None
        if not isinstance(role, str) or not isinstance(content, str):
            raise ValueError("Every turn needs a role and a content, both text.")
        turns.append(Message(role=role, content=content))
    return tuple(turns)
