"""An MLX model of a local folder: loading, logits, hidden states, and one switchable adapter."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from workbench.engines.base import Logits
from workbench.engines.errors import RequestError
from workbench.engines.hf_tokenizer import HfTokenizer
from workbench.engines.mlx_adapters import MlxAdapter
from workbench.engines.request import AdapterUse, LoadOptions
from workbench.errors import MissingExtraError, ModelFileError, UsageError

#: Tokens that are computed at once.
CHUNK = 512
DEFAULT_CONTEXT = 8192


class MlxModel:
    """A loaded model with its tokenizer.

    Raises:
        MissingExtraError: mlx-lm is not installed.
        ModelFileError: The folder can't be loaded.
        UsageError: More than one adapter is asked for.
    """

    def __init__(self, options: LoadOptions) -> None:
        try:
            import mlx.core as mx
            from mlx_lm.utils import load_model
        except ImportError as error:
            raise MissingExtraError("MLX", "mlx") from error
        folder = Path(options.path)
        if (folder / "config.json").exists() and "model_file" in (folder / "config.json").read_text("utf-8"):
            # mlx-lm would run the Python file that it names.
            raise ModelFileError(folder, "its configuration names code of its own, which is never run")
        try:
            self.model, self.config = load_model(folder)
        except Exception as error:
            raise ModelFileError(folder, f"MLX can't load it: {type(error).__name__}: {error}") from error
        self.mx: Any = mx
        text: dict[str, Any] = self.config.get("text_config", self.config)
        self.tokenizer = HfTokenizer(folder, int(text.get("vocab_size", 0)))
        self.trained_context = int(text.get("max_position_embeddings", 0) or 0)
        self.context = options.context or min(self.trained_context or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
        self.architecture = str(self.config.get("model_type", ""))
        if len(options.adapters) > 1:
            raise UsageError("The MLX engine loads one adapter at a time.", remedy="Use torch for several.")
        self._adapter = MlxAdapter(self.model, Path(options.adapters[0].path)) if options.adapters else None
        self._applied: tuple[AdapterUse, ...] = ()

    @property
    def version(self) -> str:
        """The versions of MLX and mlx-lm."""
        from importlib.metadata import version

        return f"mlx {version('mlx')}, mlx-lm {version('mlx-lm')}"

    @property
    def device(self) -> str:
        """Where it computes."""
        return (
            "Metal"
            if self.mx.metal.is_available()
            else str(self.mx.default_device()).split("(")[-1][:3].upper()
        )

    def head_width(self) -> int:
        """Width of one key head."""
        text: dict[str, Any] = self.config.get("text_config", self.config)
        heads = int(text.get("num_attention_heads", 1))
        return int(text.get("head_dim") or int(text.get("hidden_size", 0)) // heads)

    def apply(self, adapters: tuple[AdapterUse, ...]) -> None:
        """Switch the adapter on, with its factor, or off."""
        if adapters == self._applied:
            return
        if self._adapter is not None:
            self._adapter.apply(adapters[0].scale if adapters else None)
        self._applied = adapters

    def logits(self, tokens: Sequence[int], since: int = 0) -> Logits:
        """Logits from position `since` on, shape (len(tokens) - since, vocabulary)."""
        from mlx_lm.models.cache import make_prompt_cache

        mx = self.mx
        cache = make_prompt_cache(self.model)
        parts = []
        for begin, end in itertools.pairwise(_cuts(len(tokens), since)):
            found = self.model(mx.array(list(tokens[begin:end]))[None], cache=cache)[0]
            if begin < since:
                # MLX computes what is asked for: the cache needs no output layer.
                mx.eval([layer.state for layer in cache])
            else:
                parts.append(as_numpy(mx, found))
        return np.concatenate(parts)

    def embed(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """The mean of the last layer's output, shape (width,).

        Raises:
            RequestError: The model does not show its last layer.
        """
        body = getattr(self.model, "model", None)
        if body is None:
            raise RequestError("This model gives no hidden states, from which embeddings are made.")
        hidden = body(self.mx.array(list(tokens))[None])
        vector: NDArray[np.float32] = as_numpy(self.mx, hidden.mean(axis=1))[0]
        return vector

    def memory_bytes(self) -> int:
        """The process, and what MLX holds on a device of its own."""
        on_device = int(self.mx.get_active_memory()) if self.mx.metal.is_available() else 0
        return max(int(psutil.Process().memory_info().rss), on_device)


def _cuts(count: int, since: int) -> list[int]:
    """Where a sequence is cut into pieces of `CHUNK` at most, one of the cuts at `since`."""
    return sorted({*range(0, since, CHUNK), *range(since, count, CHUNK), count})


def as_numpy(mx: Any, array: Any) -> NDArray[np.float32]:
    """An MLX array as float32 numpy; numpy knows no bfloat16."""
    return np.array(array.astype(mx.float32))
