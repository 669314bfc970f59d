"""Declares a data reader: how rows of examples are read out of files of a kind that Tenfold does not know."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from workbench.data.errors import BadRowError
from workbench.data.reading import KNOWN_SUFFIXES
from workbench.errors import PluginError
from workbench.plugin.version import API_VERSION

#: Rows of a file: each its fields by name, or why it can't be read.
Rows = Iterable["Mapping[str, Any] | BadRowError"]
Read = Callable[[Path], Rows]
_R = TypeVar("_R", bound=Read)

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SUFFIX = re.compile(r"(\.[a-z0-9_+-]+)+")
#: A longer title is cut where data is shown.
_MOST_TITLE = 60


class ReaderDeclaration(BaseModel):
    """What a reader says of itself, as data; see `reader` for the meaning of each field."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    suffixes: tuple[str, ...]
    summary: str
    documentation: str
    api_version: str


class ReaderMethod(ReaderDeclaration):
    """What a plugin offers for reading: its declaration, and the function that reads a file."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    read: Read


def reader(name: str, *, title: str, suffixes: tuple[str, ...]) -> Callable[[_R], _R]:
    """Declare a function as what reads another kind of file wherever Tenfold reads examples or text.

    The function takes the path of one file and yields its rows, one at a time and in the file's order: each
    a mapping from field names to values as JSON has them, with text as `str`. Which field is which part of an
    example is told by their names as in every other file, or said by the person: a row with `messages`, a
    list of turns with `role` and `content`, is a conversation; one with `prompt` and `completion` a task and
    its answer; one with `text` plain text. Where one record can't be read, yield `BadRowError("why")` in its
    place: it is counted and shown by its number, and reading goes on. The docstring is the documentation.

    It runs in a process of its own, and is ended where enough was read. Where it raises or crashes, what
    reads the file ends with an error that names the reader and the row, and nothing else is harmed. A row of
    more than 10 MB, or of values that JSON lacks, is a bad row; one minute without a row is taken to hang.
    The same file must give the same rows each time: it is read more than once.

    Args:
        name: A name in lower case with dashes, for example `mbox`.
        title: What a person calls such files, for example `Mail archive`.
        suffixes: Endings of the files' names in lower case, for example `(".mbox",)`; none that Tenfold reads
            itself.

    Raises:
        PluginError: It has no docstring, does not take one argument, or what it says of itself is wrong.
    """

    def declare(read: _R) -> _R:
        documentation = inspect.getdoc(read) or ""
        _check(name, title, suffixes)
        if not documentation:
            raise PluginError(f"The reader {name} has no docstring.", remedy="Say what it reads in one.")
        if len(inspect.signature(read).parameters) != 1:
            raise PluginError(f"The reader {name} must take one argument, the path of the file.")
        read.__tenfold_reader__ = ReaderMethod(  # type: ignore[attr-defined]
            name=name,
            title=title,
            suffixes=tuple(suffixes),
            summary=documentation.splitlines()[0],
            documentation=documentation,
            api_version=API_VERSION,
            read=read,
        )
        return read

    return declare


def readers_in(namespace: Mapping[str, Any]) -> list[ReaderMethod]:
    """The readers that a module's namespace declares, in order."""
    found = (
        vars(value).get("__tenfold_reader__") for value in namespace.values() if hasattr(value, "__dict__")
    )
    return [each for each in found if isinstance(each, ReaderMethod)]


def _check(name: str, title: str, suffixes: tuple[str, ...]) -> None:
    if not _NAME.fullmatch(name):
        raise PluginError(f"“{name:.40}” is no name of a reader: lower case letters, digits and dashes.")
    if not title.strip() or len(title) > _MOST_TITLE or not title.isprintable():
        raise PluginError(f"The title of the reader {name} must be 1 to {_MOST_TITLE} signs on one line.")
    if not suffixes or not isinstance(suffixes, tuple):
        raise PluginError(f"The reader {name} must name the endings of its files, for example (“.mbox”,).")
    for each in suffixes:
        if not isinstance(each, str) or not _SUFFIX.fullmatch(each):
            raise PluginError(
                f"The reader {name} names {each!r:.40}, which is no ending: a point, then lower case."
            )
        if Path(f"a{each}").suffix in KNOWN_SUFFIXES:
            raise PluginError(f"The reader {name} names {each}, and Tenfold reads such files itself.")
