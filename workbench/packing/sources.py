"""Finds the files of packages that can be imported here, as an archive of their code holds them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

_LEFT_OUT = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})


def module_files(top: str) -> Iterator[tuple[str, Path]]:
    """The files of an importable package or module, as an archive names them; none where it isn't there."""
    found = importlib.util.find_spec(top)
    if found is None:
        return
    if not found.submodule_search_locations:
        if found.origin is not None:
            yield Path(found.origin).name, Path(found.origin)
        return
    yield from package_files(Path(next(iter(found.submodule_search_locations))))


def code_files(place: Path) -> Iterator[tuple[str, Path]]:
    """The files of a package's folder, or of a module that is one file; `place` is without the ending."""
    if place.is_dir():
        yield from package_files(place)
    elif (file := place.with_name(f"{place.name}.py")).is_file():
        yield file.name, file


def package_files(root: Path) -> Iterator[tuple[str, Path]]:
    """The files of a package's folder, without what Python and tools leave there."""
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if (
            path.is_file()
            and not _LEFT_OUT.intersection(inside.parts)
            and path.suffix not in (".pyc", ".pyo")
        ):
            yield f"{root.name}/{inside.as_posix()}", path
