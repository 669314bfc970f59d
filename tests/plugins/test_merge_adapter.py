"""Merging adapters: the same as PEFT's own, combined as the papers say, and refused with words."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugins._adapter_combining import Magnitudes, dropped, elected, generator_for
from plugins._adapter_tensors import TensorFile
from plugins.merge_adapter import MergeAdapterParams, merge_adapter
from workbench.errors import (
    DiskFullError,
    JobCancelled,
    ModelFileError,
    ParameterError,
    UnsafeModelError,
    WorkbenchError,
)
from workbench.jobs.context import WorkerContext
from workbench.jobs.events import EventTail, Progress
from workbench.jobs.sink import EventSink
from workbench.jobs.stop_requests import Requests
from workbench.library.inspect import inspect
from workbench.model import Model
from workbench.params import fields_of

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
make_adapter = importlib.import_module("make_adapter").make_adapter

VOCABULARY = 96
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ATTENTION = ["q_proj", "v_proj"]


@pytest.fixture
def job(tmp_path: Path) -> WorkerContext:
    """A job's context as a worker makes it, in this process."""

    def stop(problem: BaseException) -> Any:
        raise problem

    folder = tmp_path / "job"
    (folder / "out").mkdir(parents=True)
    return WorkerContext(
        folder=folder,
        out=folder / "out",
        sink=EventSink(folder / "events.jsonl"),
        requests=Requests(folder),
        seed=7,
        threads=1,
        output_name="merged",
        stop_now=stop,
    )


def llama(folder: Path, *, tied: bool = False, dtype: str = "float32", **more: Any) -> Path:
    """A random llama of one layer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=VOCABULARY,
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
        dtype=dtype,
        **more,
    )
    LlamaForCausalLM(config).to(getattr(torch, dtype)).save_pretrained(folder)
    return folder


def gpt2(folder: Path) -> Path:
    """A random GPT-2, whose layers store their weights as inputs × outputs."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(3)
    config = GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=VOCABULARY, bos_token_id=1, eos_token_id=2)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def mixtral(folder: Path) -> Path:
    """A random mixture of two experts, which its files hold one by one and transformers as one block."""
    import torch
    from transformers import MixtralConfig, MixtralForCausalLM

    torch.manual_seed(3)
    config = MixtralConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=VOCABULARY,
        num_local_experts=2,
    )
    MixtralForCausalLM(config).save_pretrained(folder)
    return folder


def merge(job: WorkerContext, base: Path, adapters: list[Path] | Path, **params: Any) -> Path:
    """Run the operation in this process."""
    listed = adapters if isinstance(adapters, list) else [adapters]
    model = Model(path=base, name=base.name, facts=inspect(base))
    return merge_adapter(job, model, MergeAdapterParams(adapters=listed, **params))


def events(job: WorkerContext) -> list[Any]:
    job.flush()
    return EventTail(job.folder / "events.jsonl").read(1 << 24)


def logits(model: Any) -> np.ndarray[Any, Any]:
    import torch

    with torch.no_grad():
        return model(torch.arange(3, 63).reshape(2, 30)).logits.numpy()


