"""Finds models anywhere below a folder, with bounds on depth and number, whatever its links do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from workbench.errors import ModelFileError
from workbench.library.folder_facts import config_of, looks_like_mlx
from workbench.library.found import Found, Skipped, Step
from workbench.library.layout import (
    CONFIG,
    find_layout,
    gguf_layout,
    holds_adapter_alone,
    is_gguf_model_name,
)
from workbench.library.naming import bare_name, folder_name
from workbench.library.sniff import head_of, unreadable
from workbench.model import ModelFormat

MAX_DEPTH = 8
MAX_FOLDERS = 100_000
#: Folders in which models are never kept, and that may be very large.
_PASSED_OVER = frozenset({"node_modules", "__pycache__", "System Volume Information", "$RECYCLE.BIN"})

#: `general.type = adapter` as GGUF writes it; writers put it among the first keys.
_ADAPTER_SIGN = re.compile(rb"general\.type\x08\x00\x00\x00\x07\x00{7}adapter")
_HEAD_BYTES = 4096


def scan_folder(root: Path, *, source: str) -> Iterator[Step]:
    """The GGUF files and model folders below `root`. Links are followed, each folder is visited once."""
    waiting = [(root, 0)]
    visited: set[tuple[int, int]] = set()
    count = 0
    while waiting:
        folder, depth = waiting.pop()
        count += 1
        if count > MAX_FOLDERS:
            yield Skipped(
                root, f"there are more than {MAX_FOLDERS} folders in it; the rest was not looked at"
            )
            return
        try:
            found = folder.stat()
            if (found.st_dev, found.st_ino) in visited:
                continue
            visited.add((found.st_dev, found.st_ino))
            names, folders = _entries(folder)
        except OSError as error:
            yield Skipped(folder, unreadable(folder, error).reason)
            continue
        yield from models_in(folder, names, source=source)
        if depth < MAX_DEPTH:
            waiting += [(folder / name, depth + 1) for name in sorted(folders, reverse=True)]
        yield None


def models_in(folder: Path, names: list[str], *, source: str) -> Iterator[Step]:
    """The models and adapters that lie directly in a folder with these file names: GGUF files, and the
    folder itself."""
    for name in sorted(names):
        if is_gguf_model_name(name):
            yield _gguf(folder / name, source)
    if holds_adapter_alone(names):
        yield found_adapter(folder, name=folder_name(folder), source=source)
    elif CONFIG in names and any(name.endswith(".safetensors") for name in names):
        yield found_folder(folder, name=folder_name(folder), source=source)


def found_folder(folder: Path, *, name: str, source: str) -> Found | Skipped | None:
    """A folder as a model; None for one that holds something else, such as a part of an image model."""
    try:
        config = config_of(folder)
        if "model_type" not in config and "architectures" not in config:
            return None
        layout = find_layout(folder)
        kind: ModelFormat = "mlx" if looks_like_mlx(folder, layout.weights, config) else "hf"
    except ModelFileError as error:
        return Skipped(folder, error.reason)
    except OSError as error:
        return Skipped(folder, unreadable(folder, error).reason)
    return Found(folder, name, kind, layout.size_bytes, source)


def found_adapter(folder: Path, *, name: str, source: str) -> Found | Skipped:
    """A folder as an adapter."""
    try:
        layout = find_layout(folder)
    except ModelFileError as error:
        return Skipped(folder, error.reason)
    return Found(folder, name, "adapter", layout.size_bytes, source)


def found_gguf(path: Path, *, name: str, source: str, sha256: str | None = None) -> Found | Skipped:
    """A GGUF file, or a split one by its first part, whatever its ending."""
    try:
        if head_of(path, 4) != b"GGUF":
            return Skipped(path, "it is not a GGUF file")
        layout = gguf_layout(path)
    except ModelFileError as error:
        return Skipped(path, error.reason)
    kind: ModelFormat = "adapter" if _ADAPTER_SIGN.search(head_of(path, _HEAD_BYTES)) else "gguf"
    return Found(layout.path, name, kind, layout.size_bytes, source, sha256)


def _gguf(path: Path, source: str) -> Found | Skipped:
    return found_gguf(path, name=bare_name(path.name) or path.parent.name, source=source)


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """File names and folder names in a folder; hidden ones and names that are no Unicode left out."""
    names: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not _is_unicode(entry.name):
                continue
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError:
                continue
            if is_folder and entry.name not in _PASSED_OVER:
                folders.append(entry.name)
            elif is_file:
                names.append(entry.name)
    return names, folders


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
