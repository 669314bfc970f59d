"""Finds the models of Ollama: manifests name blobs by their sha256, and one blob of each is a GGUF file.

Source: Ollama's repository, `server/manifest.go` and `server/modelpath.go`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.errors import ModelFileError
from workbench.library.bounded import read_json
from workbench.library.found import Found, Skipped, Step
from workbench.library.scan_folder import found_gguf
from workbench.library.sniff import unreadable

_MAX_MANIFEST_BYTES = 1_000_000
_WEIGHTS = "application/vnd.ollama.image.model"
_TENSORS = "application/vnd.ollama.image.tensor"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_OWN_REGISTRY = "registry.ollama.ai"


def looks_like_ollama(path: Path) -> bool:
    """Whether a folder has the shape of an Ollama store."""
    return (path / "manifests").is_dir() and (path / "blobs").is_dir()


def scan_ollama(root: Path) -> Iterator[Step]:
    """The models of a store, each called as Ollama calls it: `NAME:TAG`. Two tags of one blob are one."""
    manifests = root / "manifests"
    found: dict[Path, Found] = {}
    for path in _manifests(manifests):
        if isinstance(path, Skipped):
            yield path
            continue
        each = _model(root, path, _name(path.relative_to(manifests).parts))
        if isinstance(each, Found):
            # `latest` says less than a tag of its own.
            known = found.get(each.path)
            if known is None or known.name.endswith(":latest"):
                found[each.path] = each
        else:
            yield each
        yield None
    yield from found.values()


def _manifests(root: Path) -> Iterator[Path | Skipped]:
    """The manifests lie four deep: `HOST/NAMESPACE/NAME/TAG`."""
    waiting = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            yield Skipped(folder, unreadable(folder, error).reason)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if depth < 3 and entry.is_dir(follow_symlinks=False):
                waiting.append((Path(entry.path), depth + 1))
            elif depth == 3 and entry.is_file():
                yield Path(entry.path)


def _name(parts: tuple[str, ...]) -> str:
    host, namespace, name, tag = parts
    if host == _OWN_REGISTRY:
        owner = "" if namespace == "library" else f"{namespace}/"
    else:
        owner = f"{host}/{namespace}/"
    return f"{owner}{name}:{tag}"


def _model(root: Path, manifest: Path, name: str) -> Found | Skipped | None:
    try:
        layers = read_json(manifest, _MAX_MANIFEST_BYTES).get("layers")
    except ModelFileError as error:
        return Skipped(manifest, error.reason)
    kinds = {_text(layer, "mediaType"): _text(layer, "digest") for layer in _tables(layers)}
    if _WEIGHTS not in kinds:
        reason = "its weights are not kept as GGUF" if _TENSORS in kinds else ""
        return Skipped(manifest, reason) if reason else None
    digest = _DIGEST.fullmatch(kinds[_WEIGHTS])
    if digest is None:
        return Skipped(manifest, "its manifest names no proper blob")
    # Old versions used a colon, which Windows does not allow.
    for sign in ("-", ":"):
        blob = root / "blobs" / f"sha256{sign}{digest[1]}"
        if os.name == "nt" and sign == ":":
            break
        if blob.is_file():
            return found_gguf(blob, name=name, source="ollama", sha256=digest[1])
    return Skipped(manifest, f"its blob sha256-{digest[1][:12]}… is not there")


def _tables(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""
