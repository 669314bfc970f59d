"""One adapter on an MLX model, in PEFT's form or in mlx-lm's, switched without loading the base again."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workbench.errors import ModelFileError

CONFIG = "adapter_config.json"
PEFT_WEIGHTS = "adapter_model.safetensors"
MAX_CONFIG_BYTES = 8_000_000

_NAME = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+)\.(?P<part>lora_A|lora_B|lora_magnitude_vector)(?:\.weight)?"
)
#: Settings that make an adapter more than a fixed change of single matrices.
_BEYOND = (
    "alora_invocation_tokens",
    "arrow_config",
    "layer_replication",
    "target_parameters",
    "use_bdlora",
    "use_qalora",
)
#: Initialisations that take a part out of the base's weights, so that the adapter fits what is left alone.
_ALTERED_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
_REMEDY = "Load it with PyTorch, or merge it into its base."


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer of the model: its name, without and with the adapter, and the adapter's own factor."""

    name: str
    plain: Any
    adapted: Any
    scale: float


class MlxAdapter:
    """An adapter that was put into a model; off until `apply` says so.

    Off, the model has its own layers back. A factor of 0 would not do: a DoRA also scales its base's rows.

    Raises:
        ModelFileError: It is not an adapter for this model, or more than single matrices.
    """

    def __init__(self, model: Any, folder: Path) -> None:
        self._model = model
        try:
            peft = (folder / PEFT_WEIGHTS).exists()
            self._layers = _peft_layers(model, folder) if peft else _mlx_layers(model, folder)
        except ModelFileError:
            raise
        except Exception as error:
            raise ModelFileError(
                folder, f"it is not an adapter for this model: {type(error).__name__}: {error}"
            ) from error
        self.apply(None)

    def apply(self, factor: float | None) -> None:
        """Use the adapter with this factor on its weight, or not at all."""
        for layer in self._layers:
            if factor is not None:
                layer.adapted.scale = layer.scale * factor
            _put(self._model, layer.name, layer.plain if factor is None else layer.adapted)
        self._model.eval()


def _mlx_layers(model: Any, folder: Path) -> list[_Layer]:
    """Let mlx-lm put the adapter in, and look what it put where."""
    from mlx_lm.tuner.dora import DoRALinear
    from mlx_lm.tuner.utils import load_adapters

    from workbench.library.bounded import read_json

    if read_json(folder / CONFIG, MAX_CONFIG_BYTES).get("fine_tune_type") == "full":
        raise ModelFileError(
            folder, "it holds whole weights, which can't be switched on and off.", remedy=_REMEDY
        )
    load_adapters(model, str(folder))
    for _name, layer in model.named_modules():
        if type(layer) is DoRALinear:
            layer.__class__ = _quick_dora()
    return [
        _Layer(name, layer["linear"] if "linear" in layer else layer["embedding"], layer, float(layer.scale))
        for name, layer in model.named_modules()
        if "lora_a" in layer and hasattr(layer, "scale")
    ]


def _peft_layers(model: Any, folder: Path) -> list[_Layer]:
    import mlx.core as mx

    from workbench.library.bounded import read_json

    config = read_json(folder / CONFIG, MAX_CONFIG_BYTES)
    altered = str(config.get("init_lora_weights")).lower().startswith(_ALTERED_BASE)
    if config.get("peft_type") != "LORA" or altered or any(config.get(name) for name in _BEYOND):
        raise ModelFileError(folder, "its kind is none that the MLX engine loads.", remedy=_REMEDY)
    parts: dict[str, dict[str, Any]] = {}
    weights: Any = mx.load(str(folder / PEFT_WEIGHTS))
    for name, weight in weights.items():
        found = _NAME.fullmatch(name)
        if found is None:
            raise ModelFileError(
                folder,
                f"beside pairs of LoRA matrices it holds {name[:120]}, which the MLX engine does not load.",
                remedy=_REMEDY,
            )
        parts.setdefault(found["module"], {})[found["part"]] = weight
    modules = dict(model.named_modules())
    return [_peft_layer(name, modules.get(name), pair, config, folder) for name, pair in parts.items()]


