from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.engines.base import Continued, Engine
from workbench.engines.errors import ContextFullError, RequestError
from workbench.engines.likelihoods import row_likelihoods
from workbench.engines.sampling import log_probabilities


def tokens_of(seed: int, length: int) -> tuple[int, ...]:
    return tuple(int(each) for each in np.random.default_rng(seed).integers(10, 40_000, length))


#: More items than rows, of different lengths, with endings of one token and of several.
ITEMS = tuple(
    Continued(
        beginning=tokens_of(seed, 3 + 2 * seed),
        endings=tuple(tokens_of(100 * seed + place, 1 + (seed + place) % 4) for place in range(3)),
    )
    for seed in range(5)
)


def by_logits(engine: Engine, item: Continued) -> tuple[float, ...]:
    """The likelihoods of an item's endings, each from logits of the whole sequence."""
    found = []
    for ending in item.endings:
        logits = engine.logits([*item.beginning, *ending])[len(item.beginning) - 1 : -1]
        found.append(
            sum(float(log_probabilities(each)[token]) for each, token in zip(logits, ending, strict=True))
        )
    return tuple(found)


@pytest.mark.parametrize(("format", "engine"), [("gguf", "llama.cpp"), ("hf", "torch"), ("hf", "mlx")])
def test_likelihoods_are_those_of_the_logits(
    opened: Any, tiny_gguf: Path, exact_hf: Path, format: str, engine: str
) -> None:
    path = tiny_gguf if format == "gguf" else exact_hf
    loaded = opened(path, format, engine=engine, parallel=2).engine
    steps: list[tuple[int, int]] = []

    found = loaded.likelihoods(ITEMS, progress=lambda done, total: steps.append((done, total)))

    for item, likelihoods in zip(ITEMS, found, strict=True):
        # llama.cpp and bf16 round differently in a batch.
        assert likelihoods == pytest.approx(by_logits(loaded, item), abs=2e-2)
    assert steps[-1] == (5, 5)


def test_long_beginning_is_read_in_pieces(opened: Any, exact_hf: Path) -> None:
    engine = opened(exact_hf, "hf", parallel=1, context=1100).engine
    item = Continued(beginning=tokens_of(1, 1030), endings=(tokens_of(2, 2), tokens_of(3, 3)))

    assert engine.likelihoods([item])[0] == pytest.approx(by_logits(engine, item), abs=1e-2)


class _AllOrNothing:
    """Rows that forget a whole row or nothing of it, as those of recurrent models."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self._lengths = [0] * rows.count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def forward(self, chunks: Any, adapters: Any) -> Any:
        for each in chunks:
            self._lengths[each.row] += len(each.tokens)
        return self._rows.forward(chunks, adapters)

    def truncate(self, row: int, length: int) -> bool:
        if 0 < length < self._lengths[row]:
            return False
        self._lengths[row] = min(length, self._lengths[row])
        return bool(self._rows.truncate(row, length))


def test_state_that_forgets_all_or_nothing_is_computed_anew(opened: Any, exact_hf: Path) -> None:
    engine = opened(exact_hf, "hf", parallel=2).engine
    expected = engine.likelihoods(ITEMS)

    found = row_likelihoods(_AllOrNothing(engine._rows), ITEMS)

    for likelihoods, other in zip(found, expected, strict=True):
        assert likelihoods == pytest.approx(other, abs=1e-3)


def test_item_that_is_longer_than_the_context_is_refused(opened: Any, tiny_gguf: Path) -> None:
    engine = opened(tiny_gguf, parallel=1).engine
    long = Continued(beginning=tokens_of(1, engine.report.context), endings=((5,), (6,)))

    with pytest.raises(ContextFullError):
        engine.likelihoods([long])


def test_engine_at_work_is_not_asked(opened: Any, tiny_gguf: Path) -> None:
    run = opened(tiny_gguf, parallel=1)
    run.add("a", tokens_of(1, 8))

    with pytest.raises(RequestError):
        run.engine.likelihoods(ITEMS)
