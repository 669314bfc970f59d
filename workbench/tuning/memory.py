"""How much memory a fine-tuning needs at its peak: arithmetic on a model's facts, with measured constants."""

from __future__ import annotations

from msgspec import Struct

from workbench.hardware import machine, nvidia, ram_free_bytes
from workbench.model import ModelFacts
from workbench.tuning.choices import Backend, TuningChoices
from workbench.tuning.weights import Shape, Trained, embedding_weights, shape_of, trained_weights

_FLOAT, _HALF = 4, 2
#: A weight in 4 bits with its share of the scales of 64 weights, which are stored in 8 bits (2305.14314).
_FOUR_BITS = 0.516
#: Numbers of float32 that an optimizer keeps for each trained weight; Adafactor keeps sums of rows and
#: columns.
_STATES = {"adamw": 2.0, "adafactor": 0.02, "sgd": 0.0}
#: Logits are computed for so many numbers at a time; see plugins/_torch_loss.py.
_LOGITS_AT_ONCE = 16_000_000

# The constants below were fitted to SmolLM2-135M (30 blocks, width 576, feed-forward 1536, 49,152 tokens) and
# to random llamas of the same and of twice the width, on Linux x86_64 with 2 cores, glibc 2.36, torch 2.13,
# transformers 5.23, PEFT 0.21, float32; tests/bench/bench_tuning_memory.py prints how well they hold. DoRA's
# rest on one measurement. For MLX and GPUs there is none: it is arithmetic, which past runs correct.

#: Python with torch, transformers, PEFT, and the tokenizer.
_TORCH_BASE_BYTES = 440_000_000
#: How many times their size activations take on a CPU: glibc's heap hands no hole to an aligned request of
#: the hole's own size, and adapters leave many between what stays.
_HEAP = {"lora": 1.8, "rslora": 1.8, "qlora": 1.8, "dora": 1.12, "full": 1.17}
#: The share of a block's activations that the heap loses so where they are computed twice.
_HEAP_TWICE = {"lora": 0.87, "rslora": 0.87, "qlora": 0.87, "dora": 0.52, "full": 0.52}
#: The same for what the optimizer remembers, which comes between the activations of the first update.
_HEAP_STATES = 1.15
#: Temporary numbers of a block's computation, for each token and unit of its feed-forward width.
_TEMPORARY = {"lora": 13.0, "rslora": 13.0, "qlora": 13.0, "dora": 13.0, "full": 8.0}
#: What DoRA keeps of each adapted weight's size.
_DORA_COPIES = 1.25
#: Copies of the logits that are computed at once: themselves, their exponentials, and their gradients.
_LOGITS_COPIES = 3


class Room(Struct, frozen=True, kw_only=True):
    """The memory that a run would use.

    Attributes:
        name: `Memory`, or the GPU's name.
        is_gpu: Whether it is a GPU's own.
        is_metal: Whether Apple's GPU shares it.
    """

    name: str
    total_bytes: int
    free_bytes: int
    is_gpu: bool
    is_metal: bool = False


class TuningMemory(Struct, frozen=True, kw_only=True):
    """What a run needs, in bytes.

    Attributes:
        base_bytes: The process itself, with libraries and tokenizer.
        weights_bytes: The model's weights as they are held.
        adapter_bytes: Weights that are trained beside them.
        gradients_bytes: One number a trained weight.
        optimizer_bytes: What the optimizer remembers.
        activations_bytes: What the forward pass leaves for the backward pass.
        logits_bytes: The output layer's part.
        total_bytes: At the peak: not all of the above is there at once.
    """

    base_bytes: int
    weights_bytes: int
    adapter_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int
    logits_bytes: int
    total_bytes: int


def tuning_memory(
    facts: ModelFacts,
    choices: TuningChoices,
    backend: Backend,
    *,
    is_gpu: bool = False,
    is_metal: bool = False,
) -> TuningMemory:
    """What a run needs at its peak.

    Args:
        is_gpu: Whether it trains in the memory of a GPU of its own; what the process needs beside that is
            left out then.
        is_metal: Whether it trains on Apple's GPU.
    """
    shape, trained = shape_of(facts), trained_weights(facts, choices)
    fast_halves = is_gpu or (is_metal and backend == "mlx")
    low = choices.precision == "bfloat16" or (choices.precision == "auto" and fast_halves)
    weights = _weights(facts, choices, backend, low)
    adapter = 0 if choices.method == "full" else _FLOAT * trained.weights
    gradients = _FLOAT * trained.weights
    optimizer = round(_STATES[choices.optimizer] * _FLOAT * trained.weights)
    activations, temporary = _activations(shape, trained, choices, low=low, is_gpu=is_gpu)
    logits = _logits(shape, trained, choices)
    base = 0 if is_gpu else _TORCH_BASE_BYTES
    held = base + weights + adapter + (optimizer if is_gpu else round(_HEAP_STATES * optimizer))
    # Gradients come while activations go, and take their place; but they find none on a heap whose holes are
    # too small for them, and with accumulation they are there before.
    finds_room = is_gpu or choices.batch_tokens > shape.width
    step = activations + temporary + logits
    if choices.accumulation > 1 or not finds_room:
        step += gradients
    else:
        step = max(step, gradients + temporary)
    # The best weights are read back at the end, when the heap has given nothing back.
    best = activations + temporary + _FLOAT * trained.weights if not is_gpu else 0
    return TuningMemory(
        base_bytes=base,
        weights_bytes=weights,
        adapter_bytes=adapter,
        gradients_bytes=gradients,
        optimizer_bytes=optimizer,
        activations_bytes=activations + temporary,
        logits_bytes=logits,
        total_bytes=max(held + max(step, best), base + weights + (0 if is_gpu else facts.size_bytes)),
    )


