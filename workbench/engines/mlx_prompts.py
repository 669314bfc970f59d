"""Prompts that MLX has computed before, kept for the next request that begins alike."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from workbench.engines.rows_in_use import common_prefix

#: Prompts that are kept; each holds its whole cache.
_MOST = 8


class ComputedPrompts:
    """Caches of answers that are done, the least recently used one given up first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, ...], list[Any]] = OrderedDict()

    def keep(self, tokens: Sequence[int], cache: list[Any]) -> None:
        """Keep what a finished answer leaves behind. One that is the beginning of another is not needed."""
        key = tuple(tokens)
        for other in [*self._kept]:
            if len(other) <= len(key) and key[: len(other)] == other:
                del self._kept[other]
        self._kept[key] = cache
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def longest(self, prompt: Sequence[int]) -> tuple[list[Any] | None, int]:
        """A cache of its own for the longest known beginning of a prompt, and how many tokens that is."""
        best: tuple[int, ...] | None = None
        shared = 0
        for key, cache in self._kept.items():
            same = min(common_prefix(key, tuple(prompt)), len(prompt) - 1)
            fits = same == len(key) or all(layer.is_trimmable() for layer in cache)
            if same > shared and fits:
                best, shared = key, same
        if best is None:
            return None, 0
        self._kept.move_to_end(best)
        cache = copy.deepcopy(self._kept[best])
        if shared < len(best):
            for layer in cache:
                layer.trim(len(best) - shared)
        return cache, shared

    def clear(self) -> None:
        """Give all up."""
        self._kept.clear()
