"""The training loop, whatever the backend: divergence, short memory, checkpoints, preferences."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path
from typing import Any

import pytest

from plugins._torch_loading import load_base, prepare
from plugins._torch_tuning import TorchBackend
from plugins._tuning_backend import Piece
from plugins._tuning_checkpoint import Checkpoints
from plugins._tuning_loop import Settings, Tuning
from plugins._tuning_schedule import factor
from tests.plugins.tuning_parts import Job, answers, params, preferences, sides
from workbench.data.batches import Plan
from workbench.data.collate import collate
from workbench.data.sides import Sides
from workbench.errors import DiskFullError, OutOfMemoryError, WorkbenchError


class Quiet:
    """Samples that ask nothing."""

    def answer(self, _backend: Any, _step: int) -> None:
        pass


def settings(**values: Any) -> Settings:
    usual = {
        "plan": Plan(tokens=256, longest=128),
        "steps": 6,
        "accumulation": 1,
        "learning_rate": 1e-2,
        "schedule": "constant",
        "warmup": 0,
        "clip": 1.0,
        "evaluate_every": 2,
        "checkpoint_every": 2,
        "patience": 0,
        "seed": 7,
    }
    return Settings(**{**usual, **values})


def backend(tiny_hf: Path, kept: Path, **values: Any) -> TorchBackend:
    chosen = params(**values)
    return TorchBackend(prepare(load_base(tiny_hf, chosen), chosen, "tiny"), chosen, tiny_hf, (2,), kept)


@pytest.fixture
def examples(tiny_hf: Path, tmp_path: Path) -> Sides:
    return sides(answers(tmp_path / "answers.jsonl"), tiny_hf)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.fixture
def tuning(examples: Sides, tiny_hf: Path, job: Any, tmp_path: Path) -> Tuning:
    """A run in this process that has not begun."""
    quiet: Any = Quiet()
    return Tuning(job, backend(tiny_hf, tmp_path, method="full"), examples, settings(), quiet)


def test_a_batch_that_does_not_fit_is_halved_once_and_gives_the_same_gradients(
    tuning: Tuning, examples: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    model: Any = tuning._backend
    rows = tuple((int(each),) for each in examples.train.examples[:6])
    pieces = [Piece(collate(examples.train.tokens, rows, 512))]
    plain = tuning.gradients(pieces)
    expected = [each.grad.clone() for each in model._weights]
    computed, largest = model.add, 3

    def short_of_memory(piece: Piece, divisor: float) -> float:
        if piece.shape[0] > largest:
            raise torch.OutOfMemoryError("no room")
        return float(computed(piece, divisor))

    monkeypatch.setattr(model, "add", short_of_memory)
    assert tuning.gradients(pieces) == pytest.approx(plain, rel=1e-5)
    for each, before in zip(model._weights, expected, strict=True):
        torch.testing.assert_close(each.grad, before, rtol=1e-3, atol=1e-5)
    logged = tuning._job.logged  # type: ignore[attr-defined]
    assert ["halved" in said for said in logged] == [True]
    largest = 1
    with pytest.raises(OutOfMemoryError, match="6 rows of") as told:
        tuning.gradients(pieces)
    assert "batch_tokens=" in told.value.remedy


def test_an_error_that_is_not_about_memory_is_not_halved(
    tuning: Tuning, examples: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_piece: Piece, _divisor: float) -> float:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(tuning._backend, "add", broken)
    rows = tuple((int(each),) for each in examples.train.examples[:2])
    with pytest.raises(RuntimeError, match="shapes"):
        tuning.gradients([Piece(collate(examples.train.tokens, rows, 512))])


def test_a_loss_that_is_no_number_or_runs_away_ends_the_run_with_advice(tuning: Tuning) -> None:
    for step in range(60):
        tuning.at.step = step
        # One bad batch is no divergence.
        tuning.refuse_divergence(9.0 if step == 30 else 2.0, 1.0)

    with pytest.raises(WorkbenchError, match="no number") as told:
        tuning.refuse_divergence(math.nan, 1.0)
    assert "learning rate" in told.value.remedy
    with pytest.raises(WorkbenchError, match="no number"):
        tuning.refuse_divergence(2.0, math.inf)
    with pytest.raises(WorkbenchError, match="times its lowest"):
        for step in range(60, 120):
            tuning.at.step = step
            tuning.refuse_divergence(9.0, 1.0)


def test_a_rate_that_is_far_too_high_ends_the_run_and_keeps_a_checkpoint(
    examples: Sides, tiny_hf: Path, job: Any, tmp_path: Path
) -> None:
    quiet: Any = Quiet()
    model = backend(tiny_hf, tmp_path, method="full", optimizer="sgd")
    run = Tuning(job, model, examples, settings(steps=200, learning_rate=1e4, clip=0.0), quiet)

    with pytest.raises(WorkbenchError, match="The loss"):
        run.run()

    assert list(job.checkpoints.glob("step-*"))
    assert (job.checkpoints / "best").is_dir()


def test_patience_ends_a_run_early_with_the_best_weights(
    examples: Sides, tiny_hf: Path, job: Any, tmp_path: Path
) -> None:
    quiet: Any = Quiet()
    model = backend(tiny_hf, tmp_path, method="full")
    # Such a rate makes the held-out loss worse at once.
    chosen = settings(steps=100, learning_rate=0.5, patience=2, evaluate_every=1)
    at = Tuning(job, model, examples, chosen, quiet).run()

    losses = job.series("loss/held-out")
    assert at.step < 100
    assert any("ended at step" in each for each in job.logged)
    assert at.best == min(losses)
    pieces = [
        Piece(collate(examples.held_out.tokens, ((int(each),),), 128)) for each in examples.held_out.examples
    ]
    found = [model.measure(each) for each in pieces]
    again = sum(each.loss for each in found) / sum(each.weight for each in found)
    assert again == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.parametrize("objective", ["dpo", "orpo"])
def test_preferences_are_learned(tiny_hf: Path, job: Any, tmp_path: Path, objective: Any) -> None:
    quiet: Any = Quiet()
    pairs = sides(preferences(tmp_path / "pairs.jsonl"), tiny_hf)
    model = backend(tiny_hf, tmp_path, objective=objective)
    Tuning(job, model, pairs, settings(steps=8, objective=objective), quiet).run()

    preferred = job.series("preferred/held-out")
    assert preferred[-1] > max(0.6, preferred[0])
    losses = job.series("loss/held-out")
    assert losses[-1] < losses[0]
    if objective == "dpo":
        assert losses[0] == pytest.approx(math.log(2), rel=1e-4)


def test_a_resumed_preference_run_keeps_the_reference_of_its_beginning(
    tiny_hf: Path, job: Any, tmp_path: Path
) -> None:
    quiet: Any = Quiet()
    pairs = sides(preferences(tmp_path / "pairs.jsonl"), tiny_hf)
    chosen = settings(steps=2, objective="dpo")
    Tuning(job, backend(tiny_hf, tmp_path, objective="dpo"), pairs, chosen, quiet).run()
    kept = (job.checkpoints / "reference-0.npy").read_bytes()

    resumed = Tuning(
        job, backend(tiny_hf, tmp_path, objective="dpo"), pairs, settings(steps=4, objective="dpo"), quiet
    )
    resumed.run()

    assert (job.checkpoints / "reference-0.npy").read_bytes() == kept
    assert any("Going on from step 2" in each for each in job.logged)
    assert job.series("loss/train")[2] < math.log(2)


def test_a_full_disk_costs_the_new_checkpoint_and_not_the_old_one(
    tuning: Tuning, job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Checkpoints(job)
    model: Any = tuning._backend
    kept.save_last(4, model, {"step": 4})
    written = model.save

    def full(folder: Path, *, optimizer: bool) -> None:
        written(folder, optimizer=optimizer)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(model, "save", full)
    with pytest.raises(DiskFullError):
        kept.save_last(8, model, {"step": 8})

    assert [each.name for each in job.checkpoints.iterdir()] == ["step-00000004"]
    assert Checkpoints(job).load_last(model) == {"step": 4}


def test_what_a_kill_left_half_written_is_not_taken_for_a_checkpoint(tuning: Tuning, job: Any) -> None:
    kept = Checkpoints(job)
    model: Any = tuning._backend
    kept.save_last(4, model, {"step": 4})
    half = job.checkpoints / ".partial-step-00000008"
    half.mkdir()
    (half / "weights.safetensors").write_bytes(b"half")
    # Killed between moving the old best away and the new one in.
    (job.checkpoints / "step-00000006").mkdir()

    assert Checkpoints(job).load_last(model) == {"step": 4}
    assert not half.exists()


def test_the_rate_rises_and_falls_as_the_schedule_says() -> None:
    for schedule in ("cosine", "linear", "constant"):
        rates = [factor(step, 100, 10, schedule) for step in range(100)]  # type: ignore[arg-type]
        assert rates[0] == 0.1
        assert rates[9] == 1
        assert all(0 < each <= 1 for each in rates)
    assert math.isclose(factor(55, 100, 10, "cosine"), 0.5)
    assert factor(99, 100, 10, "cosine") < 0.001
