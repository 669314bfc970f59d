"""Finds the models in a Hugging Face cache: `models--ORG--NAME/snapshots/REVISION/…`, links into `blobs`.

Source: huggingface_hub's guide "Understand caching". Where links are not possible (Windows without
developer mode) the snapshot holds the files themselves, which makes no difference here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from workbench.library.found import Found, Skipped, Step
from workbench.library.layout import holds_adapter_alone, is_gguf_model_name
from workbench.library.naming import bare_name
from workbench.library.scan_folder import found_adapter, found_folder, found_gguf
from workbench.library.sniff import unreadable

_PREFIX = "models--"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def looks_like_huggingface(path: Path) -> bool:
    """Whether a folder has the shape of a Hugging Face cache."""
    try:
        with os.scandir(path) as entries:
            return any(entry.name.startswith(_PREFIX) and entry.is_dir() for entry in entries)
    except OSError:
        return False


def scan_huggingface(root: Path) -> Iterator[Step]:
    """The models of a cache: of each repository the revision `main`, else the newest one."""
    try:
        repositories = sorted(each for each in root.iterdir() if each.name.startswith(_PREFIX))
    except OSError as error:
        yield Skipped(root, unreadable(root, error).reason)
        return
    for repository in repositories:
        try:
            snapshot = _snapshot(repository)
            if snapshot is not None:
                yield from _models(snapshot, repository.name.removeprefix(_PREFIX).replace("--", "/"))
        except OSError as error:
            yield Skipped(repository, unreadable(repository, error).reason)
        yield None


def _snapshot(repository: Path) -> Path | None:
    snapshots = repository / "snapshots"
    if not snapshots.is_dir():
        return None
    try:
        named = (repository / "refs" / "main").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        named = ""
    if named and Path(named).name == named and (snapshots / named).is_dir():
        return snapshots / named
    revisions = [each for each in snapshots.iterdir() if each.is_dir()]
    return max(revisions, key=lambda each: each.stat().st_mtime, default=None)


def _models(snapshot: Path, repository: str) -> Iterator[Step]:
    """A repository may keep its GGUF files in folders, one for each quantization."""
    source = f"hf:{repository}"
    name = repository.rpartition("/")[2]
    names = sorted(each.name for each in snapshot.iterdir())
    if holds_adapter_alone(names):
        yield found_adapter(snapshot, name=name, source=source)
    elif "config.json" in names and any(each.endswith(".safetensors") for each in names):
        yield found_folder(snapshot, name=name, source=source)
    for folder in (snapshot, *(snapshot / each for each in names if (snapshot / each).is_dir())):
        for file in sorted(folder.iterdir()):
            if is_gguf_model_name(file.name) and not file.is_dir():
                yield _gguf(file, name, source)


def _gguf(file: Path, repository: str, source: str) -> Found | Skipped:
    if not file.exists():
        return Skipped(file, "its download was not finished")
    found = found_gguf(file, name=bare_name(file.name) or repository, source=source)
    if isinstance(found, Found) and found.path == file and file.is_symlink():
        blob = file.resolve()
        single = found.size_bytes == blob.stat().st_size
        if single and blob.parent.name == "blobs" and _SHA256.fullmatch(blob.name):
            return replace(found, sha256=blob.name)
    return found
