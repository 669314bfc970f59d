"""Which tokens each row of a backend holds, and which row suits a new prompt best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.engines.answer import Answer
from workbench.engines.base import Rows
from workbench.engines.request import AdapterUse
from workbench.engines.speculation import Judge

#: A prefix shorter than this is not worth a copy from another row: backends copy a whole row's cache.
_WORTH_COPYING = 64


@dataclass(slots=True)
class Row:
    """One row: what is computed, and the answer that uses it.

    Attributes:
        held: Tokens whose keys and values the backend holds.
        pending: Tokens of the prompt that are still to be computed.
        last: The token that was chosen last and is not computed yet.
        adapters: What `held` was computed with.
        used_at: A counter that grows with every use.
    """

    index: int
    held: list[int] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    last: int | None = None
    answer: Answer | None = None
    adapters: tuple[AdapterUse, ...] = ()
    judge: Judge = field(default_factory=Judge)
    used_at: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """A row for a prompt, and how many tokens of the prompt it will hold already."""

    row: Row
    reused: int
    source: Row | None = None


def best_row(rows: Sequence[Row], prompt: Sequence[int], adapters: tuple[AdapterUse, ...]) -> Match | None:
    """The free row to put a prompt into; None where all are busy.

    The row that holds most of the prompt wins. Where a busy row, or one that holds more than the prompt, has
    a longer prefix, it is copied, so that a second user of a shared system prompt does not take it away.
    """
    free = [row for row in rows if row.answer is None]
    if not free:
        return None
    usable = len(prompt) - 1  # the last token is computed anyway: its logits choose the first of the answer

    def reusable(row: Row) -> int:
        return min(usable, common_prefix(row.held, prompt)) if row.adapters == adapters else 0

    best = max(free, key=lambda row: (reusable(row), -len(row.held), -row.used_at))
    have = reusable(best)
    wasted = len(best.held) - have
    if have and wasted <= max(have, _WORTH_COPYING):
        target, source, reused = best, None, have
    else:
        # Taking it would throw away more than it saves: copy what is shared into the least useful row.
        target = min(free, key=lambda row: (len(row.held) > 0, row.used_at))
        source, reused = (best, have) if target is not best else (None, have)
    for row in rows:
        if row.answer is not None and reusable(row) >= reused + _WORTH_COPYING:
            source, reused = row, reusable(row)
            target = min(free, key=lambda row: (len(row.held) > 0, row.used_at))
    return Match(target, reused, source if reused else None)


def settle(match: Match, rows: Rows, adapters: tuple[AdapterUse, ...]) -> int:
    """Make the backend's row hold exactly the reused prefix; returns how long that is in the end."""
    row, source = match.row, match.source
    if source is not None:
        prefix = source.held[: match.reused]
        if rows.copy(source.index, row.index, match.reused):
            row.held, row.adapters = prefix, adapters
            return match.reused
        # Without a copy the row's own prefix is what is left.
        own = common_prefix(row.held, prefix) if row.adapters == adapters else 0
        return _cut(row, own, rows, adapters)
    return _cut(row, match.reused, rows, adapters)


def _cut(row: Row, length: int, rows: Rows, adapters: tuple[AdapterUse, ...]) -> int:
    if length < len(row.held) and not rows.truncate(row.index, length):
        rows.truncate(row.index, 0)
        length = 0
    row.held = row.held[:length]
    row.adapters = adapters
    return length


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their beginning.

    >>> common_prefix([1, 2, 3], [1, 2, 4, 5])
    2
    """
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low
