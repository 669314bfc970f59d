"""Safetensors folders, for transformers and for MLX, are read as they are meant."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from workbench.library.inspect import inspect


def test_tiny_model_is_counted_as_safetensors_counts_it(tiny_hf: Path) -> None:
    with safe_open(tiny_hf / "model.safetensors", "np") as opened:
        expected = sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118

    facts = inspect(tiny_hf)

    assert facts.parameters == expected
    assert (facts.format, facts.architecture, facts.quantization) == ("hf", "llama", "BF16")
    assert facts.bits_per_weight == 16.0
    assert (facts.layers, facts.heads, facts.kv_heads, facts.key_length) == (2, 4, 2, 16)
    assert (facts.context_length, facts.vocabulary) == (2048, 49152)
    assert facts.chat_template is not None
    assert facts.files[0] == "model.safetensors"
    assert "config.json" in facts.files
    assert facts.size_bytes == sum((tiny_hf / name).stat().st_size for name in facts.files)


def test_a_file_in_the_folder_names_the_folder(tiny_hf: Path) -> None:
    assert inspect(tiny_hf / "model.safetensors") == inspect(tiny_hf)
    assert inspect(tiny_hf / "config.json") == inspect(tiny_hf)


@pytest.mark.real_model
@pytest.mark.parametrize(("bits", "size"), [(4, 32), (8, 64), (3, 64)])
def test_mlx_weights_are_counted_unpacked(bits: int, size: int, tiny_hf: Path, tmp_path: Path) -> None:
    out = tmp_path / "mlx"
    made = subprocess.run(
        [
            *(sys.executable, "-m", "mlx_lm", "convert", "--hf-path", str(tiny_hf), "--mlx-path", str(out)),
            *("-q", "--q-bits", str(bits), "--q-group-size", str(size)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr

    facts = inspect(out)

    assert facts.format == "mlx"
    assert facts.quantization == f"{bits}-bit g{size}"
    assert facts.parameters == inspect(tiny_hf).parameters
    # A scale and a bias of 16 bits for each group.
    assert facts.bits_per_weight == pytest.approx(bits + 32 / size, abs=0.05)
    assert {group.type for group in facts.groups if group.name == "norm"} == {"BF16"}


@pytest.mark.real_model
def test_unquantized_mlx_folder_is_told_by_its_metadata(tiny_hf: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_hf, tmp_path / "plain")
    save_file(
        {"model.embed_tokens.weight": np.ones((4, 4), np.float16)},
        tmp_path / "plain" / "model.safetensors",
        metadata={"format": "mlx"},
    )

    facts = inspect(tmp_path / "plain")

    assert (facts.format, facts.quantization) == ("mlx", "F16")


def test_mlx_layers_with_settings_of_their_own(tmp_path: Path) -> None:
    packed = {
        "a.weight": np.zeros((2, 8), np.uint32),
        "a.scales": np.zeros((2, 1), np.float16),
        "a.biases": np.zeros((2, 1), np.float16),
        "b.weight": np.zeros((2, 16), np.uint32),
        "b.scales": np.zeros((2, 2), np.float16),
        "b.biases": np.zeros((2, 2), np.float16),
    }
    settings = {"bits": 4, "group_size": 64, "b": {"bits": 8, "group_size": 32}}

    facts = inspect(model_folder(tmp_path, packed, {"quantization": settings}))

    assert facts.parameters == 2 * 64 + 2 * 64
    assert {group.type for group in facts.groups} == {"4-bit g64", "8-bit g32"}
    assert facts.quantization == "4-bit g64"


@pytest.mark.parametrize(
    ("tensors", "config", "parameters", "kind"),
    [
        (
            {
                "l.qweight": np.zeros((8, 64), np.int32),
                "l.qzeros": np.zeros((1, 8), np.int32),
                "l.scales": np.zeros((1, 64), np.float16),
                "l.g_idx": np.zeros(64, np.int32),
            },
            {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 64}},
            64 * 64,
            "4-bit g64",
        ),
        (
            {
                "l.weight": np.zeros((2048, 1), np.uint8),
                "l.weight.absmax": np.zeros(64, np.uint8),
                "l.weight.quant_map": np.zeros(16, np.float32),
                "l.weight.quant_state.bitsandbytes__nf4": np.zeros(80, np.uint8),
            },
            {"quantization_config": {"quant_method": "bitsandbytes"}},
            64 * 64,
            "4-bit",
        ),
        (
            {
                "mlp.experts.up_blocks": np.zeros((2, 8, 2, 16), np.uint8),
                "mlp.experts.up_scales": np.zeros((2, 8, 2), np.uint8),
            },
            {"quantization_config": {"quant_method": "mxfp4"}},
            2 * 8 * 64,
            "MXFP4",
        ),
        (
            {
                "l.weight_packed": np.zeros((64, 8), np.int32),
                "l.weight_scale": np.zeros((64, 1), np.float16),
                "l.weight_shape": np.zeros(2, np.int64),
            },
            {"quantization_config": {"quant_method": "compressed-tensors"}},
            64 * 64,
            "4-bit",
        ),
    ],
    ids=["gptq", "bitsandbytes", "mxfp4", "compressed-tensors"],
)
def test_packed_weights_of_other_makers(
    tensors: dict[str, Any], config: dict[str, Any], parameters: int, kind: str, tmp_path: Path
) -> None:
    facts = inspect(model_folder(tmp_path, tensors, config))

    assert (facts.parameters, facts.quantization, len(facts.groups)) == (parameters, kind, 1)
    assert facts.groups[0].tensors == 1


def test_settings_of_the_language_part_win(tmp_path: Path) -> None:
    config = {
        "model_type": "gemma3",
        "hidden_size": 1,
        "text_config": {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 6, "head_dim": 32},
        "vision_config": {"hidden_size": 1152},
    }

    facts = inspect(model_folder(tmp_path, plain_tensors(), config))

    assert (facts.embedding_length, facts.layers, facts.key_length) == (64, 6, 32)


@pytest.mark.parametrize("nonsense", [True, -5, 0, "12", 1e30, [3], None, 1 << 60])
def test_figures_that_cannot_be_meant_are_left_out(nonsense: Any, tmp_path: Path) -> None:
    facts = inspect(model_folder(tmp_path, plain_tensors(), {"num_hidden_layers": nonsense}))

    assert facts.layers is None


def test_sharded_model_is_one(tmp_path: Path) -> None:
    model = model_folder(tmp_path, {}, {})
    (model / "model.safetensors").unlink()
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for number, name in enumerate(names):
        save_file({f"model.layers.{number}.mlp.up.weight": np.ones((4, 4), np.float32)}, model / name)
    table = {f"model.layers.{number}.mlp.up.weight": name for number, name in enumerate(names)}
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    (model / "pytorch_model.bin").write_bytes(b"never opened")

    facts = inspect(model)

    assert facts.parameters == 32
    assert facts.files[:2] == tuple(names)
    assert "pytorch_model.bin" not in facts.files


def test_chat_template_of_a_file_of_its_own_comes_first(tmp_path: Path) -> None:
    model = model_folder(tmp_path, plain_tensors(), {})
    several = [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]

    (model / "tokenizer_config.json").write_text(json.dumps({"chat_template": several}))
    assert inspect(model).chat_template == "D"
    (model / "chat_template.json").write_text(json.dumps({"chat_template": "J"}))
    assert inspect(model).chat_template == "J"
    (model / "chat_template.jinja").write_text("{{ own }}")
    assert inspect(model).chat_template == "{{ own }}"


@pytest.mark.parametrize(
    ("name", "text", "licence"),
    [
        ("README.md", "---\ntags: [a]\nlicense: apache-2.0\n---\n# Hello", "apache-2.0"),
        ("README.md", "---\nlicense:\n- mit\n---\n", "mit"),
        ("README.md", "---\nlicense: other\nlicense_name: deepseek\n---\n", "deepseek"),
        ("README.md", "# No front matter\nlicense: none\n", None),
        ("LICENSE", "                                 Apache License\n   Version 2.0", "apache-2.0"),
        ("LICENSE.txt", "LLAMA 3.1 COMMUNITY LICENSE AGREEMENT", "llama3.1"),
        ("LICENSE", "Our own words", "see LICENSE"),
    ],
)
def test_licence(name: str, text: str, licence: str | None, tmp_path: Path) -> None:
    model = model_folder(tmp_path, plain_tensors(), {})
    (model / name).write_text(text)

    assert inspect(model).licence == licence


def test_folder_with_one_gguf_names_that(tmp_path: Path, tiny_gguf: Path) -> None:
    shutil.copy(tiny_gguf, tmp_path / "tiny.gguf")
    (tmp_path / "mmproj-tiny.gguf").write_bytes(b"GGUF")

    assert inspect(tmp_path).files == ("tiny.gguf",)


def plain_tensors() -> dict[str, Any]:
    return {"model.embed_tokens.weight": np.ones((4, 4), np.float32)}


def model_folder(root: Path, tensors: dict[str, Any], config: dict[str, Any]) -> Path:
    model = root / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    save_file(tensors, model / "model.safetensors")
    return model
