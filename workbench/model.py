"""What Tenfold knows of a model without loading its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

ModelFormat = Literal["gguf", "hf", "mlx", "adapter"]

FORMAT_TITLES: dict[ModelFormat, str] = {
    "gguf": "GGUF",
    "hf": "safetensors",
    "mlx": "MLX",
    "adapter": "Adapter",
}

#: In what form an adapter lies on disk: PEFT's folder, llama.cpp's file, or mlx-lm's folder.
AdapterContainer = Literal["peft", "gguf", "mlx"]

CONTAINER_TITLES: dict[AdapterContainer, str] = {"peft": "PEFT", "gguf": "GGUF", "mlx": "mlx-lm"}


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


class AdapterFacts(BaseModel):
    """What an adapter is: a small change to the weights of one base model.

    Attributes:
        container: In what form it lies on disk.
        method: For example `LoRA`, `rsLoRA`, `DoRA`.
        rank: The rank of most of its matrices; None for a method without one.
        alpha: The numerator of its scale: `alpha / rank` for LoRA, `alpha / sqrt(rank)` for rsLoRA.
        targets: The modules that it changes, for example `q_proj`.
        base: What it calls its base: a name, a path or a hub's address; None where it is silent.
    """

    model_config = ConfigDict(frozen=True)

    container: AdapterContainer
    method: str
    rank: int | None = None
    alpha: float | None = None
    targets: tuple[str, ...] = ()
    base: str | None = None


class TuningFacts(BaseModel):
    """What a fine-tuning brought and what it cost, as the run measured it; None where it did not.

    Attributes:
        steps: Steps of the optimizer.
        held_out_before: Mean loss of a token in the held-out rows, before.
        held_out_after: The same with the weights that were kept.
        accuracy_before: Share of the held-out tasks that were right, before, from 0 to 1.
        accuracy_after: The same afterwards.
        p: Chance of such a difference between the accuracies without any effect (paired test).
        mean_kld: Mean KL divergence from the base on text that it was not trained on: what was forgotten.
    """

    model_config = ConfigDict(frozen=True)

    steps: int | None = None
    held_out_before: float | None = None
    held_out_after: float | None = None
    accuracy_before: float | None = None
    accuracy_after: float | None = None
    p: float | None = None
    mean_kld: float | None = None


class ModelFacts(BaseModel):
    """The facts of a model as its header states them; None where the header is silent.

    Attributes:
        format: `gguf`, `hf` (safetensors folder), `mlx` (a folder made for MLX), or `adapter`, which is no
            model of its own.
        name: The name that the model gives itself.
        architecture: For example `llama`, `qwen3`.
        parameters: Number of weights, counted from the tensor shapes.
        quantization: The headline type, for example `Q4_K_M`, `F16`, `4-bit g64`; `LoRA r16` of an adapter.
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
        adapter: What there is to know of an adapter; None for a model.
        tuning: The figures of the fine-tuning that made it; None where it was not made by one.
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
    adapter: AdapterFacts | None = None
    tuning: TuningFacts | None = None


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
