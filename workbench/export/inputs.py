"""Finds the files that a job's parameters stand for, under the names by which its script looks for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.jobs.script import without_folder

#: A larger file is no dataset that travels in an archive; a person brings it along.
MOST_BYTES = 64 << 20
#: A folder of more files is no adapter and no dataset.
_MOST_FILES = 1000


@dataclass(frozen=True)
class Inputs:
    """What travels along, and what does not.

    Attributes:
        files: By name beside the script.
        left: Of the rest: the parameter and the name that the script gives it.
    """

    files: dict[str, Path] = field(default_factory=dict)
    left: list[tuple[str, str]] = field(default_factory=list)


def find_inputs(params: dict[str, Any], taken: frozenset[str]) -> Inputs:
    """The files and folders among parameters, the small ones with their content.

    Args:
        taken: Names that stand for something else beside the script.
    """
    found = Inputs()
    for parameter, value in params.items():
        named = without_folder(value)
        if named == value:
            continue
        paths, names = (value, named) if isinstance(value, list | tuple) else ([value], [named])
        for path, name in zip(paths, names, strict=True):
            if name == path:
                continue
            files = dict(_small_files(Path(path), name))
            clashes = any(found.files.get(each, place) != place for each, place in files.items())
            if not files or clashes or name.partition("/")[0] in taken:
                found.left.append((parameter, name))
            else:
                found.files.update(files)
    return found


def _small_files(path: Path, name: str) -> Iterator[tuple[str, Path]]:
    """The file, or those of a folder; none where that is too much."""
    if path.is_file():
        if path.stat().st_size <= MOST_BYTES:
            yield name, path
        return
    files: list[Path] = []
    for count, each in enumerate(path.rglob("*")):
        if count > _MOST_FILES:
            return
        if each.is_file():
            files.append(each)
    if sum(each.stat().st_size for each in files) <= MOST_BYTES:
        for each in files:
            yield f"{name}/{each.relative_to(path).as_posix()}", each
