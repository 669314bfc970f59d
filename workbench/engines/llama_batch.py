"""The batch that llama.cpp computes: one block of memory, filled again for every step."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from workbench.engines.base import Chunk


class LlamaBatch:
    """A `llama_batch` of bounded size over arrays of numpy, so that filling it costs no call per token.

    Args:
        api: The llama_cpp module.
        size: Most tokens in one batch.
    """

    def __init__(self, api: Any, size: int) -> None:
        self._api = api
        self._tokens = np.zeros(size, dtype=np.int32)
        self._positions = np.zeros(size, dtype=np.int32)
        self._rows = np.zeros(size, dtype=np.int32)
        self._row_counts = np.ones(size, dtype=np.int32)
        self._wanted = np.zeros(size, dtype=np.int8)
        # Each token's list of sequences: a pointer to its one entry in `_rows`.
        base = self._rows.ctypes.data
        pointer = ctypes.POINTER(ctypes.c_int32)
        self._lists = (pointer * (size + 1))(
            *[ctypes.cast(base + 4 * index, pointer) for index in range(size)]
        )
        self._batch = api.llama_batch(
            n_tokens=0,
            token=self._tokens.ctypes.data_as(pointer),
            embd=None,
            pos=self._positions.ctypes.data_as(pointer),
            n_seq_id=self._row_counts.ctypes.data_as(pointer),
            seq_id=ctypes.cast(self._lists, ctypes.POINTER(pointer)),
            logits=self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def fill(self, chunks: list[tuple[Chunk, int]]) -> int:
        """Put chunks in, each with the position of its first token; returns how many logits it will make."""
        at = 0
        wanted = 0
        self._wanted[:] = 0
        for chunk, position in chunks:
            count = len(chunk.tokens)
            end = at + count
            self._tokens[at:end] = chunk.tokens
            self._positions[at:end] = np.arange(position, position + count)
            self._rows[at:end] = chunk.row
            self._wanted[end - chunk.wanted : end] = 1
            at = end
            wanted += chunk.wanted
        self._batch.n_tokens = at
        return wanted

    def decode(self, context: Any) -> int:
        """Compute the batch; llama.cpp's return code, 0 for success."""
        return int(self._api.llama_decode(context, self._batch))
