"""What a run leaves of its folder: events and log, with which its result can be taken back into a home."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

_TOLD = frozenset({"events.jsonl", "log.txt"})
#: Held open, on Windows, while the folder is cleared.
_LOCK = "worker.lock"


def forget_told(folder: Path) -> None:
    """Remove what an earlier run told: one that begins anew has a story of its own."""
    for name in _TOLD:
        (folder / name).unlink(missing_ok=True)


def keep_told(folder: Path, also: Collection[str] = ()) -> None:
    """Leave what a run told, and nothing that takes up room.

    Args:
        also: Names of further small files that stay.
    """
    for each in folder.iterdir() if folder.is_dir() else ():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)
        elif each.name not in (*_TOLD, *also, _LOCK):
            each.unlink(missing_ok=True)


def place_from(folder: Path, result: Path) -> str:
    """Where a result lies, from the job's folder on: in it or beside it; else its whole path."""
    if result.is_relative_to(folder):
        return result.relative_to(folder).as_posix()
    beside = result.is_relative_to(folder.parent)
    return f"../{result.relative_to(folder.parent).as_posix()}" if beside else str(result)
