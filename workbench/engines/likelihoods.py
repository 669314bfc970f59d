"""How likely a model finds given ways to go on from a text: what questions with choices are scored by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from workbench.engines.base import Chunk, Continued, Logits, Rows
from workbench.engines.errors import ContextFullError
from workbench.engines.request import AdapterUse
from workbench.engines.sampling import log_probabilities


def row_likelihoods(
    rows: Rows,
    items: Sequence[Continued],
    adapters: tuple[AdapterUse, ...] = (),
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[tuple[float, ...]]:
    """For each item the log-likelihood of each of its endings, in nats.

    As many items as there are rows are computed in one batch. A beginning is computed once for all of its
    endings; their first tokens are judged by what follows the beginning, and only longer ones are computed.

    Args:
        progress: Called after each batch with the items done and their number.

    Raises:
        ContextFullError: An item is longer than the context.
    """
    for each in items:
        longest = len(each.beginning) + max(map(len, each.endings))
        if longest > rows.context:
            raise ContextFullError(longest, rows.context)
    found: list[tuple[float, ...]] = [()] * len(items)
    # Backends compute rows of like length together.
    order = sorted(range(len(items)), key=lambda place: len(items[place].beginning))
    try:
        for begin in range(0, len(order), rows.count):
            places = order[begin : begin + rows.count]
            batch = _Batch(rows, [items[place] for place in places], adapters)
            for place, likelihoods in zip(places, batch.likelihoods(), strict=True):
                found[place] = likelihoods
            progress(begin + len(places), len(items))
    finally:
        for row in range(rows.count):
            rows.truncate(row, 0)
    return found


class _Batch:
    """Some items, one a row."""

    def __init__(self, rows: Rows, items: Sequence[Continued], adapters: tuple[AdapterUse, ...]) -> None:
        self._rows = rows
        self._items = items
        self._adapters = adapters

    def likelihoods(self) -> list[tuple[float, ...]]:
        sums = self._first_tokens()
        rounds = max(len(each.endings) for each in self._items)
        for place in range(rounds):
            longer = [
                row
                for row, each in enumerate(self._items)
                if place < len(each.endings) and len(each.endings[place]) > 1
            ]
            self._rest(longer, place, sums)
        return [tuple(each) for each in sums]

    def _first_tokens(self) -> list[list[float]]:
        """The log-probability of each ending's first token."""
        for row in range(len(self._items)):
            self._rows.truncate(row, 0)
        after = self._computed([(row, each.beginning, 1) for row, each in enumerate(self._items)])
        sums = []
        for logits, item in zip(after, self._items, strict=True):
            logprobs = log_probabilities(logits[-1])
            sums.append([float(logprobs[ending[0]]) for ending in item.endings])
        return sums

    def _rest(self, longer: Sequence[int], place: int, sums: list[list[float]]) -> None:
        """Add the log-probabilities of what follows the first token of one ending of each of these rows."""
        asked = []
        for row in longer:
            item = self._items[row]
            ending = item.endings[place]
            tokens: Sequence[int] = ending[:-1]
            if not self._rows.truncate(row, len(item.beginning)):
                # A state that forgets all or nothing begins anew.
                self._rows.truncate(row, 0)
                tokens = [*item.beginning, *tokens]
            asked.append((row, tokens, len(ending) - 1))
        for (row, _tokens, _wanted), logits in zip(asked, self._computed(asked), strict=True):
            following = self._items[row].endings[place][1:]
            sums[row][place] += sum(
                float(log_probabilities(each)[token]) for each, token in zip(logits, following, strict=True)
            )

    def _computed(self, asked: Sequence[tuple[int, Sequence[int], int]]) -> list[Logits]:
        """Logits of the last tokens wanted of each (row, tokens, wanted), appended in batches that fit."""
        found = []
        for batch in _batches(asked, self._rows.chunk):
            chunks = []
            for row, tokens, wanted in batch:
                rest = tokens
                while len(rest) > self._rows.chunk:
                    # The part before the last is only to be held; no more than a chunk's logits are wanted.
                    size = min(self._rows.chunk, len(rest) - wanted)
                    self._rows.forward([Chunk(row, rest[:size], 0)], self._adapters)
                    rest = rest[size:]
                chunks.append(Chunk(row, rest, wanted))
            # Views are valid until the next call.
            found += [each.copy() for each in self._rows.forward(chunks, self._adapters)]
        return found


def _batches(
    asked: Sequence[tuple[int, Sequence[int], int]], most: int
) -> Iterable[list[tuple[int, Sequence[int], int]]]:
    """Parts of what is asked with so many tokens at most; a longer one stands alone."""
    batch: list[tuple[int, Sequence[int], int]] = []
    tokens = 0
    for each in asked:
        if batch and tokens + len(each[1]) > most:
            yield batch
            batch, tokens = [], 0
        batch.append(each)
        tokens += len(each[1])
    if batch:
        yield batch
