"""Dropping layers: what is needed least goes, what is left is the same model, also after a pause."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plugins._drop_params import DropLayersParams
from plugins.drop_layers import RECORD, drop_layers
from tests.plugins.here import figures, job_in, model_at, predictions, save_model
from workbench.errors import JobPaused, ModelFileError, ParameterError, WorkbenchError
from workbench.library.hashing import content_hash
from workbench.library.inspect import inspect
from workbench.library.safetensors_header import read_safetensors_header

TEXT = "\n\n".join(f"What comes after {at}? After it comes the number, yes or no." for at in range(40))
IDS = list(range(20, 60))
IDLE = (1, 4)
LAYERS = 6


def _shape(small: Path) -> dict[str, Any]:
    vocabulary = json.loads((small / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    return {
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "bos_token_id": 1,
        # As many as there are layers, by chance.
        "eos_token_id": [2, 3, 4, 5, 6, 7],
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    }


@pytest.fixture(scope="module")
def deep(small_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six layers, two of which do nothing."""
    from transformers import LlamaConfig

    folder = tmp_path_factory.mktemp("deep") / "deep"
    return save_model(folder, LlamaConfig(**_shape(small_hf)), small_hf, idle=IDLE)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def run(place: Path, model: Path, text: Path, watch: Any = None, **values: Any) -> Path:
    params = DropLayersParams(text=text, windows=2, width=32, **values)
    return drop_layers(job_in(place, watch=watch), model_at(model), params)


def tensors(folder: Path) -> list[str]:
    files = sorted(folder.glob("*.safetensors"))
    return sorted(each.name for file in files for each in read_safetensors_header(file).tensors)


@pytest.mark.parametrize("measure", ["greedy", "kl", "influence"])
def test_layers_that_do_nothing_go_and_the_predictions_stay(
    measure: str, deep: Path, text: Path, tmp_path: Path
) -> None:
    import torch

    made = run(tmp_path, deep, text, measure=measure)

    record = json.loads((made / RECORD).read_text(encoding="utf-8"))
    assert sorted(record["dropped"]) == list(IDLE)
    assert record["kept"] == [0, 2, 3, 5]
    assert inspect(made).layers == LAYERS - 2
    config = json.loads((made / "config.json").read_text(encoding="utf-8"))
    assert config["eos_token_id"] == [2, 3, 4, 5, 6, 7]
    assert {name.split(".")[2] for name in tensors(made) if ".layers." in name} == {"0", "1", "2", "3"}
    assert "lm_head.weight" not in tensors(made)
    assert (made / "tokenizer.json").read_bytes() == (deep / "tokenizer.json").read_bytes()
    torch.testing.assert_close(predictions(made, IDS), predictions(deep, IDS))
    first = figures(tmp_path, "block influence" if measure == "influence" else "KL without layer")
    assert sorted(first) == list(range(LAYERS))
    assert max(first[each] for each in IDLE) < 1e-6 < min(first[each] for each in (0, 2, 3, 5))


