"""Finds which files on disk together make one model. Reads names and first bytes, no headers."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from workbench.errors import ModelFileError
from workbench.library.bounded import read_json
from workbench.library.sniff import (
    PICKLE_ENDINGS,
    head_of,
    not_a_model,
    refuse_pickle,
    shown,
    stat_of,
    unreadable,
    unsafe_by_name,
)

CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"
#: Where PEFT keeps an adapter's weights, and where mlx-lm does.
PEFT_WEIGHTS = "adapter_model.safetensors"
MLX_WEIGHTS = "adapters.safetensors"
INDEX = "model.safetensors.index.json"
#: The index of a model with 300,000 tensors has about 30 MB.
MAX_INDEX_BYTES = 40_000_000
#: A folder with more than this is no model folder.
MAX_FOLDER_ENTRIES = 20_000

_PART = re.compile(r"^(?P<stem>.+)-(?P<part>\d{5})-of-(?P<count>\d{5})(?P<ending>\.\w+)$", re.IGNORECASE)
#: Beside the weights of a folder these belong to something else: other formats, other uses.
_FOREIGN_ENDINGS = PICKLE_ENDINGS | {".gguf", ".h5", ".msgpack", ".onnx", ".tflite", ".safetensors"}


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one model.

    Attributes:
        kind: `gguf` for one file or the parts of a split one, `folder` for safetensors, `adapter` for a
            folder that holds an adapter alone.
        path: What names the model: the GGUF file (the first part), or the folder.
        root: The folder that holds the files.
        weights: File names below `root`, in order.
        others: Names of the configuration, tokenizer and text files of a folder.
        size_bytes: Bytes on disk of all of them.
    """

    kind: Literal["gguf", "folder", "adapter"]
    path: Path
    root: Path
    weights: tuple[str, ...]
    others: tuple[str, ...]
    size_bytes: int

    @property
    def files(self) -> tuple[str, ...]:
        return self.weights + self.others


@dataclass(frozen=True, slots=True)
class Part:
    """The name of one part of a split file, taken apart: `STEM-00002-of-00003.gguf`."""

    stem: str
    part: int
    count: int
    ending: str

    def name(self, part: int) -> str:
        return f"{self.stem}-{part:05d}-of-{self.count:05d}{self.ending}"


def part_of(name: str) -> Part | None:
    """Takes the name of a split file apart; None for a file that stands alone.

    >>> part_of("big-00002-of-00003.gguf").name(1)
    'big-00001-of-00003.gguf'
    """
    found = _PART.match(name)
    if not found:
        return None
    part, count = int(found["part"]), int(found["count"])
    return Part(found["stem"], part, count, found["ending"]) if 1 <= part <= count else None


def find_layout(path: Path) -> Layout:
    """The files of the model that a person points at: a GGUF file or part, a folder, or a file in one.

    Raises:
        UnsafeModelError: There are only pickles.
        ModelFileError: It is gone, unreadable, incomplete, or no model.
    """
    if "\0" in str(path):
        raise ModelFileError(path, "the path can't exist on this system.")
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ModelFileError(
            path, "its path is not valid Unicode, so that no list can hold it.", remedy="Rename it."
        ) from None
    if stat.S_ISDIR(stat_of(path).st_mode):
        return _folder_or_single_gguf(path)
    if path.suffix.lower() == ".json" and path.name.lower().endswith((CONFIG, ".index.json")):
        return _folder(path.parent)
    head = head_of(path)
    if head[:4] == b"GGUF" or path.suffix.lower() == ".gguf":
        return gguf_layout(path)
    refuse_pickle(path)
    if path.suffix.lower() == ".safetensors":
        if (path.parent / CONFIG).exists() or (path.parent / ADAPTER_CONFIG).exists():
            return _folder(path.parent)
        raise ModelFileError(
            path,
            "weights alone do not say what model they are: there is no config.json beside it.",
            remedy="Add the whole folder, with config.json and the tokenizer's files.",
        )
    if path.suffix.lower() in PICKLE_ENDINGS:
        raise unsafe_by_name(path, (path.name,))
    raise not_a_model(path, head)


