"""Which fields of a row are what: found by their names, or said by the person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from workbench.data.errors import BadRowError, DataError
from workbench.data.examples import Chat, Completion, Example, Preference, Text
from workbench.engines.request import Message

#: `chat` has a list of turns; `completion` a prompt and what follows; `instruction` a task, maybe an input,
#: and the output; `preference` two answers to one prompt, the better one named; `text` is learned as it is.
Kind = Literal["chat", "completion", "instruction", "preference", "text"]

#: The parts of each kind, and what they are usually called. The first kind whose parts are all there wins.
_NAMES: dict[Kind, dict[str, tuple[str, ...]]] = {
    "preference": {
        "prompt": ("prompt", "question", "instruction", "input"),
        "chosen": ("chosen",),
        "rejected": ("rejected",),
    },
    "chat": {"messages": ("messages", "conversations", "conversation", "turns", "dialog")},
    "instruction": {
        "instruction": ("instruction",),
        "input": ("input", "context"),
        "output": ("output", "response", "answer"),
    },
    "completion": {
        "prompt": ("prompt", "question", "query", "input"),
        "completion": ("completion", "response", "answer", "output", "target"),
    },
    "text": {"text": ("text", "content", "document")},
}
_OPTIONAL = {("instruction", "input"), ("preference", "prompt")}
_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}


class Layout(Struct, frozen=True, kw_only=True):
    """What the rows of a dataset are.

    Attributes:
        kind: See `Kind`.
        fields: For each part of the kind, the field that holds it.
    """

    kind: Kind
    fields: dict[str, str]


def parts_of(kind: Kind) -> tuple[str, ...]:
    """The parts that a kind has.

    >>> parts_of("completion")
    ('prompt', 'completion')
    """
    return tuple(_NAMES[kind])


def mapped(kind: str, fields: Mapping[str, str]) -> Layout:
    """A layout as the person says it.

    Raises:
        DataError: The kind is unknown, or a part is missing or unknown.
    """
    found = next((each for each in _NAMES if each == kind), None)
    if found is None:
        raise DataError(f"{kind!r} is no kind of dataset.", remedy=f"Use one of {', '.join(_NAMES)}.")
    unknown = set(fields) - set(_NAMES[found])
    missing = [part for part in _NAMES[found] if part not in fields and (found, part) not in _OPTIONAL]
    if unknown or missing:
        wrong = f"has no part {min(unknown)!r}" if unknown else f"needs a field for {missing[0]!r}"
        raise DataError(
            f"A dataset of kind {kind} {wrong}.", remedy=f"Its parts are {', '.join(_NAMES[found])}."
        )
    return Layout(kind=found, fields=dict(fields))


def detect(rows: Sequence[Mapping[str, Any]]) -> Layout:
    """The layout that fits the first rows, by the names of their fields.

    Raises:
        DataError: None does.
    """
    names = set[str]().union(*rows) if rows else set()
    for kind, parts in _NAMES.items():
        fields: dict[str, str] = {}
        for part, usual in parts.items():
            name = next((each for each in usual if each in names and each not in fields.values()), None)
            if name is not None:
                fields[part] = name
        if all(part in fields or (kind, part) in _OPTIONAL for part in parts):
            return Layout(kind=kind, fields=fields)
    there = ", ".join(sorted(map(str, names))[:12]) or "none"
    raise DataError(
        f"What the rows are can't be told from their fields ({there}).",
        remedy="Say it: the kind, and which field is which part, for example kind completion with"
        " prompt=FIELD and completion=FIELD.",
    )


def example_of(values: Mapping[str, Any], layout: Layout) -> Example:
    """What a row teaches.

    Raises:
        BadRowError: A part is missing, empty or of another type.
    """
    fields = layout.fields
    if layout.kind == "chat":
        return Chat(messages=_turns(values, fields["messages"]))
    if layout.kind == "text":
        return Text(text=_string(values, fields["text"]))
    if layout.kind == "completion":
        return Completion(
            prompt=_string(values, fields["prompt"]), completion=_string(values, fields["completion"])
        )
    if layout.kind == "instruction":
        task = _string(values, fields["instruction"])
        more = values.get(fields.get("input", ""))
        if isinstance(more, str) and more.strip():
            task = f"{task}\n\n{more}"
        return Completion(prompt=task, completion=_string(values, fields["output"]))
    return _preference(values, fields)


def _preference(values: Mapping[str, Any], fields: Mapping[str, str]) -> Preference:
    prompt = values.get(fields.get("prompt", ""))
    chosen, rejected = values.get(fields["chosen"]), values.get(fields["rejected"])
    if isinstance(chosen, list) and isinstance(rejected, list):
        # Both are whole conversations: what they share is the prompt.
        better, worse = _turns(values, fields["chosen"]), _turns(values, fields["rejected"])
        if better[:-1] != worse[:-1]:
            raise BadRowError("The two conversations differ before their last turn.")
        found = Preference(messages=better[:-1], chosen=better[-1].content, rejected=worse[-1].content)
    else:
        if prompt is None:
            raise BadRowError("The row has no prompt.")
        messages = (
            _turns(values, fields["prompt"], answered=False)
            if isinstance(prompt, list)
            else (Message(role="user", content=_string(values, fields["prompt"])),)
        )
        found = Preference(
            messages=messages,
            chosen=_string(values, fields["chosen"]),
            rejected=_string(values, fields["rejected"]),
        )
    if found.chosen == found.rejected:
        raise BadRowError("Both answers are the same: there is nothing to prefer.")
    return found


def _turns(values: Mapping[str, Any], field: str, *, answered: bool = True) -> tuple[Message, ...]:
    given = values.get(field)
    if not isinstance(given, list) or not given:
        raise BadRowError(
            f"{field!r} is not a list of turns." if field in values else f"{field!r} is missing."
        )
    turns = []
    for each in given:
        if not isinstance(each, Mapping):
            raise BadRowError("A turn is not an object with role and content.")
        role = each.get("role", each.get("from"))
        content = each.get("content", each.get("value"))
        if not isinstance(role, str) or not isinstance(content, str):
            raise BadRowError("Every turn needs a role and a content, both text.")
        if not content.strip():
            raise BadRowError(f"The turn of {role!r} is empty.")
        turns.append(Message(role=_ROLES.get(role, role), content=content))
    if answered and turns[-1].role != "assistant":
        raise BadRowError("The conversation does not end with the assistant: there is nothing to learn.")
    return tuple(turns)


def _string(values: Mapping[str, Any], field: str) -> str:
    value = values.get(field)
    if value is None:
        raise BadRowError(f"{field!r} is missing.")
    if not isinstance(value, str):
        raise BadRowError(f"{field!r} is not text but {type(value).__name__}.")
    if not value.strip():
        raise BadRowError(f"{field!r} is empty.")
    return value
