"""Training on PyTorch, part by part: the loss, what is trained, and what is published."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugins._torch_loading import load_base, prepare
from plugins._torch_loss import token_losses
from plugins._torch_scoring import Scorer
from plugins._torch_tuning import TorchBackend
from plugins._tuning_backend import Piece
from tests.plugins.tuning_parts import answers, params, preferences, sides
from workbench.data.batches import Plan, epoch_batches
from workbench.data.collate import IGNORED, collate
from workbench.data.sides import Sides
from workbench.errors import ParameterError

Make = Callable[..., TorchBackend]


@pytest.fixture
def make(tiny_hf: Path, tmp_path: Path) -> Make:
    """Makes a backend on the tiny model; the same settings give the same weights."""

    def made(**values: Any) -> TorchBackend:
        import torch

        torch.manual_seed(3)
        chosen = params(**values)
        kept = tmp_path / f"kept-{len(list(tmp_path.iterdir()))}"
        kept.mkdir()
        model = prepare(load_base(tiny_hf, chosen), chosen, "tiny")
        return TorchBackend(model, chosen, tiny_hf, (2,), kept)

    return made


@pytest.fixture
def examples(tiny_hf: Path, tmp_path: Path) -> Sides:
    return sides(answers(tmp_path / "answers.jsonl"), tiny_hf)


def test_losses_and_gradients_are_those_of_cross_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    # Small parts, so that there are several.
    monkeypatch.setattr("plugins._torch_loss._AT_ONCE", 150)
    torch.manual_seed(1)
    hidden = torch.randn(17, 8, requires_grad=True)
    weight = torch.randn(50, 8, requires_grad=True)
    targets = torch.randint(0, 50, (17,))
    factors = torch.rand(17)

    found = token_losses(hidden, weight, targets)
    (found * factors).sum().backward()
    ours = hidden.grad.clone(), weight.grad.clone()
    hidden.grad = weight.grad = None
    expected = torch.nn.functional.cross_entropy(hidden @ weight.T, targets, reduction="none")
    (expected * factors).sum().backward()

    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(ours[0], hidden.grad)
    torch.testing.assert_close(ours[1], weight.grad)


def test_the_loss_is_what_transformers_says_with_a_mask(make: Make, examples: Sides, tiny_hf: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    side = examples.train
    arrays = collate(side.tokens, tuple((int(each),) for each in side.examples[:6]), side.longest)
    model = AutoModelForCausalLM.from_pretrained(tiny_hf, dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(
            input_ids=torch.from_numpy(arrays.ids), attention_mask=torch.from_numpy(arrays.segments)
        ).logits
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1),
        torch.from_numpy(arrays.targets).flatten(),
        reduction="sum",
        ignore_index=IGNORED,
    )

    backend = make()

    assert backend._scorer.skips_logits
    assert backend.measure(Piece(arrays)).loss == pytest.approx(float(expected), rel=1e-5)


def test_a_model_that_scales_its_logits_is_computed_whole(make: Make, examples: Sides) -> None:
    """Gemma, Cohere and Granite scale or cap their logits: the output layer alone would give another loss."""
    backend = make()
    base = backend._model.get_base_model()
    plain = base.forward
    kept = collate(examples.train.tokens, ((int(examples.train.examples[0]),),), 128)

    def scaled(*arguments: Any, **more: Any) -> Any:
        found = plain(*arguments, **more)
        found.logits = found.logits * 3
        return found

    base.forward = scaled
    backend._scorer = Scorer(backend._model)

    assert not backend._scorer.skips_logits
    assert math.isfinite(backend.measure(Piece(kept)).loss)


def test_a_packed_row_has_the_loss_and_the_gradients_of_its_rows_apart(make: Make, examples: Sides) -> None:
    import torch

    backend = make(method="full")
    side = examples.train
    first, second, third = (int(each) for each in side.examples[:3])
    apart = Piece(collate(side.tokens, ((first,), (second,), (third,)), 128))
    packed = Piece(collate(side.tokens, ((first, second, third),), 128))
    found = []
    for piece in (apart, packed):
        backend.begin(0)
        loss = backend.add(piece, 1.0)
        found.append((loss, [each.grad.clone() for each in backend._weights]))

    assert packed.arrays.is_packed
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for one, other in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_dpo_is_the_papers_loss(make: Make, tiny_hf: Path, tmp_path: Path) -> None:
    """Equation 7 of arXiv 2305.18290, from log-probabilities of the whole answers."""
    side = sides(preferences(tmp_path / "pairs.jsonl"), tiny_hf).train
    backend = make(objective="dpo", beta=0.3)
    batch = tuple((int(each),) for each in side.examples[:4])
    better, worse = (collate(side.tokens, batch, 128, which=which) for which in (0, 1))
    own = np.stack([backend.log_probabilities(better), backend.log_probabilities(worse)], axis=1)
    reference = own - np.array([[1.0, -0.5], [0.0, 2.0], [3.0, 3.0], [-1.0, 0.0]])

    found = backend.measure(Piece(better, worse, reference))

    margins = np.array([1.5, -2.0, 0.0, -1.0])
    assert found.loss == pytest.approx(float(np.log1p(np.exp(-0.3 * margins)).sum()), rel=1e-4)
    assert found.weight == 4
    assert found.preferred == 1


def test_orpo_adds_the_odds_ratio_to_the_answers_loss(make: Make, tiny_hf: Path, tmp_path: Path) -> None:
    """Equations 6 and 7 of arXiv 2403.07691, on mean log-probabilities."""
    side = sides(preferences(tmp_path / "pairs.jsonl"), tiny_hf).train
    backend = make(objective="orpo", beta=0.2)
    batch = tuple((int(each),) for each in side.examples[:4])
    better, worse = (collate(side.tokens, batch, 128, which=which) for which in (0, 1))
    means = [
        backend.log_probabilities(each) / (each.targets != IGNORED).sum(axis=1) for each in (better, worse)
    ]
    odds = [each - np.log1p(-np.exp(each)) for each in means]
    expected = -means[0].sum() + 0.2 * np.log1p(np.exp(-(odds[0] - odds[1]))).sum()

    assert backend.measure(Piece(better, worse)).loss == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize(
    ("values", "signs"),
    [
        ({"method": "full", "layers": "1"}, ("layers.1.",)),
        ({"method": "full", "only": "norms"}, ("norm",)),
        ({"method": "full", "only": "embeddings"}, ("embed_tokens",)),
        ({"method": "full", "only": "embeddings-and-norms"}, ("norm", "embed_tokens")),
        ({"method": "lora", "targets": ["q_proj"]}, ("q_proj.lora_",)),
        ({"method": "lora", "layers": "0-0"}, ("layers.0.",)),
        ({"method": "lora", "freeze": ["*.mlp.*"]}, ("self_attn.",)),
    ],
)
def test_only_what_was_chosen_is_trained(make: Make, values: dict[str, Any], signs: tuple[str, ...]) -> None:
    backend = make(**values)
    trained = [name for name, each in backend._model.named_parameters() if each.requires_grad]

    assert trained
    assert all(any(sign in name for sign in signs) for name in trained)
    for sign in signs:
        assert any(sign in name for name in trained)


@pytest.mark.parametrize(
    "values", [{"method": "full", "layers": "7"}, {"freeze": ["*"]}, {"layers": "3-1"}, {"targets": ["up"]}]
)
def test_a_choice_that_trains_nothing_is_refused(make: Make, values: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        make(**values)


@pytest.mark.parametrize("initialisation", ["default", "gaussian", "orthogonal", "pissa", "olora"])
def test_a_published_adapter_is_the_model_that_was_trained(
    make: Make, examples: Sides, tiny_hf: Path, tmp_path: Path, initialisation: str
) -> None:
    """Also where the initialisation changed the base: the adapter belongs to the base on the disk."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    backend = make(initialisation=initialisation, learning_rate=0.01)
    side = examples.train
    plan = Plan(tokens=512, longest=side.longest)
    named = [
        tuple((int(side.examples[each]),) for (each,) in batch)
        for batch in epoch_batches(side.lengths, plan, 0, 0)
    ]
    piece = Piece(collate(side.tokens, named[0], side.longest))
    before = backend.measure(piece).loss
    for step in range(3):
        backend.begin(step)
        backend.add(piece, piece.weight)
        backend.norm(1.0)
        backend.update(0.01)
    trained = backend.measure(piece).loss
    backend.publish(tmp_path / "adapter")

    base = AutoModelForCausalLM.from_pretrained(tiny_hf, dtype=torch.float32)
    loaded = peft.PeftModel.from_pretrained(base, tmp_path / "adapter", is_trainable=True)
    again = TorchBackend(loaded, params(), tiny_hf, (2,), tmp_path)

    assert trained < before
    assert again.measure(piece).loss == pytest.approx(trained, rel=1e-4)


