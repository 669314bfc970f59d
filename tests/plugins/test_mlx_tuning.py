"""Training on MLX, part by part: the loss, what is trained, and what is published."""

from __future__ import annotations

import errno
import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugins._mlx_layers import adapted_layer
from plugins._mlx_loading import load_base, prepare
from plugins._mlx_loss import Head, cross_entropy, token_losses
from plugins._mlx_memory import is_out_of_memory
from plugins._mlx_model_files import save_tensors
from plugins._mlx_scoring import Scorer
from plugins._mlx_tuning import MlxBackend
from plugins._tuning_backend import Backend, Piece
from plugins._tuning_loop import Settings, Tuning
from plugins._tuning_packing import check_packing
from tests.plugins.tuning_parts import Job, answers, params, preferences, sides
from workbench.data.batches import Plan
from workbench.data.collate import IGNORED, collate
from workbench.data.sides import Side, Sides
from workbench.errors import ModelFileError, ParameterError
from workbench.library.inspect import inspect

pytestmark = pytest.mark.timeout(300)
Make = Callable[..., MlxBackend]


@pytest.fixture
def make(small_hf: Path) -> Make:
    """Makes a backend; the same settings give the same weights."""

    def made(path: Path = small_hf, **values: Any) -> MlxBackend:
        chosen = params(**values)
        base = load_base(path, chosen)
        return MlxBackend(base, prepare(base, chosen, path, 3), chosen, path, (2,))

    return made


@pytest.fixture
def examples(small_hf: Path, tmp_path: Path) -> Sides:
    return sides(answers(tmp_path / "answers.jsonl"), small_hf)


@pytest.fixture
def piece(examples: Sides) -> Piece:
    return rows_of(examples.train, 6)


