"""Quantizes a safetensors model for MLX with more bits for the layers that need them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from plugins._fitting_text import fitting_text
from plugins._mixed_choice import Option, choose, smallest_size
from plugins._mlx_kernels import kernels_kept
from plugins._mlx_present import import_mlx
from plugins._mlx_quantizing import compute_layers, load_lazily
from plugins._mlx_sensitivity import Levels, layer_gains, quantizable
from workbench.plugin import (
    Divergence,
    JobContext,
    LoadOptions,
    Model,
    Param,
    ParameterError,
    Params,
    fact,
    open_engine,
    operation,
)

#: Predictions with fewer tokens before them say little about a model.
_FIRST_SCORED = 16


class MlxMixedParams(Params):
    bits_per_weight: float = Param(
        5.0, ge=2, le=16, unit="bits", help="The result is at most as large as this"
    )
    low_bits: Literal["2", "3", "4", "5", "6"] = Param("4", unit="bits", help="What most layers get")
    high_bits: Literal["3", "4", "5", "6", "8"] = Param(
        "8", unit="bits", help="What layers get that need more"
    )
    group_size: Literal["32", "64", "128"] = Param(
        "64",
        unit="weights",
        help="How many weights share a scale: fewer are better and larger",
        advanced=True,
    )
    text: Path | None = Param(
        None,
        help="A text or a dataset of the kind that the model will be used for; empty for the one that ships"
        " with Tenfold",
        suffixes=(".txt", ".md", ".jsonl", ".json", ".csv", ".tsv", ".parquet"),
    )
    windows: int = Param(
        8, ge=1, le=10_000, unit="windows", help="How much of the text the layers are measured on"
    )
    width: int = Param(256, ge=32, le=32_768, unit="tokens", help="How long a window is", advanced=True)


@operation(
    "mlx-mixed",
    title="Quantize for MLX with mixed bits",
    group="Quantize",
    input="hf",
    output="mlx",
    backend="mlx",
    applies=(
        fact("bits_per_weight").at_least(
            15, otherwise="Its weights are quantized already. Start from its full-precision parent."
        ),
    ),
    after=("gguf-dequantize",),
    excludes=("gguf-convert", "gguf-quantize", "gguf-mixed", "mlx-quantize"),
    label="MLX-mixed-{bits_per_weight}",
    resumable=True,
)
def mlx_mixed(job: JobContext, model: Model, params: MlxMixedParams) -> Path:
    """Measure with mlx-lm's dynamic quantization which layers need more bits, and give them to those.

    With all layers in low bits, the gradient of the KL divergence says how much each would gain from high
    ones; the best set within the size is stored in high bits. A gradient takes the memory of a training
    step. Each window that was measured is kept, and going on after a pause ends in the same choice.
    """
    import_mlx(job)
    from mlx_lm.utils import quantize_model, save

    levels = Levels(int(params.low_bits), int(params.high_bits), int(params.group_size))
    if levels.high <= levels.low:
        raise ParameterError("high_bits", "The high bits must be more than the low ones.")
    loaded, tokenizer, config = load_lazily(model)
    options = _options(loaded, levels, {})
    budget = _budget(loaded, params.bits_per_weight)
    if budget < smallest_size(options):
        raise ParameterError(
            "bits_per_weight",
            f"With {levels.low} bits for every layer {model.name} is larger than"
            f" {params.bits_per_weight:g} bits per weight.",
            remedy="Allow more, or choose fewer low bits or a larger group.",
        )
    measured, _, _ = load_lazily(model)
    text = fitting_text(params.text)
    with kernels_kept(job):
        gains, windows = layer_gains(
            job, model, measured, tokenizer, text, levels, width=params.width, windows=params.windows
        )
    del measured
    chosen = choose(_options(loaded, levels, gains), budget)
    better = {name for name, option in chosen.items() if option.type == "high"}
    job.log(f"{len(better)} of {len(chosen)} layers get {levels.high} bits, the others {levels.low}.")
    job.metric("expected_gain", sum(gains[name] for name in better), unit="nats")

    def bits(path: str, _module: Any) -> bool | dict[str, int]:
        if path not in chosen:
            return False
        return {"bits": levels.high, "group_size": levels.group} if path in better else True

    job.reserve(job.out, int(model.facts.parameters * params.bits_per_weight / 8))
    target = job.out / job.output_name
    loaded, config = quantize_model(loaded, config, levels.group, levels.low, quant_predicate=bits)
    compute_layers(job, loaded)
    save(target, str(model.path), loaded, tokenizer, config)
    del loaded
    with kernels_kept(job):
        _report(job, model, target, windows)
    return target


def _options(loaded: Any, levels: Levels, gains: dict[str, float]) -> dict[str, list[Option]]:
    """Of each layer the low and the high way; what the low one costs is what the high one saves."""
    found = {}
    for name, module in quantizable(loaded).items():
        weight = module.weight
        scales = 2 * weight.dtype.size * weight.size // levels.group
        found[name] = [
            Option("low", weight.size * levels.low // 8 + scales, gains.get(name, 1.0)),
            Option("high", weight.size * levels.high // 8 + scales, 0.0),
        ]
    return found


def _budget(loaded: Any, bits_per_weight: float) -> int:
    """Bytes that the layers may take, beside what stays as it is."""
    from mlx.utils import tree_flatten

    weights = [each for _name, each in tree_flatten(loaded.parameters())]
    layers = {id(each.weight) for each in quantizable(loaded).values()}
    others = sum(int(each.nbytes) for each in weights if id(each) not in layers)
    return int(sum(int(each.size) for each in weights) * bits_per_weight / 8) - others


def _report(job: JobContext, model: Model, target: Path, windows: list[list[int]]) -> None:
    """Measure the result where the choice was fitted."""
    width = len(windows[0])
    reference, candidate = (
        open_engine(
            LoadOptions(
                path=str(path), format=format, engine="mlx", context=width, parallel=1, threads=job.threads
            )
        )
        for path, format in ((model.path, model.facts.format), (target, "mlx"))
    )
    found = Divergence()
    try:
        for number, window in enumerate(windows):
            job.progress(number, len(windows), unit="windows", label="Checking")
            found.add(reference.logits(window, _FIRST_SCORED), candidate.logits(window, _FIRST_SCORED))
    finally:
        reference.close()
        candidate.close()
    job.progress(len(windows), len(windows), unit="windows", label="Checked")
    distance = found.distance()
    job.metric("measured_kld", distance.mean_kld, unit="nats")
    job.log(
        f"KL divergence on the text that it was fitted on: {distance.mean_kld:.4f} ± "
        f"{distance.mean_kld_error:.4f} nats."
    )
