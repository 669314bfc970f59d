"""How much memory a model needs in an engine: arithmetic on its facts, with measured constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.errors import UsageError
from workbench.model import ModelFacts, ModelFormat

Engine = Literal["llama.cpp", "torch", "mlx"]

#: Tokens computed at once while a prompt is read.
_CHUNK_TOKENS = 512
#: llama.cpp gives each sequence whole blocks of this many tokens.
_CACHE_BLOCK = 256
_CACHE_BYTES = 2

# The constants below were fitted to loads of SmolLM2-135M (30 layers, width 576, feed-forward 1536, 49,152
# tokens) on Linux x86_64 with 2 cores, llama.cpp 0.3.36 (Python), torch 2.13, mlx-lm 0.32; see bench_fit.
_LLAMA_BASE_BYTES = 12_000_000
_LLAMA_BYTES_PER_TOKEN_OF_VOCABULARY = 250
_TORCH_BASE_BYTES = 104_000_000
#: Bytes of feed-forward intermediates per computed token and unit of its width, in bf16 with its copies.
_TORCH_BYTES_PER_FEED_FORWARD = 34
#: The tokenizer is most of it: mlx-lm loads it along with the model.
_MLX_BASE_BYTES = 140_000_000


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes of weights, of the key-value cache, and of all else."""

    weights_bytes: int
    kv_bytes: int
    working_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.kv_bytes + self.working_bytes


def engine_of(format: ModelFormat) -> Engine:
    """The engine that a format is for.

    Raises:
        UsageError: It is that of an adapter, which takes next to nothing beside its base.
    """
    engines: dict[ModelFormat, Engine] = {"gguf": "llama.cpp", "hf": "torch", "mlx": "mlx"}
    if format not in engines:
        raise UsageError(
            "An adapter is loaded beside its base and needs next to nothing of its own.",
            remedy="Ask for its base.",
        )
    return engines[format]


def memory_need(facts: ModelFacts, engine: Engine, *, context: int, batch: int) -> MemoryNeed:
    """What a model needs at a context (tokens of each sequence) and a batch (sequences at once)."""
    weights = sum(group.size_bytes for group in facts.groups) or facts.size_bytes
    computed = min(_CHUNK_TOKENS, max(context, 1))
    width = facts.embedding_length or 0
    feed_forward = facts.feed_forward_length or 4 * width
    match engine:
        case "llama.cpp":
            tokens = _rounded_up(context) * batch
            activations = 4 * computed * (4 * width + 2 * feed_forward)
            vocabulary = _LLAMA_BYTES_PER_TOKEN_OF_VOCABULARY * (facts.vocabulary or 0)
            working = _LLAMA_BASE_BYTES + vocabulary + activations
        case "torch":
            tokens = context * batch
            working = _TORCH_BASE_BYTES + _TORCH_BYTES_PER_FEED_FORWARD * feed_forward * computed * batch
            # The mask and the scores of one layer, for the last chunk of the prompt.
            working += 4 * computed * context * batch
        case "mlx":
            tokens = _rounded_up(context) * batch
            working = _MLX_BASE_BYTES
    return MemoryNeed(weights, kv_cache_bytes(facts, tokens), working)


def kv_cache_bytes(facts: ModelFacts, tokens: int) -> int:
    """Keys and values of all layers in half precision, for so many tokens in all sequences together.

    Where the header names no head widths, the heads share the width of the model evenly. A sliding window
    bounds nothing here: engines keep the whole context unless told otherwise.
    """
    heads = facts.kv_heads or facts.heads or 0
    even = (facts.embedding_length or 0) // facts.heads if facts.heads else 0
    key, value = facts.key_length or even, facts.value_length or facts.key_length or even
    return (facts.layers or 0) * heads * (key + value) * _CACHE_BYTES * tokens


def _rounded_up(tokens: int) -> int:
    return -(-tokens // _CACHE_BLOCK) * _CACHE_BLOCK
