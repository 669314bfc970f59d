"""How near a student is to its teacher on held-out text, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugins._block_importance import divergence
from plugins._blocks import answering
from plugins._torch_loading import device, load_causal, mixed_precision
from plugins._torch_scoring import Scorer, evaluating
from plugins._tuning_params import FinetuneParams
from plugins._tuning_run import Tuned
from workbench.plugin import Arrays, BatchPlan, JobContext, Side, collate, epoch_batches


def load_frozen(job: JobContext, path: Path, params: FinetuneParams) -> Any:
    """A model for evaluation alone, in the arithmetic of the training."""
    import torch

    lower = mixed_precision(params)

    def load() -> Any:
        found = load_causal(path, torch.float32 if lower is None else lower).to(device())
        return found.eval().requires_grad_(False)

    return job.run_native(load)


def compare(job: JobContext, tuned: Tuned, teacher: Path | None, params: FinetuneParams) -> dict[str, Any]:
    """The student before and after beside its teacher, on the learned tokens of the held-out examples.

    Returns:
        `held_out`: the mean cross-entropy of a token in nats, `before`, `after` and of the `teacher`;
        `distance`: the mean KL divergence from the teacher's predictions, `before` and `after`. Empty where
        nothing was held out.
    """
    batches = _batches(tuned.sides.held_out, params)
    if not batches:
        return {}
    guide = load_frozen(job, teacher, params) if teacher is not None else None
    held_out: dict[str, float] = {}
    distance: dict[str, float] = {}
    if guide is not None:
        answering(guide, job.check)
    for number, (name, path) in enumerate((("before", tuned.model.path), ("after", tuned.result))):
        student = load_frozen(job, path, params)
        answering(student, job.check)
        loss = kld = theirs = 0.0
        for done, arrays in enumerate(batches):
            job.progress(number * len(batches) + done, 2 * len(batches), unit="batches", label="Comparing")
            found = _measured(student, guide, arrays, params)
            loss, kld, theirs = loss + found[0], kld + found[1], theirs + found[2]
        del student
        tokens = sum(each.learned for each in batches)
        held_out[name] = loss / tokens
        job.metric("loss/held-out text", held_out[name], step=number * tuned.progress.step, unit="nats")
        if guide is not None:
            held_out["teacher"], distance[name] = theirs / tokens, kld / tokens
            job.metric("KL from teacher", distance[name], step=number * tuned.progress.step, unit="nats")
    job.log(f"Loss of a held-out token: {held_out['before']:.4f} before, {held_out['after']:.4f} after.")
    if distance:
        job.log(
            f"KL divergence from the teacher on held-out text: {distance['before']:.4f} before, "
            f"{distance['after']:.4f} after."
        )
    more = {"distance": distance} if distance else {}
    return {"tokens": tokens, "held_out": held_out, **more}


def _measured(student: Any, guide: Any, arrays: Arrays, params: FinetuneParams) -> tuple[float, float, float]:
    """Sums over the learned tokens: the student's loss, its divergence, the teacher's loss."""
    import torch

    lower = mixed_precision(params)
    scorer = Scorer(student, lower)
    with evaluating(student, lower):
        hidden, targets = scorer.learned(arrays)
        ours = scorer.head(hidden)
        loss = float(torch.nn.functional.cross_entropy(ours.float(), targets, reduction="sum"))
        if guide is None:
            return loss, 0.0, 0.0
        other = Scorer(guide, lower)
        theirs = other.head(other.learned(arrays)[0])
        width = min(ours.shape[-1], theirs.shape[-1])
        kld = divergence(theirs[:, :width], ours[:, :width]) * len(targets)
        return loss, kld, float(torch.nn.functional.cross_entropy(theirs.float(), targets, reduction="sum"))


def _batches(side: Side, params: FinetuneParams) -> list[Arrays]:
    if not len(side):
        return []
    plan = BatchPlan(tokens=params.batch_tokens, longest=params.max_tokens)
    return [
        collate(
            side.tokens,
            tuple(tuple(int(side.examples[each]) for each in row) for row in batch),
            side.longest,
        )
        for batch in epoch_batches(side.lengths, plan, 0, 0)
    ]