def room_here() -> Room:
    """The memory that a training on this machine would use: that of its first CUDA GPU, or its own."""
    here = machine()
    gpu = next((each for each in here.gpus if each.kind == "cuda"), None)
    if gpu is None:
        return Room(
            name="Memory",
            total_bytes=here.ram_bytes,
            free_bytes=ram_free_bytes(),
            is_gpu=False,
            is_metal=any(each.kind == "metal" for each in here.gpus),
        )
    used = next((each.memory_used_bytes for each in nvidia().readings() if each.index == gpu.index), 0)
    return Room(
        name=gpu.name, total_bytes=gpu.memory_bytes, free_bytes=max(gpu.memory_bytes - used, 0), is_gpu=True
    )


def _weights(facts: ModelFacts, choices: TuningChoices, backend: Backend, low: bool) -> int:
    """The base in the type of the arithmetic; whole where it is trained; in 4 bits for QLoRA."""
    count = facts.parameters
    if backend == "mlx" and 0 < facts.bits_per_weight < 8 * _HALF:
        return sum(group.size_bytes for group in facts.groups) or facts.size_bytes
    if choices.method == "qlora":
        # Embeddings, output layer and norms stay whole.
        whole = embedding_weights(facts)
        return round(_FOUR_BITS * max(count - whole, 0) + _FLOAT * whole)
    return (_HALF if low and choices.method != "full" else _FLOAT) * count


def _activations(
    shape: Shape, trained: Trained, choices: TuningChoices, *, low: bool, is_gpu: bool
) -> tuple[int, int]:
    """Bytes that stay until the backward pass, and those of one block's temporary results.

    The numbers of a token in a block were counted with `torch.autograd.graph.saved_tensors_hooks`; they hold
    for blocks of the llama kind, whose attention keeps no scores.
    """
    width, queries, keys, ff = shape.width, shape.queries, shape.keys, shape.feed_forward
    match choices.method:
        case "full":
            numbers = 6 * width + 2 * queries + 2 * keys + 4 * ff + shape.heads
        case "dora":
            numbers = 8 * width + 4 * queries + 6 * keys + 8 * ff + 7 * choices.rank + shape.heads
        case _:
            numbers = 4 * width + 2 * queries + 2 * keys + 4 * ff + 7 * choices.rank + shape.heads
    if choices.dropout and choices.method != "full":
        # Each adapter keeps its own input and the mask in place of the one that it shared.
        numbers += 2 * (5 * width + queries + ff) - 2 * width - ff
    tokens = max(choices.batch_tokens, choices.max_tokens if choices.batching == "packed" else 0)
    size = _HALF if low else _FLOAT
    temporary = round(size * tokens * _TEMPORARY[choices.method] * ff)
    kept = size * tokens * numbers
    if choices.method == "dora":
        # The norms of the adapted weights are computed from their products with the adapters.
        kept += round(_DORA_COPIES * _FLOAT * trained.adapted / max(trained.blocks, 1))
    if choices.gradient_checkpointing:
        lost = 0.0 if is_gpu else _HEAP_TWICE[choices.method] * kept
        return round((size * tokens * width + lost) * trained.blocks), kept + temporary
    return round(kept * trained.blocks * (1.0 if is_gpu else _HEAP[choices.method])), temporary


def _logits(shape: Shape, trained: Trained, choices: TuningChoices) -> int:
    """The logits of a part of the learned tokens, in float32, and a trained output layer's gradient."""
    at_once = min(_LOGITS_AT_ONCE, choices.batch_tokens * shape.vocabulary)
    gradient = _FLOAT * shape.vocabulary * shape.width if trained.embedding else 0
    return _LOGITS_COPIES * _FLOAT * at_once + gradient
