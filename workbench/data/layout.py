"""Which fields of a row are what: found by their names, or said by the person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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
        fields: For each part of the kind, the field that holds it; `completed` finds what is not named.
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
    """A layout as the person says it; parts that are not named go by their usual names.

    Raises:
        DataError: The kind or a part is unknown.
    """
    found = next((each for each in _NAMES if each == kind), None)
    if found is None:
        raise DataError(f"{kind!r} is no kind of dataset.", remedy=f"Use one of {', '.join(_NAMES)}.")
    unknown = set(fields) - set(_NAMES[found])
    if unknown:
        raise DataError(
            f"A dataset of kind {kind} has no part {min(unknown)!r}.",
            remedy=f"Its parts are {', '.join(_NAMES[found])}.",
        )
    return Layout(kind=found, fields=dict(fields))


def said(kind: str, fields: Mapping[str, str]) -> Layout | None:
    """The layout of an operation's parameters `layout` and `fields`; None for `auto`, which is to be told.

    Raises:
        DataError: The kind or a part is unknown, or fields are named for no kind.
    """
    if kind != "auto":
        return mapped(kind, fields)
    if fields:
        raise DataError(
            "Fields are mapped, but it is not said what the rows are.",
            remedy=f"Say the kind too: one of {', '.join(_NAMES)}.",
        )
    return None


def detect(rows: Iterable[Mapping[str, Any]]) -> Layout:
    """The layout that fits rows, by the names of their fields.

    Raises:
        DataError: None does.
    """
    names = _names_of(rows)
    for kind in _NAMES:
        fields = _fields(kind, {}, names)
        if not _missing(kind, fields):
            return Layout(kind=kind, fields=fields)
    raise DataError(
        f"What the rows are can't be told from their fields ({_listed(names)}).",
        remedy="Say it: the kind, and which field is which part, for example kind completion with"
        " prompt=FIELD and completion=FIELD.",
    )


def completed(layout: Layout, rows: Iterable[Mapping[str, Any]]) -> Layout:
    """A layout as it was said, with the parts that were not named found by their usual names in the rows.

    Raises:
        DataError: A part that is needed is not there.
    """
    names = _names_of(rows)
    fields = _fields(layout.kind, layout.fields, names)
    missing = _missing(layout.kind, fields)
    if missing:
        raise DataError(
            f"A dataset of kind {layout.kind} needs a field for {missing[0]!r}; there are {_listed(names)}.",
            remedy=f"Say which one it is: {missing[0]}=FIELD.",
        )
    return Layout(kind=layout.kind, fields=fields)


def _names_of(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    return {name for row in rows for name in row}


def _fields(kind: Kind, given: Mapping[str, str], names: set[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for part, usual in _NAMES[kind].items():
        taken = {*fields.values(), *given.values()}
        name = given.get(part) or next((each for each in usual if each in names and each not in taken), None)
        if name is not None:
            fields[part] = name
    return fields


def _missing(kind: Kind, fields: Mapping[str, str]) -> list[str]:
    return [part for part in _NAMES[kind] if part not in fields and (kind, part) not in _OPTIONAL]


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(map(printable, names))[:12]) or "none"


def printable(text: str) -> str:
    """A text of a file as every output takes it: without halves of characters."""
    return text.encode("utf-8", "replace").decode()


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
        if more is not None and not isinstance(more, str):
            raise BadRowError(f"{fields['input']!r} is not text but {type(more).__name__}.")
        if more and more.strip():
            task = f"{task}\n\n{_whole(more, fields['input'])}"
        return Completion(prompt=task, completion=_string(values, fields["output"]))
    return _preference(values, fields)


def _preference(values: Mapping[str, Any], fields: Mapping[str, str]) -> Preference:
    prompt = values.get(fields.get("prompt", ""))
    chosen, rejected = (_listed_turns(values.get(fields[part])) for part in ("chosen", "rejected"))
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
    given = _listed_turns(values.get(field))
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
        turns.append(Message(role=_ROLES.get(role, _whole(role, "role")), content=_whole(content, "content")))
    if answered and turns[-1].role != "assistant":
        raise BadRowError("The conversation does not end with the assistant: there is nothing to learn.")
    return tuple(turns)


def _listed_turns(value: Any) -> Any:
    """In a table, a list of turns stands as its JSON text; an answer may begin with a bracket, too."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    is_turns = isinstance(found, list) and found and all(isinstance(each, dict) for each in found)
    return found if is_turns else value


def _string(values: Mapping[str, Any], field: str) -> str:
    value = values.get(field)
    if value is None:
        raise BadRowError(f"{field!r} is missing.")
    if not isinstance(value, str):
        raise BadRowError(f"{field!r} is not text but {type(value).__name__}.")
    if not value.strip():
        raise BadRowError(f"{field!r} is empty.")
    return _whole(value, field)


def _whole(text: str, field: str) -> str:
    """A text, made sure to be one: JSON can escape half of a character, which no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRowError(f"{field!r} holds half of a character, so it is not valid Unicode.") from None
    return text
