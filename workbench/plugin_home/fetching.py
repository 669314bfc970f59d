"""Fetches a plugin by its name and reads what it is; what was fetched runs only after it was installed."""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from packaging.utils import canonicalize_name

from workbench.environments import tools
from workbench.environments.requirements import parsed
from workbench.errors import PluginError
from workbench.plugin_home.facts import MOST_METADATA_BYTES, FileFacts, PackageFacts, from_metadata
from workbench.plugin_home.wheel import check_top_names, digest_of

#: What was fetched and never installed is deleted at the next fetch after this time.
_KEPT_S = 24 * 3600.0
_MOST_FILES = 20_000


def fetch(
    drafts: Path,
    name: str,
    *,
    line: Callable[[str], None] = lambda _line: None,
    check: Callable[[], None] = lambda: None,
) -> PackageFacts:
    """Download a package from where this machine's pip or uv gets them, which uses the network.

    Only a wheel is taken, because nothing in one runs when it is unpacked; what it requires is not fetched.

    Args:
        drafts: Where it is put until it is installed.
        name: Its name, with or without a version: `tenfold-extra`, `tenfold-extra==1.2`.

    Raises:
        PluginError: It is no plugin of Tenfold.
        OwnEnvironmentError: It can't be fetched.
    """
    requirement = parsed(name.strip())
    if requirement.url is not None or requirement.extras or requirement.marker is not None:
        raise PluginError("Name the package alone, with or without a version.")
    _forget_old(drafts)
    folder = drafts / f"fetched-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        command = [*_installer(), "--no-deps", "--only-binary", ":all:", "--target", str(folder / "site")]
        tools.run([*command, str(requirement)], folder, line=line, check=check)
        (folder / "name.txt").write_text(canonicalize_name(requirement.name), encoding="utf-8")
        return read_fetched(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def read_fetched(folder: Path) -> PackageFacts:
    """What a package that was fetched says of itself.

    Raises:
        PluginError: It is no plugin of Tenfold, or not well formed.
    """
    site = folder / "site"
    name = (folder / "name.txt").read_text(encoding="utf-8")
    described = [
        each for each in site.glob("*.dist-info") if canonicalize_name(each.name.partition("-")[0]) == name
    ]
    if len(described) != 1:
        raise PluginError(f"What was fetched does not hold exactly one description of {name}.")
    files = [path for path in site.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    if len(files) > _MOST_FILES:
        raise PluginError(f"It holds more than {_MOST_FILES:,} files.")
    names = sorted(path.relative_to(site).as_posix() for path in files)
    check_top_names(names)
    return from_metadata(
        _text(described[0] / "METADATA"),
        _text(described[0] / "entry_points.txt"),
        source="fetched",
        path=folder,
        digest=digest_of(described[0] / "RECORD"),
        files=[FileFacts(name=each, size_bytes=(site / each).stat().st_size) for each in names],
    )


def _installer() -> list[str]:
    uv = tools.find_uv()
    if uv is not None:
        return [str(uv), "pip", "install", "--python", sys.executable]
    if tools.has_pip():
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
    raise PluginError(
        "Neither uv nor pip is here to fetch a package.",
        remedy="Install uv, or download the wheel and install that.",
    )


def _text(path: Path) -> str:
    if not path.is_file():
        return ""
    if path.stat().st_size > MOST_METADATA_BYTES:
        raise PluginError(f"Its {path.name} is longer than anyone can read.")
    return path.read_text(encoding="utf-8", errors="replace")


def _forget_old(drafts: Path) -> None:
    for each in drafts.glob("fetched-*"):
        try:
            if time.time() - each.stat().st_mtime > _KEPT_S:
                shutil.rmtree(each, ignore_errors=True)
        except OSError:
            continue
