"""Deletes the files of models that Tenfold made or downloaded: set aside first, then erased."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import InUseError
from workbench.home import Home


@dataclass(frozen=True, slots=True)
class SetAside:
    """Files that were moved out of the way, and from where."""

    moved: tuple[tuple[Path, Path], ...]

    def put_back(self) -> None:
        for origin, aside in reversed(self.moved):
            aside.replace(origin)


class OwnedFiles:
    """The files below one home that belong to Tenfold."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._trash = home.cache / "removed"

    def may_delete(self, path: Path) -> bool:
        """Whether a model's path lies in one of the places where Tenfold keeps models of its own."""
        return any(
            path.parent.resolve().is_relative_to(place.resolve())
            for place in (self._home.models, self._home.jobs)
        )

    def free_bytes(self) -> int:
        """Bytes free where the home lies."""
        place = self._home.root
        while not place.exists() and place != place.parent:
            place = place.parent
        return shutil.disk_usage(place).free

    def size_of(self, path: Path, files: tuple[str, ...]) -> int:
        """Bytes on disk of a model: everything in its folder, or its files. Links count as nothing."""
        return sum(_bytes(each) for each in self._targets(path, files))

    def set_aside(self, path: Path, files: tuple[str, ...]) -> SetAside:
        """Move a model's files into the trash of the home, all or none. A missing file is no fault.

        Raises:
            InUseError: The system does not let go of one (open in another program, or not permitted).
        """
        moved: list[tuple[Path, Path]] = []
        folder = self._trash / secrets.token_hex(8)
        for origin in self._targets(path, files):
            aside = folder / origin.name
            try:
                folder.mkdir(parents=True, exist_ok=True)
                origin.replace(aside)
            except FileNotFoundError:
                continue
            except OSError as error:
                SetAside(tuple(moved)).put_back()
                raise InUseError(
                    f"{origin.name} can't be deleted: {error.strerror or error}.",
                    remedy="Close the programs that have it open, then try again.",
                    details=str(error),
                ) from error
            moved.append((origin, aside))
        return SetAside(tuple(moved))

    def empty_trash(self) -> None:
        """Erase what was set aside; what the system holds on to is left for the next time."""
        if self._trash.exists():
            shutil.rmtree(self._trash, ignore_errors=True)

    def _targets(self, path: Path, files: tuple[str, ...]) -> list[Path]:
        if path.is_dir() and not path.is_symlink():
            return [path]
        names = files or (path.name,)
        return [path.parent / name for name in names if Path(name).name == name]


def _bytes(path: Path) -> int:
    if path.is_symlink() or not path.exists():
        return 0
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _folders, names in os.walk(path):
        for name in names:
            each = Path(folder) / name
            if not each.is_symlink():
                total += each.stat().st_size
    return total