@pytest.fixture(scope="session")
def small_mlx(small_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model in 4 bits, as MLX stores them. Read-only."""
    from mlx_lm.utils import load, quantize_model, save

    folder = tmp_path_factory.mktemp("mlx") / "small-4bit"
    model, tokenizer, config = load(str(small_hf), return_config=True)
    model, config = quantize_model(model, config, 64, 4)
    save(folder, str(small_hf), model, tokenizer, config)
    return folder


def rows_of(side: Side, count: int) -> Piece:
    return Piece(collate(side.tokens, tuple((int(each),) for each in side.examples[:count]), 128))


def steps(backend: Backend, piece: Piece, first: int = 0, last: int = 3, rate: float = 0.01) -> list[float]:
    losses = []
    for step in range(first, last):
        backend.begin(step)
        losses.append(backend.add(piece, piece.weight))
        backend.norm(1.0)
        backend.update(rate)
    return losses


def gradients(backend: MlxBackend, *pieces: Piece) -> tuple[float, dict[str, np.ndarray]]:
    backend.begin(0)
    loss = sum(backend.add(each, 10.0) for each in pieces)
    return loss, {name: np.array(each) for name, each in (backend.gradients or {}).items()}


@pytest.mark.parametrize("kind", ["frozen", "trained", "in few bits"])
def test_losses_and_gradients_are_those_of_cross_entropy(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlx.core as mx
    import mlx.nn as nn

    # Small parts, so that there are several.
    monkeypatch.setattr("plugins._mlx_loss._AT_ONCE", 150)
    mx.random.seed(1)
    layer: Any = nn.Linear(64, 50, bias=kind == "frozen")
    hidden, factors = mx.random.normal((17, 64)), mx.random.uniform(shape=(17,))
    targets = mx.random.randint(0, 50, (17,))
    if kind == "in few bits":
        layer = layer.to_quantized(64, 4)
    elif kind == "frozen":
        layer.freeze()
    head = Head(layer)
    head.hasten()

    def found(hidden: Any, weight: Any, *, ours: bool) -> Any:
        layer["weight"] = weight
        plain = cross_entropy(layer(hidden), targets)
        return ((token_losses(head, hidden, targets, gradients=True) if ours else plain) * factors).sum()

    weight = layer.weight
    numbers = [0, 1] if kind == "trained" else [0]
    results = [
        mx.value_and_grad(lambda *given, ours=ours: found(*given, ours=ours), argnums=numbers)(hidden, weight)
        for ours in (True, False)
    ]

    assert head.learns == (kind == "trained")
    assert float(results[0][0]) == pytest.approx(float(results[1][0]), rel=1e-5)
    for ours, plain in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(np.array(ours), np.array(plain), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_run_has_the_losses_that_pytorch_has(
    method: str, make: Make, examples: Sides, small_hf: Path, tmp_path: Path
) -> None:
    """The same batches in the same order, the same optimizer, the same schedule."""
    import torch

    from plugins import _torch_loading
    from plugins._torch_tuning import TorchBackend

    chosen = params(method=method)
    on_torch = _torch_loading.prepare(_torch_loading.load_base(small_hf, chosen), chosen, "small")
    on_mlx = make(method=method)
    with torch.no_grad():
        for name, weight in on_torch.named_parameters():
            if "lora_A" in name:
                mine = name.removeprefix("base_model.model.").replace("lora_A.default.weight", "lora_a")
                weight.copy_(torch.from_numpy(np.array(on_mlx._weights[mine]).T.copy()))
    found = {}
    for backend in (on_mlx, TorchBackend(on_torch, chosen, small_hf, (2,), tmp_path)):
        job: Any = Job(tmp_path / type(backend).__name__)
        run(job, backend, examples, steps=6, schedule="cosine", warmup=2)
        found[type(backend)] = [job.series(each) for each in ("loss/train", "gradient norm", "loss/held-out")]

    for ours, theirs in zip(*found.values(), strict=True):
        assert len(ours) >= 4
        np.testing.assert_allclose(ours, theirs, rtol=1e-3)


def run(job: Any, backend: Backend, examples: Sides, **values: Any) -> None:
    class Quiet:
        def answer(self, _backend: Any, _step: int) -> None:
            pass

    usual = {
        "plan": Plan(tokens=256, longest=128),
        "steps": 6,
        "accumulation": 1,
        "learning_rate": 1e-3,
        "schedule": "constant",
        "warmup": 0,
        "clip": 1.0,
        "evaluate_every": 2,
        "checkpoint_every": 4,
        "patience": 0,
        "seed": 7,
    }
    quiet: Any = Quiet()
    Tuning(job, backend, examples, Settings(**{**usual, **values}), quiet).run()


@pytest.mark.parametrize("window", [0, 6])
def test_a_packed_row_has_the_loss_and_the_gradients_of_its_rows_apart(
    window: int, make: Make, examples: Sides, small_hf: Path, tmp_path: Path
) -> None:
    path = small_hf
    if window:
        path = tmp_path / "windowed"
        shutil.copytree(small_hf, path)
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        config |= {"sliding_window": window, "layer_types": ["sliding_attention", "full_attention"]}
        (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    backend = make(path, method="full")
    side = examples.train
    rows = tuple(int(each) for each in side.examples[:3])
    apart = [Piece(collate(side.tokens, ((each,),), 128)) for each in rows]
    packed = Piece(collate(side.tokens, (rows,), 128))

    expected, found = gradients(backend, *apart), gradients(backend, packed)

    assert packed.arrays.is_packed
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    for name, gradient in expected[1].items():
        np.testing.assert_allclose(found[1][name], gradient, rtol=1e-3, atol=1e-4)


def test_a_model_whose_examples_would_see_each_other_is_not_packed(
    make: Make, examples: Sides, small_hf: Path
) -> None:
    """Positions may be absolute, or state may be carried on that is no attention."""
    from mlx_lm.models import gpt2, mamba

    positions: Any = gpt2.Model(
        gpt2.ModelArgs("gpt2", n_ctx=256, n_embd=64, n_head=4, n_layer=2, n_positions=256,
                       layer_norm_epsilon=1e-5, vocab_size=400)
    )  # fmt: skip
    state: Any = mamba.Model(
        mamba.ModelArgs("mamba", vocab_size=400, hidden_size=32, intermediate_size=64, state_size=8,
                        num_hidden_layers=1, conv_kernel=4, use_bias=False, use_conv_bias=True,
                        time_step_rank=4)
    )  # fmt: skip
    chosen: Any = Settings(
        Plan(batching="packed", tokens=256, longest=256), 1, 1, 1e-3, "constant", 0, 1.0, 1, 1, 0, 0
    )

    for model in (positions, state):
        backend = MlxBackend(model, None, params(method="full"), small_hf, (2,))
        with pytest.raises(ParameterError, match="otherwise behind another one") as told:
            check_packing(backend, examples, chosen)
        assert told.value.parameter == "batching"
    check_packing(make(), examples, chosen)


def test_a_model_that_scales_its_logits_is_computed_whole(make: Make, piece: Piece) -> None:
    """Gemma, Cohere and Granite scale or cap their logits: the output layer alone would give another loss."""
    backend = make()
    plain = type(backend._model)

    class Scaled(plain):  # type: ignore[misc, valid-type]
        def __call__(self, *arguments: Any, **more: Any) -> Any:
            return plain.__call__(self, *arguments, **more) * 3

    before = backend.measure(piece).loss
    backend._model.__class__ = Scaled
    backend._scorer = Scorer(backend._model)

    assert not backend._scorer.skips_logits
    assert math.isfinite(backend.measure(piece).loss)
    assert backend.measure(piece).loss != pytest.approx(before, rel=1e-2)
    assert steps(backend, piece)[-1] < backend.measure(piece).loss * 10


@pytest.mark.parametrize("bits", [0, 6])
def test_a_dora_is_the_same_in_training_and_in_evaluation(bits: int) -> None:
    """Also over a base with a bias, and with bits that do not divide 32."""
    import mlx.core as mx
    import mlx.nn as nn

    mx.random.seed(2)
    plain: Any = nn.Linear(64, 48)
    layer = adapted_layer(
        plain.to_quantized(64, bits) if bits else plain, rank=4, scale=2.0, dropout=0.0, dora=True
    )
    x = mx.random.normal((3, 64))
    for factor in (1.0, 2.0):
        # The second time with other weights: what was kept in evaluation is forgotten in between.
        layer.lora_b = mx.random.normal(layer.lora_b.shape) * factor
        layer.train()
        trained = np.array(layer(x))
        layer.eval()

        np.testing.assert_allclose(np.array(layer(x)), trained, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(np.array(layer(x)), trained, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_computing_activations_twice_changes_no_gradient(make: Make, piece: Piece, dropout: float) -> None:
    """mlx-lm's own drops other values the second time."""
    found = []
    for twice in (False, True):
        backend = make(gradient_checkpointing=twice, dropout=dropout, initialisation="orthogonal")
        found.append(gradients(backend, piece))

    assert found[0][0] == found[1][0]
    for name, gradient in found[0][1].items():
        np.testing.assert_allclose(gradient, found[1][1][name], rtol=1e-4, atol=1e-6)


def test_dropout_drops_in_training_alone_and_each_step_otherwise(make: Make, piece: Piece) -> None:
    plain, dropping = (make(dropout=each) for each in (0.0, 0.4))
    for each in (plain, dropping):
        # An adapter that is new adds nothing, whatever it drops.
        each._weights = {name: weight + 0.05 for name, weight in each._weights.items()}
        each._place(each._weights)

    def first(backend: MlxBackend, seed: int) -> float:
        backend.begin(seed)
        return backend.add(piece, 1.0)

    assert dropping.measure(piece).loss == plain.measure(piece).loss
    assert first(dropping, 1) == first(dropping, 1) != first(dropping, 2)
    assert first(plain, 1) == first(plain, 2)


def test_dpo_is_the_papers_loss(make: Make, small_hf: Path, tmp_path: Path) -> None:
    """Equation 7 of arXiv 2305.18290, from log-probabilities of the whole answers."""
    side = sides(preferences(tmp_path / "pairs.jsonl"), small_hf).train
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


def test_orpo_adds_the_odds_ratio_to_the_answers_loss(make: Make, small_hf: Path, tmp_path: Path) -> None:
    """Equations 6 and 7 of arXiv 2403.07691, on mean log-probabilities."""
    side = sides(preferences(tmp_path / "pairs.jsonl"), small_hf).train
    backend = make(objective="orpo", beta=0.2)
    batch = tuple((int(each),) for each in side.examples[:4])
    better, worse = (collate(side.tokens, batch, 128, which=which) for which in (0, 1))
    means = [
        backend.log_probabilities(each) / (each.targets != IGNORED).sum(axis=1) for each in (better, worse)
    ]
    odds = [each - np.log1p(-np.exp(each)) for each in means]
    expected = -means[0].sum() + 0.2 * np.log1p(np.exp(-(odds[0] - odds[1]))).sum()

    assert backend.measure(Piece(better, worse)).loss == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("objective", ["dpo", "orpo"])
def test_preferences_are_learned(make: Make, small_hf: Path, tmp_path: Path, objective: Any) -> None:
    job: Any = Job(tmp_path)
    pairs = sides(preferences(tmp_path / "pairs.jsonl"), small_hf)
    run(job, make(objective=objective), pairs, steps=8, learning_rate=0.01, objective=objective)

    preferred, losses = job.series("preferred/held-out"), job.series("loss/held-out")
    assert preferred[-1] > max(0.6, preferred[0])
    assert losses[-1] < losses[0]
    if objective == "dpo":
        assert losses[0] == pytest.approx(math.log(2), rel=1e-4)


@pytest.mark.parametrize(
    ("values", "signs"),
    [
        ({"method": "full", "layers": "1"}, ("layers.1.",)),
        ({"method": "full", "only": "norms"}, ("norm",)),
        ({"method": "full", "only": "embeddings"}, ("embed_tokens",)),
        ({"method": "lora", "targets": ["q_proj"]}, ("q_proj.lora_",)),
        ({"method": "lora", "layers": "0-0"}, ("layers.0.",)),
        ({"method": "dora", "freeze": ["*.mlp.*"]}, ("self_attn.",)),
    ],
)
def test_only_what_was_chosen_is_trained(
    make: Make, piece: Piece, values: dict[str, Any], signs: tuple[str, ...]
) -> None:
    from mlx.utils import tree_flatten

    backend = make(**values)
    before = {name: np.array(each) for name, each in tree_flatten(backend._model.parameters())}
    steps(backend, piece)
    after = {name: np.array(each) for name, each in tree_flatten(backend._model.parameters())}
    changed = [name for name, each in before.items() if not np.array_equal(each, after[name])]

    assert all(any(sign in name for sign in signs) for name in changed)
    for sign in signs:
        assert any(sign in name for name in changed)
    assert backend.trained == sum(before[name].size for name in changed)
    assert backend.parameters == sum(each.size for each in before.values())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"method": "full", "layers": "7"}, "no weight"),
        ({"freeze": ["*"]}, "no weight"),
        ({"targets": ["up"]}, "no module called 'up'"),
        ({"initialisation": "pissa"}, "does not begin with pissa"),
        ({"initialisation": "orthogonal", "rank": 3}, "even rank"),
    ],
)
def test_what_can_not_be_trained_is_refused(make: Make, values: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        make(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"method": "lora", "alpha": 24},
        {"method": "rslora", "targets": ["q_proj", "down_proj"]},
        {"method": "dora", "freeze": ["*.layers.0.mlp.*"]},
        {"method": "qlora", "layers": "1"},
        {"method": "lora", "initialisation": "orthogonal", "precision": "bfloat16"},
    ],
    ids=["LoRA", "rsLoRA", "DoRA", "QLoRA", "bfloat16"],
)
def test_a_published_adapter_is_the_same_change_in_pytorch(
    values: dict[str, Any], make: Make, piece: Piece, small_hf: Path, tmp_path: Path
) -> None:
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    backend = make(rank=4, **values)
    before = backend.measure(piece).loss
    steps(backend, piece)
    trained = backend.measure(piece).loss
    backend.publish(tmp_path / "adapter")
    # What 4 bits and half precision make of the base is not the adapter's.
    chosen = params(rank=4, **{**values, "precision": "float32"})
    chosen = chosen.model_copy(update={"method": "lora"} if chosen.method == "qlora" else {})
    base = load_base(small_hf, chosen)
    plain = np.array(Scorer(base).logits(piece.arrays.ids, 0))
    adapter = prepare(base, chosen, small_hf, 0)
    assert adapter is not None
    adapter.read(tmp_path / "adapter")
    ours = np.array(Scorer(base).logits(piece.arrays.ids, 0))
    adapter.switch(on=False)
    without = np.array(Scorer(base).logits(piece.arrays.ids, 0))

    tuned = peft.PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(small_hf), tmp_path / "adapter"
    )
    with torch.no_grad():
        theirs = tuned(input_ids=torch.from_numpy(piece.arrays.ids)).logits.numpy()

    assert trained < before - 0.1
    assert np.array_equal(plain, without)
    assert np.abs(ours - theirs).max() < 1e-3 * np.abs(theirs - plain).max()
    assert inspect(tmp_path / "adapter").format == "adapter"


