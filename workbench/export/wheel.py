"""Builds a wheel of Tenfold as it is installed here, without network and without a build tool."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from workbench.errors import NotFoundError
from workbench.export.archive import write_zip

DISTRIBUTION = "tenfold"
#: What the wheel holds; the window is left out where it is not installed.
_PACKAGES = ("workbench", "plugins", "ui")
_NEEDED = frozenset({"workbench", "plugins"})
_LEFT_OUT = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_WHEEL = "Wheel-Version: 1.0\nGenerator: tenfold\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_wheel(folder: Path) -> Path:
    """Write the wheel into a folder; the same code makes the same bytes.

    Raises:
        NotFoundError: Tenfold runs from files that were never installed.
        OSError: The disk is full.
    """
    try:
        installed = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise NotFoundError(
            "Tenfold is not installed as a package here, so no wheel can be made of it.",
            remedy="Install it first: pip install -e .",
        ) from error
    files = {name: path.read_bytes() for top in _PACKAGES for name, path in module_files(top)}
    missing = _NEEDED - {name.partition("/")[0] for name in files}
    if missing:
        raise NotFoundError(f"The package {', '.join(sorted(missing))} is not installed here.")
    info = f"{DISTRIBUTION}-{installed.version}.dist-info"
    for name in ("METADATA", "entry_points.txt"):
        text = installed.read_text(name)
        if text:
            files[f"{info}/{name}"] = text.encode()
    files[f"{info}/WHEEL"] = _WHEEL.encode()
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    target = folder / f"{DISTRIBUTION}-{installed.version}-py3-none-any.whl"
    write_zip(target, files)
    return target


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


def _record(files: dict[str, bytes], own: str) -> bytes:
    """The list that an installer checks each file against: hash and size, of itself neither."""
    lines = []
    for name in sorted(files):
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
        quoted = f'"{name}"' if "," in name else name
        lines.append(f"{quoted},sha256={digest},{len(files[name])}\n")
    return "".join([*lines, f"{own},,\n"]).encode()
