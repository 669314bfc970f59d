"""Distilling: the loss is what it says, the student nears its teacher, and a kill changes no bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plugins._distill_loss import Goal, distillation_losses
from plugins.distill import DistillParams, distill_model
from tests.plugins.here import figures, job_in, model_at, save_model
from workbench.errors import JobPaused, ParameterError
from workbench.library.hashing import content_hash
from workbench.library.inspect import inspect

TEXT = "\n\n".join(f"What comes after {at}? After it comes the number, yes or no." for at in range(40))


@pytest.fixture(scope="module")
def pair(small_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A student of one layer, and a teacher of three, with the same tokens."""
    from transformers import LlamaConfig

    vocabulary = json.loads((small_hf / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    place = tmp_path_factory.mktemp("pair")
    found = []
    for name, layers, padding in (("student", 1, 0), ("teacher", 3, 5)):
        config = LlamaConfig(
            vocab_size=vocabulary + padding,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=layers,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
        found.append(save_model(place / name, config, small_hf))
    return found[0], found[1]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def run(place: Path, pair: tuple[Path, Path], text: Path, watch: Any = None, **values: Any) -> Path:
    student, teacher = pair
    chosen = {"data": [text], "batch_tokens": 256, "steps": 12, "learning_rate": 0.01, **values}
    params = DistillParams(teacher=teacher, **chosen)
    return distill_model(job_in(place, watch=watch), model_at(student), params)


def test_the_loss_mixes_the_teachers_distribution_with_the_texts_tokens() -> None:
    import torch

    torch.manual_seed(1)
    student, teacher = torch.randn(9, 20), torch.randn(9, 23)
    targets = torch.randint(0, 20, (9,))

    found = distillation_losses(student, teacher, targets, Goal(temperature=2.0, hard=0.25))

    soft = torch.nn.functional.kl_div(
        (student / 2).log_softmax(-1), (teacher[:, :20] / 2).softmax(-1), reduction="none"
    ).sum(-1)
    hard = torch.nn.functional.cross_entropy(student, targets, reduction="none")
    torch.testing.assert_close(found, 0.25 * hard + 0.75 * 4 * soft)


def test_the_likeliest_tokens_and_the_rest_bound_the_whole_divergence() -> None:
    import torch

    torch.manual_seed(2)
    student, teacher = torch.randn(50, 30) * 3, torch.randn(50, 30) * 3
    targets = torch.zeros(50, dtype=torch.long)

    whole = distillation_losses(student, teacher, targets, Goal())
    some = [distillation_losses(student, teacher, targets, Goal(top_k=count)) for count in (4, 16, 30)]

    assert (some[0] <= some[1] + 1e-5).all() and (some[1] <= whole + 1e-5).all()
    assert some[0].mean() < 0.95 * whole.mean()
    torch.testing.assert_close(some[2], whole)


def test_gradients_of_parts_are_those_of_the_whole(
    pair: tuple[Path, Path], text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits are held for a few positions at a time; in one piece the update must be the same."""
    at_once = run(tmp_path / "whole", pair, text, steps=3, top_k=16)
    monkeypatch.setattr("plugins._torch_loss._AT_ONCE", 3000)
    in_parts = run(tmp_path / "parts", pair, text, steps=3, top_k=16)

    assert figures(tmp_path / "parts", "loss/train") == pytest.approx(
        figures(tmp_path / "whole", "loss/train"), rel=1e-4
    )
    assert figures(tmp_path / "parts", "gradient norm") == pytest.approx(
        figures(tmp_path / "whole", "gradient norm"), rel=1e-3
    )
    assert inspect(at_once).parameters == inspect(in_parts).parameters


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_student_nears_its_teacher(
    method: str, pair: tuple[Path, Path], text: Path, tmp_path: Path
) -> None:
    made = run(tmp_path, pair, text, method=method, steps=40, hard=0.0)

    proof = json.loads((made / "proof.json").read_text(encoding="utf-8"))
    assert proof["distance"]["after"] < 0.8 * proof["distance"]["before"]
    assert figures(tmp_path, "KL from teacher")[40] == proof["distance"]["after"]
    facts = inspect(made)
    assert (facts.format, facts.layers, facts.parameters) == ("hf", 1, inspect(pair[0]).parameters)
    assert facts.tuning is not None and facts.tuning.held_out_before == proof["held_out"]["before"]
    assert not (made / "adapter_config.json").exists()


def test_a_run_that_was_paused_ends_in_the_same_bits(
    pair: tuple[Path, Path], text: Path, tmp_path: Path
) -> None:
    def pause(label: str, done: float) -> None:
        if (label, done) == ("steps", 7):
            raise JobPaused

    once = run(tmp_path / "once", pair, text, checkpoint_every=5)
    with pytest.raises(JobPaused):
        run(tmp_path / "paused", pair, text, pause, checkpoint_every=5)
    again = run(tmp_path / "paused", pair, text, checkpoint_every=5)

    assert (tmp_path / "paused" / "checkpoints" / "step-00000012").is_dir()
    assert content_hash(again) == content_hash(once)


def test_a_teacher_with_other_tokens_is_refused(
    pair: tuple[Path, Path], tiny_hf: Path, text: Path, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match="another vocabulary") as raised:
        run(tmp_path, (pair[0], tiny_hf), text)

    assert raised.value.parameter == "teacher"


def test_what_is_no_model_is_no_teacher(pair: tuple[Path, Path], text: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}", encoding="utf-8")

    with pytest.raises(ParameterError, match="no folder with a model"):
        run(tmp_path / "job", (pair[0], tmp_path / "adapter"), text)
