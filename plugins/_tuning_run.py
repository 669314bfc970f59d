"""A whole fine-tuning, from files of examples to a result with its figures, on any backend."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from plugins._tuning_backend import Backend
from plugins._tuning_checkpoint import Checkpoints
from plugins._tuning_loop import Progress, Settings, Tuning
from plugins._tuning_params import FinetuneParams
from plugins._tuning_samples import Samples
from workbench.plugin import (
    BatchPlan,
    JobContext,
    Model,
    OwnLoss,
    ParameterError,
    PromptTexts,
    Recipe,
    SideChoices,
    Sides,
    data_layout,
    epoch_batches,
    open_sides,
    peak_resident_bytes,
)

TUNING, PROOF = "tuning.json", "proof.json"
#: What a run took. It lies in the job's folder and not beside the weights: one seed gives one result.
MEASURED = "measured.json"


class MakeBackend(Protocol):
    """Loads the model for training."""

    def __call__(self, *, end_tokens: tuple[int, ...]) -> Backend: ...


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a proof needs: the published result beside its base, and what it was taught with.

    Attributes:
        peak_bytes: The most memory that was held at once; 0 where nobody looked.
    """

    result: Path
    model: Model
    sides: Sides
    texts: PromptTexts
    progress: Progress
    peak_bytes: int = 0


def learn(
    job: JobContext,
    model: Model,
    params: FinetuneParams,
    make: MakeBackend,
    *,
    name: str,
    check: Callable[[Backend, Sides, Settings], None] = lambda _backend, _sides, _settings: None,
    kept: Checkpoints | None = None,
    leads: bool = True,
    own_loss: OwnLoss | None = None,
) -> Tuned:
    """Fine-tune and publish.

    Args:
        make: Loads the model. What it made is gone again before a proof.
        name: The backend's, for the figures.
        check: Called before the first step; raises where the model can't be trained as it was asked for.
        kept: The checkpoints, where several workers share them.
        leads: Whether this worker writes what is published; of several one does.
        own_loss: The loss of a plugin that the backend learns with.
    """
    # First, and so that it can be cancelled: with a tokenizer come imports that take seconds.
    texts = job.run_native(lambda: PromptTexts(model.path))
    sides = read_sides(job, model, params)
    settings = _settings(job, params, sides, own_loss.who if own_loss is not None else "")
    job.log(f"{settings.steps} updates.")
    job.check()
    backend = make(end_tokens=tuple(texts.end_tokens))
    job.log(f"{backend.trained} of {backend.parameters} weights are trained.")
    check(backend, sides, settings)
    job.check()
    samples = Samples(job, texts, params.sample_prompts, (sides.held_out, sides.train))
    progress = Tuning(job, backend, sides, settings, samples, kept).run()
    result = job.out / job.output_name
    backend.publish(result)
    figures = _figures(progress, params, name, backend.trained)
    if leads:
        (result / TUNING).write_text(json.dumps(figures, indent=2), encoding="utf-8")
    if "held_out_before" in figures:
        job.log(
            f"Held-out loss: {figures['held_out_before']:.4f} before, {figures['held_out_best']:.4f} after."
        )
    peak = backend.peak_bytes() or peak_resident_bytes()
    return Tuned(result, model, sides, texts, progress, peak)


def keep_measured(job: JobContext, tuned: Tuned, name: str) -> None:
    """Write what the run took, by which later ones are estimated.

    Args:
        name: The backend's.
    """
    measured = {
        "schema": 1,
        "backend": name,
        "tokens": tuned.progress.tokens,
        "seconds": round(tuned.progress.seconds, 3),
        "peak_bytes": tuned.peak_bytes,
    }
    (job.folder / MEASURED).write_text(json.dumps(measured, indent=2), encoding="utf-8")


def proven(tuned: Tuned, params: FinetuneParams, prove: Callable[[Tuned], dict[str, Any]]) -> Path:
    """The published result, with its proof beside it where that is asked for."""
    if params.proof:
        proof = prove(tuned)
        written = json.dumps(proof, indent=2, ensure_ascii=False)
        (tuned.result / PROOF).write_text(written, encoding="utf-8")
    return tuned.result