def test_a_base_in_four_bits_is_trained_as_it_is(
    make: Make, small_mlx: Path, piece: Piece, tmp_path: Path
) -> None:
    backend = make(small_mlx, method="qlora")
    before = backend.measure(piece).loss
    steps(backend, piece)
    backend.publish(tmp_path / "adapter")

    assert backend.measure(piece).loss < before - 0.1
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == "small-4bit"
    with pytest.raises(ParameterError, match="quantized") as told:
        make(small_mlx, method="full")
    assert told.value.parameter == "method"


def test_a_whole_model_is_its_base_with_other_values(
    make: Make, piece: Piece, small_hf: Path, tmp_path: Path
) -> None:
    """Names, types, tokenizer and template are those of the base, and so is what was not trained."""
    import torch
    from safetensors.numpy import load_file
    from transformers import AutoModelForCausalLM

    backend = make(method="full", only="norms")
    steps(backend, piece, rate=0.1)
    backend.publish(tmp_path / "model")

    base, made = (load_file(each / "model.safetensors") for each in (small_hf, tmp_path / "model"))
    assert base.keys() == made.keys()
    changed = {name for name, each in base.items() if not np.array_equal(each, made[name])}
    assert changed == {name for name in base if "norm" in name}
    before, after = inspect(small_hf), inspect(tmp_path / "model")
    assert (after.format, after.parameters, after.quantization) == ("hf", before.parameters, "F32")
    assert after.chat_template == before.chat_template
    ours = np.array(backend._scorer.logits(piece.arrays.ids, 0))
    with torch.no_grad():
        model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
        theirs = model(input_ids=torch.from_numpy(piece.arrays.ids)).logits.numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_a_whole_model_for_mlx_stays_one_for_mlx(make: Make, small_hf: Path, tmp_path: Path) -> None:
    """Also where its weights lie in several files, and a tied output layer is stored on its own."""
    import mlx.core as mx

    path = tmp_path / "base"
    shutil.copytree(small_hf, path)
    weights: Any = mx.load(str(path / "model.safetensors"))
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    weights = {name: each.astype(mx.bfloat16) for name, each in weights.items()}
    mx.eval(weights)
    (path / "model.safetensors").unlink()
    names = sorted(weights)
    files = {f"model-0000{at + 1}-of-00002.safetensors": names[at::2] for at in range(2)}
    for name, inside in files.items():
        mx.save_safetensors(str(path / name), {each: weights[each] for each in inside}, {"format": "mlx"})
    index = {"metadata": {}, "weight_map": {each: name for name, inside in files.items() for each in inside}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    backend = make(path, method="full")
    ids = np.arange(12)[None]
    steps(backend, Piece(made_of(ids)))
    backend.publish(tmp_path / "model")

    found: dict[str, Any] = {}
    for name in files:
        found |= mx.load(str(tmp_path / "model" / name))
    assert inspect(tmp_path / "model").format == "mlx"
    assert bool((found["lm_head.weight"] == found["model.embed_tokens.weight"]).all())
    assert {each.dtype for each in found.values()} == {mx.bfloat16}
    again = Scorer(load_base(tmp_path / "model", params())).logits(ids, 0)
    np.testing.assert_allclose(np.array(again), np.array(backend._scorer.logits(ids, 0)), atol=0.3)
    assert not bool((found["lm_head.weight"] == weights["lm_head.weight"]).all())


def made_of(ids: np.ndarray) -> Any:
    from workbench.data.collate import Arrays

    targets = np.full_like(ids, IGNORED)
    targets[:, :-1] = ids[:, 1:]
    return Arrays(ids, targets, np.tile(np.arange(ids.shape[1]), (len(ids), 1)), np.ones_like(ids))


def test_a_model_that_mlx_arranges_otherwise_is_refused(make: Make, small_hf: Path, tmp_path: Path) -> None:
    """Files that call a layer by another name than MLX would be left with a result that nothing reads."""
    import mlx.core as mx

    path = tmp_path / "renamed"
    shutil.copytree(small_hf, path)
    weights: Any = mx.load(str(path / "model.safetensors"))
    for values in ({"method": "full"}, {"method": "lora"}):
        chosen = params(**values)
        base = load_base(path, chosen)
        renamed = {name.replace("q_proj", "query"): each for name, each in weights.items()}
        mx.save_safetensors(str(path / "model.safetensors"), renamed, {"format": "pt"})
        with pytest.raises(ModelFileError, match="otherwise than its files"):
            prepare(base, chosen, path, 0)
        mx.save_safetensors(str(path / "model.safetensors"), weights, {"format": "pt"})


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor", "sgd"])
def test_what_was_saved_comes_back_to_the_bit(
    make: Make, piece: Piece, tmp_path: Path, optimizer: str
) -> None:
    values = {"optimizer": optimizer, "dropout": 0.1, "method": "dora", "weight_decay": 0.1}
    straight, broken, resumed = (make(**values) for _ in range(3))
    folder, end, other = (tmp_path / f"state-{at}" for at in range(3))
    for each in (folder, end, other):
        each.mkdir()

    steps(straight, piece, 0, 4)
    steps(broken, piece, 0, 2)
    broken.save(folder, optimizer=True)
    resumed.load(folder, optimizer=True)
    # A checkpoint goes when the next one is whole.
    shutil.rmtree(folder)
    steps(resumed, piece, 2, 4)
    straight.save(end, optimizer=True)
    resumed.save(other, optimizer=True)

    for written in end.iterdir():
        assert written.read_bytes() == (other / written.name).read_bytes()


def test_answers_are_those_of_the_model_alone(make: Make, piece: Piece) -> None:
    """Greedy answers of a batch, one by one from the logits, up to the end token."""
    backend = make(initialisation="orthogonal", dropout=0.5)
    prompts = [[5, 9, 17, 30], [44, 3], [101, 102, 103, 104, 105, 106]]

    found = backend.generate(prompts, 6)

    for prompt, answer in zip(prompts, found, strict=True):
        expected: list[int] = []
        while len(expected) < 6:
            backend._model.eval()
            token = int(np.array(backend._scorer.logits(np.array([[*prompt, *expected]]), 0))[0, -1].argmax())
            if token == 2:
                break
            expected.append(token)
        assert answer == expected


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
def test_a_file_that_can_not_be_written_whole_is_an_error_of_the_system(tmp_path: Path) -> None:
    import resource

    import mlx.core as mx

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(OSError, match="weights") as told:
            save_tensors(tmp_path / "weights", {"one": mx.zeros((1 << 16,))})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert told.value.errno == errno.EIO
    with pytest.raises(OSError, match="weights"):
        save_tensors(tmp_path / "gone" / "weights", {"one": mx.zeros((4,))})


def test_memory_that_is_full_is_told_from_other_errors() -> None:
    """In the words of Metal; on a CPU without room MLX ends its process."""
    for words in (
        "[METAL] Command buffer execution failed: Insufficient Memory (00000008)",
        "[metal::malloc] Attempting to allocate 9 bytes, more than the maximum allowed buffer size",
    ):
        assert is_out_of_memory(RuntimeError(words))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("[matmul] Last dimension of first input"))
