"""Where the code of a metric lies, and its hash: other code may find another figure on the same model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from workbench.jobs.loading import FILE_PREFIX
from workbench.packing.sources import module_files

#: Of Tenfold's own plugins each file stands for itself: a change of another one changes no figure.
_OWN = "plugins"


def source_hash(plugin: str, folders: Sequence[Path]) -> str:
    """SHA-256 of a plugin's source, in hex digits; empty where it is not here. Nothing of it is imported.

    Args:
        plugin: A module, whose whole package counts, or `file:NAME.py`.
        folders: Where a single file is looked for, in order.
    """
    files = _files(plugin, folders)
    if not files:
        return ""
    found = hashlib.sha256()
    for name, path in files:
        found.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def _files(plugin: str, folders: Sequence[Path]) -> list[tuple[str, Path]]:
    if plugin.startswith(FILE_PREFIX):
        name = plugin.removeprefix(FILE_PREFIX)
        place = next((each / name for each in folders if (each / name).is_file()), None)
        return [(name, place)] if place is not None else []
    top = plugin.partition(".")[0]
    found = [each for each in module_files(top) if each[1].suffix == ".py"]
    if top == _OWN:
        own = f"{plugin.replace('.', '/')}.py"
        return [each for each in found if each[0] == own]
    return found
