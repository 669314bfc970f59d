"""Teaches a small model what a larger one predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from plugins._distill_loss import Goal
from plugins._distill_run import check_same_tokens, distill, examples
from plugins._model_files import full_precision_config
from plugins._torch_present import import_torch
from plugins._tuning_params import DATA_FILES, FinetuneParams
from workbench.plugin import (
    Choice,
    JobContext,
    Model,
    Param,
    ParameterError,
    Params,
    Search,
    fact,
    operation,
    setting,
)

#: Rates that suit most models; an adapter's weights begin at nothing and take larger steps.
_USUAL_RATE = {"full": 1e-4, "lora": 1e-3}
_ADAPTER = (setting("method").equals("lora"),)


class DistillParams(Params):
    """What a person can set of a distillation."""

    teacher: Path = Param(
        ..., help="Folder of the model that is learned from: larger, with the same tokens", suffixes=("/",)
    )
    data: list[Path] = Param(
        [],
        help="Texts or examples to learn on; empty for the text that ships with Tenfold, which is short",
        suffixes=DATA_FILES,
    )
    held_out: float = Param(0.1, ge=0, le=0.5, help="Share of the examples kept for evaluation")
    temperature: float = Param(
        1.0,
        ge=0.1,
        le=20,
        help="Softens both predictions: above 1, unlikely tokens count more",
        search=Search(values=(1.0, 2.0, 4.0)),
    )
    hard: float = Param(
        0.1, ge=0, le=1, help="Share of the text's own tokens in the loss; the rest is the teacher's"
    )
    top_k: int = Param(
        0,
        ge=0,
        le=1_000_000,
        unit="tokens",
        help="Learn the teacher's likeliest tokens, and the rest as one; 0 for each token by itself",
        advanced=True,
    )
    method: Literal["full", "lora"] = Param(
        "full",
        help="What is trained",
        choices=(
            Choice(value="full", title="All weights", help="Learns most; takes 16 bytes a weight."),
            Choice(value="lora", title="LoRA", help="A small adapter, merged at the end; 2106.09685."),
        ),
    )
    rank: int = Param(
        16,
        ge=1,
        le=1024,
        help="Rank of the adapter",
        search=Search(values=(8, 16, 32, 64)),
        shown_when=_ADAPTER,
    )
    learning_rate: float = Param(
        0.0, ge=0, le=1, help="At its highest; 0 for 0.0001 with all weights, 0.001 with LoRA"
    )
    epochs: float = Param(1.0, ge=0.01, le=1000, help="How often every example is seen")
    steps: int = Param(
        0, ge=0, le=10_000_000, help="Updates in all; 0 for what the epochs make", advanced=True
    )
    batch_tokens: int = Param(1024, ge=16, le=4_000_000, unit="tokens", help="Most tokens computed at once")
    accumulation: int = Param(
        1, ge=1, le=1024, unit="batches", help="Batches that make one update", advanced=True
    )
    max_tokens: int = Param(512, ge=8, le=1_000_000, unit="tokens", help="Longest length of an example")
    precision: Literal["auto", "float32", "bfloat16"] = Param(
        "auto", help="Arithmetic of both models; trained weights are kept in float32", advanced=True
    )
    gradient_checkpointing: bool = Param(
        False, help="Compute activations twice, to need less memory", advanced=True
    )
    evaluate_every: int = Param(
        0, ge=0, le=1_000_000, unit="steps", help="0 for ten times in the run", advanced=True
    )
    checkpoint_every: int = Param(
        50, ge=1, le=1_000_000, unit="steps", help="What a kill can cost at most", advanced=True
    )
    patience: int = Param(
        0, ge=0, le=1000, help="End early after so many evaluations in vain; 0 for never", advanced=True
    )


@operation(
    "distill",
    title="Distill from a teacher",
    group="Fine-tune",
    input="hf",
    output="hf",
    backend="torch",
    applies=(
        fact("bits_per_weight").at_least(
            15, otherwise="Its weights are quantized. Start from its full-precision parent."
        ),
    ),
    before=("gguf-convert", "mlx-quantize", "bnb-quantize"),
    after=("drop-layers", "gguf-dequantize"),
    label="distilled",
    resumable=True,
)
def distill_model(job: JobContext, model: Model, params: DistillParams) -> Path:
    """Train a model to predict what a larger one predicts, token by token, with PyTorch.

    The teacher reads the same texts, and the student learns its whole distribution over the next token: the
    KL divergence from the teacher's predictions, softened by a temperature (Hinton et al., arXiv 1503.02531),
    with a share of the text's own tokens. A distribution says far more than one token does, so little text
    teaches much. Both need the same tokens. Texts are cut and shuffled as for a fine-tuning, which also says
    how a run goes on after a pause or a kill: on a CPU in the same bits.

    The result is a whole model. `proof.json` in it compares the student before and after with its teacher on
    held-out text: the divergence from its predictions, and the loss.
    """
    import_torch(job, "peft")
    full_precision_config(model.path, "what is learned would be lost in their coarse steps")
    teacher = params.teacher.expanduser().resolve()
    if not (teacher / "config.json").is_file():
        raise ParameterError(
            "teacher",
            f"{teacher.name} is no folder with a model in safetensors.",
            remedy="Choose a folder that holds config.json and weights; an adapter is merged first.",
        )
    job.run_native(lambda: check_same_tokens(model.path, teacher))
    common = {name: value for name, value in params.model_dump().items() if name in _SHARED}
    tuning = FinetuneParams(
        data=examples(job, params.data),
        learning_rate=params.learning_rate or _USUAL_RATE[params.method],
        alpha=2.0 * params.rank,
        **common,
    )
    return distill(job, model, tuning, Goal(params.temperature, params.hard, params.top_k), teacher)


#: Parameters that mean the same as a fine-tuning's.
_SHARED = (set(DistillParams.model_fields) & set(FinetuneParams.model_fields)) - {"data", "learning_rate"}
