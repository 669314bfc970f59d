"""Keys and values of several sequences in torch: one block of memory for each layer, a line for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Tokens by which the memory grows.
_BLOCK = 256


class RowCache:
    """The keys and values of all rows; memory grows with the longest row.

    Each layer has one tensor for keys and one for values, shape (rows, heads, capacity, width). A row's token
    at position p lies at p, so nothing is moved when rows join and leave.

    Args:
        torch: The library.
        rows: How many rows.
        context: Longest row, in tokens.
    """

    def __init__(self, torch: Any, rows: int, context: int) -> None:
        self._torch = torch
        self._rows = rows
        self._context = context
        self._layers: dict[int, list[Any]] = {}
        self.lengths = [0] * rows

    def view(self, rows: Sequence[int], count: int) -> Any:
        """What a model takes as `past_key_values` to append `count` tokens to each of some rows."""
        return _view_type()(self, rows, count)

    def append(self, layer: int, rows: Sequence[int], keys: Any, values: Any) -> tuple[Any, Any]:
        """Put new keys and values behind each row; returns all of them, up to the longest of these rows.

        `keys` and `values` have shape (len(rows), heads, new tokens, width).
        """
        count = keys.shape[2]
        longest = max(self.lengths[row] for row in rows) + count
        stored = self._room(layer, longest, keys, values)
        found = []
        together = list(rows) == list(range(rows[0], rows[0] + len(rows)))
        for block, new in zip(stored, (keys, values), strict=True):
            starts = {self.lengths[row] for row in rows}
            if together and len(starts) == 1:
                begin = starts.pop()
                block[rows[0] : rows[0] + len(rows), :, begin : begin + count] = new
            else:
                for place, row in enumerate(rows):
                    begin = self.lengths[row]
                    block[row, :, begin : begin + count] = new[place]
            # Neighbouring rows are a view; others are gathered, which copies them.
            part = block[rows[0] : rows[0] + len(rows)] if together else block[list(rows)]
            found.append(part[:, :, :longest])
        return found[0], found[1]

    def copy(self, source: int, target: int, length: int) -> None:
        """Give one row the first tokens of another."""
        for layer in self._layers.values():
            for block in layer:
                block[target, :, :length] = block[source, :, :length]
        self.lengths[target] = length

    def tensors(self, row: int) -> dict[str, Any]:
        """What a row holds, by name; for a file."""
        length = self.lengths[row]
        return {
            f"{index}.{part}": block[row, :, :length].contiguous().cpu()
            for index, layer in self._layers.items()
            for part, block in zip(("keys", "values"), layer, strict=True)
        }

    def fill(self, row: int, tensors: dict[str, Any], length: int, device: Any) -> None:
        """Put into a row what `tensors` gave."""
        for name, tensor in tensors.items():
            index, part = name.split(".")
            new = tensor.to(device)[None]
            blocks = self._room(int(index), length, new, new)
            blocks[("keys", "values").index(part)][row, :, :length] = new[0]
        self.lengths[row] = length

    def _room(self, layer: int, longest: int, keys: Any, values: Any) -> list[Any]:
        stored = self._layers.get(layer)
        have = stored[0].shape[2] if stored else 0
        if stored is None or have < longest:
            size = min(self._context, max(longest, have + _BLOCK, -(-longest // _BLOCK) * _BLOCK))
            grown = []
            for place, new in enumerate((keys, values)):
                shape = (self._rows, new.shape[1], max(size, longest), new.shape[3])
                block = self._torch.zeros(shape, dtype=new.dtype, device=new.device)
                if stored is not None:
                    block[:, :, :have] = stored[place]
                grown.append(block)
            stored = self._layers[layer] = grown
        return stored


def _view_type() -> type:
    """The class of views; made on first use, as its base is transformers' own."""
    from transformers.cache_utils import Cache

    class RowView(Cache):  # type: ignore[misc]
        """Some rows of a `RowCache` in the form that transformers' models expect."""

        def __init__(self, cache: RowCache, rows: Sequence[int], count: int) -> None:
            self._cache = cache
            self._chosen = rows
            self._count = count
            super().__init__(layers=[])

        def update(self, keys: Any, values: Any, layer: int, *_more: Any, **_named: Any) -> tuple[Any, Any]:
            return self._cache.append(layer, self._chosen, keys, values)

        def get_seq_length(self, layer: int = 0) -> int:
            return max(self._cache.lengths[row] for row in self._chosen)

    return RowView
