"""The training loop: batches in, a better model out, exactly the same after a kill, on any backend."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from plugins._tuning_backend import Backend, Measured, Objective, Piece
from plugins._tuning_checkpoint import Checkpoints
from plugins._tuning_samples import Samples
from plugins._tuning_schedule import Schedule, factor
from workbench.plugin import (
    Batch,
    BatchPlan,
    JobContext,
    OutOfMemoryError,
    Side,
    Sides,
    WorkbenchError,
    collate,
    epoch_batches,
)

_T = TypeVar("_T")

#: The training loss, smoothed over about so many steps, is what divergence is told from.
_SMOOTHED_STEPS = 20
#: Times the lowest smoothed loss at which a run has diverged; a spike of one batch stays below.
_DIVERGED = 3.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run goes.

    Attributes:
        plan: How batches are made; of preferences, `tokens` counts the better answers alone.
        steps: Updates in all.
        accumulation: Batches of `plan` that make one update.
        evaluate_every, checkpoint_every: In steps.
        patience: Evaluations without a better held-out loss before the run ends early; 0 for never.
        beta: See `_tuning_backend.preference_loss`.
        own_loss: What to call the loss, where that is a plugin's; empty for the usual one.
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
    objective: Objective = "supervised"
    own_loss: str = ""


@dataclass(slots=True)
class Progress:
    """What changes from step to step, and is kept with every checkpoint.

    Attributes:
        smoothed, lowest: The training loss, and the lowest that it was.
        best: The lowest held-out loss.
        waited: Evaluations since then.
        parts: In how many parts a batch is computed.
        tokens, seconds: Real tokens that were trained on, and how long that took, evaluations left out.
    """

    step: int = 0
    smoothed: float = 0.0
    lowest: float = math.inf
    best: float = math.inf
    waited: int = 0
    parts: int = 1
    tokens: int = 0
    seconds: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)


class Tuning:
    """One run.

    Args:
        kept: Its checkpoints; the job's own where none are given.
    """

    def __init__(
        self,
        job: JobContext,
        backend: Backend,
        sides: Sides,
        settings: Settings,
        samples: Samples,
        kept: Checkpoints | None = None,
    ) -> None:
        self._job = job
        self._backend = backend
        self._train = sides.train
        self._held_out = sides.held_out
        self._settings = settings
        self._samples = samples
        self._kept = kept or Checkpoints(job)
        self._reference: dict[int, NDArray[np.float64]] = {}
        self.at = Progress()

    def run(self) -> Progress:
        """Train to the end, or from the newest checkpoint on.

        The backend holds the best weights afterwards where there is a held-out side, else the last ones.

        Raises:
            WorkbenchError: The loss is no number any more, or has diverged.
            OutOfMemoryError: A batch does not fit, even in halves.
        """
        settings, at = self._settings, self.at
        self._measure_reference()
        self._resume()
        if at.step == 0:
            self._evaluate("before")
            self._save()
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
                self._save()
            self._job.progress(at.step, settings.steps, unit="steps")
            if stops:
                self._job.log(f"No better held-out loss in {at.waited} evaluations: ended at step {at.step}.")
                break
        self._kept.load_best(self._backend)
        return at

    # --- one update ---------------------------------------------------------------------------------

    def _train_step(self, batches: list[Batch]) -> None:
        settings, at, job = self._settings, self.at, self._job
        began = time.perf_counter()
        pieces = [self._piece(self._train, batch) for batch in batches]
        rate = settings.learning_rate * factor(at.step, settings.steps, settings.warmup, settings.schedule)
        loss = self.gradients(pieces)
        norm = self._backend.norm(settings.clip)
        self.refuse_divergence(loss, norm)
        self._backend.update(rate)
        real, computed = sum(each.real for each in pieces), sum(each.computed for each in pieces)
        at.tokens += real
        at.seconds += time.perf_counter() - began
        job.throughput(real, unit="tokens")
        job.throughput(computed, unit="padded tokens")
        for name, value in (
            ("loss/train", loss),
            ("learning rate", rate),
            ("gradient norm", norm),
            ("padding", 1 - real / computed),
        ):
            job.metric(name, value, step=at.step + 1)

    def gradients(self, pieces: list[Piece]) -> float:
        """The mean loss of the update, with its gradients in place."""
        total = sum(each.weight for each in pieces)

        def compute() -> float:
            # A pure function of seed and step, so that dropout is the same after a kill.
            # Generators take 63 bits without a sign.
            self._backend.begin((self._settings.seed * 1_000_003 + self.at.step) & ((1 << 63) - 1))
            loss = 0.0
            for piece in pieces:
                for part in piece.halves(self.at.parts):
                    loss += self._backend.add(part, total)
                    self._job.check()
            return loss

        return self._with_halving(pieces, compute)

    def _with_halving(self, pieces: list[Piece], compute: Callable[[], _T]) -> _T:
        """Where the memory is full, compute every batch in two halves from then on: once."""
        while True:
            try:
                return compute()
            except (MemoryError, RuntimeError) as error:
                if not self._backend.is_out_of_memory(error):
                    raise
                self._halve(pieces, error)

    def _halve(self, pieces: list[Piece], error: BaseException) -> None:
        rows, width = max((each.shape for each in pieces), key=lambda shape: shape[0] * shape[1])
        if self.at.parts > 1 or rows < 2:
            fits = max(width, rows * width // (4 * self.at.parts))
            raise OutOfMemoryError(
                f"A batch of {rows} rows of {width} tokens does not fit into the memory"
                + (", even in halves." if self.at.parts > 1 else "."),
                remedy=f"Train with batch_tokens={fits} and accumulation="
                f"{self._settings.accumulation * max(2, rows * width // fits)}, which is the same update,"
                f" with shorter rows (max_tokens={max(8, width // 2)}), or with gradient_checkpointing=true.",
                details=str(error),
            ) from error
        self.at.parts = 2
        self._backend.free()
        self._job.log(
            f"A batch of {rows} rows of {width} tokens did not fit: batches are halved and summed from now"
            " on, so that an update stays the same.",
            level="warning",
        )

    def refuse_divergence(self, loss: float, norm: float) -> None:
        """End a run whose loss is lost, before the update that would spoil the weights.

        Raises:
            WorkbenchError: With what to try.
        """
        at = self.at
        bad = not math.isfinite(loss) or not math.isfinite(norm)
        if not bad:
            share = min(1.0, 1 / _SMOOTHED_STEPS + 1 / (at.step + 1))
            at.smoothed += share * (loss - at.smoothed)
            at.lowest = min(at.lowest, at.smoothed)
        # Preference losses begin at a constant and may end near 0, where a ratio says nothing; a plugin's
        # may be anything.
        usual = self._settings.objective == "supervised" and not self._settings.own_loss
        rises = usual and at.smoothed > _DIVERGED * at.lowest
        if bad or (at.step > _SMOOTHED_STEPS and rises):
            what = (
                "is no number any more"
                if bad
                else f"has risen to {at.smoothed / at.lowest:.1f} times its lowest"
            )
            raise WorkbenchError(
                f"The loss {what} at step {at.step + 1}; the checkpoint before it is kept."
                + (f" {self._settings.own_loss} gave it or its gradient." if self._settings.own_loss else ""),
                remedy=f"Try a third of the learning rate ({self._settings.learning_rate / 3:.1e}), a longer"
                " warm-up, or clip=1.",
            )

    # --- looking at it ------------------------------------------------------------------------------

    def _evaluate(self, when: str) -> None:
        at = self.at
        self._samples.answer(self._backend, at.step)
        if not len(self._held_out):
            return
        found = [self._measured(piece) for piece in self._pieces(self._held_out)]
        weight = sum(each.weight for each in found)
        loss = sum(each.loss for each in found) / max(1, weight)
        self._job.metric("loss/held-out", loss, step=at.step)
        if self._settings.objective != "supervised":
            preferred = sum(each.preferred for each in found) / max(1, weight)
            self._job.metric("preferred/held-out", preferred, step=at.step)
            at.figures[f"preferred_{when}"] = preferred
        at.figures[f"held_out_{when}"] = loss
        at.waited = 0 if loss < at.best else at.waited + 1
        if loss < at.best:
            at.best = loss
            at.figures["best_step"] = at.step
            self._kept.save_best(self._backend, {"step": at.step, "held_out_loss": loss})

    def _measured(self, piece: Piece) -> Measured:
        def compute() -> Measured:
            found = [self._backend.measure(part) for part in piece.halves(self.at.parts)]
            return Measured(
                sum(each.loss for each in found),
                sum(each.weight for each in found),
                sum(each.preferred for each in found),
            )

        self._job.check()
        return self._with_halving([piece], compute)

    def _measure_reference(self) -> None:
        """What the model says of both answers of each preference before it is trained, kept for all steps."""
        if self._settings.objective != "dpo":
            return
        for number, side in enumerate((self._train, self._held_out)):
            name = f"reference-{number}.npy"
            found = self._kept.array(name)
            if found is None:
                found = np.zeros((len(side.tokens), 2))
                pieces = list(self._pieces(side, worse_too=True))
                for done, (batch, piece) in enumerate(zip(self._plain(side), pieces, strict=True)):
                    self._job.progress(done, len(pieces), unit="batches", label="reading the preferences")
                    rows = [row[0] for row in batch]
                    found[rows, 0] = self._backend.log_probabilities(piece.arrays)
                    if piece.worse is not None:
                        found[rows, 1] = self._backend.log_probabilities(piece.worse)
                self._kept.keep_array(name, found)
            self._reference[id(side)] = found

    # --- order and going on -------------------------------------------------------------------------

    def _batches(self, done_steps: int) -> Iterator[Batch]:
        """All batches from a step on, epoch after epoch."""
        side, settings = self._train, self._settings
        skip, epoch = done_steps * settings.accumulation, 0
        while True:
            batches = epoch_batches(side.lengths, settings.plan, settings.seed, epoch, side.weights)
            for batch in batches[skip:]:
                yield _named(batch, side)
            skip, epoch = max(0, skip - len(batches)), epoch + 1

    def _plain(self, side: Side) -> list[Batch]:
        """Every example of a side once, in batches of like length and always the same order."""
        plan = BatchPlan(tokens=self._settings.plan.tokens, longest=self._settings.plan.longest)
        return [_named(batch, side) for batch in epoch_batches(side.lengths, plan, 0, 0)]

    def _pieces(self, side: Side, *, worse_too: bool = False) -> Iterator[Piece]:
        for batch in self._plain(side):
            yield self._piece(side, batch, bare=worse_too)

    def _piece(self, side: Side, batch: Batch, *, bare: bool = False) -> Piece:
        """Args:
        bare: Leave out the reference, which is not known yet.
        """
        arrays = collate(side.tokens, batch, side.longest)
        if not side.tokens.meta.pairs:
            return Piece(arrays)
        worse = collate(side.tokens, batch, side.longest, which=1)
        reference = None if bare else self._reference.get(id(side))
        rows = [row[0] for row in batch]
        return Piece(arrays, worse, reference[rows] if reference is not None else None)

    def _save(self) -> None:
        self._kept.save_last(self.at.step, self._backend, self._state())

    def _resume(self) -> None:
        state = self._kept.load_last(self._backend)
        if state is None:
            return
        for name in Progress.__slots__:
            value: Any = state[name]
            setattr(self.at, name, math.inf if value is None else value)
        self._job.log(f"Going on from step {self.at.step}.")

    def _state(self) -> dict[str, Any]:
        """JSON has no infinity: None stands for it."""
        found = {name: getattr(self.at, name) for name in Progress.__slots__}
        for name in ("lowest", "best"):
            found[name] = found[name] if math.isfinite(found[name]) else None
        return found


def _named(batch: Batch, side: Side) -> Batch:
    return tuple(tuple(int(side.examples[each]) for each in row) for row in batch)
