"""What Tenfold knows of a model without loading its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

ModelFormat = Literal["gguf", "hf", "mlx"]

FORMAT_TITLES: dict[ModelFormat, str] = {"gguf": "GGUF", "hf": "safetensors", "mlx": "MLX"}


class TensorGroup(BaseModel):
    """The tensors of one role (attention, feed-forward, embeddings, …) that are stored in one type.

    Attributes:
        name: The role, for example `attention`, `feed-forward`, `embedding`, `output`, `norm`.
        type: The storage type, for example `Q4_K`, `F16`, `BF16`, `4-bit g64`.
        tensors: How many tensors.
        parameters: How many weights they hold together.
        size_bytes: Bytes on disk.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: str
    tensors: int
    parameters: int
    size_bytes: int


class ModelFacts(BaseModel):
    """The facts of a model as its header states them; None where the header is silent.

    Attributes:
        format: `gguf`, `hf` (safetensors folder) or `mlx` (a folder made for MLX).
        name: The name that the model gives itself.
        architecture: For example `llama`, `qwen3`.
        parameters: Number of weights, counted from the tensor shapes.
        quantization: The headline type, for example `Q4_K_M`, `F16`, `4-bit g64`.
        bits_per_weight: Stored bits of tensor data per weight.
        groups: Quantization per tensor group.
        context_length: The longest sequence it was trained for, in tokens.
        layers: Number of transformer blocks.
        embedding_length: Width of the residual stream.
        feed_forward_length: Width of the feed-forward layer.
        heads: Attention heads.
        kv_heads: Key-value heads (grouped-query attention).
        key_length: Width of one key head.
        value_length: Width of one value head.
        sliding_window: Attention window in tokens, where layers have one.
        experts: Experts of a mixture-of-experts layer.
        experts_used: Experts that take part in one token.
        vocabulary: Number of tokens.
        tokenizer: For example `gpt2`, `llama`, `LlamaTokenizerFast`.
        chat_template: The Jinja source of its own chat template.
        licence: As stated, for example `apache-2.0`.
        size_bytes: Bytes on disk of all its files.
        files: Its files relative to `root`, weights first.
    """

    model_config = ConfigDict(frozen=True)

    format: ModelFormat
    name: str | None = None
    architecture: str | None = None
    parameters: int = 0
    quantization: str = ""
    bits_per_weight: float = 0.0
    groups: tuple[TensorGroup, ...] = ()
    context_length: int | None = None
    layers: int | None = None
    embedding_length: int | None = None
    feed_forward_length: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    key_length: int | None = None
    value_length: int | None = None
    sliding_window: int | None = None
    experts: int | None = None
    experts_used: int | None = None
    vocabulary: int | None = None
    tokenizer: str | None = None
    chat_template: str | None = None
    licence: str | None = None
    size_bytes: int = 0
    files: tuple[str, ...] = ()


class Model(BaseModel):
    """A model as an operation receives it.

    Attributes:
        path: The GGUF file (the first part of a split one), or the folder.
        name: The name that the person sees.
        sha256: Content hash; None while it is not known yet.
        facts: What its header says.
    """

    model_config = ConfigDict(frozen=True)

    path: Path
    name: str
    sha256: str | None = None
    facts: ModelFacts
