"""Removes the layers of a safetensors model that its predictions need least."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins._distill_loss import Goal
from plugins._distill_run import distill, examples
from plugins._drop_params import DropLayersParams
from plugins._fingerprint import fingerprint
from plugins._fitting_text import fitting_text
from plugins._model_files import full_precision_config
from plugins._no_remote_code import no_remote_code
from plugins._torch_present import import_torch
from plugins._tuning_params import FinetuneParams
from workbench.plugin import (
    JobContext,
    Model,
    ModelFileError,
    ParameterError,
    fact,
    operation,
    windows_of,
)

#: What the result says of how it came about.
RECORD = "dropped.json"
#: The rates at which healing learns: an adapter's weights begin at nothing and take larger steps.
_RATE = {"full": 1e-4, "lora": 1e-3}
#: Longest example of the healing, in tokens.
_LONGEST = 512
#: How often a healing is looked at: it is short, and a look costs as much as some steps.
_LOOKS = 4


@operation(
    "drop-layers",
    title="Drop layers",
    group="Prune",
    input="hf",
    output="hf",
    backend="torch",
    applies=(
        fact("bits_per_weight").at_least(
            15, otherwise="Its weights are quantized already. Start from its full-precision parent."
        ),
        fact("layers").at_least(2, otherwise="It has no two layers, so that none can go."),
    ),
    before=("gguf-convert", "gguf-quantize", "mlx-quantize", "bnb-quantize"),
    after=("gguf-dequantize",),
    label="drop-{count}",
    resumable=True,
)
def drop_layers(job: JobContext, model: Model, params: DropLayersParams) -> Path:
    """Measure how much the predictions need each layer, and leave out those that they need least.

    A layer that hardly changes what passes through it can go (ShortGPT, arXiv 2403.03853). Its block
    influence, 1 - cos(input, output), takes one reading of a text. Better is to leave each layer out in turn
    and to measure the KL divergence of the predictions from the whole model's; and better still to do so
    again after each layer that went. Each figure is an event, by layer.

    What is left is written shard by shard, its tensors renumbered, the lists in config.json cut; then it is
    loaded and must predict what the model did with those layers skipped. Healing trains it for a while to
    predict what the original predicts, or the text itself. `dropped.json` says what went, and why. Weights
    that were measured and steps that were trained are kept, and a run that was paused or killed ends in the
    same result, on a CPU bit by bit.
    """
    import_torch(job, "peft")
    from plugins._merged_result import as_model

    full_precision_config(model.path, "dropping layers is for models as they were trained")
    layers = model.facts.layers or 0
    if params.count >= layers:
        raise ParameterError(
            "count",
            f"{model.name} has {layers} layers, so that {layers - 1} at most can go.",
            remedy="Drop fewer.",
        )
    target = job.out / job.output_name
    cut_to = target if params.heal == "none" else job.checkpoints / "cut"
    shutil.rmtree(cut_to, ignore_errors=True)
    record = _cut(job, model, params, cut_to)
    if params.heal != "none":
        teacher = model.path if params.heal_by == "original" else None
        distill(job, as_model(cut_to, model), _healing(job, params), Goal(), teacher)
        record["healing"] = params.model_dump(include={"heal", "heal_by", "heal_steps"})
    (target / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")
    return target


def _cut(job: JobContext, model: Model, params: DropLayersParams, target: Path) -> dict[str, Any]:
    """Choose, write and check what is left. Returns the record of it."""
    import torch

    from plugins._block_importance import FIRST_SCORED, choose_blocks
    from plugins._blocks import Blocks
    from plugins._dropped_writing import Cut, write_without
    from plugins._torch_loading import device, load_causal

    text = fitting_text(params.text)
    windows = _windows(model.path, text.text, params)
    # A processor computes float32 fastest; elsewhere the stored type needs half of the memory.
    dtype = torch.float32 if device() == "cpu" else "auto"
    loaded = job.run_native(lambda: load_causal(model.path, dtype).to(device()).eval())
    blocks = Blocks(loaded)
    of = fingerprint(model, text.sha256, windows.shape, params.measure, params.count, FIRST_SCORED)
    chosen = choose_blocks(job, loaded, windows, params.count, params.measure, of)
    with blocks.skipped(chosen.dropped):
        expected = _predictions(loaded, windows[0])
    config = loaded.config.get_text_config()
    cut = Cut(blocks.name, len(blocks), frozenset(chosen.dropped))
    del loaded, blocks
    write_without(job, model, config, cut, target)
    found = _predictions(job.run_native(lambda: load_causal(target, dtype).to(device()).eval()), windows[0])
    if not torch.allclose(found, expected, rtol=1e-2, atol=1e-2):
        raise ModelFileError(
            model.path,
            "without these layers it does not predict what it did with them skipped: its layers depend on"
            " their numbers in a way that its configuration does not state.",
            remedy="Drop other layers, or another number of them.",
        )
    return {
        "schema": 1,
        "base": {"name": model.name, "sha256": model.sha256},
        "dropped": list(chosen.dropped),
        "kept": cut.kept,
        "measure": params.measure,
        "rounds": [{str(block): value for block, value in each.items()} for each in chosen.rounds],
        "text": {"name": text.name, "sha256": text.sha256},
        "windows": list(windows.shape),
    }


def _windows(folder: Path, text: str, params: DropLayersParams) -> NDArray[np.int32]:
    from transformers import AutoTokenizer

    with no_remote_code(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    begin = tokenizer.encode("")
    return windows_of(
        tokenizer.encode(text, add_special_tokens=False),
        params.width,
        params.windows,
        begin=begin[0] if len(begin) == 1 else None,
    )


def _predictions(loaded: Any, window: NDArray[np.int32]) -> Any:
    """The logits behind the last tokens of a window."""
    from plugins._torch_scoring import Scorer, evaluating

    with evaluating(loaded, None):
        return Scorer(loaded).logits(window[None].astype(np.int64), len(window) - 8).float()


def _healing(job: JobContext, params: DropLayersParams) -> FinetuneParams:
    return FinetuneParams(
        data=examples(job, params.heal_data),
        method="full" if params.heal == "full" else "lora",
        rank=params.heal_rank,
        alpha=2.0 * params.heal_rank,
        learning_rate=params.heal_rate or _RATE[params.heal],
        steps=params.heal_steps,
        evaluate_every=math.ceil(params.heal_steps / _LOOKS),
        batch_tokens=params.heal_tokens,
        max_tokens=_LONGEST,
    )
