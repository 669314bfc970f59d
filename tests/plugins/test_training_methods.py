"""Losses of plugins in fine-tuning with PyTorch: what they learn, and what becomes of one that goes wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from plugins._torch_loading import load_base, prepare
from plugins._torch_own_loss import CheckedLoss
from plugins._torch_tuning import TorchBackend
from plugins._tuning_backend import Piece
from plugins.finetune_torch import FinetuneTorchParams, finetune_torch
from tests.fixtures.entries import PLUGINS
from tests.plugins.here import figures, job_in, model_at
from tests.plugins.tuning_parts import answers, params, preferences, sides
from workbench.data.collate import collate
from workbench.errors import JobCancelled, NotFoundError, ParameterError, PluginError
from workbench.jobs.loading import offer_folders
from workbench.plugin import OwnLoss, open_training_method

_SMOOTHING, _HARMFUL = "file:losses.py:label-smoothing", "file:losses.py:harmful"


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENFOLD_PLUGIN_FOLDERS", "[]")
    offer_folders([PLUGINS])


def _backend(model: Path, folder: Path, own: OwnLoss | None = None, **values: Any) -> TorchBackend:
    import torch

    torch.manual_seed(3)
    chosen = params(**values)
    folder.mkdir()
    return TorchBackend(
        prepare(load_base(model, chosen), chosen, "tiny"), chosen, model, (2,), folder, own=own
    )


def _pieces(data: Path, model: Path) -> list[Piece]:
    side = sides(data, model).train
    batch = tuple((int(each),) for each in side.examples[:4])
    better = collate(side.tokens, batch, side.longest)
    if not side.tokens.meta.pairs:
        return [Piece(better)]
    return [Piece(better, collate(side.tokens, batch, side.longest, which=1))]


@pytest.mark.parametrize("pairs", [False, True])
def test_loss_and_gradients_are_those_of_the_same_loss_built_in(
    tiny_hf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pairs: bool
) -> None:
    """Smoothing by nothing is cross-entropy; positions come in several parts."""
    monkeypatch.setattr("plugins._torch_loss._AT_ONCE", 500_000)
    name, options = ("plain-dpo", {}) if pairs else ("label-smoothing", {"amount": "0"})
    own = open_training_method(f"file:losses.py:{name}", options)
    rows = (preferences if pairs else answers)(tmp_path / "rows.jsonl")
    chosen = {"objective": "dpo"} if pairs else {}
    backends = (
        _backend(tiny_hf, tmp_path / "usual", **chosen),
        _backend(tiny_hf, tmp_path / "own", own, **chosen),
    )

    told = []
    for backend in backends:
        backend.begin(1)
        (piece,) = _pieces(rows, tiny_hf)
        told.append((backend.add(piece, piece.weight), backend.norm(0), backend.measure(piece).loss))

    assert told[1] == pytest.approx(told[0], rel=1e-4)
    assert told[0][1] > 0


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        ("raise", "raised RuntimeError: no such loss."),
        ("nan", "gave a loss that is no number."),
        ("shape", r"gave the shape \(\), not \(3,\)."),
        ("gradient", "gave a loss without a gradient."),
        ("kind", "gave 'list', not a tensor."),
    ],
)
def test_loss_that_goes_wrong_is_named(harm: str, what: str) -> None:
    import torch

    own = CheckedLoss(open_training_method(_HARMFUL, {"harm": harm}))
    logits = torch.randn(3, 5, requires_grad=True)

    with pytest.raises(PluginError, match=f"^The training method harmful of the plugin losses.py {what}"):
        own._called(logits, torch.tensor([1, 2, 3]))


@pytest.mark.parametrize(
    ("named", "options", "kind"),
    [
        (_SMOOTHING, {"amount": "2"}, ParameterError),
        (_SMOOTHING, {"other": "2"}, ParameterError),
        ("file:losses.py:none", {}, NotFoundError),
        ("file:gone.py:none", {}, NotFoundError),
    ],
)
def test_what_is_not_offered_is_refused(
    named: str, options: Mapping[str, str], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        open_training_method(named, options)


def test_loss_for_preferences_learns_no_answers(tiny_hf: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="learns preferences"):
        _train(tmp_path / "job", tiny_hf, tmp_path, loss="file:losses.py:plain-dpo")


def test_run_that_is_killed_goes_on_with_the_loss_to_the_same_weights(tiny_hf: Path, tmp_path: Path) -> None:
    whole = _train(tmp_path / "whole", tiny_hf, tmp_path, loss=_SMOOTHING, loss_options={"amount": "0.3"})

    def stop(label: str, done: float) -> None:
        if label == "steps" and done == 3:
            raise JobCancelled

    settings = {"loss": _SMOOTHING, "loss_options": {"amount": "0.3"}}
    with pytest.raises(JobCancelled):
        _train(tmp_path / "cut", tiny_hf, tmp_path, stop, **settings)
    resumed = _train(tmp_path / "cut", tiny_hf, tmp_path, **settings)
    usual = _train(tmp_path / "usual", tiny_hf, tmp_path)

    made = [(each / "adapter_model.safetensors").read_bytes() for each in (whole, resumed, usual)]
    assert made[0] == made[1] != made[2]
    # Smoothing keeps the loss from its floor: it is learned, and it is another loss.
    smoothed, plain = (figures(tmp_path / name, "loss/held-out") for name in ("whole", "usual"))
    assert smoothed[4] < smoothed[0] and smoothed[0] != pytest.approx(plain[0], rel=1e-3)
    told = json.loads((whole / "tuning.json").read_text(encoding="utf-8"))
    assert told["held_out_best"] == pytest.approx(min(smoothed.values()))


def _train(folder: Path, model: Path, data: Path, watch: Any = None, **settings: Any) -> Path:
    rows = data / "rows.jsonl"
    if not rows.exists():
        answers(rows, 12)
    chosen = {"data": [rows], "steps": 4, "checkpoint_every": 2, "evaluate_every": 4, "learning_rate": 0.01}
    few = {"sample_prompts": ["What comes after 1?"], "batch_tokens": 128}
    return finetune_torch(
        job_in(folder, watch=watch),
        model_at(model),
        FinetuneTorchParams.model_validate({"proof": False, **chosen, **few, **settings}),
    )
