"""Finds the operation that is to be checked, and gives it a home of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from workbench.catalogue_entry import OperationEntry
from workbench.catalogue_probe import LookedAt, Probe
from workbench.errors import NotFoundError, PluginError
from workbench.home import Home
from workbench.plugin_home.choices import add_link
from workbench.plugin_home.finding import FoundPlugin, find_plugins

_TICK_S = 0.1


def offered(plugin: str | Path, home: Home) -> tuple[OperationEntry, ...]:
    """What a plugin offers, as the catalogue of a home sees it: imported in a process of its own.

    Args:
        plugin: A module, the name of an entry point, a file `NAME.py`, or the folder of a package.
        home: A home of the check's own; the plugin is put into it.

    Raises:
        PluginError: It can't be imported, or offers nothing; the details hold its traceback.
        NotFoundError: The folder holds no plugin.
    """
    entries: list[OperationEntry] = []
    for found in _found(plugin, home):
        looked_at = _look_at(found, home)
        if looked_at.failure is not None:
            raise PluginError(
                f"{found.title} can't be used: {looked_at.failure.reason}",
                details=looked_at.failure.traceback,
            )
        entries += looked_at.operations
    return tuple(entries)


def _found(plugin: str | Path, home: Home) -> list[FoundPlugin]:
    path = Path(plugin)
    if path.suffix == ".py" and path.is_file():
        shutil.copy(path, home.plugins)
        return [each for each in find_plugins(home) if each.kind == "file"]
    if path.is_dir() and (isinstance(plugin, Path) or path.parts[1:] or (path / "pyproject.toml").is_file()):
        add_link(home, path.absolute())
        linked = [each for each in find_plugins(home) if each.kind == "linked"]
        problems = [each.problem for each in linked if each.problem]
        if problems or not linked:
            raise NotFoundError(f"{path} holds no plugin. {' '.join(problems)}")
        return linked
    named = [each for each in find_plugins(home) if plugin in (each.name, each.title)]
    return named or [FoundPlugin(name=str(plugin), title=str(plugin), kind="environment")]


def _look_at(plugin: FoundPlugin, home: Home) -> LookedAt:
    probe = Probe(plugin, home)
    while True:
        found = probe.poll()
        if found is not None:
            return found
        probe.wait(_TICK_S)
