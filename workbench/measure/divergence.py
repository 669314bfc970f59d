"""Measures how far one model's predictions are from another's, position by position."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.errors import WorkbenchError

#: Numbers that are held at once in float64: 32 MB for each of a few arrays.
_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Distance:
    """Of a candidate from its reference, over some positions; divergences in nats.

    Attributes:
        mean_kld, median_kld, p90_kld, p99_kld, p999_kld, max_kld: Of KL(reference ‖ candidate). The
            percentiles lie on a line between the two nearest positions.
        mean_kld_error: The mean's standard error.
        same_top: Share of positions where both find the same token likeliest.
        same_top_error: Its standard error.

    Both errors take the positions as independent, as llama.cpp does. Neighbours in a text are not quite, so
    the true errors are somewhat larger.
    """

    positions: int
    mean_kld: float
    mean_kld_error: float
    median_kld: float
    p90_kld: float
    p99_kld: float
    p999_kld: float
    max_kld: float
    same_top: float
    same_top_error: float


class Divergence:
    """Adds up the distance of two models over a text of any length, at 9 bytes a position.

    >>> found = Divergence()
    >>> half, quarter = np.log([[0.5, 0.5]]), np.log([[0.75, 0.25]])
    >>> found.add(half, quarter)
    >>> round(found.distance().mean_kld, 4)
    0.1438
    """

    def __init__(self) -> None:
        self._divergences: list[NDArray[np.float64]] = []
        self._same: list[NDArray[np.bool_]] = []

    @property
    def positions(self) -> int:
        """How many there were so far."""
        return sum(map(len, self._divergences))

    def add(self, reference: NDArray[np.floating], candidate: NDArray[np.floating]) -> None:
        """Take in some positions.

        Args:
            reference, candidate: Log-probabilities of every next token, both of shape (…, vocabulary).

        Raises:
            WorkbenchError: They are no numbers (NaN), or the candidate excludes what the reference does not.
        """
        if reference.shape != candidate.shape:
            raise ValueError("both models predict the same tokens at the same positions")
        vocabulary = reference.shape[-1]
        first, second = reference.reshape(-1, vocabulary), candidate.reshape(-1, vocabulary)
        step = max(1, _AT_ONCE // vocabulary)
        for at in range(0, len(first), step):
            one, other = first[at : at + step], second[at : at + step]
            divergences = _kl(one, other)
            if not np.isfinite(divergences).all():
                raise WorkbenchError(
                    "The models' predictions can't be compared: some are no finite numbers.",
                    remedy="One of them is damaged, or overflows in the type of its arithmetic.",
                )
            self._divergences.append(divergences)
            self._same.append(one.argmax(-1) == other.argmax(-1))

    def distance(self) -> Distance:
        """The figures over all positions so far.

        Raises:
            ValueError: There were none.
        """
        if not self._divergences:
            raise ValueError("there is nothing to compare")
        found, same = np.concatenate(self._divergences), np.concatenate(self._same)
        count = len(found)
        median, p90, p99, p999 = (float(each) for each in np.percentile(found, [50, 90, 99, 99.9]))
        share = float(same.mean())
        return Distance(
            positions=count,
            mean_kld=float(found.mean()),
            mean_kld_error=float(found.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0,
            median_kld=median,
            p90_kld=p90,
            p99_kld=p99,
            p999_kld=p999,
            max_kld=float(found.max()),
            same_top=share,
            same_top_error=math.sqrt(share * (1 - share) / (count - 1)) if count > 1 else 0.0,
        )


def _kl(reference: NDArray[np.floating], candidate: NDArray[np.floating]) -> NDArray[np.float64]:
    """KL(reference ‖ candidate) of each row; shape (rows,)."""
    known = reference.astype(np.float64)
    likely = np.exp(known)
    with np.errstate(invalid="ignore"):
        known -= candidate
        known *= likely
    # What the reference excludes adds nothing, however little the candidate makes of it.
    known[likely == 0] = 0
    # Probabilities that were rounded to float32 don't add up to quite 1; the divergence itself is never
    # below 0.
    found: NDArray[np.float64] = np.maximum(known.sum(-1), 0)
    return found