def gguf_layout(path: Path) -> Layout:
    """One GGUF file, or all parts of a split one.

    Raises:
        ModelFileError: A part is missing; the message names it.
    """
    part = part_of(path.name)
    if part is None or part.count == 1:
        return Layout("gguf", path, path.parent, (path.name,), (), stat_of(path).st_size)
    names: list[str] = []
    size = 0
    for number in range(1, part.count + 1):
        name = part.name(number)
        try:
            size += (path.parent / name).stat().st_size
        except FileNotFoundError:
            raise ModelFileError(
                path,
                f"its part {name} is missing; the model has {part.count} parts.",
                remedy="Put all parts into one folder.",
            ) from None
        except OSError as error:
            raise unreadable(path.parent / name, error) from error
        names.append(name)
    return Layout("gguf", path.parent / names[0], path.parent, tuple(names), (), size)


def _folder_or_single_gguf(folder: Path) -> Layout:
    names = set(_sizes(folder))
    if not names.isdisjoint((CONFIG, ADAPTER_CONFIG)) or any(name.endswith(".safetensors") for name in names):
        return _folder(folder)
    starts = sorted(name for name in names if is_gguf_model_name(name))
    if len(starts) == 1:
        return gguf_layout(folder / starts[0])
    if starts:
        listed = ", ".join(starts[:3]) + (", …" if len(starts) > 3 else "")
        raise ModelFileError(
            folder, f"it holds {len(starts)} GGUF models ({listed}).", remedy="Add one of them, or scan it."
        )
    return _folder(folder)


def is_gguf_model_name(name: str) -> bool:
    """Whether a file name is that of a GGUF model: not a later part, not a projector for images."""
    lower = name.lower()
    if not lower.endswith(".gguf") or "mmproj" in lower or lower.startswith(("ggml-vocab-", ".")):
        return False
    part = part_of(name)
    return part is None or part.part == 1


def holds_adapter_alone(names: Iterable[str]) -> bool:
    """Whether a folder with these file names holds an adapter and no model beside it."""
    listed = set(names)
    # mlx-lm keeps earlier states beside the last one: `0000100_adapters.safetensors`.
    return ADAPTER_CONFIG in listed and all(
        name.startswith((".", "adapter")) or name.endswith(f"_{MLX_WEIGHTS}")
        for name in listed
        if name.endswith(".safetensors")
    )


def _folder(folder: Path) -> Layout:
    sizes = _sizes(folder)
    if holds_adapter_alone(sizes):
        weights = [_adapter_weights(folder, sizes)]
        others = _others(sizes, weights)
        total = sum(sizes[name] for name in (*weights, *others))
        return Layout("adapter", folder, folder, tuple(weights), others, total)
    weights = _weights(folder, sizes)
    if CONFIG not in sizes:
        raise ModelFileError(
            folder,
            "there is no config.json in this folder, so nothing says what model the weights are.",
            remedy="Copy config.json and the tokenizer's files from where the weights came from.",
        )
    others = _others(sizes, weights)
    total = sum(sizes.get(name, 0) for name in others)
    total += sum(sizes[name] if name in sizes else stat_of(folder / name).st_size for name in weights)
    return Layout("folder", folder, folder, tuple(weights), others, total)


def _others(sizes: dict[str, int], weights: list[str]) -> tuple[str, ...]:
    return tuple(
        sorted(
            name
            for name in sizes
            if name not in weights
            and not name.startswith(".")
            and PurePosixPath(name.lower()).suffix not in _FOREIGN_ENDINGS
        )
    )


