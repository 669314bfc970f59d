"""An adapter on an MLX model, in PEFT's form on disk: LoRA, rsLoRA and DoRA."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins._adapter_config import CONFIG
from plugins._adapter_folder import WEIGHTS
from plugins._mlx_layers import adapted_layer
from plugins._mlx_model_files import save_tensors, stored_names
from plugins._tuning_params import FinetuneParams
from plugins._tuning_selection import adapted, selection, stated_targets
from workbench.plugin import ModelFileError, ParameterError

_PREFIX = "base_model.model."
#: mlx-lm's name of a part of a layer → PEFT's.
_PARTS = {"lora_a": "lora_A.weight", "lora_b": "lora_B.weight", "m": "lora_magnitude_vector"}


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer of the model without and with its adapter, and the place of both."""

    owner: Any
    place: str
    plain: Any
    adapted: Any


class Adapter:
    """The layers of an adapter, which are in the model until `switch` takes them out.

    Args:
        layers: By the whole names of the modules.
        config: What PEFT has to know of it.
    """

    def __init__(self, layers: dict[str, _Layer], config: dict[str, Any]) -> None:
        self._layers = layers
        self._config = config
        self.switch(on=True)

    def switch(self, *, on: bool) -> None:
        """Put the adapter into the model, or the model's own layers."""
        for layer in self._layers.values():
            module = layer.adapted if on else layer.plain
            if isinstance(layer.owner, list):
                layer.owner[int(layer.place)] = module
            else:
                setattr(layer.owner, layer.place, module)

    def drop_anew(self, key: Any) -> None:
        """Draw what is dropped from here on from a key of MLX."""
        import mlx.core as mx

        keys = mx.random.split(key, len(self._layers))
        for each, layer in zip(keys, self._layers.values(), strict=True):
            layer.adapted.dropout.draw(each)

    def write(self, folder: Path, weights: Mapping[str, Any]) -> None:
        """Write an adapter as PEFT does.

        Args:
            weights: Its parts, by their names in the model.
        """
        folder.mkdir(parents=True)
        tensors = {
            f"{_PREFIX}{name}.{theirs}": _turned(ours, weights[f"{name}.{ours}"])
            for name in self._layers
            for ours, theirs in _PARTS.items()
            if f"{name}.{ours}" in weights
        }
        save_tensors(folder / WEIGHTS, tensors, {"format": "pt"})
        (folder / CONFIG).write_text(json.dumps(self._config, indent=2, sort_keys=True), encoding="utf-8")

    def read(self, folder: Path) -> None:
        """Take the weights of an adapter that `write` wrote.

        Raises:
            ModelFileError: They are others than the layers need.
        """
        import mlx.core as mx

        loaded: Any = mx.load(str(folder / WEIGHTS))
        for name, layer in self._layers.items():
            for ours, theirs in _PARTS.items():
                if ours not in layer.adapted:
                    continue
                found = loaded.pop(f"{_PREFIX}{name}.{theirs}", None)
                value = None if found is None else _turned(ours, found)
                if value is None or value.shape != layer.adapted[ours].shape:
                    raise ModelFileError(folder, f"it is not the adapter that was trained: {name} differs.")
                layer.adapted[ours] = value
        if loaded:
            raise ModelFileError(folder, f"nothing is known of its tensor {next(iter(loaded))}.")


