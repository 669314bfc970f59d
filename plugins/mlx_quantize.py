"""Quantizes a safetensors model for MLX."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from plugins._mlx_present import import_mlx
from plugins._mlx_quantizing import compute_layers, load_lazily
from workbench.plugin import (
    Choice,
    JobContext,
    Model,
    Param,
    ParameterError,
    Params,
    Search,
    operation,
    setting,
)

#: Bits and group size that each floating mode is made of; MLX offers no others.
_FIXED = {"mxfp4": (4, 32), "nvfp4": (4, 16), "mxfp8": (8, 32)}


class MlxQuantizeParams(Params):
    mode: Literal["affine", "mxfp4", "nvfp4", "mxfp8"] = Param(
        "affine",
        help="How a group of weights is stored",
        choices=(
            Choice(
                value="affine", help="Whole numbers with a scale and an offset for each group: the usual."
            ),
            Choice(value="mxfp4", help="4-bit floats in groups of 32 (OCP MX).", facts={"bits": 4.25}),
            Choice(value="nvfp4", help="4-bit floats in groups of 16 (NVIDIA).", facts={"bits": 4.5}),
            Choice(value="mxfp8", help="8-bit floats in groups of 32 (OCP MX).", facts={"bits": 8.25}),
        ),
    )
    bits: Literal["2", "3", "4", "5", "6", "8"] = Param(
        "4",
        unit="bits",
        help="Bits per weight, before the scales",
        choices=(
            Choice(value="2", help="A heavy loss.", facts={"bits": 2.5}),
            Choice(value="3", help="For large models that don't fit otherwise.", facts={"bits": 3.5}),
            Choice(value="4", help="The usual pick.", facts={"bits": 4.5}),
            Choice(value="5", help="Better, where there is memory to spare.", facts={"bits": 5.5}),
            Choice(value="6", help="Nearly the original.", facts={"bits": 6.5}),
            Choice(value="8", help="Hardly a difference to the original.", facts={"bits": 8.5}),
        ),
        search=Search(values=("3", "4", "5", "6", "8")),
        shown_when=(setting("mode").equals("affine"),),
    )
    group_size: Literal["32", "64", "128"] = Param(
        "64",
        unit="weights",
        help="How many weights share a scale: fewer are better and larger",
        search=Search(values=("32", "64", "128")),
        shown_when=(setting("mode").equals("affine"),),
    )


@operation(
    "mlx-quantize",
    title="Quantize for MLX",
    group="Quantize",
    input="hf",
    output="mlx",
    backend="mlx",
    after=("gguf-dequantize",),
    excludes=("gguf-convert", "gguf-quantize"),
    label="MLX-{mode}-{bits}",
    resumable=True,
    restarts=True,
)
def mlx_quantize(job: JobContext, model: Model, params: MlxQuantizeParams) -> Path:
    """Store the weights of a safetensors model in fewer bits, as MLX reads them on Apple silicon.

    Layers are computed one at a time. Layers whose width is no multiple of the group size stay as they are.
    It also runs on Linux, slowly, and gives the same files. Resuming after a pause begins anew.
    """
    import_mlx(job)
    from mlx_lm.utils import quantize_model, save

    bits, group_size = _FIXED.get(params.mode, (int(params.bits), int(params.group_size)))
    job.reserve(job.out, int(model.facts.parameters * (bits + 32 / group_size) / 8))
    target = job.out / job.output_name
    loaded, tokenizer, config = load_lazily(model)
    job.check()
    before = len(_quantized(loaded))
    loaded, config = quantize_model(loaded, config, group_size, bits, mode=params.mode)
    if len(_quantized(loaded)) == before:
        raise ParameterError(
            "group_size",
            f"No layer of {model.name} has a width that is a multiple of {group_size}.",
            remedy="Choose a smaller group.",
        )
    compute_layers(job, loaded)
    job.log("Writing the folder.")
    save(target, str(model.path), loaded, tokenizer, config)
    return target


def _quantized(loaded: Any) -> list[str]:
    return [name for name, module in loaded.named_modules() if hasattr(module, "scales")]
