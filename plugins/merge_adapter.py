"""Merges adapters into the model that they were trained on."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from pathlib import Path
from typing import Any, Literal

from plugins._adapter_base import CONFIG, open_base
from plugins._adapter_folder import WEIGHTS, Adapter, read_adapter
from plugins._adapter_merge import INDEX, Merge, Recipe
from workbench.plugin import (
    Choice,
    JobContext,
    MissingExtraError,
    Model,
    Param,
    ParameterError,
    Params,
    fact,
    operation,
    setting,
)

#: What the merged folder says of how it came about.
RECORD = "merge.json"
_DTYPES = {"as-is": "", "float32": "F32", "bfloat16": "BF16", "float16": "F16"}


class MergeAdapterParams(Params):
    adapters: list[Path] = Param(
        ..., help="Folders of LoRA, rsLoRA or DoRA adapters in PEFT's form", suffixes=("/",)
    )
    weights: list[str] = Param([], help="A factor for each adapter; empty for 1 each")
    combination: Literal["linear", "ties", "dare-linear", "dare-ties"] = Param(
        "linear",
        help="How the changes of several adapters become one",
        choices=(
            Choice(value="linear", help="Their sum, each times its factor."),
            Choice(
                value="ties",
                help="The largest changes of each; where they disagree, the majority's (arXiv 2306.01708).",
            ),
            Choice(
                value="dare-linear",
                help="Random changes of each, made larger for what was dropped (arXiv 2311.03099); summed.",
            ),
            Choice(value="dare-ties", help="Random changes of each; where they disagree, the majority's."),
        ),
        shown_when=(setting("adapters").several(),),
    )
    density: float = Param(
        0.5,
        ge=0.01,
        le=1,
        help="Share of each adapter's changes that is kept",
        shown_when=(setting("adapters").several(), setting("combination").differs_from("linear")),
    )
    precision: Literal["as-is", "float32", "bfloat16", "float16"] = Param(
        "as-is",
        help="How the weights are stored",
        choices=(
            Choice(value="as-is", help="Each as in the base."),
            Choice(value="float32", help="Keeps every bit of what the adapters add.", facts={"bits": 32.0}),
            Choice(value="bfloat16", help="What most models were trained in.", facts={"bits": 16.0}),
            Choice(value="float16", help="Finer steps, less range.", facts={"bits": 16.0}),
        ),
    )


@operation(
    "merge-adapter",
    title="Merge adapters",
    group="Fine-tune",
    input="hf",
    output="hf",
    backend="torch",
    applies=(
        fact("bits_per_weight").at_least(
            15.9,
            otherwise="Its weights are quantized, and what an adapter adds would be lost in their coarse "
            "steps: merge into the model that it was made from, then quantize the result.",
        ),
    ),
    before=("gguf-convert", "mlx-quantize"),
    after=("gguf-dequantize",),
    label="merged",
    origin="its base with {adapters}",
    resumable=True,
    restarts=True,
)
def merge_adapter(job: JobContext, model: Model, params: MergeAdapterParams) -> Path:
    """Make adapters part of the model that they were trained on, to convert, quantize or serve the result.

    Takes LoRA, rsLoRA and DoRA, with modules, biases and tokens that were trained whole. Weights are
    computed in float32 and rounded once; a piece of one weight is in memory at a time. Everything else in
    the folder stays as it is. Where an adapter changes one end alone of an embedding that the model uses
    twice, for tokens and for its output, the result keeps both apart.

    Several adapters are combined on what they add to the full weights, not on their small matrices as in
    PEFT's `add_weighted_adapter`, so a DoRA can be among them. "linear" adds the changes, each times its
    factor. "ties" keeps the largest of all numbers of each adapter, elects a sign for each weight, and takes
    the mean of the changes with that sign, each times its factor. "dare" drops numbers at random, by the
    job's seed. `merge.json` in the result says which adapters went in. Resuming after a pause begins anew,
    with the same result.
    """
    try:
        import safetensors  # noqa: F401
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtraError("PyTorch with transformers", "torch") from error
    transformers.utils.logging.set_verbosity_error()
    # One thread merges 300 MB/s, as fast as most disks write. Two that share busy cores took eight times as
    # long in these small pieces, since each waits for the other by spinning.
    torch.set_num_threads(1)
    recipe = Recipe(
        weights=_weights(params),
        combination=params.combination,
        density=params.density,
        dtype=_DTYPES[params.precision],
        seed=job.seed,
    )
    target = job.out / job.output_name
    target.mkdir()
    with torch.inference_mode():
        adapters = [read_adapter(path) for path in params.adapters]
        merge = Merge(job, open_base(model), adapters, recipe)
        for adapter in adapters:
            trained_on = f", was trained on {adapter.trained_on}" if adapter.trained_on else ""
            job.log(f"{adapter.name} changes {len(adapter.changed)} tensors{trained_on}.")
            adapter.check_numbers(job.check)
        merge.write(target)
    _carry_over(job, model, target)
    _say_what_changed(target / CONFIG, untied=merge.unties, dtype=params.precision)
    record = _record(job, model, adapters, recipe)
    (target / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")
    return target


def _weights(params: MergeAdapterParams) -> tuple[float, ...]:
    if not params.weights:
        return (1.0,) * len(params.adapters)
    if len(params.weights) != len(params.adapters):
        raise ParameterError(
            "weights", f"There are {len(params.adapters)} adapters and {len(params.weights)} factors."
        )
    try:
        found = tuple(float(text) for text in params.weights)
    except ValueError as error:
        raise ParameterError("weights", f"A factor is no number: {error}.") from error
    if not all(map(math.isfinite, found)):
        raise ParameterError("weights", "A factor is no finite number.")
    return found


def _carry_over(job: JobContext, model: Model, target: Path) -> None:
    """Everything that is no weight: configuration, tokenizer, chat template, licence."""
    for name in model.facts.files:
        if not name.endswith(".safetensors") and name not in (INDEX, RECORD):
            job.check()
            shutil.copyfile(model.path / name, target / name)


def _say_what_changed(config: Path, *, untied: bool, dtype: str) -> None:
    """Change in the configuration what is no longer true, and nothing else."""
    if not untied and dtype == "as-is":
        return
    content = json.loads(config.read_text(encoding="utf-8-sig"))
    parts = [content, *(part for part in content.values() if isinstance(part, dict))]
    for part in parts:
        if untied and (part is content or "tie_word_embeddings" in part):
            part["tie_word_embeddings"] = False
        for name in ("dtype", "torch_dtype"):
            if dtype != "as-is" and name in part:
                part[name] = dtype
    config.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _record(job: JobContext, model: Model, adapters: list[Adapter], recipe: Recipe) -> dict[str, Any]:
    """What went into the result, for whoever finds it later."""
    several = len(adapters) > 1
    return {
        "schema": 1,
        "base": {"name": model.name, "sha256": model.sha256},
        "adapters": [
            {"name": adapter.name, "sha256": _sha256(job, adapter.path / WEIGHTS), "weight": weight}
            for adapter, weight in zip(adapters, recipe.weights, strict=True)
        ],
        "combination": recipe.combination if several else None,
        "density": recipe.density if several and recipe.combination != "linear" else None,
        "seed": recipe.seed if recipe.combination.startswith("dare") else None,
    }


def _sha256(job: JobContext, path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            digest.update(block)
            job.check()
    return digest.hexdigest()
