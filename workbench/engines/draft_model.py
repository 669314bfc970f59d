"""A smaller model that guesses what the larger one will say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.engines.base import Chunk, Rows, Tokenizer
from workbench.engines.rows_in_use import common_prefix
from workbench.errors import UsageError

#: A guess that the draft itself holds for less likely than this is not made: checking it costs more than it
#: brings, and everything behind it would be wrong too.
_LEAST_SURE = 0.35
#: Tokens that are compared to tell whether two vocabularies are the same.
_COMPARED = 2000


class ModelDrafter:
    """A `speculation.Drafter` over the rows of a smaller model.

    It follows each row by itself: what it has computed and what the answer became are compared at every call,
    so a wrong guess needs no word from the target.

    Args:
        rows: The draft model's rows; as many as the target has.
    """

    costs = True

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._held: dict[int, list[int]] = {}

    def propose(self, rows: Sequence[tuple[int, Sequence[int], int]]) -> list[list[int]]:
        guesses: dict[int, list[int]] = {row: [] for row, _tokens, _most in rows}
        going = {row: most for row, _tokens, most in rows}
        waiting = {row: self._behind(row, tokens) for row, tokens, _most in rows}
        while going:
            chunks = self._chunks({row: waiting[row] for row in going})
            results = self._rows.forward(chunks, ())
            for chunk, logits in zip(chunks, results, strict=True):
                row = chunk.row
                self._held[row].extend(chunk.tokens)
                waiting[row] = waiting[row][len(chunk.tokens) :]
                if waiting[row]:
                    continue
                token = int(logits[0].argmax())
                if _certainty(logits[0], token) < _LEAST_SURE:
                    del going[row]
                    continue
                guesses[row].append(token)
                waiting[row] = [token]
                if len(guesses[row]) >= going[row]:
                    del going[row]
        return [guesses[row] for row, _tokens, _most in rows]

    def forget(self, row: int) -> None:
        """Nothing to do: the next call finds out what is still right, which may be a shared prefix."""

    def close(self) -> None:
        self._rows.close()

    def _behind(self, row: int, tokens: Sequence[int]) -> list[int]:
        """What the draft has not computed of a row's tokens yet, at least the last one."""
        held = self._held.setdefault(row, [])
        same = min(common_prefix(held, tokens), len(tokens) - 1)
        if same < len(held) and not self._rows.truncate(row, same):
            self._rows.truncate(row, 0)
            same = 0
        self._held[row] = held[:same]
        return list(tokens[same:])

    def _chunks(self, waiting: dict[int, list[int]]) -> list[Chunk]:
        budget = self._rows.chunk
        chunks = []
        for row, tokens in waiting.items():
            piece = tokens[:budget]
            if piece:
                chunks.append(Chunk(row, piece, 1 if len(piece) == len(tokens) else 0))
                budget -= len(piece)
        return chunks


def check_same_vocabulary(target: Tokenizer, draft: Tokenizer) -> None:
    """Make sure that a draft's tokens mean the same as the target's.

    Padding at the end of a vocabulary may differ; what is compared is spread over all of it.

    Raises:
        UsageError: They do not.
    """
    shared = min(target.vocabulary, draft.vocabulary)
    if abs(target.vocabulary - draft.vocabulary) <= 256:
        places = np.linspace(0, shared - 1, min(_COMPARED, shared)).astype(int)
        if all(target.raw_piece(int(each)) == draft.raw_piece(int(each)) for each in places):
            return
    raise UsageError(
        f"The draft model has another vocabulary ({draft.vocabulary} tokens against {target.vocabulary},"
        " or other texts for them), so its guesses would mean something else.",
        remedy="Choose a draft of the same family: a smaller one, or the same model in fewer bits.",
    )


def _certainty(logits: np.ndarray, token: int) -> float:
    return float(1.0 / np.exp(logits - logits[token]).sum())
