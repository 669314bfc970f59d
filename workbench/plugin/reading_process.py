"""Reads one file with a plugin's reader and prints its rows, one JSON object a line: PLUGIN NAME FILE FOLDER…

A process of its own, because a reader may hang, crash, print, or end the process.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from workbench.data.errors import BadRowError
from workbench.data.reading import LONGEST_ROW_BYTES, TOO_LONG
from workbench.errors import NotFoundError, WorkbenchError
from workbench.jobs.loading import import_plugin
from workbench.plugin.reading import ReaderMethod, readers_in

#: What a problem that a plugin words may be long.
_MOST_PROBLEM = 500


def main(argv: list[str]) -> int:
    plugin, name, file, *folders = argv
    out = _own_output()
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        method = _method(plugin, name, [Path(each) for each in folders])
        for row in method.read(Path(file)):
            out.write(row_line(row))
            out.flush()
        out.write(b'{"end": true}\n')
    except WorkbenchError as error:
        out.write(_failure(error.message, error.details))
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, and may ask to exit
        out.write(_failure(f"{type(error).__name__}: {error}", traceback.format_exc()))
    out.flush()
    return 0


def _own_output() -> BinaryIO:
    """What rows are written to; all else that is printed goes the way of errors."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


def _end_with_parent() -> None:
    """Whoever started this process holds its input open and says nothing there: the end of it is the end."""
    sys.stdin.buffer.read()
    os._exit(1)


def _method(plugin: str, name: str, folders: list[Path]) -> ReaderMethod:
    methods = {each.name: each for each in readers_in(vars(import_plugin(plugin, folders)))}
    if name not in methods:
        raise NotFoundError(f"the plugin offers no reader “{name}”")
    return methods[name]


def row_line(row: Any) -> bytes:
    """What a reader gave as a line of JSON: `{"row": …}`, or `{"problem": …}` for what is none."""
    if isinstance(row, BadRowError):
        return _problem(str(row))
    if not isinstance(row, Mapping):
        return _problem(f"The reader gave {_named(row)}, and a row is a mapping of fields.")
    if wrong := next((each for each in row if not isinstance(each, str)), None):
        return _problem(f"The reader named a field {wrong!r:.40}, and names are text.")
    try:
        found = json.dumps({"row": dict(row)}).encode()
    except (TypeError, ValueError, RecursionError):
        return _problem(_no_json(row))
    # Escapes make a line up to six times as long as its text.
    if len(found) > LONGEST_ROW_BYTES and _text_bytes(row) > LONGEST_ROW_BYTES:
        return _problem(TOO_LONG)
    return found + b"\n"


def _no_json(row: Mapping[str, Any]) -> str:
    for name, value in row.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError):
            return f"{name!r:.60} is {_named(value)}, or holds what JSON lacks."
    return "The row holds what JSON lacks."


def _text_bytes(row: Mapping[str, Any]) -> int:
    return len(json.dumps(dict(row), ensure_ascii=False).encode("utf-8", "replace"))


def _named(value: Any) -> str:
    kind = type(value).__name__
    return f"an {kind}" if kind[:1].lower() in "aeiou" else f"a {kind}"


def _problem(text: str) -> bytes:
    return json.dumps({"problem": text[:_MOST_PROBLEM] or "The reader can't read it."}).encode() + b"\n"


def _failure(reason: str, details: str) -> bytes:
    return json.dumps({"failed": reason[:_MOST_PROBLEM], "details": details}).encode() + b"\n"


if __name__ == "__main__":
    code = main(sys.argv[1:])
    # Threads that the plugin left running must not keep the process alive.
    os._exit(code)
