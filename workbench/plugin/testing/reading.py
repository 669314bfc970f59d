"""Runs a plugin's data reader on a file as Tenfold would, for the plugin's own tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.data.layout import Layout, detect, example_of
from workbench.errors import PluginError
from workbench.plugin.reading import Rows, readers_in
from workbench.plugin.reading_process import row_line


def check_reader(read: Callable[[Path], Rows], file: Path, *, most: int = 1000) -> list[Mapping[str, Any]]:
    """Read the first rows of a file in this process, and see that each is an example.

    Args:
        read: The function that `reader` declared.
        file: A file of its kind, of which every row should be a good one.
        most: Rows that are read.

    Returns:
        The rows.

    Raises:
        PluginError: `read` is no reader, gives no row, other rows the second time, or one that is no example.
        DataError: What the rows are can't be told from the names of their fields.
    """
    if not readers_in({"read": read}):
        raise PluginError("This function is no reader.", remedy="Declare it with reader(…).")
    once, again = ([row_line(row) for row in islice(read(file), most)] for _ in range(2))
    if not once:
        raise PluginError(f"The reader gave no row of {file.name}.")
    if once != again:
        raise PluginError(f"The reader gave other rows of {file.name} the second time.")
    told = [json.loads(line) for line in once]
    rows: list[Mapping[str, Any]] = []
    for number, each in enumerate(told, start=1):
        if "row" not in each:
            raise PluginError(f"Row {number} of {file.name}: {each['problem']}")
        rows.append(each["row"])
    layout = detect(rows)
    for number, row in enumerate(rows, start=1):
        _require_example(number, row, layout, file)
    return rows


def _require_example(number: int, row: Mapping[str, Any], layout: Layout, file: Path) -> None:
    try:
        example_of(row, layout)
    except ValueError as error:
        raise PluginError(f"Row {number} of {file.name}: {error}") from error
