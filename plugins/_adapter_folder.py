"""Reads a LoRA adapter in PEFT's form: which tensors of a model it changes, and with what."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugins._adapter_config import CONFIG, Settings
from plugins._adapter_tensors import FLOATS, Stored, TensorFile, pieces
from workbench.plugin import ModelFileError, UnsafeModelError

WEIGHTS = "adapter_model.safetensors"
_PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl"})
#: PEFT puts this before the names of the model's own modules.
_PREFIX = "base_model.model."


@dataclass(frozen=True)
class Lora:
    """The low-rank change of one module's weight, by the names of its tensors in the adapter's file.

    Attributes:
        a: The matrix that the input meets first: rank × inputs (for an embedding: rank × tokens).
        b: The other one: outputs × rank (for an embedding: width × rank).
        scale: The factor on their product, alpha / rank or alpha / √rank.
        rank: Their common dimension.
        embedding: Whether the module is an embedding.
        magnitude: DoRA's length of each output's weights (arXiv 2402.09353).
        bias: What is added, times `scale`, to the module's bias.
    """

    a: str
    b: str
    scale: float
    rank: int
    embedding: bool = False
    magnitude: str | None = None
    bias: str | None = None


@dataclass(frozen=True)
class Rows:
    """Single rows of an embedding that were trained whole: the tensor with them, and which they are."""

    name: str
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Adapter:
    """An adapter: nothing of it but names, shapes and settings is in memory.

    Attributes:
        lora: Low-rank changes by module.
        replaced: Tensors of the base that the adapter has its own version of, and that version's name here.
        rows: Embedding rows by module.
        fan_in_fan_out: Whether the changed weights are stored as inputs × outputs, as far as it knows.
        trained_on: What it calls its base.
    """

    path: Path
    file: TensorFile
    lora: Mapping[str, Lora]
    replaced: Mapping[str, str]
    rows: Mapping[str, Rows]
    fan_in_fan_out: bool
    trained_on: str

    @property
    def name(self) -> str:
        return self.path.name

    def stored(self, name: str) -> Stored:
        return self.file.tensors[name]

    def whole(self, name: str) -> Any:
        """A tensor in float32."""
        return self.file.whole(name).float()

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of all parameters of the base that it changes, as the model's modules are called."""
        names = dict.fromkeys(self.replaced)
        for module, lora in self.lora.items():
            names[f"{module}.weight"] = None
            if lora.bias:
                names[f"{module}.bias"] = None
        names.update(dict.fromkeys(f"{module}.weight" for module in self.rows))
        return tuple(names)

    def check_numbers(self, check: Callable[[], None]) -> None:
        """Read it through once.

        Args:
            check: Called between pieces; what it raises ends the reading.

        Raises:
            ModelFileError: It holds something that is no finite number.
        """
        for name, stored in self.file.tensors.items():
            for start, stop in pieces(stored.shape):
                check()
                if not self.file.rows(name, start, stop).isfinite().all():
                    raise ModelFileError(
                        self.path,
                        f"the tensor {name} holds NaN or infinity: its training diverged.",
                        remedy="Train it again with a lower learning rate, or take an earlier checkpoint.",
                    )


def read_adapter(path: Path) -> Adapter:
    """Read the adapter in a folder.

    Args:
        path: The folder, or one of the two files in it.

    Raises:
        UnsafeModelError: Its weights are a pickle.
        ModelFileError: It is incomplete, damaged, or not a kind that can be applied to weights.
    """
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.name not in (CONFIG, WEIGHTS):
        raise ModelFileError(
            path, "it is not an adapter in PEFT's form.", remedy=f"Name the folder that holds {CONFIG}."
        )
    settings = Settings(folder)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise _without_weights(folder)
    return _sorted_out(folder, TensorFile(weights), settings)


