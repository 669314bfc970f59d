"""Fine-tunes a safetensors model on examples with PyTorch: LoRA and its kin."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np

from plugins._no_remote_code import no_remote_code
from plugins._torch_tuning import Settings, Tuning
from plugins._tuning_schedule import Schedule
from workbench.plugin import (
    BatchPlan,
    JobContext,
    MissingExtraError,
    Model,
    Param,
    ParameterError,
    Params,
    Recipe,
    TokenSet,
    WorkbenchError,
    epoch_batches,
    operation,
    token_set,
)


class FinetuneTorchParams(Params):
    data: Path = Param(..., help="Examples: JSONL, JSON, CSV, TSV, Parquet or text")
    held_out: float = Param(0.1, ge=0, le=0.5, help="Share of the examples kept for evaluation")
    trained: Literal["all-answers", "last-answer", "everything"] = Param(
        "all-answers", help="Which turns of a conversation are learned"
    )
    method: Literal["lora", "rslora", "dora"] = Param(
        "lora", help="LoRA (arXiv 2106.09685), rank-stabilized (2312.03732) or weight-decomposed (2402.09353)"
    )
    rank: int = Param(16, ge=1, le=1024, help="Rank of the adapter: more can learn more, and takes more")
    alpha: float = Param(32.0, ge=0.1, le=4096, help="Weight of the adapter: alpha / rank")
    dropout: float = Param(
        0.0, ge=0, le=0.9, help="Share of the adapter's inputs that is dropped in training"
    )
    targets: str = Param("all-linear", help="Modules that get an adapter, comma between; all-linear for all")
    learning_rate: float = Param(1e-3, ge=1e-8, le=1, help="At the top of the schedule")
    schedule: Literal["cosine", "linear", "constant"] = Param("cosine", help="How the rate falls")
    warmup: float = Param(0.05, ge=0, le=0.9, help="Share of the steps in which the rate rises")
    epochs: float = Param(1.0, ge=0.01, le=1000, help="How often every example is seen")
    steps: int = Param(0, ge=0, le=10_000_000, help="Updates in all; 0 for what the epochs make")
    batch_tokens: int = Param(1024, ge=16, le=4_000_000, unit="tokens", help="Most tokens computed at once")
    accumulation: int = Param(1, ge=1, le=1024, help="Batches that make one update")
    batching: Literal["buckets", "packed", "random"] = Param(
        "buckets", help="Examples of like length together, rows packed full, or neither"
    )
    max_tokens: int = Param(512, ge=8, le=1_000_000, unit="tokens", help="Longer examples are cut")
    weight_decay: float = Param(0.0, ge=0, le=1, help="AdamW's (arXiv 1711.05101)")
    clip: float = Param(1.0, ge=0, le=1000, help="Largest gradient norm; 0 for no limit")
    evaluate_every: int = Param(0, ge=0, le=1_000_000, unit="steps", help="0 for ten times in the run")
    checkpoint_every: int = Param(50, ge=1, le=1_000_000, unit="steps", help="What a kill can cost at most")
    patience: int = Param(0, ge=0, le=1000, help="End early after so many evaluations in vain; 0 for never")
    gradient_checkpointing: bool = Param(False, help="Compute activations twice, to need less memory")


@operation(
    "finetune-torch",
    title="Fine-tune (PyTorch)",
    group="Fine-tune",
    input="hf",
    output=None,
    backend="torch",
    label="{method}",
    resumable=True,
)
def finetune_torch(job: JobContext, model: Model, params: FinetuneTorchParams) -> Path:
    """Teach a model from examples, as a LoRA adapter beside it.

    The result is a PEFT folder: `tenfold chat MODEL --engine torch --adapter NAME=FOLDER` uses it. What is
    learned are the answers; prompts and templates are seen alone. Examples are tokenized once and kept for
    the next run on the same data. A held-out side, chosen by each example's content, is scored before and
    after, and the best weights by that score are the result.

    A run that was killed, paused or cut off goes on from its newest checkpoint with the same batches, rates
    and random numbers: on a CPU its weights are bit-identical to those of a run in one piece.
    """
    try:
        import peft
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("PyTorch with transformers and PEFT", "torch") from error
    torch.set_num_threads(job.threads)
    tokens = _tokens(job, model, params)
    held_out = tokens.held_out(params.held_out)
    train_side, held_side = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if not len(train_side):
        raise WorkbenchError(
            "All examples were held out.", remedy="Use more examples, or a smaller held_out."
        )
    settings = _settings(job, params, tokens, train_side)
    job.log(
        f"{len(train_side)} examples to learn from, {len(held_side)} held out, {tokens.meta.bad} bad rows,"
        f" {tokens.meta.tokens} tokens; {settings.steps} steps"
    )
    torch.manual_seed(job.seed)
    base = _load(model.path)
    tuned = peft.get_peft_model(base, _config(params, base))
    if params.gradient_checkpointing:
        tuned.enable_input_require_grads()
        tuned.gradient_checkpointing_enable()
    trained = [each for each in tuned.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=params.learning_rate, weight_decay=params.weight_decay)
    count = sum(each.numel() for each in trained)
    job.log(f"{count} of {sum(each.numel() for each in tuned.parameters())} weights are trained")
    tuned.train()
    figures = Tuning(job, tuned, optimizer, tokens, train_side, held_side, settings).run()
    result = job.out / job.output_name
    for config in tuned.peft_config.values():
        # The folder of this machine means nothing elsewhere.
        config.base_model_name_or_path = model.path.name
    tuned.save_pretrained(result, safe_serialization=True)
    kept = {name: value for name, value in figures.items() if math.isfinite(value)}
    (result / "tuning.json").write_text(json.dumps(kept, indent=2), encoding="utf-8")
    if "held_out_before" in figures:
        job.log(
            f"Held-out loss: {figures['held_out_before']:.4f} before, {figures['held_out_best']:.4f} after"
        )
    return result


def _tokens(job: JobContext, model: Model, params: FinetuneTorchParams) -> TokenSet:
    recipe = Recipe(
        files=(str(params.data.expanduser().resolve()),), tokenizer=str(model.path), trained=params.trained
    )
    found = token_set(
        recipe,
        job.cache / "tokens",
        processes=job.threads,
        progress=lambda done, total: job.progress(done, total, unit="bytes", label="tokenizing"),
    )
    if found.meta.pairs:
        raise ParameterError("data", "Preference pairs are not learned by this operation.")
    return found


def _settings(
    job: JobContext, params: FinetuneTorchParams, tokens: TokenSet, train_side: np.ndarray[Any, Any]
) -> Settings:
    plan = BatchPlan(
        batching=params.batching,
        tokens=max(params.batch_tokens, params.max_tokens)
        if params.batching == "packed"
        else params.batch_tokens,
        longest=params.max_tokens,
    )
    per_epoch = len(epoch_batches(tokens.lengths[train_side], plan, job.seed, 0)) / params.accumulation
    steps = params.steps or max(1, round(params.epochs * per_epoch))
    schedule: Schedule = params.schedule
    return Settings(
        plan=plan,
        steps=steps,
        accumulation=params.accumulation,
        learning_rate=params.learning_rate,
        schedule=schedule,
        warmup=round(params.warmup * steps),
        clip=params.clip,
        evaluate_every=params.evaluate_every or max(1, steps // 10),
        checkpoint_every=params.checkpoint_every,
        patience=params.patience,
        seed=job.seed,
    )


def _load(path: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    # A CPU computes bfloat16 in training slower than float32, and MPS less exactly.
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    with no_remote_code(path):
        found = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    return found.to(device)


def _config(params: FinetuneTorchParams, base: Any) -> Any:
    import peft

    targets = [each.strip() for each in params.targets.split(",") if each.strip()]
    if not targets:
        raise ParameterError("targets", "No module would get an adapter.")
    if targets != ["all-linear"]:
        names = {name.rsplit(".", 1)[-1] for name, _module in base.named_modules()}
        unknown = sorted(set(targets) - names)
        if unknown:
            raise ParameterError("targets", f"The model has no module called {unknown[0]!r}.")
    return peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=params.rank,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        target_modules="all-linear" if targets == ["all-linear"] else targets,
        use_rslora=params.method == "rslora",
        use_dora=params.method == "dora",
    )
