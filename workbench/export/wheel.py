"""Builds a wheel of Tenfold as it is installed here, without network and without a build tool."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from workbench.errors import NotFoundError
from workbench.packing.archive import Content, record, write_zip
from workbench.packing.installed import DISTRIBUTION
from workbench.packing.sources import module_files

#: What the wheel holds; the window is left out where it is not installed.
PACKAGES = ("workbench", "plugins", "ui")
_NEEDED = frozenset({"workbench", "plugins"})
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
    files: dict[str, Content] = {name: path for top in PACKAGES for name, path in module_files(top)}
    missing = _NEEDED - {name.partition("/")[0] for name in files}
    if missing:
        raise NotFoundError(f"The package {', '.join(sorted(missing))} is not installed here.")
    info = f"{DISTRIBUTION}-{installed.version}.dist-info"
    for name in ("METADATA", "entry_points.txt"):
        text = installed.read_text(name)
        if text:
            files[f"{info}/{name}"] = text.encode()
    files[f"{info}/WHEEL"] = _WHEEL.encode()
    files[f"{info}/RECORD"] = record(files, info)
    target = folder / f"{DISTRIBUTION}-{installed.version}-py3-none-any.whl"
    write_zip(target, files)
    return target