def _adapter_weights(folder: Path, sizes: dict[str, int]) -> str:
    for name in (PEFT_WEIGHTS, MLX_WEIGHTS):
        if name in sizes:
            return name
    pickles = tuple(
        sorted(
            name
            for name in sizes
            if name.startswith("adapter") and PurePosixPath(name.lower()).suffix in PICKLE_ENDINGS
        )
    )
    if pickles:
        raise unsafe_by_name(folder, pickles)
    raise ModelFileError(
        folder,
        f"there is an {ADAPTER_CONFIG} but no {PEFT_WEIGHTS} with the adapter's weights.",
        remedy="Download or copy the weights too.",
    )


def _weights(folder: Path, sizes: dict[str, int]) -> list[str]:
    if INDEX in sizes:
        return _indexed(folder)
    if "model.safetensors" in sizes:
        return ["model.safetensors"]
    found = sorted(name for name in sizes if name.endswith(".safetensors") and not name.startswith("."))
    models = [name for name in found if not name.startswith("adapter")]
    if found and not models:
        raise ModelFileError(
            folder,
            f"it holds the weights of an adapter (LoRA), and no {ADAPTER_CONFIG} says how they are used.",
            remedy=f"Copy {ADAPTER_CONFIG} from where the weights came from.",
        )
    sharded = [(name, part) for name in models if (part := part_of(name))]
    if sharded:
        first = sharded[0][1]
        for number in range(1, first.count + 1):
            if first.name(number) not in sizes:
                raise _missing(folder, first.name(number))
        return [first.name(number) for number in range(1, first.count + 1)]
    if models:
        return models
    pickles = tuple(sorted(name for name in sizes if PurePosixPath(name.lower()).suffix in PICKLE_ENDINGS))
    if pickles:
        raise unsafe_by_name(folder, pickles)
    if CONFIG in sizes:
        raise ModelFileError(
            folder,
            "there is a config.json but no safetensors file with weights.",
            remedy="Download or copy the weights too.",
        )
    raise ModelFileError(
        folder,
        "there is no model in this folder.",
        remedy="Add a GGUF file, or a folder with config.json and safetensors files.",
    )


def _indexed(folder: Path) -> list[str]:
    """The shards that the index names, each checked to be a plain name inside the folder."""
    index = folder / INDEX
    table = read_json(index, MAX_INDEX_BYTES).get("weight_map")
    if not isinstance(table, dict) or not table:
        raise ModelFileError(index, "it names no weights.", remedy="Download or copy it again.")
    names: set[str] = set()
    for value in table.values():
        if not isinstance(value, str) or not _inside(value):
            raise ModelFileError(
                index,
                f"it points outside its folder, or at no safetensors file: {str(value)[:80]!r}.",
                remedy="Do not use this model: its index was tampered with.",
            )
        names.add(value)
    for name in sorted(names):
        if not (folder / name).exists():
            raise _missing(folder, name)
    return sorted(names)


def _inside(name: str) -> bool:
    return (
        name.endswith(".safetensors")
        and len(name) < 256
        and name.isprintable()
        and not any(sign in name for sign in ("\\", ":", "\0"))
        and not name.startswith(("/", "."))
        and ".." not in PurePosixPath(name).parts
    )


def _missing(folder: Path, name: str) -> ModelFileError:
    return ModelFileError(
        folder, f"its part {name} is missing.", remedy="Finish the download, or copy all parts."
    )


def _sizes(folder: Path) -> dict[str, int]:
    """Name and size of the regular files in a folder (links followed, broken ones left out)."""
    sizes: dict[str, int] = {}
    try:
        for count, entry in enumerate(folder.iterdir()):
            if count >= MAX_FOLDER_ENTRIES:
                raise ModelFileError(
                    folder,
                    f"it holds more than {MAX_FOLDER_ENTRIES} entries; a model folder holds some dozen.",
                    remedy="Add the model's own folder, or scan this one.",
                )
            try:
                found = entry.stat()
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode) and shown(entry) == str(entry):
                sizes[entry.name] = found.st_size
    except OSError as error:
        raise unreadable(folder, error) from error
    return sizes
