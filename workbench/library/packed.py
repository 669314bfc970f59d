"""Counts the weights of safetensors whose weights are packed: MLX, GPTQ, AWQ, bitsandbytes, FP8, MXFP4.

A packed weight is an integer tensor with companions (scales, zero points) beside it. The companions
add bytes to the weight they belong to, and no parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import ModelFileError
from workbench.library.groups import WeightTensor
from workbench.library.safetensors_header import StoredTensor

_TITLES = {"F8_E4M3": "FP8 E4M3", "F8_E5M2": "FP8 E5M2", "I8": "INT8", "F4": "FP4"}

#: bitsandbytes' kinds of four bits, as config.json calls them.
_BNB_TITLES = {"nf4": "NF4", "fp4": "FP4"}

#: How the name of a packed weight ends → endings of its companions. The weight's own ending first.
_FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (".qweight", (".qzeros", ".scales", ".g_idx")),
    (
        ".weight_packed",
        (".weight_scale", ".weight_zero_point", ".weight_shape", ".weight_global_scale", ".weight_g_idx",
         ".input_scale", ".input_global_scale"),
    ),
    (
        ".weight",
        (".scales", ".biases", ".weight_scale_inv", ".weight_scale", ".weight_scale_2", ".input_scale",
         ".SCB", ".weight_format", ".weight.absmax", ".weight.quant_map", ".weight.nested_absmax",
         ".weight.nested_quant_map"),
    ),
    ("_blocks", ("_scales",)),
)  # fmt: skip


def weights_of(
    path: Path, tensors: Sequence[StoredTensor], config: Mapping[str, Any], *, mlx: bool
) -> list[WeightTensor]:
    """The tensors in weights: packed ones unpacked in count, companions counted with their weight.

    Args:
        path: What an error names.
        tensors: All tensors of the model.
        config: The content of config.json.
        mlx: Whether the model was packed by MLX.

    Raises:
        ModelFileError: Scales and weights don't fit together.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    owners = {name: owner for name in by_name if (owner := _owner(name, by_name)) is not None}
    own = {
        name: (_mlx_weight if mlx else _weight)(path, tensor, by_name, config)
        for name, tensor in by_name.items()
        if name not in owners
    }
    result = list(own.values())
    for name, owner in owners.items():
        result.append(
            WeightTensor(own[owner].name, own[owner].type, 0, by_name[name].size_bytes, counts=False)
        )
    return result


def mlx_label(config: Mapping[str, Any]) -> str | None:
    """The headline of an MLX folder: `4-bit g64`, `mxfp4 g32`; None where nothing is quantized."""
    settings = _mlx_settings(config, "")
    return _mlx_type(*settings) if settings else None


def _owner(name: str, by_name: Mapping[str, StoredTensor]) -> str | None:
    if ".weight.quant_state." in name:
        owner = name[: name.index(".quant_state.")]
        return owner if owner in by_name else None
    for ending, companions in _FAMILIES:
        for companion in companions:
            if name.endswith(companion):
                owner = name.removesuffix(companion) + ending
                if owner in by_name:
                    return owner
    return None


def _weight(
    path: Path, tensor: StoredTensor, by_name: Mapping[str, StoredTensor], config: Mapping[str, Any]
) -> WeightTensor:
    settings = config.get("quantization_config")
    settings = settings if isinstance(settings, dict) else {}
    factor, kind = 1, _TITLES.get(tensor.dtype, tensor.dtype)
    if tensor.name.endswith(".qweight") and tensor.dtype == "I32":
        bits = _small(settings.get("bits")) or _small(settings.get("w_bit")) or 4
        size = _small(settings.get("group_size")) or _small(settings.get("q_group_size"))
        # GPTQ with 3 bits packs 32 weights into three words.
        return _made(tensor, tensor.elements * 32 // bits, f"{bits}-bit g{size}" if size else f"{bits}-bit")
    if tensor.name.endswith(".weight_packed"):
        factor, kind = (8, "4-bit") if tensor.dtype == "I32" else (2, "FP4")
    elif tensor.dtype == "U8" and f"{tensor.name}.absmax" in by_name:
        factor, kind = 2, _BNB_TITLES.get(str(settings.get("bnb_4bit_quant_type")), "4-bit")
    elif tensor.dtype == "U8" and tensor.name.endswith("_blocks"):
        factor, kind = 2, "MXFP4"
    elif tensor.dtype == "U8" and f"{tensor.name}_scale" in by_name:
        factor, kind = 2, "FP4"
    return _made(tensor, tensor.elements * factor, kind)


def _mlx_weight(
    path: Path, tensor: StoredTensor, by_name: Mapping[str, StoredTensor], config: Mapping[str, Any]
) -> WeightTensor:
    module = tensor.name.removesuffix(".weight")
    scales = by_name.get(f"{module}.scales")
    if tensor.dtype != "U32" or scales is None or not tensor.shape or not scales.shape:
        return _made(tensor, tensor.elements, _TITLES.get(tensor.dtype, tensor.dtype))
    settings = _mlx_settings(config, module)
    if settings is None:
        raise ModelFileError(
            path, f"the tensor {tensor.name!r} is quantized, and config.json does not say how."
        )
    bits, size, mode = settings
    columns = scales.shape[-1] * size
    if columns * bits != tensor.shape[-1] * 32 or scales.shape[:-1] != tensor.shape[:-1]:
        raise ModelFileError(
            path,
            f"the tensor {tensor.name!r} and its scales do not fit together "
            f"as {bits} bits in groups of {size}.",
            remedy="Download or make the model again: config.json and weights are of different models.",
        )
    return _made(tensor, tensor.elements // tensor.shape[-1] * columns, _mlx_type(bits, size, mode))


def _mlx_settings(config: Mapping[str, Any], module: str) -> tuple[int, int, str] | None:
    """Bits, group size and mode of a module: its own entry in `quantization`, else the general one."""
    general = config.get("quantization")
    if not isinstance(general, dict):
        return None
    special = general.get(module)
    found = {**general, **special} if isinstance(special, dict) else general
    mode = found.get("mode")
    mode = mode if isinstance(mode, str) and len(mode) < 20 else "affine"
    bits = _small(found.get("bits")) or {"mxfp8": 8}.get(mode, 4)
    size = _small(found.get("group_size")) or {"mxfp4": 32, "mxfp8": 32, "nvfp4": 16}.get(mode, 64)
    return bits, size, mode


def _mlx_type(bits: int, size: int, mode: str) -> str:
    return f"{bits}-bit g{size}" if mode == "affine" else f"{mode} g{size}"


def _made(tensor: StoredTensor, parameters: int, kind: str) -> WeightTensor:
    return WeightTensor(tensor.name, kind, parameters, tensor.size_bytes, matrix=len(tensor.shape) > 1)


def _small(value: Any) -> int | None:
    return value if type(value) is int and 0 < value <= 4096 else None
