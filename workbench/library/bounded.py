"""Reads small text files of a model folder, up to a limit and with errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench.errors import ModelFileError
from workbench.library.sniff import regular_size, unreadable


def read_bytes(path: Path, limit: int) -> bytes:
    """A whole file of at most `limit` bytes.

    Raises:
        ModelFileError: It is larger, gone, empty, not permitted, or no file.
    """
    size = regular_size(path)
    if size > limit:
        raise ModelFileError(
            path, f"it has {size / 1e6:.0f} MB; at most {limit / 1e6:.0f} MB belong in such a file."
        )
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise unreadable(path, error) from error


def read_json(path: Path, limit: int) -> dict[str, Any]:
    """A JSON object from a file of at most `limit` bytes.

    Raises:
        ModelFileError: As for `read_bytes`, or it is not one JSON object.
    """
    content = parse_json(path, read_bytes(path, limit), what="it")
    if not isinstance(content, dict):
        raise ModelFileError(path, "it is not a JSON object.", remedy="Download or copy it again.")
    return content


def parse_json(path: Path, block: bytes, *, what: str) -> Any:
    """JSON in UTF-8 whose objects name nothing twice.

    Raises:
        ModelFileError: It is not that, or nested deeper than anything sensible.
    """
    try:
        return json.loads(block.decode("utf-8-sig"), object_pairs_hook=_without_doubles)
    except RecursionError:
        reason, details = f"{what} is nested absurdly deep.", ""
    except _NamedTwiceError as error:
        reason, details = f"{what} names {str(error)[:80]!r} twice.", ""
    except ValueError as error:
        reason, details = f"{what} is not valid JSON.", str(error)[:500]
    raise ModelFileError(path, reason, remedy="Download or copy it again.", details=details)


def read_text(path: Path, limit: int) -> str | None:
    """The beginning of a text file that may be absent; None where there is none or it can't be read."""
    try:
        with path.open("rb") as file:
            return clean(file.read(limit).decode("utf-8", "replace"))
    except OSError:
        return None


def clean(text: str) -> str:
    """Text that a database, JSON and a terminal can hold: no lone surrogates, no control characters."""
    if text.isprintable():
        return text
    text = text.encode("utf-8", "replace").decode()
    return "".join(
        each if each in "\n\t" or (each >= " " and each != "\x7f") else "\ufffd"
        for each in text.replace("\r\n", "\n")
    )


def clean_line(text: str | None, limit: int = 200) -> str | None:
    """The same on one line of at most `limit` characters; None where nothing is left."""
    return " ".join(clean(text).split())[:limit] or None if text else None


class _NamedTwiceError(Exception):
    pass


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _value in pairs:
            if name in seen:
                raise _NamedTwiceError(name)
            seen.add(name)
    return found
