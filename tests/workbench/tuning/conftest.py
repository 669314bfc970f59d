"""Facts of real models, as their headers say them."""

from __future__ import annotations

import pytest

from workbench.model import ModelFacts, TensorGroup


def group(name: str, parameters: int) -> TensorGroup:
    return TensorGroup(name=name, type="BF16", tensors=1, parameters=parameters, size_bytes=2 * parameters)


@pytest.fixture
def smollm() -> ModelFacts:
    """SmolLM2-135M: 30 blocks, tied embeddings."""
    return ModelFacts(
        format="hf",
        architecture="llama",
        parameters=134_515_008,
        groups=(
            group("embedding", 49_152 * 576),
            group("attention", 30 * 2 * 576 * (576 + 192)),
            group("feed-forward", 30 * 3 * 576 * 1536),
            group("norm", 61 * 576),
        ),
        context_length=8192,
        layers=30,
        embedding_length=576,
        feed_forward_length=1536,
        heads=9,
        kv_heads=3,
        key_length=64,
        value_length=64,
        vocabulary=49_152,
        size_bytes=269_060_552,
    )


@pytest.fixture
def llama8b() -> ModelFacts:
    """Llama 3.1 8B: 32 blocks, an output layer of its own."""
    attention = 32 * 2 * 4096 * (4096 + 1024)
    feed_forward = 32 * 3 * 4096 * 14_336
    embedding = 128_256 * 4096
    return ModelFacts(
        format="hf",
        architecture="llama",
        parameters=attention + feed_forward + 2 * embedding + 65 * 4096,
        groups=(
            group("embedding", embedding),
            group("attention", attention),
            group("feed-forward", feed_forward),
            group("norm", 65 * 4096),
            group("output", embedding),
        ),
        context_length=131_072,
        layers=32,
        embedding_length=4096,
        feed_forward_length=14_336,
        heads=32,
        kv_heads=8,
        key_length=128,
        value_length=128,
        vocabulary=128_256,
        size_bytes=16_060_522_496,
    )
