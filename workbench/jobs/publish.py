"""Publishes a job's result: built aside, forced to the disk, and renamed into place in one step."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from workbench.errors import PluginError

_PARTIAL = ".partial-"


def new_staging(out: Path) -> Path:
    """An empty folder in `out` where a run builds its result; what earlier runs left there is removed."""
    out.mkdir(parents=True, exist_ok=True)
    discard_partial(out)
    staging = out / f"{_PARTIAL}{uuid.uuid4().hex[:8]}"
    staging.mkdir()
    return staging


def discard_partial(out: Path) -> None:
    """Remove what was being built. On Windows a file that is still open stays until the process has ended."""
    for each in out.glob(f"{_PARTIAL}*"):
        shutil.rmtree(each, ignore_errors=True)


def discard_all(out: Path) -> None:
    """Remove everything in `out`, published or not."""
    for each in out.iterdir() if out.is_dir() else ():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)


def publish(result: Path, staging: Path, name: str, progress: Callable[[], None] = lambda: None) -> Path:
    """Move what an operation built from its staging folder into place.

    One entry keeps its own name. Several (the parts of a split GGUF) become one folder, so that it is one
    rename either way: a reader sees the whole result or none of it.

    Args:
        result: What the operation returned: a file or folder that lies directly in `staging`.
        staging: The folder that `new_staging` made.
        name: The folder's name where there are several entries.
        progress: Called between files; what it raises stops the publishing.

    Returns:
        Where the result is now.

    Raises:
        PluginError: The operation returned something that it did not build there.
        OSError: The disk is full or failed.
    """
    if result.parent.resolve() != staging.resolve() or not result.exists():
        raise PluginError(
            f"The operation returned {result}, which it did not build in its output folder.",
            remedy="An operation must return a file or folder directly below job.out.",
        )
    _check_content(staging, result)
    force_to_disk(staging, progress)
    out = staging.parent
    alone = sum(1 for _ in staging.iterdir()) == 1
    target = out / (result.name if alone else name)
    os.replace(result if alone else staging, target)  # noqa: PTH105 - the one atomic step, named as such
    _sync_folder(out)
    if alone:
        staging.rmdir()
        return target
    return target / result.name


def _check_content(staging: Path, result: Path) -> None:
    """Refuse what is not really there: links to other places, and nothing at all."""
    for each in (result, *staging.rglob("*")):
        if each.is_symlink() and not each.resolve().is_relative_to(staging.resolve()):
            raise PluginError(
                f"The operation made {each.name}, which is only a link to {each.readlink()}.",
                remedy="An operation must copy what belongs to its result.",
            )
    if size_bytes(result) == 0:
        raise PluginError(
            f"The operation returned {result.name}, which holds nothing.",
            remedy="An operation must return what it made.",
        )


def move(whole: Path, target: Path) -> None:
    """Give a result its last place: seen whole or not at all there, also where that is another disk."""
    try:
        os.replace(whole, target)  # noqa: PTH105 - the one atomic step, named as such
        return
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    copy = target.with_name(f"{_PARTIAL}{uuid.uuid4().hex[:8]}")
    try:
        if whole.is_dir():
            shutil.copytree(whole, copy, symlinks=True)
        else:
            shutil.copyfile(whole, copy)
        force_to_disk(copy)
        os.replace(copy, target)  # noqa: PTH105 - as above
    except BaseException:
        shutil.rmtree(copy) if copy.is_dir() else copy.unlink(missing_ok=True)
        raise
    shutil.rmtree(whole) if whole.is_dir() else whole.unlink()


def published(out: Path) -> list[Path]:
    """What stands whole in `out`, for example from a run that was killed before it could say so."""
    if not out.is_dir():
        return []
    return [each for each in out.iterdir() if not each.name.startswith(".")]


def size_bytes(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in files_of(path))


def names_in(path: Path) -> tuple[str, ...]:
    """A file's own name, or the names of all files in a folder, from there, in a fixed order."""
    if path.is_file():
        return (path.name,)
    return tuple(sorted(each.relative_to(path).as_posix() for each in files_of(path)))


def files_of(path: Path) -> Iterator[Path]:
    """The file itself, or every file below a folder, in a fixed order."""
    if path.is_file():
        yield path
    else:
        yield from sorted(each for each in path.rglob("*") if each.is_file())


def force_to_disk(path: Path, progress: Callable[[], None] = lambda: None) -> None:
    """Make a file, or a folder with all that is in it, survive a power cut."""
    for file in files_of(path):
        _sync_file(file)
        progress()
    if path.is_dir():
        for folder in [each for each in path.rglob("*") if each.is_dir()]:
            _sync_folder(folder)
        _sync_folder(path)


def _sync_file(path: Path) -> None:
    # Windows flushes only through a handle that may write; a read-only file there was flushed when closed.
    writable = os.access(path, os.W_OK)
    descriptor = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
    try:
        if writable or sys.platform != "win32":
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    if sys.platform == "win32":
        return  # folders can't be opened there; NTFS journals the rename itself
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
