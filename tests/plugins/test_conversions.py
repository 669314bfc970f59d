"""There and back: GGUF to safetensors, safetensors to GGUF and to MLX, with the real converters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.errors import ModelFileError
from workbench.library.inspect import inspect


@pytest.mark.parametrize(("type", "bits"), [("F16", 16), ("BF16", 16), ("F32", 32)])
def test_safetensors_become_gguf_in_the_type_asked_for(
    type: str, bits: int, tiny_hf: Path, run_here: Callable[..., object]
) -> None:
    ran = run_here("gguf-convert", tiny_hf, type=type)

    facts = inspect(ran.result)
    assert (facts.architecture, facts.quantization, facts.layers) == ("llama", type, 2)
    assert facts.bits_per_weight == pytest.approx(bits, rel=0.01)
    assert ran.progress[-1].done == ran.progress[-1].total > 10


def test_tokenizer_that_the_converter_does_not_know_is_said_to_be_the_reason(
    small_hf: Path, run_here: Callable[..., object]
) -> None:
    with pytest.raises(ModelFileError, match="how its tokenizer cuts a text"):
        run_here("gguf-convert", small_hf)


def test_model_that_brings_code_is_not_run(
    tiny_hf: Path, tmp_path: Path, run_plugin: Callable[..., object]
) -> None:
    model = tmp_path / "hostile"
    shutil.copytree(tiny_hf, model)
    proof = tmp_path / "was-run"
    (model / "evil.py").write_text(f"open({str(proof)!r}, 'w')\nclass Tok: pass\n")
    config = json.loads((model / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Tok", "AutoTokenizer": ["evil.Tok", None]}
    (model / "config.json").write_text(json.dumps(config))
    tokenizer = json.loads((model / "tokenizer_config.json").read_text())
    tokenizer["auto_map"] = {"AutoTokenizer": ["evil.Tok", None]}
    (model / "tokenizer_config.json").write_text(json.dumps(tokenizer))

    run_plugin("gguf-convert", model, type="F16")
    run_plugin("mlx-quantize", model)

    assert not proof.exists()


@pytest.mark.real_model
def test_sample_becomes_safetensors_that_convert_back(
    sample_gguf: Path, run_here: Callable[..., object]
) -> None:
    unpacked = run_here("gguf-dequantize", sample_gguf, type="BF16")

    facts = inspect(unpacked.result)
    assert (facts.format, facts.architecture, facts.quantization) == ("hf", "llama", "BF16")
    assert facts.chat_template
    assert unpacked.progress[-1].total == 272

    back = run_here("gguf-convert", unpacked.result, type="F16")

    assert inspect(back.result).parameters == inspect(sample_gguf).parameters


@pytest.mark.parametrize(
    ("params", "quantization"),
    [
        ({"bits": "4", "group_size": "32"}, "4-bit g32"),
        ({"bits": "8"}, "8-bit g64"),
        ({"mode": "mxfp4"}, "mxfp4"),
    ],
)
def test_mlx_model_loads_and_generates(
    params: dict[str, str], quantization: str, tiny_hf: Path, run_here: Callable[..., object]
) -> None:
    ran = run_here("mlx-quantize", tiny_hf, **params)

    facts = inspect(ran.result)
    assert facts.format == "mlx"
    assert quantization.lower() in facts.quantization.lower()
    from mlx_lm import generate, load

    model, tokenizer = load(str(ran.result))
    assert isinstance(generate(model, tokenizer, "Hello", max_tokens=3), str)


def test_layers_that_a_group_does_not_divide_stay_as_they_are(
    tiny_hf: Path, run_here: Callable[..., object]
) -> None:
    ran = run_here("mlx-quantize", tiny_hf, group_size="128")

    # Hidden size 64 leaves only the feed-forward's output (256 wide) for groups of 128.
    assert inspect(ran.result).bits_per_weight > 8
