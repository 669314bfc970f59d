"""Converts the small model to GGUF: the work of llama.cpp's converter, which does not know its tokenizer.

Everything about a model of 300 tokens takes milliseconds, so many faults can be planted into it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_ORDINARY, _CONTROL = 1, 3


def convert(folder: Path, target: Path) -> Path:
    """Write the model in a folder as an F16 GGUF file."""
    from gguf import GGUFWriter
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    writer = GGUFWriter(target, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(config["head_dim"])
    _add_tokenizer(writer, folder, config)
    for name, weight in load_file(folder / "model.safetensors").items():
        heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
        turned = next((count for part, count in heads.items() if part in name), 0)
        stored = in_llama_order(weight, turned) if turned else weight
        writer.add_tensor(_name(name), stored.astype(np.float16) if stored.ndim > 1 else stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def in_llama_order(weight: Any, heads: int) -> Any:
    """Rows of queries or keys as llama.cpp's rotation wants them: the two of a pair side by side."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def _add_tokenizer(writer: Any, folder: Path, config: dict[str, Any]) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    special = {each["id"] for each in tokenizer["added_tokens"] if each["special"]}
    vocabulary = sorted(tokenizer["model"]["vocab"].items(), key=lambda each: each[1])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([text for text, _token in vocabulary])
    writer.add_token_types([_CONTROL if token in special else _ORDINARY for _text, token in vocabulary])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)
    if (template := folder / "chat_template.jinja").exists():
        writer.add_chat_template(template.read_text(encoding="utf-8"))


def _name(name: str) -> str:
    if name.startswith("model.layers."):
        layer, _, part = name.removeprefix("model.layers.").partition(".")
        return f"blk.{layer}.{_NAMES[part.removesuffix('.weight')]}.weight"
    return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]
