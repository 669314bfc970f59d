"""The files that a script left elsewhere, read out of its folder or a zip of it, and none besides."""

from __future__ import annotations

import os
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from workbench.errors import UsageError

EVENTS = "events.jsonl"
#: A zip that unpacks to more than this many times its size is no result of a job: weights don't shrink.
_MOST_GROWTH = 200
#: A model of a thousand parts has a thousand files; what has far more is no folder of a job.
_MOST_FILES = 10_000
_BLOCK = 1 << 20
_BESIDE = "../"
#: A zip that is none, is cut short, packed in an unknown way, or wants a password.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError)


class Source(ABC):
    """The files of one job, by their names from where its events lie.

    Attributes:
        sizes: Their bytes, as the folder or the zip says; no more than that is ever read of one.
    """

    def __init__(self, name: str, sizes: Mapping[str, int]) -> None:
        self.name = name
        self.sizes = dict(sizes)

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """One of the files."""

    @abstractmethod
    def _look_beside(self, name: str) -> dict[str, int]:
        """The files of something that lies beside the folder, by their names below it; empty for a file's."""

    def result(self, path: str) -> dict[str, str]:
        """The files that belong to a result: where each is to lie in a job's folder, and its name here.

        Args:
            path: Of the result as the job told it: in `out`, or `../NAME…` where it stands beside the folder.
        """
        first, *names = PurePosixPath(path).parts or ("",)
        if first != "..":
            return {each: each for each in self.sizes if each.startswith("out/")}
        name = names[0] if names else ""
        if name in ("", "..") or "\\" in name or ":" in name:
            return {}
        found = self._look_beside(name)
        self.sizes = {
            **self.sizes,
            **{_joined(f"{_BESIDE}{name}", each): size for each, size in found.items()},
        }
        return {_joined(f"out/{name}", each): _joined(f"{_BESIDE}{name}", each) for each in found}

    def copy(self, name: str, target: Path, copied: Callable[[int], object]) -> None:
        """Copy one file; `copied` is told the bytes of each block.

        Raises:
            UsageError: It is larger than was said: it grows, or the zip lies.
            OSError: There is no room for it.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        left = self.sizes[name]
        with self.open(name) as file, target.open("xb") as out:
            while block := file.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise UsageError(
                        f"{name} in {self.name} is still being written, or is larger than it says."
                    )
                out.write(block)
                copied(len(block))

    def read(self, name: str, most_bytes: int) -> bytes:
        """A small file whole; nothing of one that is not there or is longer."""
        if not 0 < self.sizes.get(name, 0) <= most_bytes:
            return b""
        with self.open(name) as file:
            return file.read(most_bytes)


@contextmanager
def opened(source: Path) -> Iterator[Source]:
    """The files of a folder, or of a zip of one.

    Raises:
        UsageError: It is neither, holds no job's events or several, or reaches outside of itself; also out
            of the block, where a file turns out to be damaged.
    """
    told = source.parent / f"{source.name}.job"
    if (told / EVENTS).is_file() and not (source / EVENTS).is_file():
        source = told  # the result itself was named
    if source.is_dir():
        yield _Folder(source)
        return
    try:
        with zipfile.ZipFile(source) as archive:
            yield _Zip(source, archive)
    except _UNREADABLE as error:
        raise UsageError(f"{source.name} can't be read as a folder or a zip.", details=str(error)) from error
    except FileNotFoundError as error:
        if error.filename and Path(error.filename) != source:
            raise
        raise UsageError(f"{source} is not there, so it can't be read.") from error


class _Folder(Source):
    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root))  # noqa: PTH100 - `..` goes by name, as a person means it
        found = _files_below(self._root)
        if EVENTS not in found:
            raise UsageError(
                f"{root.name} is not the folder of a job: it holds no {EVENTS}.",
                remedy="Name the folder that --job-dir named there, or the one beside the result.",
            )
        super().__init__(root.name, found)

    def open(self, name: str) -> IO[bytes]:
        return (self._root / name).open("rb")

    def _look_beside(self, name: str) -> dict[str, int]:
        path = self._root.parent / name
        if path.is_symlink():
            return {}
        if path.is_file():
            return {"": path.stat().st_size}
        return _files_below(path)


class _Zip(Source):
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        entries = [each for each in archive.infolist() if not each.is_dir()]
        _check_count(path, len(entries))
        roots = [
            PurePosixPath(each.filename).parent
            for each in entries
            if PurePosixPath(each.filename).name == EVENTS
        ]
        if len(roots) != 1:
            raise UsageError(f"{path.name} is not the folder of one job: it must hold one {EVENTS}.")
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            name = PurePosixPath(entry.filename)
            if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or ":" in entry.filename:
                raise UsageError(f"{path.name} names a file outside of itself: {entry.filename!r:.200}.")
            if name.is_relative_to(roots[0]):
                key = name.relative_to(roots[0]).as_posix()
            elif name.is_relative_to(roots[0].parent):
                key = f"{_BESIDE}{name.relative_to(roots[0].parent).as_posix()}"
            else:
                continue
            if self._entries.setdefault(key, entry) is not entry:
                raise zipfile.BadZipFile(f"{name} is in it twice")
        sizes = {name: entry.file_size for name, entry in self._entries.items()}
        if sum(sizes.values()) > path.stat().st_size * _MOST_GROWTH:
            raise UsageError(f"{path.name} unpacks to far more than a job makes.")
        super().__init__(path.name, sizes)

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(self._entries[name])

    def _look_beside(self, name: str) -> dict[str, int]:
        whole = f"{_BESIDE}{name}"
        return {
            each.removeprefix(whole).removeprefix("/"): size
            for each, size in self.sizes.items()
            if each == whole or each.startswith(f"{whole}/")
        }


def _files_below(root: Path) -> dict[str, int]:
    """All files of a folder with their sizes; what a link leads to is left out."""
    found: dict[str, int] = {}
    inside = root.resolve()
    for place, _folders, names in os.walk(root):
        for name in names:
            path = Path(place, name)
            # Windows walks through mounts that look like folders.
            if path.is_symlink() or not path.is_file() or not path.resolve().is_relative_to(inside):
                continue
            found[path.relative_to(root).as_posix()] = path.stat().st_size
            _check_count(root, len(found))
    return found


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if name else folder


def _check_count(source: Path, count: int) -> None:
    if count > _MOST_FILES:
        raise UsageError(f"{source.name} holds more than {_MOST_FILES:,} files, which no job makes.")