def add_adapter(model: Any, params: FinetuneParams, path: Path, seed: int, base: str) -> Adapter:
    """Put a new adapter into a model whose own weights are frozen.

    Args:
        path: The model's folder.
        seed: Of the first weights.
        base: What the adapter calls its base.

    Raises:
        ParameterError: Nothing would be trained, or MLX has not what is asked for.
        ModelFileError: MLX has other names for the layers than the model's files.
    """
    chosen = selection(params)
    modules = _linear(model)
    names = adapted(list(modules), params.targets, chosen)
    known = stored_names(path)
    for name in names:
        if f"{name}.weight" not in known:
            raise ModelFileError(
                path,
                f"MLX arranges its layers otherwise than its files do ({name}), so that nothing else could"
                " load the adapter.",
                remedy="Fine-tune it with PyTorch (finetune-torch).",
            )
    scale = params.alpha / (math.sqrt(params.rank) if params.method == "rslora" else params.rank)
    layers = {name: _layer(model, name, modules[name], params, scale) for name in names}
    _begin([layer.adapted for layer in layers.values()], params, seed)
    targets, blocks = stated_targets(names, list(modules), chosen)
    return Adapter(
        layers,
        {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
            "init_lora_weights": True if params.initialisation == "default" else params.initialisation,
            "layers_to_transform": blocks,
            "lora_alpha": params.alpha,
            "lora_dropout": params.dropout,
            "modules_to_save": None,
            "r": params.rank,
            "target_modules": targets,
            "use_dora": params.method == "dora",
            "use_rslora": params.method == "rslora",
        },
    )


def _linear(model: Any) -> dict[str, Any]:
    """The linear layers of a model but its output layer, by their whole names."""
    import mlx.nn as nn

    modules = list(model.named_modules())
    vocabularies = {
        each.weight.shape[0]
        for _name, each in modules
        if isinstance(each, nn.Embedding | nn.QuantizedEmbedding)
    }
    inside = {id(each) for block in model.layers for _name, each in block.named_modules()}
    return {
        name: each
        for name, each in sorted(modules, key=lambda pair: pair[0])
        if isinstance(each, nn.Linear | nn.QuantizedLinear)
        and (id(each) in inside or each.weight.shape[0] not in vocabularies)
    }


def _layer(model: Any, name: str, plain: Any, params: FinetuneParams, scale: float) -> _Layer:
    *above, place = name.split(".")
    owner = model
    for part in above:
        owner = owner[int(part)] if isinstance(owner, list) else getattr(owner, part)
    made = adapted_layer(
        plain, rank=params.rank, scale=scale, dropout=params.dropout, dora=params.method == "dora"
    )
    return _Layer(owner, place, plain, made)


def _begin(layers: Sequence[Any], params: FinetuneParams, seed: int) -> None:
    """Give an adapter its first weights.

    Raises:
        ParameterError: MLX has no such initialisation.
    """
    import mlx.core as mx

    if params.initialisation in ("pissa", "olora"):
        raise ParameterError(
            "initialisation",
            f"MLX does not begin with {params.initialisation}, which changes the base.",
            remedy="PyTorch offers it (finetune-torch); or begin with default or orthogonal.",
        )
    if params.initialisation == "orthogonal" and params.rank % 2:
        raise ParameterError("rank", "Orthogonal matrices need an even rank.")
    random = np.random.default_rng(seed)
    for layer in layers:
        a, b = first_pair(layer.lora_a.shape[0], layer.lora_b.shape[1], params, random)
        layer.lora_a = mx.array(a.astype(np.float32))
        layer.lora_b = mx.array(b.astype(np.float32))


def first_pair(
    inputs: int, outputs: int, params: FinetuneParams, random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrices that a layer's adapter begins with, by the rules of PEFT; their product is zero.

    Returns:
        A of shape (inputs, rank) and B of shape (rank, outputs).
    """
    rank = params.rank
    match params.initialisation:
        case "orthogonal":
            # Two halves of one orthogonal matrix: neither A nor B is zero.
            halves = np.linalg.qr(random.normal(size=(rank, rank)))[0]
            a = random.normal(size=(inputs, rank // 2)) @ halves[0::2] / 10
            return a, (random.normal(size=(outputs, rank // 2)) @ halves[1::2] / 10).T
        case "gaussian":
            a = random.normal(size=(inputs, rank)) / rank
        case _:
            a = random.uniform(-1, 1, size=(inputs, rank)) / math.sqrt(inputs)
    return a, np.zeros((rank, outputs))


def _turned(part: str, tensor: Any) -> Any:
    """PEFT stores both matrices as PyTorch's layers do, which is transposed; a magnitude stays."""
    import mlx.core as mx

    return tensor if part == "m" else mx.contiguous(tensor.T)
