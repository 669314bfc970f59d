"""Turns a safetensors folder, made for transformers or for MLX, into facts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import ModelFileError
from workbench.library.bounded import clean_line, read_json
from workbench.library.folder_texts import chat_template, licence, tokenizer
from workbench.library.groups import bits_per_weight, dominant_type, group
from workbench.library.layout import CONFIG, Layout
from workbench.library.packed import mlx_label, weights_of
from workbench.library.safetensors_header import StoredTensor, read_safetensors_header
from workbench.library.sniff import head_of
from workbench.library.tuning_facts import tuning_facts
from workbench.model import ModelFacts

_MLX_SIGN = re.compile(rb'"format"\s*:\s*"mlx"')
MAX_CONFIG_BYTES = 8_000_000
#: Tensors of all shards together.
MAX_TENSORS = 600_000
_MOST = 1 << 53


def folder_facts(layout: Layout) -> ModelFacts:
    """The facts of a safetensors folder.

    Raises:
        UnsafeModelError: A weights file is a pickle in disguise.
        ModelFileError: The configuration or a header is damaged.
    """
    config = config_of(layout.root)
    tensors, made_for = _tensors(layout)
    packed = isinstance(config.get("quantization"), dict) and any(
        tensor.name.endswith(".scales") for tensor in tensors
    )
    mlx = packed or made_for == "mlx"
    weights = weights_of(layout.root, tensors, config, mlx=mlx)
    groups = group(weights)
    architecture = _architecture(layout.root, config)
    language = _language_part(config)

    def figure(*names: str) -> int | None:
        values = (language.get(name) for name in names)
        return next((value for value in values if type(value) is int and 0 < value < _MOST), None)

    heads = figure("num_attention_heads", "n_head", "n_heads")
    width = figure("hidden_size", "n_embd", "d_model")
    head_width = figure("head_dim") or (width // heads if width and heads else None)
    return ModelFacts(
        format="mlx" if mlx else "hf",
        name=None,
        architecture=architecture,
        parameters=sum(each.parameters for each in weights),
        quantization=(mlx_label(config) if packed else None) or dominant_type(weights),
        bits_per_weight=bits_per_weight(groups),
        groups=groups,
        context_length=figure("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"),
        layers=figure("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
        embedding_length=width,
        feed_forward_length=figure("intermediate_size", "n_inner", "ffn_dim"),
        heads=heads,
        kv_heads=figure("num_key_value_heads", "num_kv_heads") or heads,
        key_length=figure("qk_head_dim") or head_width,
        value_length=figure("v_head_dim") or head_width,
        sliding_window=None if language.get("use_sliding_window") is False else figure("sliding_window"),
        experts=figure("num_local_experts", "num_experts", "n_routed_experts"),
        experts_used=figure("num_experts_per_tok", "num_experts_per_token"),
        vocabulary=figure("vocab_size"),
        tokenizer=tokenizer(layout.root),
        chat_template=chat_template(layout.root),
        licence=licence(layout.root),
        size_bytes=layout.size_bytes,
        files=layout.files,
        tuning=tuning_facts(layout.root),
    )


def config_of(folder: Path) -> dict[str, Any]:
    """The content of a folder's config.json.

    Raises:
        ModelFileError: It is missing, damaged, or far too large.
    """
    return read_json(folder / CONFIG, MAX_CONFIG_BYTES)


def looks_like_mlx(folder: Path, weights: tuple[str, ...], config: Mapping[str, Any]) -> bool:
    """Whether a folder was made for MLX, by its configuration and the first kilobytes of its weights."""
    if isinstance(config.get("quantization"), dict):
        return True
    return any(_MLX_SIGN.search(head_of(folder / name, 4096)) for name in weights[:1])


def _tensors(layout: Layout) -> tuple[list[StoredTensor], str | None]:
    tensors: list[StoredTensor] = []
    places: dict[str, str] = {}
    made_for: str | None = None
    for name in layout.weights:
        header = read_safetensors_header(layout.root / name)
        made_for = made_for or header.metadata.get("format")
        for tensor in header.tensors:
            if tensor.name in places:
                raise ModelFileError(
                    header.path,
                    f"the tensor {tensor.name!r} is in {places[tensor.name]} too.",
                    remedy="Files of two models are mixed in this folder: keep those of one.",
                )
            places[tensor.name] = name
        tensors += header.tensors
        if len(tensors) > MAX_TENSORS:
            raise ModelFileError(layout.root, "it holds more tensors than any real model.")
    if not tensors:
        raise ModelFileError(layout.root, "its safetensors files hold no weights.")
    return tensors, made_for


def _architecture(folder: Path, config: Mapping[str, Any]) -> str:
    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind.strip():
        listed = config.get("architectures")
        kind = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], str) else None
    found = clean_line(kind, 64)
    if not found:
        raise ModelFileError(
            folder / CONFIG,
            "it does not say what architecture the model has (model_type).",
            remedy="Copy config.json from where the weights came from.",
        )
    return found


def _language_part(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the language model: those of `text_config` win in a model that also sees or hears."""
    part = config.get("text_config") or config.get("llm_config") or config.get("language_config")
    return {**config, **part} if isinstance(part, dict) else dict(config)
