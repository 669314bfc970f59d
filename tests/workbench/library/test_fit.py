"""The estimate of what a model needs: arithmetic, places, correction by real loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.hardware import Gpu, Machine
from workbench.library.fit import estimate
from workbench.library.inspect import inspect
from workbench.library.load_history import Load, LoadHistory
from workbench.library.memory_need import kv_cache_bytes, memory_need
from workbench.model import ModelFacts, TensorGroup
from workbench.store.database import Store

_FACTS = ModelFacts(
    format="gguf",
    architecture="llama",
    parameters=8_000_000_000,
    groups=(
        TensorGroup(name="all", type="Q4_K", tensors=1, parameters=8_000_000_000, size_bytes=4_900_000_000),
    ),
    context_length=131_072,
    layers=32,
    embedding_length=4096,
    feed_forward_length=14_336,
    heads=32,
    kv_heads=8,
    vocabulary=128_256,
)


def _machine(ram: float, *gpus: float) -> Machine:
    found = tuple(Gpu(number, f"GPU {number}", int(size * 1e9), "cuda") for number, size in enumerate(gpus))
    return Machine("cpu", 8, 16, int(ram * 1e9), found, "test")


def test_cache_of_llama_3_8b_is_131072_bytes_a_token() -> None:
    # 32 layers × 8 heads × (128 + 128) × 2 bytes, as its paper's figures give it.
    assert kv_cache_bytes(_FACTS, 1) == 131_072


def test_need_grows_with_context_and_batch() -> None:
    small = memory_need(_FACTS, "llama.cpp", context=4096, batch=1)
    assert memory_need(_FACTS, "llama.cpp", context=8192, batch=1).kv_bytes == 2 * small.kv_bytes
    assert memory_need(_FACTS, "llama.cpp", context=4096, batch=2).kv_bytes == 2 * small.kv_bytes
    assert small.weights_bytes == 4_900_000_000


def test_every_memory_is_judged_by_itself() -> None:
    found = estimate(_FACTS, context=4096, batch=1, machine=_machine(4, 24, 5))

    assert [(place.kind, place.fits) for place in found.places] == [
        ("gpu", True),
        ("gpu", False),
        ("ram", False),
    ]


def test_largest_context_just_fits() -> None:
    here = _machine(10)
    found = estimate(_FACTS, context=4096, batch=1, machine=here)

    assert found.largest_context is not None
    assert estimate(_FACTS, context=found.largest_context, batch=1, machine=here).places[0].fits
    assert not estimate(_FACTS, context=found.largest_context + 512, batch=1, machine=here).places[0].fits
    assert estimate(_FACTS, context=1, batch=1, machine=_machine(3)).largest_context is None
    assert estimate(_FACTS, context=1, batch=1, machine=_machine(500)).largest_context == 131_072


def test_what_is_promised_already_is_not_free() -> None:
    found = estimate(_FACTS, context=4096, batch=1, machine=_machine(8), loaded_bytes=4_000_000_000)

    assert found.places[0].free_bytes == 4_000_000_000
    assert not found.places[0].fits


def test_real_loads_correct_the_estimate_and_carry_an_error_bar(store: Store) -> None:
    history = LoadHistory(store)
    raw = estimate(_FACTS, context=4096, batch=1, machine=_machine(64), history=history)
    assert (raw.error_fraction, raw.loads) == (None, 0)
    for number, ratio in enumerate((1.08, 1.10, 1.12)):
        load = Load("llama", "llama.cpp", "gguf", 4096, 1, raw.total_bytes, round(raw.total_bytes * ratio))
        history.record(load, model_id=None, created_at=float(number))

    found = estimate(_FACTS, context=4096, batch=1, machine=_machine(64), history=history)

    assert found.total_bytes == pytest.approx(raw.total_bytes * 1.10, rel=1e-3)
    assert found.loads == 3
    assert found.error_fraction == pytest.approx(0.018, abs=0.002)
    other = estimate(_FACTS.model_copy(update={"architecture": "qwen3"}), context=1, batch=1, history=history)
    assert other.loads == 0


def test_silent_header_is_estimated_from_its_size(sample_gguf: Path) -> None:
    bare = ModelFacts(format="hf", size_bytes=1_000_000)
    assert estimate(bare, context=4096, batch=1).weights_bytes == 1_000_000
    known = inspect(sample_gguf)
    assert 200_000_000 < estimate(known, context=4096, batch=1).total_bytes < 260_000_000
