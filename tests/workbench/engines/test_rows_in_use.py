"""Which row a prompt goes to."""

from __future__ import annotations

from typing import Any, cast

from workbench.engines.request import AdapterUse
from workbench.engines.rows_in_use import Row, best_row, common_prefix

BUSY = cast(Any, object())
LONG = list(range(200))


def test_the_row_with_the_longest_prefix_is_taken() -> None:
    rows = [Row(0, held=LONG[:50]), Row(1, held=LONG[:120]), Row(2)]

    found = best_row(rows, LONG, ())

    assert found is not None
    assert (found.row.index, found.reused, found.source) == (1, 120, None)


def test_the_last_token_is_always_computed() -> None:
    found = best_row([Row(0, held=LONG)], LONG, ())

    assert found is not None
    assert found.reused == 199


def test_a_long_conversation_is_not_thrown_away_for_a_short_prefix() -> None:
    rows = [Row(0, held=LONG, used_at=9), Row(1)]

    found = best_row(rows, [*LONG[:80], 999], ())

    assert found is not None
    assert (found.row.index, found.reused) == (1, 80)
    assert found.source is rows[0]


def test_a_busy_row_lends_its_prefix() -> None:
    rows = [Row(0, held=LONG, answer=BUSY), Row(1, held=[7, 8]), Row(2)]

    found = best_row(rows, [*LONG[:150], 999], ())

    assert found is not None
    assert found.row.index in (1, 2)
    assert (found.reused, found.source) == (150, rows[0])


def test_other_adapters_share_nothing() -> None:
    rows = [Row(0, held=LONG, adapters=(AdapterUse(name="a"),)), Row(1)]

    found = best_row(rows, LONG, ())

    assert found is not None
    assert found.reused == 0


def test_no_free_row() -> None:
    assert best_row([Row(0, answer=BUSY)], LONG, ()) is None


def test_common_prefix_finds_every_length() -> None:
    for length in range(20):
        assert common_prefix([*range(length), -1, 5], [*range(length), -2, 5]) == length
    assert common_prefix([], [1]) == 0
    assert common_prefix([1, 2], [1, 2]) == 2
