"""Which plugins read which kinds of files in this process, beside the kinds that Tenfold reads itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from workbench.packing.sources import code_files, module_files

#: As `workbench.jobs.loading` has it, which imports what this module is a part of.
FILE_PREFIX = "file:"


class PluginReader(Struct, frozen=True, kw_only=True):
    """A reader that a plugin offers, with where a process finds it.

    Attributes:
        name, title: The reader's.
        plugin: A module's name, or `file:NAME.py`.
        suffixes: Endings of the names of the files that it reads, in lower case.
        folders: Where the plugin's file or package lies, looked through in order; a module that is in none of
            them is one of this Python environment.
        python: The interpreter that it runs in; this process's own where empty.
    """

    name: str
    plugin: str
    suffixes: tuple[str, ...]
    title: str = ""
    folders: tuple[str, ...] = ()
    python: str = ""

    def reads(self, path: Path) -> bool:
        """Whether a file's name has one of the endings."""
        return path.name.lower().endswith(self.suffixes)

    def sites(self) -> tuple[str, ...]:
        """The folders that must be on Python's path, so that the plugin can be imported by its name."""
        if self.plugin.startswith(FILE_PREFIX):
            return ()
        top = self.plugin.partition(".")[0]
        return tuple(each for each in self.folders if any(code_files(Path(each) / top)))

    def digest(self) -> bytes:
        """A hash of the plugin's code: other code may read other rows out of the same file."""
        found = hashlib.sha256(f"{self.plugin}\0{self.name}\0".encode())
        for name, path in self._code():
            found.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return found.digest()

    def _code(self) -> list[tuple[str, Path]]:
        if self.plugin.startswith(FILE_PREFIX):
            name = self.plugin.removeprefix(FILE_PREFIX)
            places = (Path(folder) / name for folder in self.folders)
            return next(([(name, place)] for place in places if place.is_file()), [])
        top = self.plugin.partition(".")[0]
        for folder in self.folders:
            if code := list(code_files(Path(folder) / top)):
                return code
        return list(module_files(top))


@dataclass
class _InUse:
    """What this process was told."""

    readers: tuple[PluginReader, ...] = ()
    check: Callable[[], None] = lambda: None


_in_use = _InUse()


def use_data_readers(readers: Iterable[PluginReader], check: Callable[[], None] = lambda: None) -> None:
    """Have this process read further kinds of files, from here on.

    Args:
        readers: Of several for one ending the first reads it.
        check: Called some times a second while a reader is waited for, and may raise to end the work.
    """
    _in_use.readers = tuple(readers)
    _in_use.check = check


def data_readers() -> tuple[PluginReader, ...]:
    """What was given to `use_data_readers`: for the processes that a job starts, which are told anew."""
    return _in_use.readers


def reader_of(path: Path) -> PluginReader | None:
    """The plugin's reader for a file, by the ending of its name."""
    return next((each for each in _in_use.readers if each.reads(path)), None)


def check() -> None:
    """Raise where the person asked to end the work meanwhile."""
    _in_use.check()
