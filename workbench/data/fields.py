"""Tells what fields a file of examples has, so that a person can say which of them is what."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from workbench.data.errors import DataError
from workbench.data.layout import Layout, detect, printable
from workbench.data.reading import read_rows

_ROWS = 200
#: Characters of a value that are shown.
_SHOWN = 200


class FileFields(Struct, frozen=True, kw_only=True):
    """What the first rows of a file have.

    Attributes:
        name: The file's name.
        fields: The fields in the order in which they come, each with the beginning of its first value.
        layout: What the rows are by their fields; None where `problem` says why that can't be told.
    """

    name: str
    fields: dict[str, str]
    layout: Layout | None
    problem: str = ""


def fields_in(path: Path) -> FileFields:
    """Look at a file's first rows.

    Raises:
        DataError: The file can't be read at all.
    """
    found: dict[str, str] = {}
    problem = ""
    for row in islice(read_rows(path), _ROWS):
        problem = problem or row.problem
        for name, value in (row.values or {}).items():
            if not found.get(printable(name)):
                found[printable(name)] = _beginning(value)
    try:
        layout = detect([found])
    except DataError as error:
        return FileFields(name=path.name, fields=found, layout=None, problem=problem or str(error))
    return FileFields(name=path.name, fields=found, layout=layout)


def _beginning(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return printable(text[:_SHOWN])
