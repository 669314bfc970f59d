"""Chooses one type for each tensor so that the expected divergence is least under a size budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: Steps between the smallest size and the budget; finer ones take longer and change nothing that counts.
_MOST_UNITS = 1 << 16


@dataclass(frozen=True, slots=True)
class Option:
    """One way to store a tensor.

    Attributes:
        type: For example `Q4_K`.
        size_bytes: What the tensor takes in it.
        cost: What it adds to the divergence, in nats.
    """

    type: str
    size_bytes: int
    cost: float


def smallest_size(options: Mapping[str, Sequence[Option]]) -> int:
    """What all tensors take in their smallest types."""
    return sum(min(option.size_bytes for option in each) for each in options.values())


def choose(options: Mapping[str, Sequence[Option]], budget_bytes: int) -> dict[str, Option]:
    """An option for each tensor, all together within the budget, with the least sum of costs.

    A knapsack with one choice for each tensor, solved by dynamic programming over what is spent beyond the
    smallest types. The sizes of a model's tensors differ by multiples of some kilobytes, so that counting in
    these is exact. Where they share no such unit, sizes are rounded up, and bytes that this leaves over are
    spent afterwards on what single change saves most.

    Raises:
        ValueError: The smallest types together are larger than the budget.

    >>> small, large = Option("Q4", 4, 3.0), Option("Q8", 8, 1.0)
    >>> found = choose({"a": [small, large], "b": [small, Option("Q8", 8, 2.5)]}, 13)
    >>> found["a"].type, found["b"].type
    ('Q8', 'Q4')
    """
    useful = {name: _useful(each) for name, each in options.items()}
    room = budget_bytes - sum(each[0].size_bytes for each in useful.values())
    if room < 0:
        raise ValueError("the smallest types are larger than the budget")
    steps = [[option.size_bytes - each[0].size_bytes for option in each] for each in useful.values()]
    unit = max(math.gcd(*(step for each in steps for step in each)), math.ceil(room / _MOST_UNITS), 1)
    units = room // unit
    # The least cost of the tensors so far with at most so many units, and what the last of them took.
    least = np.zeros(units + 1)
    taken = np.zeros((len(useful), units + 1), dtype=np.int8)
    for number, each in enumerate(useful.values()):
        before, least = least, np.full(units + 1, np.inf)
        for place, option in enumerate(each):
            step = math.ceil(steps[number][place] / unit)
            if step > units:
                break
            cost = before[: units + 1 - step] + option.cost
            better = cost < least[step:]
            least[step:][better] = cost[better]
            taken[number, step:][better] = place
    chosen: dict[str, Option] = {}
    left = units
    for number, (name, each) in reversed(list(enumerate(useful.items()))):
        place = int(taken[number, left])
        chosen[name] = each[place]
        left -= math.ceil(steps[number][place] / unit)
    used = sum(option.size_bytes for option in chosen.values())
    _spend(useful, chosen, budget_bytes - used)
    return {name: chosen[name] for name in options}


def _useful(options: Sequence[Option]) -> list[Option]:
    """The options that cost less than every smaller one, the smallest first."""
    found: list[Option] = []
    for each in sorted(options, key=lambda option: (option.size_bytes, option.cost)):
        if not found or each.cost < found[-1].cost:
            found.append(each)
    return found


def _spend(options: Mapping[str, Sequence[Option]], chosen: dict[str, Option], left: int) -> None:
    """Make the single change that saves most and fits, until none does."""
    while True:
        best: tuple[float, str, Option] | None = None
        for name, each in options.items():
            now = chosen[name]
            for option in each:
                saved = now.cost - option.cost
                if option.size_bytes - now.size_bytes <= left and saved > (best[0] if best else 0.0):
                    best = (saved, name, option)
        if best is None:
            return
        left -= best[2].size_bytes - chosen[best[1]].size_bytes
        chosen[best[1]] = best[2]
