"""Imports a plugin in a worker process, by module name or as a single file."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from workbench.errors import NotFoundError, PluginError, WorkbenchError
from workbench.plugin.operation import Operation, operations_in
from workbench.plugin.version import check_version, stated_version

#: How a spec names a plugin that is a single file.
FILE_PREFIX = "file:"
_FOLDERS_VARIABLE = "TENFOLD_PLUGIN_FOLDERS"


def load_operation(plugin: str, name: str, folders: Sequence[Path] = ()) -> Operation:
    """Import a plugin and find one of its operations.

    Args:
        plugin: A module name, or `file:NAME.py`.
        name: The operation's name.
        folders: Where a single file is looked for, in order.

    Raises:
        PluginError: The plugin raises on import.
        NotFoundError: There is no such file, or no such operation in it.
    """
    module = import_plugin(plugin, folders)
    operations = {each.name: each for each in operations_in(vars(module))}
    if name not in operations:
        raise NotFoundError(
            f"The plugin {plugin} has no operation “{name}”.",
            remedy=f"It has: {', '.join(operations) or 'none'}.",
        )
    return operations[name]


def import_plugin(plugin: str, folders: Sequence[Path] = ()) -> ModuleType:
    """Import a plugin's module; what it raises becomes a PluginError that holds the traceback."""
    try:
        if not plugin.startswith(FILE_PREFIX):
            return _import_module(plugin)
        return _import_file(_find(plugin.removeprefix(FILE_PREFIX), folders))
    except WorkbenchError:
        raise
    except (Exception, SystemExit) as error:  # a plugin may raise anything at all
        raise PluginError(
            f"The plugin {plugin} can't be imported: {type(error).__name__}: {error}",
            remedy="Mend the plugin, or remove it.",
            details=traceback.format_exc(),
        ) from error


def plugin_folders(explicit: Path | None, script: Path) -> tuple[Path, ...]:
    """Where single-file plugins are looked for: the named folder, beside the script, the home's folder."""
    home = os.environ.get("TENFOLD_HOME")
    places = [explicit, script.parent, Path(home) / "plugins" if home else None]
    return tuple(place for place in places if place is not None)


def offer_folders(folders: Sequence[Path]) -> None:
    """Tell this process, and those that it starts, where plugins lie that a job's parameters name."""
    os.environ[_FOLDERS_VARIABLE] = json.dumps([str(each) for each in folders])


def offered_folders() -> tuple[Path, ...]:
    """Where plugins lie that a job's parameters name: what its worker told, and the home's folder."""
    told = [Path(each) for each in json.loads(os.environ.get(_FOLDERS_VARIABLE, "[]"))]
    home = os.environ.get("TENFOLD_HOME")
    return tuple(dict.fromkeys([*told, *([Path(home) / "plugins"] if home else [])]))


def _find(file_name: str, folders: Sequence[Path]) -> Path:
    if Path(file_name).name != file_name:
        raise PluginError(f"“{file_name}” is not a plugin's file name.")
    for folder in folders:
        if (folder / file_name).is_file():
            return folder / file_name
    looked = ", ".join(map(str, folders)) or "nowhere"
    raise NotFoundError(
        f"The plugin {file_name} was not found (looked in {looked}).",
        remedy="Put it beside the script, or name its folder with --plugin-dir.",
    )


def _import_module(name: str) -> ModuleType:
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
        _check_version(name, Path(spec.origin))
    return importlib.import_module(name)


def _check_version(name: str, source: Path) -> None:
    """Refuse a plugin for another surface before it is imported: what it wants from ours may not be there."""
    stated = stated_version(source.read_text(encoding="utf-8", errors="replace"))
    if stated is not None:
        check_version(name, stated)


def _import_file(path: Path) -> ModuleType:
    name = f"tenfold_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path.name} is not a Python file.")
    _check_version(path.name, path)
    module = importlib.util.module_from_spec(spec)
    # Registered first: dataclasses and pickling look their own module up.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