def read_sides(job: JobContext, model: Model, params: FinetuneParams) -> Sides:
    """What is learned and what is held out, tokenized once and kept for all who ask again."""
    layout = None if params.layout == "auto" else data_layout(params.layout, params.fields)
    recipe = Recipe(
        files=_absolute(params.data), tokenizer=str(model.path), layout=layout, trained=params.trained
    )
    choices = SideChoices(
        weights=_weights(params),
        held_out=params.held_out,
        held_out_files=_absolute(params.held_out_data),
        bad_rows=params.bad_rows,
        long_rows=params.long_rows,
        longest=params.max_tokens,
    )
    found = open_sides(
        recipe,
        choices,
        job.cache / "tokens",
        processes=job.threads,
        progress=lambda done, total: job.progress(done, total, unit="bytes", label="tokenizing"),
    )
    pairs = found.train.tokens.meta.pairs
    if pairs and params.objective == "supervised":
        raise ParameterError(
            "objective", "The data has preference pairs; they are learned with objective=dpo or orpo."
        )
    if not pairs and params.objective != "supervised":
        raise ParameterError(
            "objective", f"{params.objective.upper()} needs preference pairs (prompt, chosen, rejected)."
        )
    for line in found.lines:
        job.log(line)
    return found


def _absolute(files: list[Path]) -> tuple[str, ...]:
    return tuple(str(each.expanduser().resolve()) for each in files)


def _weights(params: FinetuneParams) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in params.weights)
    except ValueError:
        raise ParameterError("weights", "Weights are numbers, one for each file of data.") from None


def _settings(job: JobContext, params: FinetuneParams, sides: Sides, own_loss: str) -> Settings:
    side = sides.train
    pairs = side.tokens.meta.pairs
    if pairs and params.batching == "packed":
        raise ParameterError("batching", "Preference pairs can't be packed.", remedy="Choose buckets.")
    # Both answers of a preference are computed at once.
    tokens = params.batch_tokens // (2 if pairs else 1)
    plan = BatchPlan(
        batching=params.batching,
        tokens=max(tokens, params.max_tokens) if params.batching == "packed" else tokens,
        longest=params.max_tokens,
    )
    per_epoch = len(epoch_batches(side.lengths, plan, job.seed, 0, side.weights)) / params.accumulation
    steps = params.steps or max(1, round(params.epochs * per_epoch))
    return Settings(
        plan=plan,
        steps=steps,
        accumulation=params.accumulation,
        learning_rate=params.learning_rate,
        schedule=params.schedule,
        warmup=round(params.warmup * steps),
        clip=params.clip,
        evaluate_every=params.evaluate_every or max(1, math.ceil(steps / 10)),
        checkpoint_every=params.checkpoint_every,
        patience=params.patience,
        seed=job.seed,
        objective=params.objective,
        own_loss=own_loss,
    )


def _figures(progress: Progress, params: FinetuneParams, backend: str, trained: int) -> dict[str, Any]:
    """What was done and what came of it; nothing that another run would measure anew."""
    figures: dict[str, Any] = {
        "schema": 1,
        "backend": backend,
        "method": params.method,
        "objective": params.objective,
        "steps": progress.step,
        "tokens": progress.tokens,
        "trained_parameters": trained,
        **progress.figures,
    }
    if math.isfinite(progress.best):
        figures["held_out_best"] = progress.best
    return {name: value for name, value in figures.items() if value is not None}


def conditions(job: JobContext, tuned: Tuned, versions: dict[str, str]) -> dict[str, Any]:
    """Under what a proof was made."""
    return {
        "seed": job.seed,
        "threads": job.threads,
        "base": tuned.model.name,
        "base_sha256": tuned.model.sha256,
        "data": [each.meta.key for each in tuned.sides.token_sets],
        "files": [name for each in tuned.sides.token_sets for name in each.meta.files],
        "versions": versions,
    }
