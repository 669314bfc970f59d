"""Makes a wheel out of an installed package again, so that a bundle carries it and nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from workbench.errors import NotFoundError, UsageError
from workbench.packing.archive import Content, record, write_zip

#: What an installer writes about this one installation.
_OF_INSTALLER = frozenset({"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"})


def wheel_of(distribution: metadata.Distribution, folder: Path) -> Path:
    """Write the wheel of an installed package into a folder, from the files that its record lists.

    Raises:
        NotFoundError: Parts of it are gone.
        UsageError: It was installed without a record, or is only a link to a source folder.
    """
    name = distribution.metadata["Name"]
    about = distribution.read_text("WHEEL")
    if not distribution.files or not about:
        raise UsageError(f"{name} was not installed from a wheel, so none can be made of it.")
    files: dict[str, Content] = {}
    info = ""
    for listed in distribution.files:
        path, parts = Path(str(listed.locate())), PurePosixPath(listed.as_posix()).parts
        if parts[0].endswith(".dist-info"):
            info = parts[0]
            if len(parts) == 2 and parts[1] in _OF_INSTALLER:
                continue
        if parts[0] == ".." or "__pycache__" in parts:
            # Outside lie commands, which hold a path of this machine and are made anew, and manual pages.
            continue
        if parts[0].startswith(("__editable__", "_editable_impl")):
            raise UsageError(f"{name} is linked to a source folder here, so no wheel can be made of it.")
        if not path.is_file():
            raise NotFoundError(
                f"{listed} of {name} is gone.", remedy=f"Install it again: pip install {name}"
            )
        files[listed.as_posix()] = path
    files[f"{info}/RECORD"] = record(files, info)
    target = folder / f"{canonicalize_name(name).replace('-', '_')}-{distribution.version}-{_tag(about)}.whl"
    write_zip(target, files)
    return target


def _tag(about: str) -> str:
    r"""The part of a wheel's file name that says where it runs, from the tags that it lists.

    >>> _tag("Tag: cp310-abi3-manylinux1_x86_64\nTag: cp310-abi3-manylinux2014_x86_64\n")
    'cp310-abi3-manylinux1_x86_64.manylinux2014_x86_64'
    """
    return "-".join(".".join(sorted(set(each))) for each in zip(*_tags(about), strict=True))


def _tags(about: str) -> Iterator[list[str]]:
    for line in about.splitlines():
        if line.startswith("Tag:"):
            yield line.removeprefix("Tag:").strip().split("-", 2)
