"""Finds every plugin there is: Tenfold's own, those of its environment, installed ones, folders, files."""

from __future__ import annotations

import hashlib
import importlib.machinery
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal

from workbench.errors import WorkbenchError
from workbench.home import Home
from workbench.jobs.loading import FILE_PREFIX
from workbench.plugin_home.choices import read_choices
from workbench.plugin_home.facts import GROUP
from workbench.plugin_home.folder import import_root, read_folder
from workbench.plugin_home.installed import installed_packages

_OWN_PACKAGE = "tenfold"
#: A plugin of more modules than this is followed by its first ones.
_MOST_FILES = 2000
_NO_SOURCES = frozenset({"__pycache__", "build", "dist", "node_modules"})

#: Ours; from Tenfold's Python environment; installed into the home; a folder being developed; a single file.
PluginKind = Literal["ours", "environment", "installed", "linked", "file"]


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """One plugin, not imported.

    Attributes:
        name: As a job's spec names it: a module, or `file:NAME.py`.
        title: What a person calls it: the entry point's name, or the file's.
        package: The name of the distribution that it belongs to; empty for a file.
        place: The file or folder it lies in; None where it lies in Tenfold's environment.
        site: What must be on Python's path to import it; None where it is there already.
        digest: Hash of its source; another digest means that it must be looked at anew.
        requires: What its package requires and Tenfold's environment does not fulfil.
        problem: Why it can't be used, where that is known without importing it.
    """

    name: str
    title: str
    kind: PluginKind
    package: str = ""
    version: str = ""
    place: Path | None = None
    site: Path | None = None
    digest: str = ""
    requires: tuple[str, ...] = ()
    problem: str = ""

    @property
    def source(self) -> str:
        """What a person is shown of where it comes from."""
        if self.kind == "file":
            return str(self.place)
        named = f"{self.package} {self.version}".strip()
        return f"{named} ({self.place})" if self.kind == "linked" else named


def find_plugins(home: Home) -> list[FoundPlugin]:
    """All plugins, each once: one that bears the name of another that comes before it says so."""
    found: dict[str, FoundPlugin] = {}
    clashes: list[FoundPlugin] = []
    for plugin in (*_of_environment(), *_linked(home), *_installed(home), *_files(home.plugins)):
        other = found.get(plugin.name)
        if other is None:
            found[plugin.name] = plugin
        elif other.kind != plugin.kind or other.package != plugin.package:
            clashes.append(_renamed(plugin, other))
    return [*found.values(), *clashes]


def site_of(home: Home, plugin: str) -> Path | None:
    """What must be on Python's path to import a plugin of this home; None where nothing must."""
    if plugin.startswith(FILE_PREFIX):
        return None
    own = next((each for each in (*_linked(home), *_installed(home)) if each.name == plugin), None)
    if own is None or any(point.module == plugin for point in entry_points(group=GROUP)):
        return None
    return own.site


def with_site(site: Path, python_path: str) -> str:
    """`PYTHONPATH` with a plugin's modules on it."""
    return os.pathsep.join([str(site), *([python_path] if python_path else [])])


def watch_state(home: Home) -> tuple[tuple[str, int, int], ...]:
    """What changes when a plugin of the home is added, removed or edited. Cheap: nothing is read."""
    files = [home.plugins / "choices.json", home.installed_plugins, *sorted(home.plugins.glob("*.py"))]
    for folder in read_choices(home).linked:
        files += [folder / "pyproject.toml", *_sources(folder)]
    return tuple(state for each in files if (state := _state(each)) is not None)


def _of_environment() -> Iterator[FoundPlugin]:
    points = sorted(entry_points(group=GROUP), key=lambda each: each.name)
    # A distribution reads its metadata anew each time that it is asked for a word of it.
    owners = {id(point.dist): point.dist for point in points if point.dist}
    said = {number: (owner.name, owner.version) for number, owner in owners.items()}
    for point in points:
        package, version = said.get(id(point.dist), ("", ""))
        yield FoundPlugin(
            name=point.module,
            title=point.name,
            kind="ours" if package == _OWN_PACKAGE else "environment",
            package=package or point.value,
            version=version,
            digest=_digest_of_module(point),
        )


