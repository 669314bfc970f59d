"""Checks that a parameter is the same thing in the form, on the command line and in `job.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from workbench.catalogue_entry import OperationEntry
from workbench.errors import WorkbenchError
from workbench.jobs.arguments import parse
from workbench.jobs.script import render, without_folder
from workbench.jobs.spec import JobSpec
from workbench.params import FieldSpec, joined_paths, validate


def faults(entry: OperationEntry, given: Mapping[str, Any]) -> list[str]:
    """What goes wrong on the way of each parameter, in sentences; empty where nothing does.

    Args:
        given: Values that make a whole set, with all that must be given.
    """
    found = [
        f"“{field.name}” says nothing of what it does." for field in entry.fields if not field.help.strip()
    ]
    again = OperationEntry.model_validate_json(entry.model_dump_json())
    if again != entry:
        found.append("What it declares is another thing after it was written down and read.")
    base = validate(entry.fields, given)
    for values in _sets(entry, base):
        found += _on_the_way(again, values)
    return list(dict.fromkeys(found))


def tried(entry: OperationEntry, base: Mapping[str, Any]) -> int:
    """How many sets of values `faults` sends on the way."""
    return sum(1 for _ in _sets(entry, base))


def _sets(entry: OperationEntry, base: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The given values, and for each parameter some that differ from them in it alone."""
    yield dict(base)
    for field in entry.fields:
        for value in _others(field, base[field.name]):
            yield {**base, field.name: value}


def _others(field: FieldSpec, value: Any) -> list[Any]:
    """Values that a form lets a person choose."""
    match field.kind:
        case "bool":
            values: list[Any] = [True, False]
        case "choice":
            values = [choice.value for choice in field.choices]
        case "int":
            values = [int(limit) for limit in (field.ge, field.le) if limit is not None]
        case "float":
            values = [float(limit) for limit in (field.ge, field.le) if limit is not None]
        case "text":
            values = [choice.value for choice in field.choices] or ["two words, “quoted” ' \" = \\ %s {x}"]
        case "mapping":
            values = [{"name": "value", "other": "1"}]
        case "list":
            values = [["one", "two words"]]
        case "path" | "paths":
            values = []  # those that are given: others may not exist
    if field.search is not None:
        values += list(field.search.values)
    if field.optional:
        values.append(None)
    return [each for each in values if each != value]


def _on_the_way(entry: OperationEntry, values: dict[str, Any]) -> list[str]:
    try:
        chosen = validate(entry.fields, values)
        flags = _parsed(entry, _as_flags(entry, chosen))
        pairs = validate(entry.fields, {name: _as_text(value) for name, value in chosen.items()})
        scripted = validate(entry.fields, _of_script(entry, chosen))
        entry.result_label(chosen)
        entry.result_origin(chosen)
    except (WorkbenchError, SystemExit, KeyError, ValueError, IndexError) as error:
        return [f"Values that a form allows are refused on the way: {error} ({_told(entry, values)})"]
    bare = {name: without_folder(value) for name, value in chosen.items()}
    ways = (("--set", pairs, chosen), ("flags", flags, chosen), ("job.py", scripted, bare))
    return [
        f"“{name}” is {got[name]!r} by way of {way}, and {wanted[name]!r} in the form."
        for way, got, wanted in ways
        for name in wanted
        if got[name] != wanted[name]
    ]


def _as_text(value: Any) -> str:
    """A value as a command line states it."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, list):
        return joined_paths(value) if _holds_paths(value) else ",".join(value)
    return str(value)


def _holds_paths(value: list[str]) -> bool:
    return any("," in each or "/" in each or "\\" in each for each in value)


def _as_flags(entry: OperationEntry, values: Mapping[str, Any]) -> list[str]:
    words = []
    for field in entry.fields:
        value = values[field.name]
        if field.kind == "bool" and value is not None:
            words.append(field.flag if value else field.flag.replace("--", "--no-", 1))
        else:
            words.append(f"{field.flag}={_as_text(value)}")
    return words


def _parsed(entry: OperationEntry, words: list[str]) -> dict[str, Any]:
    arguments = parse(
        words,
        description=entry.summary,
        fields=entry.fields,
        defaults={},
        takes_model=entry.input is not None,
    )
    return validate(entry.fields, arguments.values)


def _of_script(entry: OperationEntry, values: dict[str, Any]) -> dict[str, Any]:
    """The values that the text of a `job.py` states, read without running it."""
    spec = JobSpec(
        operation=entry.name, plugin=entry.plugin, title=entry.title, params=values, output_name="result"
    )
    for statement in ast.parse(render(spec)).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "PARAMS":
            found: dict[str, Any] = ast.literal_eval(statement.value)
            return found
    raise ValueError("the script states no parameters")


def _told(entry: OperationEntry, values: Mapping[str, Any]) -> str:
    differing = {
        field.name: values[field.name] for field in entry.fields if values[field.name] != field.default
    }
    return ", ".join(f"{name}={value!r}" for name, value in differing.items()) or "all defaults"
