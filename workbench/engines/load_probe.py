"""Loads a model for real in a process of its own and prints how much memory that took at its peak.

`python -m workbench.engines.load_probe FORMAT PATH CONTEXT BATCH` prints one JSON object:
`{"peak_bytes": …}` or `{"error": "…"}`. What importing the backend takes is not counted: it is the same
for every model.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

#: Tokens that are computed at once; llama.cpp's default, and what the estimate assumes.
CHUNK_TOKENS = 512

_PAUSE_S = 0.005


def main(argv: list[str]) -> int:
    kind, path, context, batch = argv[0], Path(argv[1]), int(argv[2]), int(argv[3])
    try:
        peak = PROBES[kind](path, context, batch)
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is the answer
        sys.stdout.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        return 1
    sys.stdout.write(json.dumps({"peak_bytes": peak}) + "\n")
    return 0


class PeakMemory:
    """The most resident memory of this process while entered, over what it had on entering, in bytes."""

    def __init__(self) -> None:
        self.bytes = 0
        self._process = psutil.Process()
        self._base = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._base = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._look()
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_PAUSE_S):
            self._look()

    def _look(self) -> None:
        self.bytes = max(self.bytes, self._process.memory_info().rss - self._base)


def probe_llama(path: Path, context: int, batch: int) -> int:
    """llama.cpp: the file mapped, the cache for all sequences, one chunk of a prompt, one token."""
    import ctypes

    import llama_cpp as llama

    llama.llama_backend_init()

    silent = llama.llama_log_callback(lambda _level, _text, _data: None)
    llama.llama_log_set(silent, None)
    with PeakMemory() as peak:
        model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
        if not model:
            raise RuntimeError(f"llama.cpp can't load {path.name}")
        wanted = llama.llama_context_default_params()
        wanted.n_ctx = context * batch
        wanted.n_seq_max = batch
        wanted.n_batch = wanted.n_ubatch = CHUNK_TOKENS
        opened = llama.llama_init_from_model(model, wanted)
        if not opened:
            raise RuntimeError("llama.cpp can't make the context")
        for count in (min(CHUNK_TOKENS, context - 1), 1):
            tokens = (ctypes.c_int32 * count)(*([1] * count))
            if llama.llama_decode(opened, llama.llama_batch_get_one(tokens, count)):
                raise RuntimeError("llama.cpp can't compute a chunk")
    llama.llama_free(opened)
    llama.llama_model_free(model)
    return peak.bytes


def probe_torch(path: Path, context: int, batch: int) -> int:
    """PyTorch with transformers: the weights in their own type, a prompt that fills the context."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.cache_utils import DynamicCache

    with PeakMemory() as peak, torch.inference_mode():
        model = AutoModelForCausalLM.from_pretrained(path, dtype="auto")
        cache = DynamicCache(config=model.config)
        for begin in range(0, context, CHUNK_TOKENS):
            count = min(CHUNK_TOKENS, context - begin)
            tokens = torch.ones(batch, count, dtype=torch.long)
            model(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return peak.bytes


def probe_mlx(path: Path, context: int, batch: int) -> int:
    """MLX: the weights, a cache that is full but for one token, that token."""
    import mlx.core as mx
    from mlx_lm.models.cache import make_prompt_cache
    from mlx_lm.utils import load

    with PeakMemory() as peak:
        model = load(str(path))[0]
        mx.eval(model.parameters())
        cache = make_prompt_cache(model)
        # One token tells the shape; the rest is filled in, as computing a long prompt takes minutes on a CPU.
        mx.eval(model(mx.ones((batch, 1), dtype=mx.int32), cache=cache))
        for layer in cache:
            rest = context - 2
            if rest > 0:
                filled = layer.update_and_fetch(
                    _repeated(mx, layer.keys, rest), _repeated(mx, layer.values, rest)
                )
                mx.eval(*filled)
        mx.eval(model(mx.ones((batch, 1), dtype=mx.int32), cache=cache))
    return peak.bytes


def _repeated(mx: Any, one: Any, times: int) -> Any:
    """Keys or values of one position, shape (batch, heads, 1, width), for several."""
    return mx.repeat(one[:, :, :1], times, axis=2)


PROBES: dict[str, Callable[[Path, int, int], int]] = {
    "gguf": probe_llama,
    "hf": probe_torch,
    "mlx": probe_mlx,
}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
