"""llama.cpp as rows: several sequences in one cache, computed in one batch."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from workbench.engines.base import Capabilities, Chunk, Logits, chunks_of
from workbench.engines.errors import EngineError
from workbench.engines.llama_batch import LlamaBatch
from workbench.engines.llama_library import LlamaLibrary
from workbench.engines.llama_tokenizer import LlamaTokenizer
from workbench.engines.request import AdapterOptions, AdapterUse, LoadOptions
from workbench.errors import ModelFileError, OutOfMemoryError, UsageError
from workbench.hardware import physical_cores

#: Tokens that are computed at once, and most tokens of one call: llama.cpp's own defaults.
CHUNK = 512
BATCH = 2048
#: Where a model was trained for more, this much is loaded unless more is asked for.
DEFAULT_CONTEXT = 8192

_KV_TYPES = {"f16": 1, "q8_0": 8, "q4_0": 2}
_FLASH = {None: -1, False: 0, True: 1}
_NO_POOLING = 0
_CACHE_BLOCK = 32


@dataclass(frozen=True, slots=True)
class LlamaLoaded:
    """A loaded model: its rows, its tokenizer, and what the file says of it."""

    rows: LlamaRows
    tokenizer: LlamaTokenizer
    template: str | None
    trained_context: int
    architecture: str


def open_llama(library: LlamaLibrary, options: LoadOptions, progress: Callable[[float], None]) -> LlamaLoaded:
    """Load a GGUF file.

    Raises:
        ModelFileError: llama.cpp can't load the file.
        OutOfMemoryError: The cache does not fit.
        UsageError: An option can't be used with this build.
    """
    api = library.api
    model = _load_model(library, options, progress)
    _check_cache_type(api, model, options)
    trained = int(api.llama_model_n_ctx_train(model))
    wanted = api.llama_context_default_params()
    context = options.context or min(trained or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
    threads = options.threads or physical_cores()
    wanted.n_ctx = context * options.parallel
    wanted.n_seq_max = options.parallel
    wanted.n_batch, wanted.n_ubatch = BATCH, CHUNK
    # A cache of its own for each row: in one pool every token would attend over all rows' cells, masked.
    wanted.kv_unified = False
    wanted.type_k = wanted.type_v = _KV_TYPES[options.kv_type]
    wanted.flash_attn_type = _FLASH[options.flash_attention]
    wanted.n_threads = wanted.n_threads_batch = threads
    wanted.no_perf = True
    if options.embeddings:
        wanted.embeddings = True
    opened = api.llama_init_from_model(model, wanted)
    if not opened:
        api.llama_model_free(model)
        raise OutOfMemoryError(
            f"llama.cpp can't make a context of {options.parallel} × {context} tokens"
            f" with a {options.kv_type} cache.",
            remedy="Choose a smaller context, fewer parallel requests or a smaller cache type.",
            details=library.errors(),
        )
    rows = LlamaRows(library, model, opened, options, context=context)
    try:
        rows.load_adapters(options.adapters)
    except Exception:
        rows.close()
        raise
    template = api.llama_model_chat_template(model, None)
    return LlamaLoaded(
        rows,
        LlamaTokenizer(api, api.llama_model_get_vocab(model)),
        options.chat_template or (template.decode("utf-8", errors="replace") if template else None),
        trained,
        _meta(api, model, "general.architecture"),
    )


class LlamaRows:
    """A `base.Rows` over one llama.cpp context."""

    def __init__(
        self, library: LlamaLibrary, model: Any, context_pointer: Any, options: LoadOptions, *, context: int
    ) -> None:
        api = library.api
        self.count = options.parallel
        self.context = context
        self.chunk = BATCH
        self.layers = int(api.llama_model_n_layer(model))
        self._library = library
        self._api = api
        self._model = model
        self._opened = context_pointer
        self._memory = api.llama_get_memory(context_pointer)
        self._vocabulary = int(api.llama_vocab_n_tokens(api.llama_model_get_vocab(model)))
        self._width = int(api.llama_model_n_embd_out(model))
        self._lengths = [0] * self.count
        self._batch = LlamaBatch(api, BATCH)
        self._adapters: dict[str, Any] = {}
        self._applied: tuple[AdapterUse, ...] = ()
        self._embeds = options.embeddings
        partial = bool(api.llama_model_is_recurrent(model) or api.llama_model_is_hybrid(model))
        self.capabilities = Capabilities(
            truncate=not partial,
            shift=bool(api.llama_memory_can_shift(self._memory)),
            save=True,
            adapters=bool(options.adapters),
            embeddings=True,
            logits=not options.embeddings,
        )

    def load_adapters(self, adapters: Sequence[AdapterOptions]) -> None:
        """Load LoRA adapters beside the base.

        Raises:
            ModelFileError: One is not a GGUF adapter for this model.
        """
        for each in adapters:
            loaded = self._api.llama_adapter_lora_init(self._model, str(each.path).encode())
            if not loaded:
                raise ModelFileError(
                    Path(each.path),
                    "it is not a LoRA adapter in GGUF form for this model",
                    details=self._library.errors(),
                )
            self._adapters[each.name] = loaded

    def forward(self, chunks: Sequence[Chunk], adapters: tuple[AdapterUse, ...]) -> list[Logits]:
        self._apply(adapters)
        wanted = self._batch.fill([(each, self._lengths[each.row]) for each in chunks])
        code = self._batch.decode(self._opened)
        if code != 0:
            for each in chunks:
                # What a failed batch left behind is undefined; what was there before is not touched by it.
                self._api.llama_memory_seq_rm(self._memory, each.row, self._lengths[each.row], -1)
            raise _decode_error(code, self._library.errors())
        for each in chunks:
            self._lengths[each.row] += len(each.tokens)
        if not wanted:
            return [np.empty((0, self._vocabulary), dtype=np.float32) for _ in chunks]
        # Rows of this array come in the order in which the batch asked for them.
        every = np.ctypeslib.as_array(
            self._api.llama_get_logits(self._opened), shape=(wanted, self._vocabulary)
        )
        out, at = [], 0
        for each in chunks:
            out.append(every[at : at + each.wanted])
            at += each.wanted
        return out

    def truncate(self, row: int, length: int) -> bool:
        if self._lengths[row] <= length:
            return True
        done = bool(self._api.llama_memory_seq_rm(self._memory, row, length or -1, -1))
        if done:
            self._lengths[row] = length
        return done

    def copy(self, source: int, target: int, length: int) -> bool:
        if not self.capabilities.truncate:
            return False
        self._api.llama_memory_seq_rm(self._memory, target, -1, -1)
        # Between rows llama.cpp copies a whole cache or aborts; what is too much is forgotten again.
        self._api.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self._lengths[target] = self._lengths[source]
        return self.truncate(target, length)

    def shift(self, row: int, keep: int, discard: int) -> bool:
        if not self.capabilities.shift:
            return False
        self._api.llama_memory_seq_rm(self._memory, row, keep, keep + discard)
        self._api.llama_memory_seq_add(self._memory, row, keep + discard, -1, -discard)
        self._lengths[row] -= discard
        return True

    def save(self, row: int, tokens: Sequence[int], path: Path) -> bool:
        given = (ctypes.c_int32 * len(tokens))(*tokens)
        written = self._api.llama_state_seq_save_file(
            self._opened, str(path).encode(), row, given, len(tokens)
        )
        return bool(written)

    def load(self, row: int, path: Path) -> list[int] | None:
        self.truncate(row, 0)
        room = (ctypes.c_int32 * self.context)()
        count = ctypes.c_size_t(0)
        read = self._api.llama_state_seq_load_file(
            self._opened, str(path).encode(), row, room, self.context, ctypes.byref(count)
        )
        if not read:
            self._api.llama_memory_seq_rm(self._memory, row, -1, -1)
            return None
        self._lengths[row] = count.value
        return list(room[: count.value])

    def logits(self, tokens: Sequence[int], since: int = 0, adapters: tuple[AdapterUse, ...] = ()) -> Logits:
        self._forget_all()
        found = np.empty((len(tokens) - since, self._vocabulary), dtype=np.float32)
        at = 0
        for each in chunks_of(tokens, CHUNK, since):
            found[at : at + each.wanted] = self.forward([each], adapters)[0]
            at += each.wanted
        self.truncate(0, 0)
        return found

    def embed(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        api = self._api
        self._forget_all()
        api.llama_set_embeddings(self._opened, True)
        total = np.zeros(self._width, dtype=np.float64)
        pooled = int(api.llama_pooling_type(self._opened)) not in (_NO_POOLING, -1)
        try:
            for begin in range(0, len(tokens), CHUNK):
                piece = Chunk(0, tokens[begin : begin + CHUNK], len(tokens[begin : begin + CHUNK]))
                self._batch.fill([(piece, begin)])
                code = self._batch.decode(self._opened)
                if code != 0:
                    raise _decode_error(code, self._library.errors())
                if pooled:
                    vector = api.llama_get_embeddings_seq(self._opened, 0)
                    total = np.ctypeslib.as_array(vector, shape=(self._width,)).astype(np.float64)
                else:
                    every = api.llama_get_embeddings(self._opened)
                    total += np.ctypeslib.as_array(every, shape=(piece.wanted, self._width)).sum(axis=0)
        finally:
            api.llama_set_embeddings(self._opened, self._embeds)
            api.llama_memory_seq_rm(self._memory, 0, -1, -1)
        return (total if pooled else total / len(tokens)).astype(np.float32)

    def memory_bytes(self) -> int:
        return int(psutil.Process().memory_info().rss)

    def close(self) -> None:
        for each in self._adapters.values():
            self._api.llama_adapter_lora_free(each)
        self._adapters.clear()
        if self._opened is not None:
            self._api.llama_free(self._opened)
            self._api.llama_model_free(self._model)
            self._opened = self._model = None

    def _forget_all(self) -> None:
        for row in range(self.count):
            self.truncate(row, 0)

    def _apply(self, adapters: tuple[AdapterUse, ...]) -> None:
        if adapters == self._applied:
            return
        count = len(adapters)
        pointer = ctypes.POINTER(ctypes.c_void_p)
        pointers = (pointer * max(1, count))(*[self._adapters[use.name] for use in adapters])
        scales = (ctypes.c_float * max(1, count))(*[use.scale for use in adapters])
        self._api.llama_set_adapters_lora(self._opened, pointers, count, scales)
        self._applied = adapters


def _load_model(library: LlamaLibrary, options: LoadOptions, progress: Callable[[float], None]) -> Any:
    api = library.api
    wanted = api.llama_model_default_params()
    if options.gpu_layers is not None:
        wanted.n_gpu_layers = options.gpu_layers
    if options.tensor_split:
        most = int(api.llama_max_devices())
        if len(options.tensor_split) > most:
            raise UsageError(f"The weights can be split over {most} devices at most.")
        shares = (ctypes.c_float * most)(*options.tensor_split)
        wanted.tensor_split = shares

    def report(fraction: float, _data: Any) -> bool:
        progress(float(fraction))
        return True

    wanted.progress_callback = api.llama_progress_callback(report)
    model = api.llama_model_load_from_file(str(options.path).encode(), wanted)
    if not model:
        raise ModelFileError(Path(options.path), "llama.cpp can't load it", details=library.errors())
    return model


def _check_cache_type(api: Any, model: Any, options: LoadOptions) -> None:
    """Quantized caches are stored in blocks of 32, which a head must be a multiple of."""
    heads = int(api.llama_model_n_head(model))
    width = int(api.llama_model_n_embd(model)) // heads if heads else 0
    named = _meta(api, model, f"{_meta(api, model, 'general.architecture')}.attention.key_length")
    width = int(named) if named.isdigit() else width
    if options.kv_type != "f16" and width % _CACHE_BLOCK:
        api.llama_model_free(model)
        raise UsageError(
            f"A cache of type {options.kv_type} needs heads whose width is a multiple of {_CACHE_BLOCK};"
            f" this model's are {width} wide.",
            remedy="Use f16.",
        )


def _meta(api: Any, model: Any, key: str) -> str:
    buffer = ctypes.create_string_buffer(256)
    found = api.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", errors="replace") if found >= 0 else ""


def _decode_error(code: int, details: str) -> Exception:
    if code == 1:
        return OutOfMemoryError(
            "The cache has no room for this batch.",
            remedy="Load the model with a larger context or fewer parallel requests.",
        )
    return EngineError(f"llama.cpp could not compute a batch (code {code}).", details=details)
