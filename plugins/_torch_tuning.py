"""The training loop on PyTorch: batches in, a better model out, exactly the same after a kill."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plugins._tuning_checkpoint import Checkpoints
from plugins._tuning_schedule import Schedule, factor
from workbench.plugin import (
    IGNORED,
    Arrays,
    Batch,
    BatchPlan,
    JobContext,
    OutOfMemoryError,
    TokenSet,
    WorkbenchError,
    collate,
    epoch_batches,
)

#: The training loss, smoothed over about so many steps, is what divergence is told from.
_SMOOTHED_STEPS = 20
#: Times the lowest smoothed loss at which a run has diverged; a spike of one batch stays below.
_DIVERGED = 3.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run goes.

    Attributes:
        steps: Updates in all.
        accumulation: Batches of `plan` that make one update.
        evaluate_every, checkpoint_every: In steps.
        patience: Evaluations without a better held-out loss before the run ends early; 0 for never.
    """

    plan: BatchPlan
    steps: int
    accumulation: int
    learning_rate: float
    schedule: Schedule
    warmup: int
    clip: float
    evaluate_every: int
    checkpoint_every: int
    patience: int
    seed: int


@dataclass(slots=True)
class _Progress:
    """What changes from step to step, and is kept with every checkpoint."""

    step: int = 0
    smoothed: float = 0.0
    lowest: float = math.inf
    best: float = math.inf
    waited: int = 0
    parts: int = 1
    figures: dict[str, float] = field(default_factory=dict)


