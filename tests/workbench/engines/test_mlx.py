"""The MLX engine with a real tiny model, on the CPU where there is no Metal."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))
from workbench.engines.errors import ContextFullError
from workbench.engines.mlx_model import MlxModel
from workbench.engines.request import AdapterOptions, AdapterUse, Constraint, DraftOptions, LoadOptions
from workbench.errors import ModelFileError, UsageError

adapters = importlib.import_module("adapters")
make_adapter = importlib.import_module("make_adapter").make_adapter
pytestmark = pytest.mark.timeout(600)


def prompt_of(seed: int, length: int = 12) -> tuple[int, ...]:
    return tuple(1000 + (seed * 7919 + place * 104729) % 40000 for place in range(length))


def test_rows_join_and_leave_without_changing_each_other(opened, exact_hf: Path) -> None:
    alone = opened(exact_hf, "hf", engine="mlx", parallel=1)
    expected = {str(n): alone.answer(str(n), prompt_of(n, 5 + 7 * n), max_tokens=5 + 3 * n) for n in range(4)}
    run = opened(exact_hf, "hf", engine="mlx", parallel=2)
    for n in (0, 1):
        run.add(str(n), prompt_of(n, 5 + 7 * n), max_tokens=5 + 3 * n)
    for _ in range(4):
        run.events += run.engine.step()

    for n in (2, 3):
        run.add(str(n), prompt_of(n, 5 + 7 * n), max_tokens=5 + 3 * n)
    run.to_end()

    assert {id: run.tokens(id) for id in expected} == expected


def test_logits_lead_to_the_same_token(opened, tiny_hf: Path) -> None:
    run = opened(tiny_hf, "hf", engine="mlx", parallel=1)
    first = run.answer("a", prompt_of(2, 30), max_tokens=1)[0]

    logits = run.engine.logits(prompt_of(2, 30))

    assert logits.shape == (30, run.engine.tokenizer.vocabulary)
    assert int(logits[-1].argmax()) == first


@pytest.mark.parametrize("since", [255, 600])
def test_logits_of_the_end_are_those_of_the_whole(opened, exact_hf: Path, since: int) -> None:
    run = opened(exact_hf, "hf", engine="mlx", parallel=1, context=1024)
    prompt = prompt_of(5, 700)
    whole = run.engine.logits(prompt)

    found = run.engine.logits(prompt, since)

    assert found.shape == (700 - since, run.engine.tokenizer.vocabulary)
    assert np.abs(found - whole[since:]).max() < 1e-4 * np.abs(whole).max()


def test_prompt_is_reused_and_gives_the_same_answer(opened, tiny_hf: Path) -> None:
    run = opened(tiny_hf, "hf", engine="mlx", parallel=1)
    first = run.answer("first", prompt_of(3, 100))
    again = run.answer("again", prompt_of(3, 100))
    other = run.answer("other", (*prompt_of(3, 60), 2001, 2002))
    fresh = run.answer("fresh", (*prompt_of(3, 60), 2001, 2002), reuse=False)

    assert again == first
    assert run.end("again").figures.cached_tokens == 99
    assert run.end("other").figures.cached_tokens == 60
    assert other == fresh


@pytest.mark.parametrize("draft", ["ngram", "model"])
def test_guessing_gives_the_same_tokens(opened, exact_hf: Path, draft: str) -> None:
    plain = opened(exact_hf, "hf", engine="mlx", parallel=1)
    options = DraftOptions(kind=draft, path=str(exact_hf) if draft == "model" else "")
    guessing = opened(exact_hf, "hf", engine="mlx", parallel=1, draft=options)
    count = 50 if draft == "ngram" else 5
    different = [
        n
        for n in range(count)
        if plain.answer(str(n), prompt_of(n, 8) * 3, max_tokens=12)
        != guessing.answer(str(n), prompt_of(n, 8) * 3, max_tokens=12)
    ]

    print(f"{count - len(different)} of {count} prompts gave identical tokens with {draft}")
    assert not different


def test_sampling_settings_work_in_a_batch(opened, exact_hf: Path) -> None:
    run = opened(exact_hf, "hf", engine="mlx", parallel=3)
    hot = {"temperature": 1.2, "top_k": 50, "top_p": 0.95, "seed": 11, "max_tokens": 12}
    alone = run.answer("alone", prompt_of(8), **hot)

    run.add("again", prompt_of(8), reuse=False, **hot)
    run.add("other", prompt_of(8), **{**hot, "seed": 12})
    run.add("biased", prompt_of(8), logit_bias={77: 1000.0}, max_tokens=3)
    run.to_end()

    assert run.tokens("again") == alone
    assert run.tokens("other") != alone
    assert run.tokens("biased") == [77, 77, 77]


def test_json_schema_and_logprobs(opened, tiny_hf: Path) -> None:
    run = opened(tiny_hf, "hf", engine="mlx", parallel=2)
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    schema["additionalProperties"] = False
    constraint = Constraint(kind="json-schema", text=json.dumps(schema))

    run.add("json", "x", constraint=constraint, max_tokens=60, ignore_end=False)
    run.add("likely", prompt_of(1), logprobs=2, max_tokens=3)
    run.to_end()

    assert set(json.loads(run.text("json"))) == {"ok"}
    found = [each for delta in run.events for each in getattr(delta, "logprobs", ())]
    assert [each.token for each in found] == run.tokens("likely")
    assert all(each.top[0].token == each.token for each in found)


def test_draft_and_quantized_cache_give_up_batching_and_say_so(opened, tiny_hf: Path) -> None:
    run = opened(tiny_hf, "hf", engine="mlx", parallel=4, draft=DraftOptions(kind="ngram"))

    check = next(each for each in run.engine.report.checks if each.option == "parallel")

    assert not check.active
    assert "leave it out" in check.note
    # The tiny model's heads are too narrow for a quantized cache; it says so instead of failing later.
    with pytest.raises(UsageError, match="multiple of 32"):
        opened(tiny_hf, "hf", engine="mlx", kv_type="q8_0")


def test_full_context_and_cancel(opened, tiny_hf: Path) -> None:
    run = opened(tiny_hf, "hf", engine="mlx", parallel=2, context=64)
    with pytest.raises(ContextFullError):
        run.add("long", prompt_of(1, 80))
    run.add("shifted", prompt_of(1, 50), max_tokens=40, overflow="shift")
    run.add("gone", prompt_of(2), max_tokens=40)
    run.events += run.engine.step()
    run.events += run.engine.cancel("gone")
    run.to_end()

    assert len(run.tokens("shifted")) == 40
    assert run.end("shifted").figures.shifted_tokens > 0
    assert run.end("gone").reason == "cancelled"


def test_adapter_changes_the_answer_and_leaves_no_trace(opened, tiny_hf: Path, tmp_path: Path) -> None:
    adapter = made_adapter(tiny_hf, tmp_path / "adapter")
    run = opened(
        tiny_hf, "hf", engine="mlx", parallel=2, adapters=(AdapterOptions(name="tone", path=str(adapter)),)
    )
    base = run.answer("base", prompt_of(5))

    with_it = run.answer("with", prompt_of(5), adapters=(AdapterUse(name="tone"),))

    assert with_it != base
    assert run.answer("without", prompt_of(5)) == base


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["q_proj", "down_proj"], "lora_alpha": 6},
        {"target_modules": "all-linear", "use_rslora": True, "alpha_pattern": {"layers.1.*q_proj": 3}},
        {"target_modules": ["v_proj", "o_proj"], "use_dora": True, "rank_pattern": {"o_proj": 2}},
    ],
    ids=["LoRA", "rsLoRA", "DoRA"],
)
def test_adapter_of_peft_gives_the_logits_that_peft_gives(
    settings: dict[str, Any], exact_hf: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = tmp_path / "tone"
    make_adapter(exact_hf, folder, r=4, **settings)
    tokens = prompt_of(6)
    options = LoadOptions(
        path=str(exact_hf), format="hf", adapters=(AdapterOptions(name="t", path=str(folder)),)
    )
    model = MlxModel(options)
    plain = MlxModel(LoadOptions(path=str(exact_hf), format="hf")).logits(tokens)

    off = model.logits(tokens)
    model.apply((AdapterUse(name="t"),))
    on = model.logits(tokens)
    model.apply(())
    off_again = model.logits(tokens)

    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(exact_hf), folder)
    with torch.no_grad():
        expected = tuned(torch.tensor([tokens])).logits[0].numpy()
    assert np.array_equal(off, plain)
    assert np.array_equal(off_again, plain)
    assert np.abs(on - expected).max() < 1e-3 * np.abs(expected - plain).max()


@pytest.mark.parametrize(
    "settings",
    [{"modules_to_save": ["lm_head"]}, {"target_modules": ["embed_tokens"]}],
    ids=["whole matrix", "embedding"],
)
def test_adapter_that_mlx_can_not_switch_is_refused(
    settings: dict[str, Any], opened, exact_hf: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tone"
    make_adapter(exact_hf, folder, r=4, **{"target_modules": ["q_proj"], **settings})

    with pytest.raises(ModelFileError, match="beside pairs of LoRA matrices"):
        opened(exact_hf, "hf", engine="mlx", adapters=(AdapterOptions(name="t", path=str(folder)),))


def test_dora_over_few_bits_is_that_over_their_values(exact_hf: Path, tmp_path: Path) -> None:
    """Six bits do not divide 32, which mlx-lm's own DoRA takes for granted; the factor scales it too."""
    import mlx.core as mx
    import mlx.nn as nn

    from workbench.engines.mlx_adapters import MlxAdapter

    folder = tmp_path / "tone"
    make_adapter(exact_hf, folder, r=4, target_modules=["q_proj"], use_dora=True)
    models = [MlxModel(LoadOptions(path=str(exact_hf), format="hf")) for _ in range(2)]
    nn.quantize(models[0].model, 64, 6, class_predicate=lambda name, _module: name.endswith("q_proj"))
    for packed, plain in zip(models[0].model.layers, models[1].model.layers, strict=True):
        stored = packed.self_attn.q_proj
        plain.self_attn.q_proj.weight = mx.dequantize(
            stored.weight, stored.scales, stored.biases, stored.group_size, stored.bits
        )
    adapters = [MlxAdapter(each.model, folder) for each in models]

    for factor in (1.0, 0.5, None):
        for each in adapters:
            each.apply(factor)
        one, other = (each.logits(prompt_of(3)) for each in models)
        assert np.abs(one - other).max() < 1e-4


