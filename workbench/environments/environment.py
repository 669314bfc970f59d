"""The environments that a home keeps: their names, their sizes, and their removal."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from workbench import __version__
from workbench.environments.requirements import normalized
from workbench.errors import InUseError, NotFoundError
from workbench.home import Home

_MARKER = "environment.json"
_MOST_MARKER_BYTES = 1 << 20


class Environment(BaseModel):
    """One environment that is whole.

    Attributes:
        key: Hash of the requirements, the Python and the Tenfold that it was made for; its folder's name.
        requirements: What was asked for.
        packages: What it holds, as `name version`.
        size_bytes: The sizes of its files together. Some may share their place with the installer's cache.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    folder: Path
    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    python_version: str
    tenfold_version: str
    made_at: float
    size_bytes: int

    @property
    def python(self) -> Path:
        return python_in(self.folder)


def key_of(requirements: Iterable[str]) -> str:
    """The name of the environment that holds these requirements, for this Python and this Tenfold."""
    parts = [
        list(normalized(requirements)),
        platform.python_version(),
        sys.implementation.cache_tag,
        platform.machine(),
        __version__,
        # Tenfold itself is not copied into an environment but found from there.
        sys.prefix,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def python_in(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def lock_of(home: Home, key: str) -> FileLock:
    """Held by the one process that makes or removes an environment."""
    home.environments.mkdir(parents=True, exist_ok=True)
    return FileLock(home.environments / f"{key}.lock")


def find(home: Home, requirements: Iterable[str]) -> Environment | None:
    """The environment that holds these requirements; None where it has not been made."""
    return read(home.environments / key_of(requirements))


def read(folder: Path) -> Environment | None:
    """What a folder holds; None where that is no whole environment."""
    marker = folder / _MARKER
    try:
        if marker.stat().st_size > _MOST_MARKER_BYTES or not python_in(folder).exists():
            return None
        found = Environment.model_validate_json(marker.read_bytes())
    except (OSError, ValidationError):
        return None
    return found.model_copy(update={"folder": folder, "key": folder.name})


def mark_whole(environment: Environment) -> None:
    """Write down that an environment is whole, which is the last step of making it."""
    draft = environment.folder / f"{_MARKER}.new"
    draft.write_text(environment.model_dump_json(indent=1), encoding="utf-8")
    os.replace(draft, environment.folder / _MARKER)  # noqa: PTH105 - the one atomic step


def environments(home: Home) -> list[Environment]:
    """All that this home keeps, the newest first."""
    if not home.environments.is_dir():
        return []
    found = [read(folder) for folder in home.environments.iterdir() if folder.is_dir()]
    return sorted((each for each in found if each is not None), key=lambda each: -each.made_at)


def remove(home: Home, key: str, *, in_use: Collection[str] = ()) -> Environment:
    """Delete an environment; the next job that needs it makes it anew.

    Args:
        in_use: Keys of the environments that jobs work in now.

    Raises:
        NotFoundError: There is none with this key.
        InUseError: A job works in it, or makes it.
    """
    found = next((each for each in environments(home) if each.key == key), None)
    if found is None:
        raise NotFoundError(f"There is no environment “{key}”.")
    if key in in_use:
        raise InUseError("A job works in this environment.", remedy="Wait for its end, or cancel it.")
    try:
        with lock_of(home, key).acquire(blocking=False):
            # Without its marker it is not there, even where a file can't be deleted.
            (found.folder / _MARKER).unlink(missing_ok=True)
            shutil.rmtree(found.folder, ignore_errors=True)
    except Timeout:
        raise InUseError("A job makes this environment now.", remedy="Wait for it, or cancel it.") from None
    return found


def size_of(folder: Path) -> int:
    """The sizes of all files below a folder, in bytes; links are not followed."""
    total = 0
    for place, _folders, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(Path(place, name)).st_size
            except OSError:
                continue
    return total
