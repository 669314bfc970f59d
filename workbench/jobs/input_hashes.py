"""Names the files that a job's parameters stand for by their content."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.library.hashing import content_hash

#: Larger inputs are not hashed while a person waits for the job to be queued: a tenth of a second at most.
_MOST_BYTES = 64 << 20
#: A folder of more files is no adapter and no small data set.
_MOST_FILES = 1000


def known_hashes(params: Mapping[str, Any]) -> dict[str, list[str]]:
    """The sha256 of each parameter that is a file or folder here, or several, in their order.

    One that is too large to hash at once has an empty text in its place: its job reads it to the end anyway,
    and tells the hash then (`Input` among the events).
    """
    found: dict[str, list[str]] = {}
    for name, value in params.items():
        paths = value if isinstance(value, list | tuple) else [value]
        if paths and all(is_here(each) for each in paths):
            found[name] = [quick_hash(Path(each)) for each in paths]
    return found


def is_here(value: Any) -> bool:
    """Whether a parameter's value is the path of a file or folder on this machine."""
    try:
        return isinstance(value, str) and Path(value).is_absolute() and Path(value).exists()
    except OSError:
        return False  # a text that begins like a path and is too long for one


def quick_hash(path: Path) -> str:
    """The hash of a file, or of all files in a folder; empty where that takes long or can't be read."""
    try:
        stamps = tuple((name, entry.stat().st_size, entry.stat().st_mtime_ns) for name, entry in _files(path))
        if sum(size for _name, size, _changed in stamps) > _MOST_BYTES:
            return ""
        return _hash(path, stamps)
    except (OSError, ValueError, WorkbenchError):
        return ""


def full_hash(path: Path, check: Callable[[], None] = lambda: None) -> str:
    """The same hash however large the file is; empty for a folder of no files or too many.

    Args:
        check: Called between blocks; what it raises ends the reading.

    Raises:
        ModelFileError: A file can't be read, or changed meanwhile.
    """
    try:
        names = [name for name, _entry in _files(path)]
    except (OSError, ValueError):
        return ""
    return content_hash(path, names, lambda _done, _total: check()) if names else ""


def _files(path: Path) -> Sequence[tuple[str, Path]]:
    if path.is_file():
        return [(path.name, path)]
    files: list[tuple[str, Path]] = []
    for seen, each in enumerate(path.rglob("*")):
        if seen > _MOST_FILES:
            raise ValueError(f"{path} holds too many files")
        if each.is_file():
            files.append((each.relative_to(path).as_posix(), each))
    return sorted(files)


@lru_cache(maxsize=256)
def _hash(path: Path, stamps: tuple[tuple[str, int, int], ...]) -> str:
    """Hashed once for as long as no file changes: a preview is drawn with every keystroke."""
    return content_hash(path, [name for name, _size, _changed in stamps])
