"""MLX one request at a time, as rows: for drafts and quantized caches, which mlx-lm does not batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import Capabilities, Chunk, Logits
from workbench.engines.mlx_model import CHUNK, MlxModel, as_numpy
from workbench.engines.request import AdapterUse, KvType
from workbench.errors import UsageError

_BITS = {"q8_0": 8, "q4_0": 4}
_GROUPS = (64, 32)


class MlxRows:
    """A `base.Rows` of one row.

    Raises:
        UsageError: The cache type does not suit the model's heads.
    """

    def __init__(self, loaded: MlxModel, *, kv_type: KvType = "f16", adapters: bool = False) -> None:
        self.count = 1
        self.context = loaded.context
        self.chunk = CHUNK
        self._loaded = loaded
        self._kv_type = kv_type
        self._group = 0
        if kv_type != "f16":
            width = loaded.head_width()
            self._group = next((size for size in _GROUPS if width % size == 0), 0)
            if not self._group:
                raise UsageError(
                    f"A cache of type {kv_type} needs heads whose width is a multiple of 32;"
                    f" this model's are {width} wide.",
                    remedy="Use f16.",
                )
        self._length = 0
        self._cache = self._empty()
        self.capabilities = Capabilities(
            batch=False,
            truncate=all(layer.is_trimmable() for layer in self._cache),
            save=kv_type == "f16",
            adapters=adapters,
            embeddings=True,
        )

    def forward(self, chunks: Sequence[Chunk], adapters: tuple[AdapterUse, ...]) -> list[Logits]:
        mx = self._loaded.mx
        self._loaded.apply(adapters)
        out = []
        for chunk in chunks:
            found = self._loaded.model(mx.array(list(chunk.tokens))[None], cache=self._cache)[0]
            kept = found[found.shape[0] - chunk.wanted :]
            mx.eval(kept, [layer.state for layer in self._cache])
            self._length += len(chunk.tokens)
            out.append(as_numpy(mx, kept))
        return out

    def truncate(self, row: int, length: int) -> bool:
        if length >= self._length:
            return True
        if length == 0:
            self._cache = self._empty()
        elif self.capabilities.truncate:
            for layer in self._cache:
                layer.trim(self._length - length)
        else:
            return False
        self._length = length
        return True

    def copy(self, source: int, target: int, length: int) -> bool:
        return False

    def shift(self, row: int, keep: int, discard: int) -> bool:
        return False

    def save(self, row: int, tokens: Sequence[int], path: Path) -> bool:
        from mlx_lm.models.cache import save_prompt_cache

        if not self.capabilities.save:
            return False
        # MLX adds its own ending to a name that lacks it.
        made = path.with_suffix(".safetensors")
        save_prompt_cache(str(made), self._cache, {"tokens": ",".join(map(str, tokens))})
        made.replace(path)
        return True

    def load(self, row: int, path: Path) -> list[int] | None:
        from mlx_lm.models.cache import load_prompt_cache

        named = path.with_suffix(".safetensors")
        try:
            path.replace(named)
            try:
                cache, marks = load_prompt_cache(str(named), return_metadata=True)
                self._loaded.mx.eval([layer.state for layer in cache])
            finally:
                named.replace(path)
            tokens = [int(each) for each in marks["tokens"].split(",")]
        except (OSError, ValueError, KeyError, RuntimeError, IndexError):
            return None
        if len(tokens) > self.context or len(cache) != len(self._cache):
            return None
        self._cache, self._length = cache, len(tokens)
        return tokens

    def logits(self, tokens: Sequence[int], since: int = 0, adapters: tuple[AdapterUse, ...] = ()) -> Logits:
        self._loaded.apply(adapters)
        return self._loaded.logits(tokens, since)

    def embed(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        self._loaded.apply(())
        return self._loaded.embed(tokens)

    def memory_bytes(self) -> int:
        return self._loaded.memory_bytes()

    def close(self) -> None:
        self._cache = []
        self._loaded.mx.clear_cache()

    def _empty(self) -> list[Any]:
        from mlx_lm.models.cache import make_prompt_cache

        cache: list[Any] = make_prompt_cache(self._loaded.model)
        if self._group:
            bits = _BITS[self._kv_type]
            cache = [layer.to_quantized(group_size=self._group, bits=bits) for layer in cache]
        return cache
