"""Reads what a plugin's source folder or single file says of itself, without running any of it."""

from __future__ import annotations

import ast
import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.environments.requirements import normalized, unfulfilled
from workbench.errors import PluginError
from workbench.plugin_home.facts import (
    GROUP,
    MOST_METADATA_BYTES,
    EntryPointFacts,
    FileFacts,
    PackageFacts,
    check,
    entry_point_facts,
    shown,
)

_MOST_SOURCE_BYTES = 4 << 20


def read_folder(folder: Path) -> PackageFacts:
    """What the `pyproject.toml` of a plugin's folder says.

    Raises:
        PluginError: There is none, or it describes no plugin of Tenfold.
    """
    file = folder / "pyproject.toml"
    if not file.is_file():
        raise PluginError(
            f"{folder.name} has no pyproject.toml, so it is no plugin's folder.",
            remedy="Choose the folder that holds it, or make one with: tenfold plugin new NAME",
        )
    text = _bounded(file, MOST_METADATA_BYTES)
    try:
        project = tomllib.loads(text.decode("utf-8")).get("project")
    except (ValueError, RecursionError) as error:
        raise PluginError(f"{file} is not well-formed TOML.", details=str(error)) from error
    if not isinstance(project, dict):
        raise PluginError(f"{file} has no [project] table, which says what the plugin is.")
    groups = _mapping(project.get("entry-points"))
    requires = normalized(_texts(project.get("dependencies")))
    missing = unfulfilled(requires)
    facts = PackageFacts(
        source="folder",
        path=folder,
        digest=hashlib.sha256(text).hexdigest(),
        name=_text(project.get("name")),
        version=_text(project.get("version")),
        summary=_text(project.get("description")),
        author=_author(project.get("authors")),
        licence=_licence(project.get("license")),
        home_page=_text(next(iter(_mapping(project.get("urls")).values()), "")),
        requires_python=_text(project.get("requires-python")),
        entry_points=entry_point_facts({k: str(v) for k, v in _mapping(groups.get(GROUP)).items()}),
        requires=requires,
        missing=missing,
        builds=True,
    )
    check(facts)
    return facts


def read_file(path: Path) -> PackageFacts:
    """What a plugin of a single file is: its name, and the first line of its docstring.

    Raises:
        PluginError: It is not Python.
    """
    text = _bounded(path, _MOST_SOURCE_BYTES)
    try:
        summary = ast.get_docstring(ast.parse(text)) or ""
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise PluginError(f"{path.name} is not a Python file: {error}.") from error
    if path.name.startswith(("_", ".")):
        raise PluginError(f"{path.name} would not be looked at: plugins' names begin with a letter.")
    return PackageFacts(
        source="file",
        path=path,
        digest=hashlib.sha256(text).hexdigest(),
        name=path.stem,
        version="",
        summary=shown(summary.partition("\n")[0]),
        entry_points=(EntryPointFacts(name=path.stem, module=path.stem),),
        files=(FileFacts(name=path.name, size_bytes=len(text)),),
        size_bytes=len(text),
    )


def import_root(folder: Path, module: str) -> Path:
    """The folder from which a module of a source folder is imported: `src`, or the folder itself.

    Raises:
        PluginError: It is in neither.
    """
    top = module.partition(".")[0]
    for root in (folder / "src", folder):
        if (root / top).is_dir() or (root / f"{top}.py").is_file():
            return root
    raise PluginError(
        f"The module {module} is neither in {folder / 'src'} nor in {folder}.",
        remedy="Correct the entry point in pyproject.toml, or move the module there.",
    )


def _bounded(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(most + 1)
    except OSError as error:
        raise PluginError(f"{path} can't be read: {error.strerror or error}.") from error
    if len(text) > most:
        raise PluginError(f"{path} is longer than {most / 1e6:.0f} MB.")
    return text


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return shown(value) if isinstance(value, str) else ""


def _author(value: Any) -> str:
    people = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    return shown(", ".join(str(each.get("name") or each.get("email") or "") for each in people))


def _licence(value: Any) -> str:
    if isinstance(value, dict):
        return _text(value.get("text")).partition("\n")[0] or _text(value.get("file"))
    return _text(value)
