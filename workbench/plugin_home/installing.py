"""Installs plugins into a home after they were shown, and removes them; a result is whole or not there."""

from __future__ import annotations

import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from packaging.utils import canonicalize_name

from workbench.environments import tools
from workbench.environments.environment import size_of
from workbench.errors import InUseError, NotFoundError, PluginError, UsageError
from workbench.home import Home
from workbench.plugin_home.choices import add_link, remove_link
from workbench.plugin_home.facts import PackageFacts
from workbench.plugin_home.fetching import read_fetched
from workbench.plugin_home.finding import FoundPlugin
from workbench.plugin_home.folder import import_root, read_file, read_folder
from workbench.plugin_home.installed import folder_of, write_record
from workbench.plugin_home.wheel import read_wheel, unpack

#: What a person reads before a plugin is installed.
RIGHTS = (
    "A plugin is a program. It runs with your rights: it can read and change your files and use the network. "
    "Install it only if you trust where it comes from."
)


def inspect(path: Path) -> PackageFacts:
    """What a wheel, a folder or a file is, without running any of it.

    Raises:
        PluginError: It can't be installed.
        NotFoundError: There is nothing at the path.
    """
    path = path.expanduser().absolute()
    if not path.exists():
        raise NotFoundError(f"There is no {path}.", remedy="Name a wheel, a folder or a Python file.")
    if path.is_dir():
        return read_fetched(path) if (path / "site").is_dir() and _is_draft(path) else read_folder(path)
    return read_file(path) if path.suffix == ".py" else read_wheel(path)


def install(
    home: Home,
    shown: PackageFacts,
    *,
    line: Callable[[str], None] = lambda _line: None,
    check: Callable[[], None] = lambda: None,
) -> str:
    """Install what a person was shown and agreed to; return the package's name.

    An older version of it in this home makes place. A folder is built first, by the program that it names.

    Args:
        line: Told what a build prints.
        check: Raises to end a build.

    Raises:
        PluginError: It is not what was shown any more, or can't be built.
        InUseError: The older version is at work and can't be moved.
    """
    found = inspect(shown.path)
    if found.digest != shown.digest:
        raise PluginError(f"{shown.path.name} has changed since it was shown.", remedy="Look at it again.")
    if found.source == "file":
        return _install_file(home, found)
    with _locked(home):
        _forget_drafts(home)
        draft = _new_draft(home)
        try:
            if found.source == "fetched":
                shutil.copytree(found.path / "site", draft / "site")
            else:
                wheel = found.path if found.source == "wheel" else _built(found, draft, line, check)
                found = found if found.source == "wheel" else _same_package(found, read_wheel(wheel))
                unpack(wheel, draft / "site")
                shutil.rmtree(draft / "wheel", ignore_errors=True)
            size = size_of(draft / "site")
            facts = found.model_copy(update={"size_bytes": size})
            origin = facts.name if shown.source == "fetched" else str(shown.path)
            write_record(draft, facts, origin=origin, installed_at=time.time())
            _put_in_place(draft, folder_of(home, facts.name), home)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    if found.source == "fetched":
        shutil.rmtree(shown.path, ignore_errors=True)
    return facts.name


def link(home: Home, folder: Path) -> PackageFacts:
    """Use the folder of a plugin that is being developed where it lies: each job runs what it holds then.

    Raises:
        PluginError: It is no plugin's folder, or its modules are not where Python finds them.
    """
    folder = folder.expanduser().absolute()
    facts = read_folder(folder)
    for point in facts.entry_points:
        import_root(folder, point.module)
    add_link(home, folder)
    return facts


