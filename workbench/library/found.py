"""What a scan of the disk finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.model import ModelFormat

PlaceKind = Literal["huggingface", "lm-studio", "ollama", "folder"]


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in which models may lie: the store of another program, or any folder."""

    kind: PlaceKind
    title: str
    path: Path


@dataclass(frozen=True, slots=True)
class Found:
    """A model that lies in a place, judged by names and first bytes; adding it reads its header.

    Attributes:
        path: What `Library.add` takes.
        name: What to call it.
        format: `gguf`, `hf`, `mlx` or `adapter`.
        size_bytes: Bytes on disk of all its files.
        source: For example `ollama`, `lm-studio`, `hf:ORG/NAME`, `folder`.
        sha256: Its content hash where the store names its files by it.
    """

    path: Path
    name: str
    format: ModelFormat
    size_bytes: int
    source: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that looked like a model, or a folder that could not be read, and why it was left out."""

    path: Path
    reason: str


#: A scanner yields these, and None after each folder, so that a caller may stop there for a while.
Step = Found | Skipped | None