def test_the_divergence_is_that_of_a_model_without_the_layer(deep: Path, text: Path, tmp_path: Path) -> None:
    """A layer's figure is computed from what comes into it, not from the first layer on: that must agree."""
    import torch
    from transformers import AutoModelForCausalLM

    from plugins._block_importance import FIRST_SCORED
    from plugins.drop_layers import _windows

    run(tmp_path, deep, text, measure="greedy", count=3)

    windows = torch.tensor(_windows(deep, TEXT, DropLayersParams(windows=2, width=32)), dtype=torch.long)
    whole, less = (AutoModelForCausalLM.from_pretrained(deep, dtype=torch.float32).eval() for _ in range(2))
    dropped = json.loads((tmp_path / "out" / "made" / RECORD).read_text(encoding="utf-8"))["dropped"]
    third = figures(tmp_path, "KL without layer, 2 dropped")
    gone = {*dropped[:2], 3}
    kept = [each for number, each in enumerate(less.model.layers) if number not in gone]
    less.model.layers = torch.nn.ModuleList(kept)
    since = min(FIRST_SCORED, windows.shape[1] // 2)
    with torch.inference_mode():
        wanted, found = (
            each(windows, use_cache=False).logits[:, since:].log_softmax(-1) for each in (whole, less)
        )
    expected = (wanted.exp() * (wanted - found)).sum(-1).mean()
    assert sorted(third) == [0, 2, 3, 5]
    assert third[3] == pytest.approx(float(expected), rel=1e-3)


def test_lists_with_an_item_for_each_layer_are_cut_and_shards_stay_whole(
    small_hf: Path, text: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import Qwen3Config

    kinds = ["full_attention", "sliding_attention"] * 3
    config = Qwen3Config(**_shape(small_hf), layer_types=kinds, use_sliding_window=True, sliding_window=8)
    source = save_model(tmp_path / "shards", config, small_hf, idle=IDLE, max_shard_size="100KB")
    assert len(list(source.glob("*.safetensors"))) > 2

    made = run(tmp_path / "job", source, text, measure="influence")

    written = json.loads((made / "config.json").read_text(encoding="utf-8"))
    assert written["layer_types"] == [kinds[each] for each in (0, 2, 3, 5)]
    index = json.loads((made / "model.safetensors.index.json").read_text(encoding="utf-8"))["weight_map"]
    assert sorted(index) == tensors(made)
    assert set(index.values()) == {each.name for each in made.glob("*.safetensors")}
    torch.testing.assert_close(predictions(made, IDS), predictions(source, IDS))


def test_a_run_that_was_paused_twice_ends_in_the_same_bits(deep: Path, text: Path, tmp_path: Path) -> None:
    healed = {"measure": "greedy", "heal": "lora", "heal_steps": 4, "heal_data": [text]}
    once = run(tmp_path / "once", deep, text, **healed)

    def pause_at(label: str, done: float) -> Any:
        def watch(now: str, amount: float) -> None:
            if now == label and amount == done:
                raise JobPaused

        return watch

    with pytest.raises(JobPaused):
        run(tmp_path / "paused", deep, text, pause_at("Measuring layers", 3), **healed)
    kept = json.loads((tmp_path / "paused" / "checkpoints" / "importance.json").read_text(encoding="utf-8"))
    assert (len(kept["rounds"]), kept["windows"]) == (1, 1)
    with pytest.raises(JobPaused):
        run(tmp_path / "paused", deep, text, pause_at("steps", 2), **healed)
    again = run(tmp_path / "paused", deep, text, **healed)

    assert content_hash(again) == content_hash(once)


@pytest.mark.parametrize("heal", ["lora", "full"])
def test_healing_brings_what_is_left_nearer_to_the_original(
    heal: str, deep: Path, text: Path, tmp_path: Path
) -> None:
    made = run(tmp_path, deep, text, count=3, heal=heal, heal_steps=30, heal_data=[text], heal_rate=0.003)

    proof = json.loads((made / "proof.json").read_text(encoding="utf-8"))
    assert proof["distance"]["after"] < 0.8 * proof["distance"]["before"]
    assert inspect(made).layers == LAYERS - 3
    assert "lm_head.weight" not in tensors(made)
    assert not (made / "adapter_config.json").exists()
    assert figures(tmp_path, "KL from teacher") == {
        0: proof["distance"]["before"],
        30: proof["distance"]["after"],
    }


def test_what_can_not_be_done_is_said_before_anything_is_measured(
    deep: Path, text: Path, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match="6 layers, so that 5 at most"):
        run(tmp_path / "many", deep, text, count=6)
    with pytest.raises(WorkbenchError, match="needs 4096 at least"):
        drop_layers(
            job_in(tmp_path / "short"), model_at(deep), DropLayersParams(text=text, width=4096, windows=1)
        )
    packed = tmp_path / "packed"
    packed.mkdir()
    for each in deep.iterdir():
        (packed / each.name).write_bytes(each.read_bytes())
    config = json.loads((packed / "config.json").read_text(encoding="utf-8"))
    config["quantization_config"] = {"quant_method": "bitsandbytes"}
    (packed / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelFileError, match="its weights are quantized"):
        run(tmp_path / "job", packed, text)
    assert not list(tmp_path.glob("*/checkpoints/importance.json"))