def _peft_layer(
    name: str, plain: Any, pair: Mapping[str, Any], config: Mapping[str, Any], folder: Path
) -> _Layer:
    """Put one pair of matrices beside a layer; PEFT's lie transposed to those of mlx-lm."""
    import mlx.nn as nn
    from mlx_lm.tuner.lora import LoRALinear

    if not isinstance(plain, nn.Linear | nn.QuantizedLinear):
        raise ModelFileError(
            folder, f"this model has no matrix {name[:120]}.", remedy="Load it with its own base."
        )
    magnitude = pair.get("lora_magnitude_vector")
    if (
        "lora_A" not in pair
        or "lora_B" not in pair
        or (magnitude is None) == (config.get("use_dora") is True)
    ):
        raise ModelFileError(folder, f"the matrices of {name[:120]} are not complete.")
    rank = pair["lora_A"].shape[0]
    scale = _alpha(config, name, folder) / (math.sqrt(rank) if config.get("use_rslora") is True else rank)
    outputs, inputs = plain.weight.shape
    if "scales" in plain:
        # Packed; mlx-lm's own reckoning is right for 2, 4 and 8 bits alone.
        inputs = plain.scales.shape[-1] * plain.group_size
    if magnitude is None:
        adapted = LoRALinear(inputs, outputs, r=rank, scale=scale)
        adapted.linear = plain
    else:
        adapted = _quick_dora()(inputs, outputs, r=rank, scale=scale)
        adapted.set_linear(plain)
    wanted = {
        "lora_a": pair["lora_A"].T,
        "lora_b": pair["lora_B"].T,
        **({"m": magnitude.reshape(-1)} if magnitude is not None else {}),
    }
    for part, weight in wanted.items():
        if weight.shape != adapted[part].shape:
            raise ModelFileError(
                folder,
                f"its matrices for {name[:120]} are made for another width.",
                remedy="Load it with its own base.",
            )
        adapted[part] = weight
    return _Layer(name, plain, adapted, scale)


@cache
def _quick_dora() -> Any:
    """DoRA that computes the lengths of its rows once for a scale.

    mlx-lm's own adds the change to all weights and measures them at every token: several times the work of
    the token itself.
    """
    import mlx.core as mx
    from mlx_lm.tuner.dora import DoRALinear

    class QuickDora(DoRALinear):  # type: ignore[misc]
        def __call__(self, x: Any) -> Any:
            if self.get("_measured_for") != self.scale:
                change = (self.scale * self.lora_b.T) @ self.lora_a.T
                self["_factor"] = self.m / mx.linalg.norm(self._dequantized_weight() + change, axis=1)
                self["_measured_for"] = self.scale
                mx.eval(self["_factor"])
            factor = self["_factor"]
            added = self.scale * ((x @ self.lora_a) @ self.lora_b)
            found = factor * (self.linear(x) + added)
            if "bias" in self.linear:
                found = found + (1 - factor) * self.linear.bias
            return found.astype(x.dtype)

    return QuickDora


def _alpha(config: Mapping[str, Any], module: str, folder: Path) -> float:
    """The numerator of a module's scale: by the first pattern that names it, else the common one."""
    patterns = config.get("alpha_pattern") or {}
    found = next(
        (value for key, value in patterns.items() if re.fullmatch(rf"(.*\.)?({key})", module)),
        config.get("lora_alpha"),
    )
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise ModelFileError(folder / CONFIG, f"lora_alpha can't be {str(found)[:60]!r}.")
    return float(found)


def _put(model: Any, name: str, layer: Any) -> None:
    """Put a layer in the place of that name."""
    *above, last = name.split(".")
    owner = model
    for part in above:
        owner = owner[int(part)] if isinstance(owner, list) else getattr(owner, part)
    if isinstance(owner, list):
        owner[int(last)] = layer
    else:
        setattr(owner, last, layer)