def remove(home: Home, plugin: FoundPlugin) -> str:
    """Take a plugin out of the home, with the others of its package; return what was done, in words.

    A linked folder stays where it is.

    Raises:
        UsageError: It belongs to Tenfold or to its Python environment.
        InUseError: Its files can't be moved.
    """
    if plugin.kind == "linked" and plugin.place is not None:
        remove_link(home, plugin.place)
        return f"{plugin.title} is no longer used; its folder {plugin.place} stays as it is."
    if plugin.kind == "file" and plugin.place is not None:
        plugin.place.unlink()
        return f"{plugin.place.name} is deleted."
    if plugin.kind == "installed":
        with _locked(home):
            _move_away(folder_of(home, plugin.package), home)
        return f"{plugin.package} {plugin.version} is removed."
    raise UsageError(
        f"{plugin.title} belongs to {'Tenfold' if plugin.kind == 'ours' else 'the Python environment'}.",
        remedy="Switch it off instead.",
    )


def discard(home: Home, folder: Path) -> None:
    """Delete what was fetched and not installed."""
    if folder.parent == drafts(home) and folder.name.startswith("fetched-"):
        shutil.rmtree(folder, ignore_errors=True)


def drafts(home: Home) -> Path:
    """Where packages are built and fetched to; on the same disk as their place."""
    return home.plugins / ".drafts"


def _is_draft(path: Path) -> bool:
    return path.parent.name == ".drafts"


def _install_file(home: Home, facts: PackageFacts) -> str:
    target = home.plugins / facts.path.name
    draft = target.with_suffix(".new")
    shutil.copyfile(facts.path, draft)
    os.replace(draft, target)  # noqa: PTH105 - the one atomic step
    return facts.name


def _built(facts: PackageFacts, draft: Path, line: Callable[[str], None], check: Callable[[], None]) -> Path:
    """The wheel that a folder's own build program makes of it."""
    target = draft / "wheel"
    target.mkdir()
    uv = tools.find_uv()
    if uv is not None:
        command = [str(uv), "build", "--wheel", "--no-config", "--python", sys.executable]
        command += ["--out-dir", str(target), str(facts.path)]
    elif tools.has_pip():
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--disable-pip-version-check"]
        command += ["--wheel-dir", str(target), str(facts.path)]
    else:
        raise PluginError(
            "Neither uv nor pip is here to build the folder.",
            remedy="Install uv, or link the folder instead of installing it.",
        )
    tools.run(command, draft, line=line, check=check)
    wheels = list(target.glob("*.whl"))
    if len(wheels) != 1:
        raise PluginError("The build made no wheel.")
    return wheels[0]


def _same_package(shown: PackageFacts, built: PackageFacts) -> PackageFacts:
    same_version = not shown.version or shown.version == built.version
    if canonicalize_name(shown.name) != canonicalize_name(built.name) or not same_version:
        raise PluginError(
            f"The build made {built.name} {built.version}, and {shown.name} {shown.version} was shown."
        )
    return built


def _locked(home: Home) -> FileLock:
    drafts(home).mkdir(parents=True, exist_ok=True)
    return FileLock(drafts(home) / "installing.lock")


def _new_draft(home: Home) -> Path:
    made = drafts(home) / uuid.uuid4().hex
    made.mkdir(parents=True)
    return made


def _forget_drafts(home: Home) -> None:
    """Delete what an installation left that was ended in the middle; who holds the lock has the only one."""
    for each in drafts(home).iterdir():
        if each.is_dir() and not each.name.startswith("fetched-"):
            shutil.rmtree(each, ignore_errors=True)


def _put_in_place(draft: Path, target: Path, home: Home) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        _move_away(target, home)
    os.replace(draft, target)  # noqa: PTH105 - the one atomic step


def _move_away(folder: Path, home: Home) -> None:
    old = drafts(home) / f"old-{uuid.uuid4().hex}"
    try:
        os.replace(folder, old)  # noqa: PTH105 - out of the way at once, deleted after
    except FileNotFoundError:
        return
    except OSError as error:
        raise InUseError(
            f"{folder.name} can't be moved: {error.strerror or error}.",
            remedy="Wait for the jobs that use it, then try again.",
        ) from error
    shutil.rmtree(old, ignore_errors=True)
