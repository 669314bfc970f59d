"""Measures how far one model's predictions are from another's, position by position."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.errors import WorkbenchError

#: Numbers that are held at once in each of a few arrays, so that they stay in a core's own cache.
_AT_ONCE = 200_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Distance:
    """Of a candidate from its reference, over some positions; divergences in nats.

    Attributes:
        mean_kld, median_kld, p90_kld, p99_kld, p999_kld, max_kld: Of KL(reference ‖ candidate). The
            percentiles lie on a line between the two nearest positions.
        mean_kld_error, median_kld_error, p90_kld_error, p99_kld_error, p999_kld_error: Standard errors; see
            `percentile` for those of the percentiles.
        same_top: Share of positions where both find the same token likeliest.
        same_top_error: Its standard error.

    All errors take the positions as independent, as llama.cpp does. Neighbours in a text are not quite, so
    the true errors are somewhat larger.
    """

    positions: int
    mean_kld: float
    mean_kld_error: float
    median_kld: float
    median_kld_error: float
    p90_kld: float
    p90_kld_error: float
    p99_kld: float
    p99_kld_error: float
    p999_kld: float
    p999_kld_error: float
    max_kld: float
    same_top: float
    same_top_error: float


@dataclass(frozen=True, slots=True)
class LogSums:
    """Logarithms of Σ exp(logit) of both models, shape (positions,).

    A token's log-probability is its logit less this.
    """

    reference: Floats
    candidate: Floats


class Divergence:
    """Adds up the distance of two models over a text of any length, at 9 bytes a position.

    Args:
        threads: How many threads do the arithmetic; the figures are the same for any number.

    >>> found = Divergence()
    >>> half, quarter = np.log([[0.5, 0.5]]), np.log([[0.75, 0.25]])
    >>> _ = found.add(half, quarter)
    >>> round(found.distance().mean_kld, 4)
    0.1438
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._divergences: list[Floats] = []
        self._same: list[NDArray[np.bool_]] = []

    @property
    def positions(self) -> int:
        """How many there were so far."""
        return sum(map(len, self._divergences))

    def add(self, reference: NDArray[np.floating], candidate: NDArray[np.floating]) -> LogSums:
        """Take in some positions.

        Args:
            reference, candidate: Logits or log-probabilities of every next token, both of shape
                (…, vocabulary). The arithmetic is that of their type; in float32 a divergence is right to
                about 1e-6 nats.

        Raises:
            WorkbenchError: They are no numbers (NaN), or the candidate excludes what the reference does not.
        """
        if reference.shape != candidate.shape:
            raise ValueError("both models predict the same tokens at the same positions")
        vocabulary = reference.shape[-1]
        first, second = reference.reshape(-1, vocabulary), candidate.reshape(-1, vocabulary)
        step = max(1, _AT_ONCE // vocabulary)
        sums = LogSums(np.empty(len(first)), np.empty(len(first)))
        divergences, same = np.empty(len(first)), np.empty(len(first), np.bool_)

        def compare(begins: range) -> None:
            work = np.empty((3, min(step, len(first)), vocabulary), np.result_type(first, second))
            for at in begins:
                part = slice(at, at + step)
                one, other = first[part], second[part]
                with np.errstate(invalid="ignore"):
                    found = _compared(one, other, work[:, : len(one)])
                divergences[part], same[part], sums.reference[part], sums.candidate[part] = found

        begins = range(0, len(first), step)
        # numpy computes outside the interpreter's lock.
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in pool.map(compare, [begins[each :: self._threads] for each in range(self._threads)]):
                pass
        if not np.isfinite(divergences).all():
            raise _not_finite(sums)
        self._divergences.append(divergences)
        self._same.append(same)
        return sums

    def include(self, other: Divergence) -> None:
        """Take in the positions of another, behind those that are here.

        The figures are, to the last digit, those of one that was given all positions in this order.
        """
        self._divergences += other._divergences
        self._same += other._same

    def distance(self) -> Distance:
        """The figures over all positions so far.

        Raises:
            ValueError: There were none.
        """
        if not self._divergences:
            raise ValueError("there is nothing to compare")
        found, same = np.concatenate(self._divergences), np.concatenate(self._same)
        found.sort()
        count = len(found)
        (median, p90, p99, p999) = (percentile(found, share) for share in (0.5, 0.9, 0.99, 0.999))
        share = float(same.mean())
        return Distance(
            positions=count,
            mean_kld=float(found.mean()),
            mean_kld_error=float(found.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0,
            median_kld=median[0],
            median_kld_error=median[1],
            p90_kld=p90[0],
            p90_kld_error=p90[1],
            p99_kld=p99[0],
            p99_kld_error=p99[1],
            p999_kld=p999[0],
            p999_kld_error=p999[1],
            max_kld=float(found[-1]),
            same_top=share,
            same_top_error=math.sqrt(share * (1 - share) / (count - 1)) if count > 1 else 0.0,
        )

    def counts(self, edges: Floats) -> NDArray[np.intp]:
        """How many divergences lie between two of some rising edges; the outer bins hold what is beyond."""
        found = np.concatenate([np.empty(0), *self._divergences])
        return np.histogram(found.clip(edges[0], edges[-1]), edges)[0]


def percentile(rising: Floats, share: float) -> tuple[float, float]:
    """The value below which a share of the values lies, and its standard error.

    The error needs no assumption about how the values are spread: how many of n values lie below the true
    percentile is binomial, so its rank is known to √(n·share·(1 − share)), and half the way between the
    values at one such step below and above is the error (order statistics as bounds of a quantile: David
    and Nagaraja, Order Statistics, third edition, section 7.1). Where fewer values than a step are left, up
    to the largest, it is too small.

    >>> [round(each, 3) for each in percentile(np.arange(101.0), 0.9)]
    [90.0, 3.015]
    """
    last = len(rising) - 1
    step = math.sqrt(len(rising) * share * (1 - share)) / max(1, last)
    shares = [max(0.0, share - step), share, min(1.0, share + step)]
    below, value, above = (float(each) for each in np.quantile(rising, shares))
    return value, (above - below) / 2


def _compared(
    one: NDArray[np.floating], other: NDArray[np.floating], work: NDArray[np.floating]
) -> tuple[Floats, NDArray[np.bool_], Floats, Floats]:
    """Of each row KL(one ‖ other), whether the likeliest is the same, and both logarithms of sums.

    With p = exp(a) / Σ exp(a), where a and b are logits less their row's largest, the divergence is
    Σ p·(a − b) − log Σ exp(a) + log Σ exp(b): probabilities are never divided row by row.

    Args:
        work: Three arrays of the shape of `one` that are written over.
    """
    top, other_top = one.argmax(-1)[:, None], other.argmax(-1)[:, None]
    largest, other_largest = np.take_along_axis(one, top, -1), np.take_along_axis(other, other_top, -1)
    apart = np.subtract(one, largest, out=work[0])
    below = np.subtract(other, other_largest, out=work[1])
    other_sums = np.exp(below, out=work[2]).sum(-1).astype(np.float64)
    likely = np.exp(apart, out=work[2])
    sums = likely.sum(-1).astype(np.float64)
    apart -= below
    logs, other_logs = np.log(sums), np.log(other_sums)
    found = _dot(likely, apart) / sums - logs + other_logs
    if not np.isfinite(found).all():
        # What the reference excludes adds nothing, however little the candidate makes of it.
        apart[likely == 0] = 0
        found = _dot(likely, apart) / sums - logs + other_logs
    # Sums that were rounded may lead a little below 0, which the divergence itself never is.
    return (
        np.maximum(found, 0),
        (top == other_top)[:, 0],
        logs + largest[:, 0],
        other_logs + other_largest[:, 0],
    )


def _dot(one: NDArray[np.floating], other: NDArray[np.floating]) -> Floats:
    found: Floats = np.einsum("ij,ij->i", one, other).astype(np.float64)
    return found


def _not_finite(sums: LogSums) -> WorkbenchError:
    bad = [
        name
        for name, values in (("reference", sums.reference), ("other model", sums.candidate))
        if not np.isfinite(values).all()
    ]
    whose = f"the {bad[0]}'s" if len(bad) == 1 else "some"
    return WorkbenchError(
        f"The models' predictions can't be compared: {whose} are no finite numbers.",
        remedy="One of them is damaged, or overflows in the type of its arithmetic.",
    )
