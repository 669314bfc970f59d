"""Makes a tiny model in each format: a random llama of two layers, the same one every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import MissingExtraError
from workbench.model import ModelFormat
from workbench.plugin.testing.tiny_tokenizer import CHAT_TEMPLATE, MERGES, SPECIAL, tokens, write_tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = dict[str, NDArray[np.float32]]

SEED = 7
_WIDTH, _INNER, _HEADS, _KV_HEADS, _HEAD, _LAYERS, _CONTEXT = 64, 128, 4, 2, 16, 2, 512
#: The weights of one block: name in safetensors, name in GGUF, shape (out, in).
_BLOCK: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("self_attn.q_proj", "attn_q", (_HEADS * _HEAD, _WIDTH)),
    ("self_attn.k_proj", "attn_k", (_KV_HEADS * _HEAD, _WIDTH)),
    ("self_attn.v_proj", "attn_v", (_KV_HEADS * _HEAD, _WIDTH)),
    ("self_attn.o_proj", "attn_output", (_WIDTH, _HEADS * _HEAD)),
    ("mlp.gate_proj", "ffn_gate", (_INNER, _WIDTH)),
    ("mlp.up_proj", "ffn_up", (_INNER, _WIDTH)),
    ("mlp.down_proj", "ffn_down", (_WIDTH, _INNER)),
    ("input_layernorm", "attn_norm", (_WIDTH,)),
    ("post_attention_layernorm", "ffn_norm", (_WIDTH,)),
)
_ADAPTED = ("self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj")
_RANK = 4


def tiny_model(format: ModelFormat, folder: Path) -> Path:
    """A model that knows nothing but is whole: 2 layers, width 64, 308 tokens, about 400 kB.

    It is the same model in every format (float32; F16 in GGUF), with a chat template. Nothing is downloaded.

    Args:
        format: `gguf` (a file), `hf` or `mlx` (a folder of safetensors), or `adapter` (a LoRA of rank 4 for
            it, as PEFT writes one).
        folder: An empty or new folder.

    Returns:
        What an operation takes: the file, or the folder.

    Raises:
        MissingExtraError: The library that writes the format is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    match format:
        case "gguf":
            return _gguf(folder)
        case "hf":
            return _safetensors(folder, made_for="pt")
        case "mlx":
            return _safetensors(folder, made_for="mlx")
        case "adapter":
            return _adapter(folder)


def _weights() -> Weights:
    random = np.random.default_rng(SEED)
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (len(tokens()), _WIDTH),
        "model.norm.weight": (_WIDTH,),
    }
    for block in range(_LAYERS):
        shapes |= {f"model.layers.{block}.{name}.weight": shape for name, _, shape in _BLOCK}
    return {
        # Larger than usual, so that attention and positions matter in a model that learned nothing.
        name: (random.normal(size=shape) * 0.1 if len(shape) > 1 else np.ones(shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


def _safetensors(folder: Path, made_for: str) -> Path:
    write_tokenizer(folder)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": _WIDTH,
        "intermediate_size": _INNER,
        "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS,
        "num_key_value_heads": _KV_HEADS,
        "head_dim": _HEAD,
        "vocab_size": len(tokens()),
        "max_position_embeddings": _CONTEXT,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    _save(_weights(), folder / "model.safetensors", made_for)
    return folder


def _adapter(folder: Path) -> Path:
    random = np.random.default_rng(SEED)
    shapes = {name: shape for name, _, shape in _BLOCK}
    weights: Weights = {}
    for layer in range(_LAYERS):
        for module in _ADAPTED:
            outer, inner = shapes[module]
            name = f"base_model.model.model.layers.{layer}.{module}"
            weights[f"{name}.lora_A.weight"] = random.normal(size=(_RANK, inner)).astype(np.float32)
            weights[f"{name}.lora_B.weight"] = random.normal(size=(outer, _RANK)).astype(np.float32) * 0.02
    _save(weights, folder / "adapter_model.safetensors", "pt")
    stated = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "tiny",
        "r": _RANK,
        "lora_alpha": 2 * _RANK,
        "target_modules": [name.rpartition(".")[2] for name in _ADAPTED],
    }
    (folder / "adapter_config.json").write_text(json.dumps(stated, indent=2), encoding="utf-8")
    return folder


def _save(weights: Weights, path: Path, made_for: str) -> None:
    try:
        from safetensors.numpy import save_file
    except ImportError as error:
        raise MissingExtraError("The safetensors library", "torch") from error
    save_file(dict(weights), path, {"format": made_for})


def _gguf(folder: Path) -> Path:
    try:
        import gguf
    except ImportError as error:
        raise MissingExtraError("The gguf library", "llama") from error
    path = folder / "tiny-F16.gguf"
    writer: Any = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(_HEAD)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens()))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _add_tokenizer(writer, gguf.TokenType)
    for name, weight in _weights().items():
        writer.add_tensor(_gguf_name(name), _as_llama_cpp_keeps_it(name, weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: Any, kinds: Any) -> None:
    listed = tokens()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(listed)
    writer.add_token_types([kinds.CONTROL if each in SPECIAL else kinds.NORMAL for each in listed])
    writer.add_token_merges(list(MERGES))
    writer.add_pad_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _gguf_name(name: str) -> str:
    fixed = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in fixed:
        return fixed[name]
    _, _, block, rest = name.split(".", 3)
    names = {own: theirs for own, theirs, _ in _BLOCK}
    return f"blk.{block}.{names[rest.removesuffix('.weight')]}.weight"


def _as_llama_cpp_keeps_it(name: str, weight: NDArray[np.float32]) -> NDArray[Any]:
    """Matrices in F16; of queries and keys the rows of each head pair by pair, not half by half."""
    if weight.ndim == 1:
        return weight
    if "q_proj" in name or "k_proj" in name:
        halves = weight.reshape(-1, 2, _HEAD // 2, _WIDTH)
        weight = halves.swapaxes(1, 2).reshape(weight.shape)
    return weight.astype(np.float16)