@pytest.mark.skipif(sys.platform == "darwin", reason="bitsandbytes has no build for macOS")
def test_qlora_trains_over_a_base_in_four_bits(make: Make, examples: Sides, tmp_path: Path) -> None:
    import peft

    backend = make(method="qlora", learning_rate=0.01)
    stored = {type(each).__name__ for each in backend._model.modules()}
    side = examples.train
    piece = Piece(collate(side.tokens, tuple((int(each),) for each in side.examples[:8]), side.longest))
    before = backend.measure(piece).loss
    for step in range(4):
        backend.begin(step)
        backend.add(piece, piece.weight)
        backend.norm(1.0)
        backend.update(0.01)
    backend.publish(tmp_path / "adapter")

    assert "Linear4bit" in stored
    assert backend.measure(piece).loss < before - 1
    assert peft.LoraConfig.from_pretrained(tmp_path / "adapter").r == 16


def test_a_whole_model_is_published_with_its_tokenizer_and_in_its_type(
    make: Make, examples: Sides, tiny_hf: Path, tmp_path: Path
) -> None:
    from workbench.library.inspect import inspect

    backend = make(method="full")
    backend.publish(tmp_path / "model")

    made, base = inspect(tmp_path / "model"), inspect(tiny_hf)
    assert (made.format, made.parameters, made.quantization) == ("hf", base.parameters, base.quantization)
    assert made.chat_template == base.chat_template


def test_what_was_saved_comes_back_to_the_bit(make: Make, examples: Sides, tmp_path: Path) -> None:
    side = examples.train
    piece = Piece(collate(side.tokens, tuple((int(each),) for each in side.examples[:4]), 128))

    def steps(backend: TorchBackend, first: int, last: int) -> None:
        for step in range(first, last):
            backend.begin(step)
            backend.add(piece, piece.weight)
            backend.norm(1.0)
            backend.update(0.01)

    for optimizer in ("adamw", "adafactor", "sgd"):
        straight, broken, resumed = (make(optimizer=optimizer, dropout=0.1) for _ in range(3))
        folder, end, other = (tmp_path / f"{optimizer}-{at}" for at in range(3))
        for each in (folder, end, other):
            each.mkdir()
        steps(straight, 0, 4)
        steps(broken, 0, 2)
        broken.save(folder, optimizer=True)
        resumed.load(folder, optimizer=True)
        steps(resumed, 2, 4)
        straight.save(end, optimizer=True)
        resumed.save(other, optimizer=True)
        for written in end.iterdir():
            assert written.read_bytes() == (other / written.name).read_bytes()