#: What the ends of the names of a module's LoRA tensors mean.
_ENDS = {
    ".lora_A.weight": "a",
    ".lora_B.weight": "b",
    ".lora_B.bias": "bias",
    ".lora_embedding_A": "embedding_a",
    ".lora_embedding_B": "embedding_b",
    ".lora_magnitude_vector": "magnitude",
    ".lora_magnitude_vector.weight": "magnitude",
}
_ROWS = ".token_adapter.trainable_tokens_delta"
#: A module that PEFT wrapped keeps its own tensors under one of these.
_WRAPPED = re.compile(r"\.(base_layer|modules_to_save)(?=\.[^.]+$)")


def _sorted_out(folder: Path, file: TensorFile, settings: Settings) -> Adapter:
    """Tell by their names what the tensors of an adapter are."""
    gathered: dict[str, dict[str, str]] = {}
    replaced: dict[str, str] = {}
    rows: dict[str, Rows] = {}
    for stored_name, stored in file.tensors.items():
        if stored.dtype not in FLOATS:
            raise ModelFileError(
                folder, f"the tensor {stored_name} is stored as {stored.dtype}, which is no type of a LoRA."
            )
        name = stored_name.removeprefix(_PREFIX)
        end = next((end for end in _ENDS if name.endswith(end)), None)
        if end is not None:
            gathered.setdefault(name.removesuffix(end), {})[_ENDS[end]] = stored_name
        elif name.endswith(_ROWS):
            module = name.removesuffix(_ROWS)
            rows[module] = _rows(folder, stored, settings.rows(module))
        elif "lora_" in name:
            raise ModelFileError(folder, f"nothing is known of tensors like {stored_name}.")
        else:
            replaced[_WRAPPED.sub("", name)] = stored_name
    return Adapter(
        path=folder,
        file=file,
        lora={module: _lora(folder, file, module, parts, settings) for module, parts in gathered.items()},
        replaced=replaced,
        rows=rows,
        fan_in_fan_out=settings.flag("fan_in_fan_out"),
        trained_on=settings.text("base_model_name_or_path"),
    )


def _lora(folder: Path, file: TensorFile, module: str, parts: dict[str, str], settings: Settings) -> Lora:
    embedding = "embedding_a" in parts
    a = parts.get("embedding_a" if embedding else "a")
    b = parts.get("embedding_b" if embedding else "b")
    if a is None or b is None:
        raise ModelFileError(folder, f"of {module} it has only one of the two matrices.")
    scale, rank = settings.scale(module)
    shapes = file.tensors[a].shape, file.tensors[b].shape
    if any(len(shape) != 2 for shape in shapes):
        raise ModelFileError(
            folder,
            f"it changes {module}, which is no linear layer and no embedding.",
            remedy="Merge it with PEFT, which knows convolutions.",
        )
    if (shapes[0][0], shapes[1][1]) != (rank, rank):
        raise ModelFileError(
            folder,
            f"the matrices of {module} have the ranks {shapes[0][0]} and {shapes[1][1]}, "
            f"and {CONFIG} says {rank}.",
            remedy="Take the configuration that was saved with these weights.",
        )
    magnitude = parts.get("magnitude")
    if magnitude is None and settings.flag("use_dora"):
        raise ModelFileError(folder, f"it is a DoRA, and the magnitudes of {module} are missing.")
    return Lora(a, b, scale, rank, embedding, magnitude, parts.get("bias"))


def _rows(folder: Path, stored: Stored, indices: tuple[int, ...]) -> Rows:
    if len(stored.shape) != 2 or stored.shape[0] != len(indices):
        raise ModelFileError(
            folder,
            f"the tensor {stored.name} has {stored.shape[0] if stored.shape else 0} rows, "
            f"and {CONFIG} names {len(indices)} tokens.",
        )
    return Rows(stored.name, indices)


def _without_weights(folder: Path) -> ModelFileError:
    pickles = sorted(each.name for each in folder.iterdir() if each.suffix.lower() in _PICKLES)
    if pickles:
        return UnsafeModelError(
            folder,
            f"its weights are a pickle ({pickles[0]}), which could run code when it is loaded.",
            remedy=f"Look for {WEIGHTS}, or save it again with a current PEFT.",
        )
    return ModelFileError(
        folder, f"there is no {WEIGHTS} in it.", remedy="Download or copy the weights, too."
    )
