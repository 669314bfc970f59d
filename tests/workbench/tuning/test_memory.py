from __future__ import annotations

from typing import Any

import pytest

from workbench.model import ModelFacts
from workbench.tuning.choices import TuningChoices
from workbench.tuning.memory import TuningMemory, room_here, tuning_memory


def need(facts: ModelFacts, *, is_gpu: bool = False, **choices: Any) -> TuningMemory:
    return tuning_memory(facts, TuningChoices(**choices), "torch", is_gpu=is_gpu)


def test_mlx_computes_in_halves_where_a_gpu_does_and_keeps_few_bits(llama8b: ModelFacts) -> None:
    choices, count = TuningChoices(), llama8b.parameters
    on_cpu, on_metal = (
        tuning_memory(llama8b, choices, "mlx", is_metal=each).weights_bytes for each in (False, True)
    )
    packed = llama8b.model_copy(update={"bits_per_weight": 4.5, "groups": (), "size_bytes": count // 2})

    assert (on_cpu, on_metal) == (4 * count, 2 * count)
    assert tuning_memory(llama8b, choices, "torch", is_metal=True).weights_bytes == 4 * count
    assert tuning_memory(packed, choices, "mlx").weights_bytes == count // 2


def test_weights_are_held_as_the_method_and_the_arithmetic_want_them(llama8b: ModelFacts) -> None:
    count = llama8b.parameters
    embeddings = 2 * 128_256 * 4096

    assert need(llama8b).weights_bytes == 4 * count
    assert need(llama8b, is_gpu=True).weights_bytes == 2 * count
    assert need(llama8b, is_gpu=True, precision="float32").weights_bytes == 4 * count
    assert need(llama8b, is_gpu=True, method="full").weights_bytes == 4 * count
    four_bits = need(llama8b, is_gpu=True, method="qlora").weights_bytes
    assert 4 * embeddings < four_bits < 4 * embeddings + 0.55 * count


def test_what_is_trained_costs_a_gradient_and_what_the_optimizer_remembers(smollm: ModelFacts) -> None:
    lora, full, plain = (
        need(smollm),
        need(smollm, method="full"),
        need(smollm, method="full", optimizer="sgd"),
    )

    assert lora.adapter_bytes == lora.gradients_bytes == lora.optimizer_bytes // 2 == 4 * 4_884_480
    assert full.adapter_bytes == 0
    assert full.gradients_bytes == 4 * smollm.parameters
    assert full.optimizer_bytes == 8 * smollm.parameters
    # On a heap what is remembered lies between activations, and takes a little more than its size.
    assert full.optimizer_bytes < full.total_bytes - plain.total_bytes < 1.2 * full.optimizer_bytes


@pytest.mark.parametrize("method", ["lora", "dora", "full"])
def test_activations_grow_with_the_batch_and_shrink_with_checkpointing(
    smollm: ModelFacts, method: Any
) -> None:
    small, large, twice, twice_on_gpu = (
        need(smollm, method=method, batch_tokens=512),
        need(smollm, method=method, batch_tokens=2048),
        need(smollm, method=method, batch_tokens=2048, gradient_checkpointing=True),
        need(smollm, method=method, batch_tokens=2048, gradient_checkpointing=True, is_gpu=True),
    )

    assert large.activations_bytes > 2 * small.activations_bytes
    assert twice_on_gpu.activations_bytes < twice.activations_bytes < 0.75 * large.activations_bytes
    assert twice.total_bytes < large.total_bytes


def test_freezing_the_first_blocks_saves_their_activations(smollm: ModelFacts) -> None:
    whole, last = need(smollm), need(smollm, layers="20-29")

    assert last.activations_bytes < whole.activations_bytes / 2
    assert last.gradients_bytes == pytest.approx(whole.gradients_bytes / 3, rel=0.01)


def test_accumulation_keeps_gradients_beside_activations(smollm: ModelFacts) -> None:
    once, often = (need(smollm, method="full", accumulation=each) for each in (1, 4))

    assert once.total_bytes < often.total_bytes <= once.total_bytes + once.gradients_bytes


def test_the_peak_is_never_less_than_loading_the_model(llama8b: ModelFacts) -> None:
    least = need(llama8b, rank=1, batch_tokens=8, max_tokens=8, targets=("q_proj",), layers="31")

    assert least.total_bytes >= least.weights_bytes + llama8b.size_bytes


def test_this_machine_has_room() -> None:
    room = room_here()

    assert 0 < room.free_bytes <= room.total_bytes