class Tuning:
    """One run.

    Args:
        model: A transformers or PEFT model; what requires a gradient is trained.
        train, held_out: Numbers of the examples of each side, in `tokens`.
    """

    def __init__(
        self,
        job: JobContext,
        model: Any,
        optimizer: Any,
        tokens: TokenSet,
        train: np.ndarray[Any, Any],
        held_out: np.ndarray[Any, Any],
        settings: Settings,
    ) -> None:
        import torch

        self._torch = torch
        self._job = job
        self._model = model
        self._optimizer = optimizer
        self._tokens = tokens
        self._train = train
        self._held_out = held_out
        self._settings = settings
        self._device = next(model.parameters()).device
        self._kept = Checkpoints(job)
        self._at = _Progress()

    def run(self) -> dict[str, float]:
        """Train to the end, or from the newest checkpoint on; returns the run's figures.

        The model holds the best weights afterwards where there is a held-out side, else the last ones.

        Raises:
            WorkbenchError: The loss is no number any more, or has diverged.
            OutOfMemoryError: A batch does not fit, even in halves.
        """
        self._resume()
        settings, at = self._settings, self._at
        if at.step == 0:
            self._evaluate("before")
            self._kept.save_last(0, self._model, self._optimizer, self._state())
        batches = self._batches(at.step)
        self._job.progress(at.step, settings.steps, unit="steps")
        while at.step < settings.steps:
            self._train_step([next(batches) for _ in range(settings.accumulation)])
            at.step += 1
            last = at.step == settings.steps
            if last or at.step % settings.evaluate_every == 0:
                self._evaluate("after")
            stops = bool(settings.patience) and at.waited >= settings.patience
            if last or stops or at.step % settings.checkpoint_every == 0 or self._job.pausing:
                self._kept.save_last(at.step, self._model, self._optimizer, self._state())
            self._job.progress(at.step, settings.steps, unit="steps")
            if stops:
                self._job.log(f"No better held-out loss in {at.waited} evaluations: ended at step {at.step}.")
                break
        self._kept.load_best(self._model)
        return {**at.figures, "steps": at.step, "held_out_best": at.best}

    # --- one update ---------------------------------------------------------------------------------

    def _train_step(self, batches: list[Batch]) -> None:
        settings, at, job = self._settings, self._at, self._job
        arrays = [collate(self._tokens, batch, settings.plan.longest) for batch in batches]
        learned = sum(each.learned for each in arrays)
        rate = settings.learning_rate * factor(at.step, settings.steps, settings.warmup, settings.schedule)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = self._gradients(arrays, learned)
        trained = [each for each in self._model.parameters() if each.requires_grad]
        norm = float(self._torch.nn.utils.clip_grad_norm_(trained, settings.clip or math.inf))
        self._refuse_divergence(loss, norm)
        self._optimizer.step()
        real, computed = sum(each.real for each in arrays), sum(each.ids.size for each in arrays)
        job.throughput(real, unit="tokens")
        for name, value in (("loss/train", loss), ("learning rate", rate), ("gradient norm", norm)):
            job.metric(name, value, step=at.step + 1)
        job.metric("padding", 1 - real / computed, step=at.step + 1)

    def _gradients(self, arrays: list[Arrays], learned: int) -> float:
        """The mean loss over all learned tokens of the update, with its gradients in place."""
        while True:
            # A pure function of seed and step, so that dropout is the same after a kill.
            self._torch.manual_seed(self._settings.seed * 1_000_003 + self._at.step)
            self._optimizer.zero_grad(set_to_none=True)
            try:
                total = 0.0
                for each in arrays:
                    for part in _parts(each, self._at.parts):
                        loss = self._loss(part) / learned
                        loss.backward()
                        total += float(loss.detach())
                        self._job.check()
                return total
            except (self._torch.OutOfMemoryError, MemoryError) as error:
                self._halve(arrays, error)

    def _halve(self, arrays: list[Arrays], error: BaseException) -> None:
        """Compute every batch in two halves from now on; the update stays what it was."""
        rows, width = max((each.ids.shape for each in arrays), key=lambda shape: shape[0] * shape[1])
        if self._at.parts > 1 or rows < 2:
            raise OutOfMemoryError(
                f"A batch of {rows} rows of {width} tokens does not fit into the memory, even in halves.",
                remedy=f"Train with --set batch_tokens={max(width, rows * width // 4)} and as much more"
                " accumulation, with shorter rows (max_tokens), or with gradient_checkpointing=true.",
            ) from error
        self._at.parts = 2
        if self._device.type == "cuda":
            self._torch.cuda.empty_cache()
        self._job.log(
            f"A batch of {rows} rows of {width} tokens did not fit: batches are halved and summed from now"
            " on, so that an update stays the same.",
            level="warning",
        )

    def _loss(self, arrays: Arrays) -> Any:
        """The summed cross-entropy of the learned tokens."""
        torch, device = self._torch, self._device
        ids = torch.from_numpy(arrays.ids).to(device)
        more: dict[str, Any] = {}
        if arrays.is_packed:
            allowed = torch.from_numpy(arrays.allowed()).to(device)
            mask = torch.zeros(allowed.shape, device=device, dtype=self._model.dtype)
            more["attention_mask"] = mask.masked_fill(~allowed, -torch.inf)[:, None]
            more["position_ids"] = torch.from_numpy(arrays.positions).to(device)
        else:
            more["attention_mask"] = torch.from_numpy((arrays.segments > 0).astype(np.int64)).to(device)
        hidden = self._model(input_ids=ids, use_cache=False, **more).logits
        targets = torch.from_numpy(arrays.targets).to(device)
        # The logits of positions that are not learned are the largest tensor here, and of no use.
        kept = targets != IGNORED
        return torch.nn.functional.cross_entropy(hidden[kept].float(), targets[kept], reduction="sum")

    def _refuse_divergence(self, loss: float, norm: float) -> None:
        at = self._at
        bad = not math.isfinite(loss) or not math.isfinite(norm)
        if not bad:
            share = min(1.0, 1 / _SMOOTHED_STEPS + 1 / (at.step + 1))
            at.smoothed += share * (loss - at.smoothed)
            at.lowest = min(at.lowest, at.smoothed)
        if bad or (at.step > _SMOOTHED_STEPS and at.smoothed > _DIVERGED * at.lowest):
            what = (
                "is no number any more"
                if bad
                else f"has risen to {at.smoothed / at.lowest:.1f} times its lowest"
            )
            raise WorkbenchError(
                f"The loss {what} at step {at.step + 1}; the checkpoint before it is kept.",
                remedy=f"Try a third of the learning rate ({self._settings.learning_rate / 3:.1e}), a longer"
                " warm-up, or clip=1.",
            )

    # --- looking at it ------------------------------------------------------------------------------

    def _evaluate(self, when: str) -> None:
        if not len(self._held_out):
            return
        at = self._at
        plan = BatchPlan(tokens=self._settings.plan.tokens, longest=self._settings.plan.longest)
        lengths = self._tokens.lengths[self._held_out]
        total, learned = 0.0, 0
        self._model.eval()
        with self._torch.inference_mode():
            for batch in epoch_batches(lengths, plan, 0, 0):
                arrays = collate(self._tokens, self._named(batch, self._held_out), plan.longest)
                total += float(self._loss(arrays))
                learned += arrays.learned
                self._job.check()
        self._model.train()
        loss = total / max(1, learned)
        self._job.metric("loss/held-out", loss, step=at.step)
        at.figures[f"held_out_{when}"] = loss
        at.waited = 0 if loss < at.best else at.waited + 1
        if loss < at.best:
            at.best = loss
            self._kept.save_best(self._model, {"step": at.step, "held_out_loss": loss})

    # --- order and going on -------------------------------------------------------------------------

    def _batches(self, done_steps: int) -> Iterator[Batch]:
        """All batches from a step on, epoch after epoch."""
        lengths = self._tokens.lengths[self._train]
        skip, epoch = done_steps * self._settings.accumulation, 0
        while True:
            batches = epoch_batches(lengths, self._settings.plan, self._settings.seed, epoch)
            for batch in batches[skip:]:
                yield self._named(batch, self._train)
            skip, epoch = max(0, skip - len(batches)), epoch + 1

    @staticmethod
    def _named(batch: Batch, side: np.ndarray[Any, Any]) -> Batch:
        return tuple(tuple(int(side[each]) for each in row) for row in batch)

    def _resume(self) -> None:
        state = self._kept.load_last(self._model, self._optimizer)
        if state is not None:
            self._at = _Progress(**{name: state[name] for name in _Progress.__slots__})
            self._at.lowest, self._at.best = (
                math.inf if each is None else each for each in (state["lowest"], state["best"])
            )
            self._job.log(f"Going on from step {self._at.step}.")

    def _state(self) -> dict[str, Any]:
        """JSON has no infinity: None stands for it."""
        found = {name: getattr(self._at, name) for name in _Progress.__slots__}
        for name in ("lowest", "best"):
            found[name] = found[name] if math.isfinite(found[name]) else None
        return found


def _parts(arrays: Arrays, parts: int) -> Iterator[Arrays]:
    """The rows of a batch in so many parts."""
    rows = arrays.ids.shape[0]
    for part in np.array_split(np.arange(rows), min(parts, rows)):
        yield Arrays(arrays.ids[part], arrays.targets[part], arrays.positions[part], arrays.segments[part])