def loaded(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def tensors(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """All tensors of a model's files in float32."""
    files = [TensorFile(path) for path in sorted(folder.glob("*.safetensors"))]
    return {name: file.whole(name).float().numpy() for file in files for name in file.tensors}


METHODS: dict[str, dict[str, Any]] = {
    "lora": {"target_modules": LINEAR},
    "rslora": {"target_modules": LINEAR, "use_rslora": True},
    "dora": {"target_modules": LINEAR, "use_dora": True},
    "patterns": {
        "target_modules": LINEAR,
        "rank_pattern": {"q_proj": 3, "layers.0.mlp.up_proj": 5},
        "alpha_pattern": {r"self_attn\.[kv]_proj": 12},
    },
    "head": {"target_modules": ["q_proj", "lm_head"]},
    "embedding": {"target_modules": ["q_proj", "embed_tokens"]},
    "embedding-dora": {"target_modules": ["q_proj", "embed_tokens"], "use_dora": True},
    "modules": {"target_modules": ATTENTION, "modules_to_save": ["norm", "lm_head", "o_proj"]},
    "tokens": {"target_modules": ATTENTION, "trainable_token_indices": [4, 11]},
    "tokens-by-name": {
        "target_modules": ATTENTION,
        "trainable_token_indices": {"embed_tokens": [4], "lm_head": [9]},
    },
}


@pytest.mark.parametrize("method", METHODS)
def test_merged_model_computes_what_base_and_adapter_compute(
    method: str, job: WorkerContext, tmp_path: Path
) -> None:
    base = llama(tmp_path / "base")
    tuned = make_adapter(base, tmp_path / "adapter", r=4, lora_alpha=8, **METHODS[method])
    beside = logits(tuned)

    merged = loaded(merge(job, base, tmp_path / "adapter"))

    assert np.abs(beside - logits(loaded(base))).max() > 0.1
    assert logits(merged) == pytest.approx(beside, abs=2e-5)
    by_peft = dict(tuned.merge_and_unload().state_dict())
    for name, weight in merged.state_dict().items():
        assert weight.numpy() == pytest.approx(by_peft[name].numpy(), abs=2e-6), name


def test_biases_are_merged_whichever_were_trained(job: WorkerContext, tmp_path: Path) -> None:
    base = llama(tmp_path / "base", attention_bias=True)
    tuned = make_adapter(base, tmp_path / "all", r=2, target_modules=ATTENTION, bias="all", lora_bias=True)
    beside = logits(tuned)

    merged = loaded(merge(job, base, tmp_path / "all"))

    changed = merged.state_dict()["model.layers.0.self_attn.o_proj.bias"]
    assert float(changed.abs().max()) > 0.1
    assert logits(merged) == pytest.approx(beside, abs=2e-5)


@pytest.mark.parametrize("dora", [False, True])
def test_layers_that_store_inputs_by_outputs_are_turned(
    dora: bool, job: WorkerContext, tmp_path: Path
) -> None:
    base = gpt2(tmp_path / "base")
    # With the output layer among them PEFT writes fan_in_fan_out=false for all, square ones included.
    targets = ["c_attn", "c_proj", "c_fc", "lm_head"]
    tuned = make_adapter(base, tmp_path / "adapter", spread=0.1, r=3, target_modules=targets, use_dora=dora)
    beside = logits(tuned)

    merged = loaded(merge(job, base, tmp_path / "adapter"))

    assert logits(merged) == pytest.approx(beside, abs=2e-5)


@pytest.mark.parametrize(
    ("settings", "kept_apart"),
    [
        ({"target_modules": ["q_proj", "embed_tokens"]}, True),
        ({"target_modules": ["q_proj", "lm_head"]}, True),
        ({"target_modules": ["lm_head", "embed_tokens"]}, True),
        ({"target_modules": ATTENTION, "modules_to_save": ["lm_head"]}, True),
        ({"target_modules": ATTENTION, "modules_to_save": ["embed_tokens"]}, True),
        (
            {
                "target_modules": ATTENTION,
                "modules_to_save": ["embed_tokens"],
                "ensure_weight_tying": True,
            },
            False,
        ),
        ({"target_modules": ATTENTION, "trainable_token_indices": [4, 11]}, False),
        ({"target_modules": LINEAR}, False),
    ],
)
def test_shared_embeddings_stay_shared_only_where_both_ends_change_alike(
    settings: dict[str, Any], kept_apart: bool, job: WorkerContext, tmp_path: Path
) -> None:
    base = llama(tmp_path / "base", tied=True)
    tuned = make_adapter(base, tmp_path / "adapter", r=4, **settings)
    beside = logits(tuned)

    made = merge(job, base, tmp_path / "adapter")

    assert ("lm_head.weight" in tensors(made)) is kept_apart
    config = json.loads((made / "config.json").read_text(encoding="utf-8"))
    assert config["tie_word_embeddings"] is not kept_apart
    assert logits(loaded(made)) == pytest.approx(beside, abs=2e-5)


def test_adapter_that_names_weights_as_the_files_do_is_merged(job: WorkerContext, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    base, adapter = mixtral(tmp_path / "base"), tmp_path / "adapter"
    adapter.mkdir()
    expert = "model.layers.0.block_sparse_moe.experts.1.w2"
    a, b = torch.randn(2, 48), torch.randn(32, 2)
    save_file(
        {
            f"base_model.model.{expert}.lora_A.weight": a,
            f"base_model.model.{expert}.lora_B.weight": b,
        },
        adapter / "adapter_model.safetensors",
    )
    settings = {"peft_type": "LORA", "r": 2, "lora_alpha": 3}
    (adapter / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")

    made = tensors(merge(job, base, adapter))

    before = tensors(base)
    assert made[f"{expert}.weight"] == pytest.approx(
        before.pop(f"{expert}.weight") + (b @ a * 1.5).numpy(), abs=1e-5
    )
    assert all(np.array_equal(made[name], weight) for name, weight in before.items())


def test_weights_are_rounded_once_to_the_type_they_have(job: WorkerContext, tmp_path: Path) -> None:
    import torch

    base = llama(tmp_path / "base", dtype="bfloat16")
    tuned = make_adapter(base, tmp_path / "adapter", r=4, target_modules=LINEAR)
    exact = tuned.merge_and_unload().state_dict()

    file = TensorFile(merge(job, base, tmp_path / "adapter") / "model.safetensors")

    assert {each.dtype for each in file.tensors.values()} == {"BF16"}
    for name in file.tensors:
        assert torch.equal(file.whole(name), exact[name].to(torch.bfloat16)), name


@pytest.mark.parametrize(("precision", "dtype"), [("float32", "F32"), ("float16", "F16")])
def test_result_can_be_stored_in_another_precision(
    precision: str, dtype: str, job: WorkerContext, tmp_path: Path
) -> None:
    base = llama(tmp_path / "base", dtype="bfloat16")
    make_adapter(base, tmp_path / "adapter", r=4, target_modules=ATTENTION)

    made = merge(job, base, tmp_path / "adapter", precision=precision)

    assert {each.dtype for each in TensorFile(made / "model.safetensors").tensors.values()} == {dtype}
    assert json.loads((made / "config.json").read_text(encoding="utf-8"))["dtype"] == precision
    assert inspect(made).quantization == dtype


def test_everything_but_the_changed_weights_is_carried_over(
    job: WorkerContext, tiny_hf: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    base = tmp_path / "base"
    shutil.copytree(tiny_hf, base)
    (base / "model.safetensors").unlink()
    AutoModelForCausalLM.from_pretrained(tiny_hf, dtype=torch.bfloat16).save_pretrained(
        base, max_shard_size="100KB"
    )
    (base / "LICENSE").write_text("Apache-2.0\n", encoding="utf-8")
    make_adapter(base, tmp_path / "adapter", r=4, target_modules=["q_proj"])

    made = merge(job, base, tmp_path / "adapter")

    names = {each.name for each in base.iterdir()}
    assert len([name for name in names if name.endswith(".safetensors")]) > 2
    assert {each.name for each in made.iterdir()} == names | {"merge.json"}
    for name in names:
        if not name.endswith((".safetensors", ".index.json")):
            assert (made / name).read_bytes() == (base / name).read_bytes(), name
        elif name.endswith(".safetensors"):
            before, after = TensorFile(base / name), TensorFile(made / name)
            assert dict(after.tensors) == dict(before.tensors)
            assert after.metadata == before.metadata
            for tensor in before.tensors:
                same = torch.equal(after.whole(tensor), before.whole(tensor))
                assert same is not tensor.endswith("q_proj.weight"), tensor
    index = json.loads((base / "model.safetensors.index.json").read_text(encoding="utf-8"))
    merged_index = json.loads((made / "model.safetensors.index.json").read_text(encoding="utf-8"))
    assert merged_index["weight_map"] == index["weight_map"]
    assert merged_index["metadata"]["total_size"] == index["metadata"]["total_size"]
    progress = [each for each in events(job) if isinstance(each, Progress)]
    assert progress[-1].done == progress[-1].total == index["metadata"]["total_size"]


def test_record_says_what_went_in(job: WorkerContext, tmp_path: Path) -> None:
    base = llama(tmp_path / "base")
    for name in ("one", "two"):
        make_adapter(base, tmp_path / name, r=2, target_modules=["q_proj"])

    made = merge(
        job,
        base,
        [tmp_path / "one", tmp_path / "two"],
        weights=["0.5", "-1"],
        combination="dare-ties",
        density=0.4,
    )

    record = json.loads((made / "merge.json").read_text(encoding="utf-8"))
    assert [(each["name"], each["weight"]) for each in record["adapters"]] == [("one", 0.5), ("two", -1.0)]
    assert (record["combination"], record["density"], record["seed"]) == ("dare-ties", 0.4, 7)
    assert all(len(each["sha256"]) == 64 for each in record["adapters"])


# ---------------------------------------------------------------------- several adapters


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, list[Path], Any]:
    """A base, two adapters of different kinds, and PEFT's model with both loaded."""
    base = llama(tmp_path / "base")
    make_adapter(base, tmp_path / "two", seed=2, r=2, lora_alpha=6, target_modules=["q_proj"])
    tuned = make_adapter(base, tmp_path / "one", seed=1, r=3, lora_alpha=6, target_modules=["q_proj"])
    tuned.load_adapter(tmp_path / "two", adapter_name="two")
    return base, [tmp_path / "one", tmp_path / "two"], tuned


Q_PROJ = "model.layers.0.self_attn.q_proj.weight"


@pytest.mark.parametrize(
    ("by_peft", "params"),
    [
        # PEFT's `cat` and `…_svd` work on full matrices too, so they are what ours must equal.
        ({"combination_type": "cat"}, {}),
        ({"combination_type": "ties_svd", "density": 0.3}, {"combination": "ties", "density": 0.3}),
        ({"combination_type": "ties_svd", "density": 0.9}, {"combination": "ties", "density": 0.9}),
    ],
)
def test_several_adapters_combine_as_in_peft_where_it_works_on_full_weights(
    by_peft: dict[str, Any],
    params: dict[str, Any],
    two: tuple[Path, list[Path], Any],
    job: WorkerContext,
) -> None:
    base, adapters, tuned = two
    if "svd" in by_peft["combination_type"]:
        by_peft = {**by_peft, "svd_rank": 32}  # all of it: the factors lose nothing
    tuned.add_weighted_adapter(["default", "two"], [0.75, -0.5], "both", **by_peft)
    tuned.set_adapter("both")
    expected = tuned.merge_and_unload().state_dict()

    made = tensors(merge(job, base, adapters, weights=["0.75", "-0.5"], **params))

    assert np.abs(made[Q_PROJ] - tensors(base)[Q_PROJ]).max() > 0.1
    assert made[Q_PROJ] == pytest.approx(expected[Q_PROJ].numpy(), abs=1e-5)


def test_dora_can_be_among_several(job: WorkerContext, tmp_path: Path) -> None:
    base = llama(tmp_path / "base")
    deltas = []
    for name, dora in (("plain", False), ("dora", True)):
        tuned = make_adapter(
            base, tmp_path / name, seed=len(name), r=2, target_modules=["q_proj"], use_dora=dora
        )
        deltas.append(tuned.merge_and_unload().state_dict()[Q_PROJ].numpy() - tensors(base)[Q_PROJ])

    made = tensors(merge(job, base, [tmp_path / "plain", tmp_path / "dora"], weights=["0.5", "2"]))

    expected = tensors(base)[Q_PROJ] + 0.5 * deltas[0] + 2 * deltas[1]
    assert made[Q_PROJ] == pytest.approx(expected, abs=1e-5)


def test_ties_trims_each_adapter_as_one_vector(job: WorkerContext, tmp_path: Path) -> None:
    base = llama(tmp_path / "base")
    deltas = []
    for name, spread in (("one", 0.2), ("two", 0.4)):
        tuned = make_adapter(base, tmp_path / name, seed=len(name), spread=spread, r=2, target_modules=LINEAR)
        exact, before = tuned.merge_and_unload().state_dict(), tensors(base)
        deltas.append({key: exact[key].numpy() - before[key] for key in before if "_proj" in key})

    made, before = (
        tensors(merge(job, base, [tmp_path / "one", tmp_path / "two"], combination="ties", density=0.25)),
        tensors(base),
    )

    limits = []
    for delta in deltas:
        everything = np.sort(np.abs(np.concatenate([each.ravel() for each in delta.values()])))
        limits.append(everything[-int(0.25 * len(everything))])
    kept = 0
    for key in deltas[0]:
        trimmed = [
            np.where(np.abs(d[key]) >= limit - 1e-6, d[key], 0)
            for d, limit in zip(deltas, limits, strict=True)
        ]
        way = np.where(sum(trimmed) >= 0, 1, -1)
        agreeing = [np.where(np.sign(each) == way, each, 0) for each in trimmed]
        voices = sum((each != 0).astype(int) for each in agreeing)
        expected = before[key] + sum(agreeing) / np.maximum(voices, 1)
        assert made[key] == pytest.approx(expected, abs=1e-5), key
        kept += int((made[key] != before[key]).sum())
    assert 0.25 < kept / sum(each.size for each in deltas[0].values()) < 0.5


def test_ties_on_numbers_worked_out_by_hand() -> None:
    import torch

    one = torch.tensor([4.0, -3.0, 0.0, 1.0, 0.0, 2.0])
    two = torch.tensor([2.0, 5.0, 0.0, -1.0, -7.0, 0.0])

    # both up: their mean; two wins over one; nothing; a draw, so plus; each alone.
    assert elected([one, two], [1.0, 1.0]).tolist() == [3.0, 5.0, 0.0, 1.0, -7.0, 2.0]
    assert elected([one, two], [2.0, 0.5]).tolist() == [4.5, 2.5, 0.0, 2.0, -3.5, 4.0]


def test_dare_keeps_a_share_and_makes_up_for_the_rest() -> None:
    import torch

    delta = torch.full((200, 500), 3.0)

    kept = dropped(delta, 0.25, generator_for(7, 0, "a"))

    assert set(kept.unique().tolist()) == {0.0, 12.0}
    assert float(kept.mean()) == pytest.approx(3.0, abs=0.1)
    assert torch.equal(kept, dropped(delta, 0.25, generator_for(7, 0, "a")))
    for other in (generator_for(8, 0, "a"), generator_for(7, 1, "a"), generator_for(7, 0, "b")):
        assert not torch.equal(kept, dropped(delta, 0.25, other))


def test_dare_adds_what_was_kept(job: WorkerContext, two: tuple[Path, list[Path], Any]) -> None:
    base, adapters, tuned = two
    before = tensors(base)[Q_PROJ]
    layer = tuned.base_model.model.model.layers[0].self_attn.q_proj
    parameter = Q_PROJ
    expected = before.copy()
    for number, name in enumerate(("default", "two")):
        delta = layer.get_delta_weight(name).detach()
        expected += dropped(delta, 0.5, generator_for(7, number, parameter)).numpy()

    made = tensors(merge(job, base, adapters, combination="dare-linear", density=0.5))

    assert made[Q_PROJ] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("density", [0.001, 0.2, 0.5, 0.999, 1.0])
def test_threshold_is_the_magnitude_that_sorting_finds(density: float) -> None:
    import torch

    torch.manual_seed(0)
    numbers = torch.cat([torch.randn(5000) * 1e-3, torch.zeros(500), torch.randn(500) * 40])
    found = Magnitudes(density)
    for first in (True, False):
        for piece in numbers.split(700):
            found.count(piece)
        if first:
            found.narrow()

    assert found.threshold() == float(numbers.abs().sort(descending=True).values[int(density * 6000) - 1])


# ---------------------------------------------------------------------- refusals


def spoiled(adapter: Path, **changes: Any) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}), encoding="utf-8")


def _nothing(_adapter: Path, _base: Path) -> None:
    pass


def _not_a_number(adapter: Path, _base: Path) -> None:
    from safetensors.torch import load_file, save_file

    held = load_file(adapter / "adapter_model.safetensors")
    held[sorted(held)[1]][0, 0] = float("nan")
    save_file(held, adapter / "adapter_model.safetensors")


def _without_config(adapter: Path, _base: Path) -> None:
    (adapter / "adapter_config.json").unlink()


def _pickle(adapter: Path, _base: Path) -> None:
    import torch

    (adapter / "adapter_model.safetensors").unlink()
    torch.save({}, adapter / "adapter_model.bin")


def _pickle_in_disguise(adapter: Path, _base: Path) -> None:
    import torch

    torch.save({}, adapter / "adapter_model.safetensors")


def _cut_short(adapter: Path, _base: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])


