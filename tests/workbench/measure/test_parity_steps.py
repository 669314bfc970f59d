"""Honest conversions, quantizations and merges are at parity, and a merge into a 4-bit base is not."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.engines.base import Engine
from workbench.engines.request import AdapterOptions, AdapterUse
from workbench.jobs.context import WorkerContext
from workbench.jobs.sink import EventSink
from workbench.jobs.stop_requests import Requests
from workbench.library.inspect import inspect
from workbench.measure.card import ParityCheck
from workbench.measure.parity import Step, check_parity, check_step
from workbench.measure.parity_base import check_base, rounded_tensors
from workbench.measure.parity_prompts import read_prompts
from workbench.model import Model

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))
make_adapter = importlib.import_module("make_adapter").make_adapter

TONE = (AdapterUse(name="tone"),)
#: Enough where each costs time.
FEW = read_prompts()[3::6]

Load = Callable[..., Engine]


def failed(found: tuple[ParityCheck, ...]) -> dict[str, str]:
    """What failed, and why."""
    return {each.name: each.finding for each in found if each.result == "failed"}


def made(folder: Path, operation: str, source: Path, **params: Any) -> Path:
    """What an operation that ships makes of a model, run in this process."""

    def stop(problem: BaseException) -> Any:
        raise problem

    (folder / "out").mkdir(parents=True)
    job = WorkerContext(
        folder=folder,
        out=folder / "out",
        sink=EventSink(folder / "events.jsonl"),
        requests=Requests(folder),
        seed=7,
        threads=1,
        output_name="made",
        stop_now=stop,
    )
    module = importlib.import_module(f"plugins.{operation}")
    named = getattr(module, "".join(word.title() for word in operation.split("_")) + "Params")
    result: Path = getattr(module, operation)(job, model(source), named(**params))
    return result


def model(path: Path) -> Model:
    return Model(path=path, name=path.name, facts=inspect(path))


@pytest.fixture(scope="module")
def true_hf(tiny_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with the tokenizer that its GGUF file says it has: each digit stands alone.

    transformers, which made the other out of a GGUF file, overlooks that.
    """
    folder = tmp_path_factory.mktemp("true") / "hf"
    shutil.copytree(tiny_hf, folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    digits = {"type": "Digits", "individual_digits": True}
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, tokenizer["pre_tokenizer"]]}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def adapter(small_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    make_adapter(small_hf, folder, spread=0.1, r=4, target_modules=["q_proj", "v_proj", "o_proj"])
    return folder


@pytest.fixture(scope="module")
def unpacked(small_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model, rounded to 4 bits and stored in 16 again."""
    folder = tmp_path_factory.mktemp("unpacked")
    quantized = made(folder / "quantize", "gguf_quantize", small_gguf, type="Q4_0")
    return made(folder / "unpack", "gguf_dequantize", quantized)


def test_conversion_is_at_parity(load: Load, true_hf: Path, tiny_gguf: Path) -> None:
    source, result = load(true_hf, "hf", context=1024), load(tiny_gguf, context=1024)

    found = check_parity(source, result, stage="Convert to GGUF", same_type=True)

    assert [each.result for each in found] == ["passed"] * 5, failed(found)


def test_unpacking_is_at_parity(load: Load, tiny_gguf: Path, tmp_path: Path) -> None:
    """The tokenizer too, which transformers alone gets wrong: see below."""
    unpacked = made(tmp_path / "job", "gguf_dequantize", tiny_gguf)

    found = check_step(
        load(tiny_gguf),
        load(unpacked, "hf"),
        Step(stage="Convert to safetensors", same_type=True),
        prompts=FEW,
    )

    assert [each.result for each in found] == ["passed"] * 5, failed(found)


@pytest.mark.parametrize("type", ["Q8_0", "Q4_K_M"])
def test_quantization_is_at_parity(type: str, load: Load, small_gguf: Path, tmp_path: Path) -> None:
    quantized = made(tmp_path / "job", "gguf_quantize", small_gguf, type=type)
    bits = inspect(quantized).bits_per_weight

    found = check_step(
        load(small_gguf),
        load(quantized),
        Step(stage="Quantize", same_type=False, bits=bits),
        prompts=read_prompts(),
    )

    assert [each.result for each in found] == ["passed"] * 5, failed(found)


def test_quantization_passes_for_no_conversion(load: Load, small_gguf: Path, tmp_path: Path) -> None:
    quantized = made(tmp_path / "job", "gguf_quantize", small_gguf, type="Q4_0", pure=True)

    found = check_step(load(small_gguf), load(quantized), Step(stage="Convert", same_type=True), prompts=FEW)

    assert "predictions" in failed(found)


def test_mlx_quantization_is_at_parity(load: Load, small_hf: Path, tmp_path: Path) -> None:
    quantized = made(tmp_path / "job", "mlx_quantize", small_hf, bits="4", group_size="32")
    step = Step(stage="Quantize for MLX", same_type=False, bits=inspect(quantized).bits_per_weight)

    found = check_step(load(small_hf, "hf"), load(quantized, "mlx"), step, prompts=FEW)

    assert [each.result for each in found] == ["passed"] * 5, failed(found)


def test_tokenizer_that_overlooks_digits_is_found(load: Load, tiny_hf: Path, tiny_gguf: Path) -> None:
    """What transformers 5 makes of a GGUF file: a real fault, planted by nobody."""
    found = check_step(
        load(tiny_gguf),
        load(tiny_hf, "hf"),
        Step(stage="Unpack", same_type=True),
        prompts=read_prompts()[6:7],
    )

    assert list(failed(found)) == ["tokenizer"]
    assert "“\\n\\n” “2”" in failed(found)["tokenizer"]


def test_merge_is_at_parity(load: Load, small_hf: Path, adapter: Path, tmp_path: Path) -> None:
    merged = made(tmp_path / "job", "merge_adapter", small_hf, adapters=[adapter])
    source = load(small_hf, "hf", adapters=(AdapterOptions(name="tone", path=str(adapter)),))
    result = load(merged, "hf")
    step = Step(stage="Merge", same_type=True, adapters=TONE, merged_into=model(small_hf))

    found = check_step(source, result, step, prompts=FEW)
    without = check_step(source, result, Step(stage="Merge", same_type=True), prompts=FEW)

    assert [each.result for each in found] == ["passed"] * 6, failed(found)
    assert "predictions" in failed(without)


def test_merge_into_a_4_bit_base_is_named(
    load: Load, small_hf: Path, unpacked: Path, adapter: Path, tmp_path: Path
) -> None:
    merged = made(tmp_path / "job", "merge_adapter", unpacked, adapters=[adapter])
    source = load(small_hf, "hf", adapters=(AdapterOptions(name="tone", path=str(adapter)),))
    step = Step(stage="Merge", same_type=True, adapters=TONE, merged_into=model(unpacked))

    found = check_step(source, load(merged, "hf"), step, prompts=FEW)

    assert "was unpacked from 4 bits" in failed(found)["quantized base"]
    assert "predictions" in failed(found)
    assert {each.stage for each in found if each.result == "failed"} == {"Merge"}


def test_merge_into_the_base_of_the_training_is_no_fault(
    load: Load, unpacked: Path, adapter: Path, tmp_path: Path
) -> None:
    merged = made(tmp_path / "job", "merge_adapter", unpacked, adapters=[adapter])
    source = load(unpacked, "hf", adapters=(AdapterOptions(name="tone", path=str(adapter)),))
    step = Step(stage="Merge", same_type=True, adapters=TONE, merged_into=model(unpacked))

    found = check_step(source, load(merged, "hf"), step, prompts=FEW)

    assert [each.result for each in found] == ["passed"] * 6, failed(found)
    assert "was unpacked from 4 bits" in found[-1].finding


def test_grid_is_seen_in_unpacked_weights_alone(small_hf: Path, unpacked: Path) -> None:
    files = inspect(unpacked).files

    assert rounded_tensors(unpacked, files) == (14, 14)
    assert rounded_tensors(small_hf, inspect(small_hf).files) == (0, 14)


def test_base_that_is_quantized_is_a_fault_and_one_that_was_is_one_where_it_does_not_fit(
    small_gguf: Path, unpacked: Path, tmp_path: Path
) -> None:
    quantized = made(tmp_path / "job", "gguf_quantize", small_gguf, type="Q4_0")

    stored = check_base(model(quantized), damaged=None)
    unknown = check_base(model(unpacked), damaged=None)

    assert (stored.result, unknown.result) == ("failed", "not tested")
    assert "bits a weight: merge into the model in full precision" in stored.finding
    assert "unless the adapter was trained on these weights" in unknown.finding