def _linked(home: Home) -> Iterator[FoundPlugin]:
    for folder in read_choices(home).linked:
        try:
            facts = read_folder(folder)
            roots = {point.module: import_root(folder, point.module) for point in facts.entry_points}
        except WorkbenchError as error:
            yield FoundPlugin(
                name=f"folder:{folder}", title=folder.name, kind="linked", place=folder, problem=str(error)
            )
            continue
        for point in facts.entry_points:
            root = roots[point.module]
            top = point.module.partition(".")[0]
            yield FoundPlugin(
                name=point.module,
                title=point.name,
                kind="linked",
                package=facts.name,
                version=facts.version,
                place=folder,
                site=root,
                digest=_digest_of_files(root / top, root / f"{top}.py"),
                requires=facts.missing,
            )


def _installed(home: Home) -> Iterator[FoundPlugin]:
    for package in installed_packages(home):
        for point in package.entry_points:
            yield FoundPlugin(
                name=point.module,
                title=point.name,
                kind="installed",
                package=package.name,
                version=package.version,
                place=package.folder,
                site=package.site,
                digest=package.digest,
                requires=package.missing(),
            )


def _files(folder: Path) -> Iterator[FoundPlugin]:
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith(("_", ".")):
            yield FoundPlugin(
                name=FILE_PREFIX + path.name, title=path.stem, kind="file", place=path, digest=_digest(path)
            )


def _renamed(plugin: FoundPlugin, other: FoundPlugin) -> FoundPlugin:
    return FoundPlugin(
        name=f"{plugin.package or plugin.title}:{plugin.name}",
        title=plugin.title,
        kind=plugin.kind,
        package=plugin.package,
        version=plugin.version,
        place=plugin.place,
        problem=f"{other.source} offers the module {plugin.name} already, and that one is used.",
    )


def _digest_of_module(point: EntryPoint) -> str:
    """A hash of the module's file, which is found without importing its package."""
    top, *rest = point.module.split(".")
    spec = next((found for finder in sys.meta_path if (found := _find(finder, top)) is not None), None)
    if spec is None:
        return "missing"
    places = [Path(each) for each in spec.submodule_search_locations or ()]
    candidates = [Path(spec.origin)] if spec.origin and not rest else []
    candidates += [place.joinpath(*rest).with_suffix(".py") for place in places if rest]
    candidates += [place.joinpath(*rest, "__init__.py") for place in places]
    return next((_digest(each) for each in candidates if each.is_file()), "missing")


def _find(finder: object, name: str) -> importlib.machinery.ModuleSpec | None:
    find = getattr(finder, "find_spec", None)
    found: importlib.machinery.ModuleSpec | None = find(name, None) if find is not None else None
    return found


def _digest_of_files(*places: Path) -> str:
    """A hash of all Python files below these places, so that an edited helper module is noticed too."""
    whole = hashlib.sha256()
    for place in places:
        for path in [place] if place.is_file() else _sources(place):
            whole.update(f"{path.relative_to(place.parent)}\0{_digest(path)}\n".encode())
    return whole.hexdigest()[:32]


def _sources(folder: Path) -> list[Path]:
    """The Python files below a folder, without those of environments, builds and hidden folders in it."""
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not _is_foreign(Path(place, each)))
        found += [Path(place, each) for each in sorted(files) if each.endswith(".py")]
        if len(found) >= _MOST_FILES:
            break
    return found[:_MOST_FILES]


def _is_foreign(folder: Path) -> bool:
    name = folder.name
    return name.startswith(".") or name in _NO_SOURCES or (folder / "pyvenv.cfg").exists()


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    except OSError:
        return "unreadable"


def _state(path: Path) -> tuple[str, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path), found.st_mtime_ns, found.st_size