def _quantized(_adapter: Path, base: Path) -> None:
    path = base / "config.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text()), "quantization_config": {"load_in_4bit": True}}),
        encoding="utf-8",
    )


REFUSED: dict[str, tuple[Callable[[Path, Path], None], type[WorkbenchError], str]] = {
    "nan": (_not_a_number, ModelFileError, "q_proj.lora_B.weight holds NaN"),
    "no config": (_without_config, ModelFileError, "no adapter_config.json"),
    "pickle": (_pickle, UnsafeModelError, "adapter_model.bin"),
    "pickle in disguise": (_pickle_in_disguise, UnsafeModelError, "under another name"),
    "cut short": (_cut_short, ModelFileError, "damaged"),
    "quantized base": (_quantized, ModelFileError, "full precision"),
    "other kind": (lambda a, _b: spoiled(a, peft_type="IA3"), ModelFileError, "kind IA3"),
    "mlx-lm": (
        lambda a, _b: (a / "adapter_config.json").write_text('{"lora_parameters": {}}') and None,
        ModelFileError,
        "form of mlx-lm",
    ),
    "pissa": (lambda a, _b: spoiled(a, init_lora_weights="pissa"), ModelFileError, "path_initial_model"),
    "activated": (lambda a, _b: spoiled(a, alora_invocation_tokens=[5]), ModelFileError, "aLoRA"),
    "other rank": (lambda a, _b: spoiled(a, r=9), ModelFileError, "adapter_config.json says 9"),
    "rank of text": (lambda a, _b: spoiled(a, r="four"), ModelFileError, "r can't be 'four'"),
    "broken pattern": (lambda a, _b: spoiled(a, rank_pattern={"(": 1}), ModelFileError, "rank_pattern"),
    "missing magnitudes": (lambda a, _b: spoiled(a, use_dora=True), ModelFileError, "magnitudes"),
    "no JSON": (
        lambda a, _b: (a / "adapter_config.json").write_text("[" * 100_000) and None,
        ModelFileError,
        "not valid JSON",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_merged_is_refused_with_words(case: str, job: WorkerContext, tmp_path: Path) -> None:
    spoil, kind, words = REFUSED[case]
    base = llama(tmp_path / "base")
    make_adapter(base, tmp_path / "adapter", r=4, target_modules=["q_proj"])
    spoil(tmp_path / "adapter", base)

    with pytest.raises(kind, match="(?s)" + words.replace(".", r"\.")) as refused:
        merge(job, base, tmp_path / "adapter")

    assert refused.value.message


def test_adapter_of_another_size_is_refused_by_the_first_tensor_that_does_not_fit(
    job: WorkerContext, tiny_hf: Path, tmp_path: Path
) -> None:
    make_adapter(tiny_hf, tmp_path / "adapter", r=4, target_modules=ATTENTION)

    with pytest.raises(ModelFileError, match=r"64 × 64.*q_proj\.weight of base has 32 × 32") as refused:
        merge(job, llama(tmp_path / "base"), tmp_path / "adapter")

    assert "tiny-hf" in refused.value.remedy


def test_adapter_of_another_architecture_is_refused(job: WorkerContext, tmp_path: Path) -> None:
    make_adapter(gpt2(tmp_path / "gpt2"), tmp_path / "adapter", r=4, target_modules=["c_attn"])

    with pytest.raises(ModelFileError, match=r"transformer\.h\.0\.attn\.c_attn\.weight, which base does not"):
        merge(job, llama(tmp_path / "base"), tmp_path / "adapter")


def test_weights_too_large_for_float16_are_refused(job: WorkerContext, tmp_path: Path) -> None:
    base = llama(tmp_path / "base")
    make_adapter(base, tmp_path / "adapter", spread=300, r=4, lora_alpha=8, target_modules=["q_proj"])

    with pytest.raises(ParameterError, match=r"q_proj\.weight holds .* too much for float16"):
        merge(job, base, tmp_path / "adapter", precision="float16")


@pytest.mark.parametrize(
    ("weights", "words"), [(["1", "2"], "1 adapters and 2"), (["much"], "much"), (["nan"], "finite")]
)
def test_wrong_factors_are_refused(
    weights: list[str], words: str, job: WorkerContext, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match=words):
        merge(job, llama(tmp_path / "base"), tmp_path / "adapter", weights=weights)


def test_full_disk_is_said_before_anything_is_written(
    job: WorkerContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = llama(tmp_path / "base")
    make_adapter(base, tmp_path / "adapter", r=4, target_modules=["q_proj"])
    use = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: use._replace(free=1000))

    with pytest.raises(DiskFullError) as refused:
        merge(job, base, tmp_path / "adapter")

    assert refused.value.needed_bytes == inspect(base).parameters * 4
    assert not list((job.out / "merged").iterdir())


@pytest.mark.parametrize("combination", ["linear", "ties"])
def test_cancel_is_heard_between_pieces_of_a_tensor(
    combination: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: WorkerContext
) -> None:
    base = llama(tmp_path / "base")
    make_adapter(base, tmp_path / "adapter", r=4, target_modules=LINEAR)
    monkeypatch.setattr("plugins._adapter_tensors._PIECE", 128)
    whole = merge(job, base, tmp_path / "adapter", combination=combination, density=0.5)
    shutil.rmtree(whole)
    seen = 0

    def poll() -> str | None:
        nonlocal seen
        seen += 1
        return "cancel" if seen > 60 else None

    monkeypatch.setattr(job._requests, "poll", poll)

    with pytest.raises(JobCancelled):
        merge(job, base, tmp_path / "adapter", combination=combination, density=0.5)

    assert seen == 61


def test_choices_for_several_show_only_with_several() -> None:
    fields = {field.name: field for field in fields_of(MergeAdapterParams)}
    one, two = {"adapters": ["a"]}, {"adapters": ["a", "b"]}

    assert not fields["combination"].shown(one)
    assert fields["combination"].shown(two)
    assert not fields["density"].shown({**two, "combination": "linear"})
    assert fields["density"].shown({**two, "combination": "ties"})