@pytest.mark.parametrize("spoil", ["layer", "width", "alpha"])
def test_adapter_of_another_model_is_refused(spoil: str, opened, tiny_hf: Path, tmp_path: Path) -> None:
    folder = adapters.peft_adapter(tmp_path / "tone", **({"lora_alpha": "x"} if spoil == "alpha" else {}))
    weights = load_file(folder / "adapter_model.safetensors")
    for name in [*weights]:
        if spoil == "layer":
            weights[name.replace("layers.1", "layers.7")] = weights.pop(name)
        elif spoil == "width" and name.endswith("lora_A.weight"):
            weights[name] = np.ones((4, 7), np.float32)
    save_file(weights, folder / "adapter_model.safetensors")

    words = {"layer": "no matrix", "width": "another width", "alpha": "lora_alpha can't be 'x'"}[spoil]
    with pytest.raises(ModelFileError, match=words):
        opened(tiny_hf, "hf", engine="mlx", adapters=(AdapterOptions(name="t", path=str(folder)),))


def test_embeddings_have_unit_length(opened, tiny_hf: Path) -> None:
    run = opened(tiny_hf, "hf", engine="mlx", parallel=1)

    vectors, _count = run.engine.embed(["one", "two"])

    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_configuration_that_names_code_is_refused(opened, tiny_hf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    for each in tiny_hf.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_file": "evil.py"}))
    (folder / "evil.py").write_text("raise SystemExit('run!')")

    with pytest.raises(ModelFileError, match="code of its own"):
        opened(folder, "hf", engine="mlx")


def made_adapter(base: Path, folder: Path) -> Path:
    """An adapter in mlx_lm's form with weights that do something."""
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.tuner.utils import linear_to_lora_layers
    from mlx_lm.utils import load_model

    folder.mkdir()
    parameters = {"rank": 4, "scale": 20.0, "dropout": 0.0, "keys": ["self_attn.q_proj", "mlp.down_proj"]}
    config = {"fine_tune_type": "lora", "num_layers": 2, "lora_parameters": parameters}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    model, _config = load_model(base)
    model.freeze()
    linear_to_lora_layers(model, 2, parameters)
    mx.random.seed(1)
    weights = {
        name: mx.random.normal(value.shape) * 0.5
        for name, value in tree_flatten(model.trainable_parameters())
    }
    mx.save_safetensors(str(folder / "adapters.safetensors"), weights)
    return folder
