"""A GGUF model in this process whose computation can be looked into, and whose weights can be changed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins._ggml import Floats, Ggml, ggml
from plugins._llama_log import LlamaLog
from workbench.plugin import MissingExtraError, ModelFileError, OutOfMemoryError, WorkbenchError

#: Asked of every node of the graph: whether `OnNode` is to see it once it is computed.
Wanted = Callable[[Ggml, int], bool]
#: Called with each wanted node, an address for `Ggml`.
OnNode = Callable[[Ggml, int], None]


class WatchedModel:
    """A GGUF model, loaded so that every step of its computation passes by here.

    The weights lie in memory of their own (no memory map, no repacked copies), so that `Ggml.write_bytes`
    may change them. Generating is what engines are for; this reads windows of text, one at a time.

    Args:
        path: The GGUF file.
        width: Longest window, in tokens.
        threads: CPU threads.
        wanted: Which nodes of the graph to watch.
        on_node: Called with each of them.

    Raises:
        ModelFileError: llama.cpp can't load the file.
        OutOfMemoryError: There is no room for the context.
        WorkbenchError: This build of llama.cpp can't be looked into.
    """

    def __init__(self, path: Path, *, width: int, threads: int, wanted: Wanted, on_node: OnNode) -> None:
        try:
            import llama_cpp
        except ImportError as error:
            raise MissingExtraError("llama.cpp (llama-cpp-python)", "llama") from error
        self._llama: Any = llama_cpp
        self._ggml = ggml()
        self._wanted, self._on_node = wanted, on_node
        self._error: Exception | None = None
        self._log = LlamaLog(llama_cpp, lambda *_: None)
        self._log.__enter__()
        self._model: Any = None
        self._context: Any = None
        try:
            llama_cpp.llama_backend_init()
            self._model = self._load(path)
            # Kept as an attribute: the native side holds no reference of its own.
            self._callback = llama_cpp.ggml_backend_sched_eval_callback(self._see)
            self._context = self._open(width, threads)
        except BaseException:
            self.close()
            raise
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.vocabulary = int(llama_cpp.llama_vocab_n_tokens(self._vocab))
        begin = int(llama_cpp.llama_vocab_bos(self._vocab))
        #: The token that every text begins with; None where the model has none.
        self.begin = begin if begin >= 0 and llama_cpp.llama_vocab_get_add_bos(self._vocab) else None

    def __enter__(self) -> WatchedModel:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text; special tokens written in it are text, and none is put before it."""
        raw = text.encode("utf-8", "replace")
        room = (ctypes.c_int32 * (len(raw) + 8))()
        count = self._llama.llama_tokenize(self._vocab, raw, len(raw), room, len(room), False, False)
        if count < 0:
            raise WorkbenchError("The text can't be turned into tokens.")
        return list(room[:count])

    def logits(self, tokens: Sequence[int]) -> Floats:
        """Read a window from its beginning; logits at all positions, shape (tokens, vocabulary).

        The array is valid until the next call.
        """
        api = self._llama
        memory = api.llama_get_memory(self._context)
        if memory:  # a model that keeps nothing of what it read has none
            api.llama_memory_clear(memory, True)
        batch = api.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            for place, token in enumerate(tokens):
                batch.token[place], batch.pos[place] = token, place
                batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
                # Of every token, or llama.cpp leaves the last layer out for those that nobody asks for.
                batch.logits[place] = True
            code = int(api.llama_decode(self._context, batch))
        finally:
            api.llama_batch_free(batch)
        error, self._error = self._error, None
        if error is not None:
            raise error
        if code != 0:
            raise WorkbenchError(
                f"llama.cpp could not compute a window (code {code}).", details="\n".join(self._log.lines)
            )
        pointer = api.llama_get_logits(self._context)
        if not pointer:
            raise WorkbenchError(
                "The model predicts no tokens.",
                remedy="Choose one that generates; this one makes embeddings.",
            )
        found: NDArray[np.float32] = np.ctypeslib.as_array(pointer, shape=(len(tokens), self.vocabulary))
        return found

    def close(self) -> None:
        """Free everything."""
        if self._context is not None:
            self._llama.llama_free(self._context)
        if self._model is not None:
            self._llama.llama_model_free(self._model)
        self._context = self._model = None
        self._log.__exit__(None, None, None)

    def _load(self, path: Path) -> Any:
        wanted = self._llama.llama_model_default_params()
        if hasattr(wanted, "load_mode"):
            wanted.load_mode = self._llama.LLAMA_LOAD_MODE_NONE
        else:  # before 0.3.33
            wanted.use_mmap = False
        wanted.use_extra_bufts = False
        model = self._llama.llama_model_load_from_file(str(path).encode(), wanted)
        if not model:
            raise ModelFileError(path, "llama.cpp can't load it", details="\n".join(self._log.errors))
        return model

    def _open(self, width: int, threads: int) -> Any:
        wanted = self._llama.llama_context_default_params()
        wanted.n_ctx = wanted.n_batch = wanted.n_ubatch = width
        wanted.n_threads = wanted.n_threads_batch = threads
        wanted.no_perf = True
        # Else a device would compute with copies, and a changed weight would not be seen.
        wanted.op_offload = False
        wanted.cb_eval = self._callback
        opened = self._llama.llama_init_from_model(self._model, wanted)
        if not opened:
            raise OutOfMemoryError(
                f"llama.cpp can't make a context of {width} tokens.",
                remedy="Choose shorter windows.",
                details="\n".join(self._log.errors),
            )
        return opened

    def _see(self, node: int, asked: bool, _data: Any) -> bool:
        if self._error is not None:
            return False
        try:
            if asked:
                return self._wanted(self._ggml, node)
            self._on_node(self._ggml, node)
        except Exception as error:  # noqa: BLE001 - carried through native code to `logits`
            self._error = error
            return False
        return True
