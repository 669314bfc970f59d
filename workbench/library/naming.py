"""Makes ids and names for models."""

from __future__ import annotations

import base64
import re
import secrets
from pathlib import Path

from workbench.errors import UsageError
from workbench.library.bounded import clean_line
from workbench.library.ggml_types import FILE_TYPES, GGML_TYPES
from workbench.library.layout import part_of
from workbench.model import ModelFacts

MAX_NAME = 200
MAX_TAG = 60
MAX_TAGS = 50
MAX_NOTES = 100_000

#: File names that say nothing of the model in them.
_EMPTY_NAMES = frozenset(
    {
        *("model", "ggml-model", "gguf", "weights", "consolidated", "snapshot", "main", "out"),
        *("adapter", "adapters", "lora", "adapter_model"),
    }
)
_HEXADECIMAL = re.compile(r"(sha256[-:])?[0-9a-f]{12,64}")
#: The longest first, so that Q4_K_M is not taken for Q4_K.
_QUANTIZATIONS = sorted(
    {*FILE_TYPES.values(), *(kind.name for kind in GGML_TYPES.values())}, key=len, reverse=True
)
_CACHE_FOLDER = re.compile(r"models--(?P<owner>.+?)--(?P<name>.+)")


def new_id() -> str:
    """Eight random characters of lower-case base32: 40 bits, easy to type.

    >>> len(new_id())
    8
    """
    return base64.b32encode(secrets.token_bytes(5)).decode().lower()


def default_name(path: Path, facts: ModelFacts) -> str:
    """What a model is called until a person says otherwise: its file or folder, without the quantization.

    >>> default_name(Path("/m/SmolLM2-135M.Q4_1.gguf"), ModelFacts(format="gguf", quantization="Q4_1"))
    'SmolLM2-135M'
    """
    stem = path.name
    if path.suffix.lower() == ".gguf" and not path.is_dir():
        part = part_of(path.name)
        stem = part.stem if part else path.name.removesuffix(".gguf").removesuffix(".GGUF")
        stem = _without_quantization(stem, facts.quantization)
    found = _speaking(stem, _repository(path), facts.name or "", path.parent.name)
    return found or clean_line(stem, MAX_NAME) or "model"


def bare_name(file_name: str) -> str:
    """The name of a GGUF file without part number, ending and quantization; empty where nothing is left.

    >>> bare_name("SmolLM2-135M-Instruct-Q4_K_M-00001-of-00002.gguf")
    'SmolLM2-135M-Instruct'
    """
    part = part_of(file_name)
    stem = part.stem if part else Path(file_name).stem
    for title in _QUANTIZATIONS:
        shorter = _without_quantization(stem, title)
        if shorter != stem:
            return shorter
    return "" if stem.lower() in {*_EMPTY_NAMES, *(title.lower() for title in _QUANTIZATIONS)} else stem


def folder_name(folder: Path) -> str:
    """The name of a model folder: its own, or where that says nothing (a revision), the repository's.

    >>> folder_name(Path("/cache/models--org--tiny/snapshots/0123456789abcdef0123456789abcdef01234567"))
    'tiny'
    """
    return _speaking(folder.name, _repository(folder), folder.parent.name) or folder.name


def checked_name(name: str) -> str:
    """A name as it is stored: one line, not empty.

    Raises:
        UsageError: It is empty or too long.
    """
    found = clean_line(name, MAX_NAME + 1) or ""
    if not found or len(found) > MAX_NAME:
        raise UsageError(f"A model's name has 1 to {MAX_NAME} characters.", remedy="Choose another name.")
    return found


def checked_tags(tags: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Tags as they are stored: each on one line, none twice (capitals aside), in the order given.

    Raises:
        UsageError: There are too many, or one is too long.
    """
    found: dict[str, str] = {}
    for tag in tags:
        line = clean_line(tag, MAX_TAG + 1)
        if line is None:
            continue
        if len(line) > MAX_TAG:
            raise UsageError(f"A tag has at most {MAX_TAG} characters.", remedy="Shorten it.")
        found.setdefault(line.casefold(), line)
    if len(found) > MAX_TAGS:
        raise UsageError(f"A model has at most {MAX_TAGS} tags.", remedy="Remove some.")
    return tuple(found.values())


def _speaking(*candidates: str) -> str | None:
    """The first name that says something of the model."""
    for candidate in candidates:
        name = clean_line(candidate, MAX_NAME)
        if name and name.lower() not in _EMPTY_NAMES and not _HEXADECIMAL.fullmatch(name.lower()):
            return name
    return None


def _without_quantization(stem: str, quantization: str) -> str:
    lower, ending = stem.lower(), quantization.lower()
    for sign in (".", "-", "_"):
        if ending and lower.endswith(sign + ending) and len(stem) > len(ending) + 1:
            return stem[: -len(ending) - 1]
    return stem


def _repository(path: Path) -> str:
    """The repository's name for a path in a Hugging Face cache: `models--ORG--NAME/snapshots/…`."""
    for folder in (path, *path.parents):
        found = _CACHE_FOLDER.fullmatch(folder.name)
        if found:
            return found["name"]
    return ""
