"""Good settings for a fine-tuning, chosen from the model, the data and the machine, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from workbench.data.report import DataReport
from workbench.model import ModelFacts
from workbench.tuning.choices import Backend, Method, TuningChoices
from workbench.tuning.memory import Room, TuningMemory, tuning_memory
from workbench.tuning.weights import trained_weights

#: Share of the free memory that a run may plan with: the rest is for what estimates miss and for others.
_USABLE = 0.85
#: Fewest examples for which all weights are worth training; with fewer they are learned by heart.
_FULL_ROWS = 5_000
#: All weights are advised only where they fit so many times over: adapters learn as much from few examples.
_FULL_ROOM = 5.0
#: Largest of the batches that are tried, in tokens; more gains no speed on one device.
_BATCHES = (16_384, 8192, 4096, 2048, 1024, 512)
#: Tokens that are computed at once: what keeps the processor busy.
_CPU_BATCH, _GPU_BATCH = 1024, 8192
_SHORTEST, _STEP = 64, 64
_RANKS = (8, 16, 32, 64)


class Default(Struct, frozen=True, kw_only=True):
    """A good value for a parameter of that name, and why."""

    name: str
    value: Any
    reason: str


def good_defaults(
    facts: ModelFacts, data: DataReport, room: Room, *, backend: Backend
) -> tuple[Default, ...]:
    """Good settings. Every name is a parameter of the fine-tuning operations.

    Args:
        data: The report of the data, whose lengths count without any cut-off.
        room: The memory that the run would use.
    """
    return tuple(_Advice(facts, data, room, backend).all())


class _Advice:
    """Decides one thing after the other; what is decided later rests on what was before."""

    def __init__(self, facts: ModelFacts, data: DataReport, room: Room, backend: Backend) -> None:
        self._facts = facts
        self._data = data
        self._room = room
        self._backend: Backend = backend
        self._pairs = "preference" in data.kind
        self._rows = max(data.train.rows, 1)

    def all(self) -> Iterator[Default]:
        if self._pairs:
            yield _default("objective", "dpo", "The rows are preferences: DPO learns to prefer (2305.18290).")
        longest = self._longest()
        yield longest
        method = self._method(longest.value)
        yield method
        yield from self._adapter(method.value)
        batch = self._batch(method.value, longest.value)
        yield from batch
        batch_tokens = batch[0].value
        yield self._precision()
        accumulation = self._accumulation(batch_tokens)
        yield accumulation
        updates_an_epoch = max(1, math.ceil(self._epoch_tokens / (batch_tokens * accumulation.value)))
        epochs = self._epochs(updates_an_epoch)
        yield epochs
        yield self._rate(method.value)
        yield from self._run(math.ceil(updates_an_epoch * epochs.value))
        yield self._batching()

    @property
    def _epoch_tokens(self) -> int:
        return max(self._data.train.tokens, 1)

    def _longest(self) -> Default:
        reach = self._data.percentiles["99"]
        value = max(_SHORTEST, -(-reach // _STEP) * _STEP)
        context = self._facts.context_length
        if context is not None and value > context:
            return _default("max_tokens", context, f"The model was made for {context} tokens at most.")
        if self._data.longest <= value:
            return _default("max_tokens", value, f"The longest example has {self._data.longest} tokens.")
        return _default(
            "max_tokens",
            value,
            f"99 of 100 examples have at most {reach} tokens; the longest, {self._data.longest}, would take"
            " memory for little.",
        )

    def _method(self, longest: int) -> Default:
        usable = _USABLE * self._room.free_bytes
        full, lora, qlora = (
            self._memory(method, longest, longest).total_bytes for method in ("full", "lora", "qlora")
        )
        if not self._pairs and self._rows >= _FULL_ROWS and full * _FULL_ROOM <= usable:
            return _default(
                "method",
                "full",
                f"With {self._rows} examples there is enough to learn for all weights, and they fit"
                f" {usable / full:.0f} times over.",
            )
        if lora > usable and qlora < lora and self._backend == "torch" and self._room.is_gpu:
            return _default(
                "method",
                "qlora",
                f"With its weights in 4 bits a run takes {_gigabytes(qlora)}; with whole weights it takes"
                f" {_gigabytes(lora)} of {_gigabytes(self._room.free_bytes)} that are free (2305.14314).",
            )
        reason = (
            "Few examples are enough for an adapter; all weights would learn them by heart"
            if self._rows < _FULL_ROWS
            else "An adapter learns nearly as well as all weights (2106.09685)"
        )
        times = full / lora if lora else 0.0
        more = f", and take {times:.1f} times the memory" if times > 1.2 else ""
        return _default("method", "lora", f"{reason}{more}.")

    def _adapter(self, method: Method) -> Iterator[Default]:
        if method == "full":
            return
        learned = self._data.train.learned
        sizes = {
            rank: trained_weights(self._facts, TuningChoices(method=method, rank=rank)).weights
            for rank in _RANKS
        }
        # A weight can hold two bits of knowledge (2404.05405) and a token brings about one, so this is twice
        # what is needed.
        rank = next((rank for rank in _RANKS if sizes[rank] >= learned), _RANKS[-1])
        yield _default(
            "rank",
            rank,
            f"{_millions(sizes[rank])} weights can hold what {learned} learned tokens bring; more would take"
            " longer and forget more.",
        )
        yield _default("alpha", float(2 * rank), "Twice the rank, so that a rate suits any rank.")
        yield _default(
            "targets",
            ["all-linear"],
            "Adapters in all linear layers learn as much as training all weights does; in attention alone"
            " they do not (2305.14314).",
        )

    def _batch(self, method: Method, longest: int) -> tuple[Default, Default]:
        wanted = max(longest, _GPU_BATCH if self._room.is_gpu else _CPU_BATCH)
        usable = _USABLE * self._room.free_bytes
        tried = [wanted, *(each for each in _BATCHES if longest <= each < wanted)]
        for checkpointing in (False, True):
            for tokens in tried:
                if self._memory(method, longest, tokens, checkpointing).total_bytes <= usable:
                    return self._batch_words(tokens, wanted, checkpointing)
        return self._batch_words(longest, wanted, True)

    def _batch_words(self, tokens: int, wanted: int, checkpointing: bool) -> tuple[Default, Default]:
        free = _gigabytes(self._room.free_bytes)
        batch = (
            f"Keeps the {'GPU' if self._room.is_gpu else 'processor'} busy; larger batches take memory and"
            " gain no speed."
            if tokens == wanted
            else f"What fits into {free} of free memory."
        )
        twice = (
            f"Without it, not even small batches fit into {free}; it takes about a third more time."
            if checkpointing
            else "The activations fit, and computing them twice would take a third more time."
        )
        return _default("batch_tokens", tokens, batch), _default(
            "gradient_checkpointing", checkpointing, twice
        )

    def _precision(self) -> Default:
        if self._room.is_gpu:
            return _default("precision", "auto", "bfloat16 where the GPU computes it, else float32.")
        return _default("precision", "auto", "float32: without hardware for it, bfloat16 is slower.")

    def _accumulation(self, batch_tokens: int) -> Default:
        """An update sees more examples where there are many: its gradient is less of an accident."""
        mean = self._epoch_tokens / self._rows
        wanted = 8 if self._rows < 1_000 else 16 if self._rows < 10_000 else 32
        in_batch = max(1.0, batch_tokens / max(mean, 1.0))
        value = max(1, min(64, round(wanted / in_batch)))
        seen = round(in_batch * value)
        if value == 1:
            return _default("accumulation", 1, f"A batch has about {seen} examples, enough for an update.")
        return _default("accumulation", value, f"Makes updates of about {seen} examples of smaller batches.")

    def _epochs(self, updates: int) -> Default:
        """Small sets are seen several times; beyond that they are learned by heart."""
        value = 4 if updates < 50 else 3 if updates < 300 else 2 if updates < 2_000 else 1
        if value == 1:
            return _default("epochs", 1.0, f"An epoch has about {updates} updates: once is enough.")
        return _default(
            "epochs", float(value), f"An epoch has about {updates} updates, too few to learn all it holds."
        )

    def _rate(self, method: Method) -> Default:
        if self._pairs:
            value = 5e-7 if method == "full" else 5e-6
            return _default(
                "learning_rate", value, "Preferences are learned ten to a hundred times slower (2305.18290)."
            )
        # All weights: about 1e-5 at 7 billion weights, and more for smaller models, by the square root.
        size = max(self._facts.parameters, 1_000_000)
        full = min(2e-4, max(5e-6, 1e-5 * math.sqrt(7e9 / size)))
        if method == "full":
            return _default(
                "learning_rate", _rounded(full), f"Usual for all of {_millions(size)} weights; more forgets."
            )
        return _default(
            "learning_rate",
            _rounded(10 * full),
            f"Ten times what all of {_millions(size)} weights take (Schulman 2025, LoRA Without Regret).",
        )

    def _run(self, updates: int) -> Iterator[Default]:
        every = max(1, math.ceil(updates / 10))
        yield _default("evaluate_every", every, f"Ten looks at the held-out side in {updates} updates.")
        if self._data.held_out:
            yield _default(
                "patience", 3, "Three looks in vain: it learns by heart, and the best weights are kept."
            )
        else:
            yield _default("patience", 0, "Nothing is held out, so nothing tells when to end.")
        yield _default("warmup", 0.05, "The first gradients are an accident of the first batches.")

    def _batching(self) -> Default:
        mean = self._epoch_tokens / self._rows
        if self._pairs:
            return _default("batching", "buckets", "Both answers of a preference stay together.")
        if self._room.is_gpu and mean * 8 < self._data.percentiles["99"]:
            return _default("batching", "packed", "Most examples are far shorter than the longest ones.")
        return _default("batching", "buckets", "Examples of like length together have hardly any padding.")

    def _memory(
        self, method: Method, longest: int, batch_tokens: int, checkpointing: bool = False
    ) -> TuningMemory:
        choices = TuningChoices(
            method=method,
            max_tokens=longest,
            batch_tokens=max(batch_tokens, longest),
            gradient_checkpointing=checkpointing,
            objective="dpo" if self._pairs else "supervised",
        )
        room = self._room
        return tuning_memory(self._facts, choices, self._backend, is_gpu=room.is_gpu, is_metal=room.is_metal)


def _default(name: str, value: Any, reason: str) -> Default:
    return Default(name=name, value=value, reason=reason)


def _rounded(value: float) -> float:
    """To one digit.

    >>> _rounded(0.000734)
    0.0007
    """
    return float(f"{value:.0e}")


def _gigabytes(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


def _millions(count: int) -> str:
    if count >= 1e9:
        return f"{count / 1e9:.1f} billion"
    return f"{count / 1e6:.0f} million" if count >= 1e7 else f"{count / 1e6:.1f} million"
