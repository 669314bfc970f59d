"""Looks for weights that a step damaged, in what the model predicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import Engine, Logits
from workbench.engines.request import AdapterUse
from workbench.errors import WorkbenchError
from workbench.measure.card import ParityCheck
from workbench.measure.divergence import Divergence
from workbench.measure.parity_limits import Limit

NAME = "predictions"

#: The last positions of each prompt are compared: the end of what was asked, and the beginning of the answer.
_POSITIONS = 16


class Information:
    """How much a model's predictions tell of their contexts: the mean of KL(prediction ‖ their mean), nats.

    Nothing for a model that always predicts the same. It is the entropy of the mean less the mean of the
    entropies, so one sum is kept and no prediction.

    >>> found = Information()
    >>> found.add(np.log(np.array([[0.98, 0.01, 0.01], [0.01, 0.98, 0.01]])), np.zeros(2))
    >>> round(found.nats, 2)
    0.63
    """

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] | float = 0.0
        self._entropy = 0.0
        self._count = 0

    def add(self, logits: NDArray[np.floating], sums: NDArray[np.float64]) -> None:
        """Take in some positions.

        Args:
            logits: Shape (positions, vocabulary).
            sums: The logarithm of Σ exp(logit) of each, shape (positions,).
        """
        logs = logits - sums.astype(logits.dtype)[:, None]
        likely = np.exp(logs)
        # What is excluded has a logarithm without end, and adds nothing.
        logs = np.maximum(logs, -1e3, out=logs)
        self._entropy -= float(np.multiply(likely, logs, out=logs).sum(dtype=np.float64))
        self._sum = self._sum + likely.sum(0, dtype=np.float64)
        self._count += len(logits)

    @property
    def nats(self) -> float:
        """The information of the positions so far; 0 where there were none."""
        if not self._count:
            return 0.0
        mean = np.asarray(self._sum) / self._count
        entropy = -float((mean * np.log(np.maximum(mean, 1e-300))).sum())
        return max(0.0, entropy - self._entropy / self._count)


def check_predictions(
    prompts: Sequence[Sequence[int]],
    source: Engine,
    result: Engine,
    *,
    limit: Limit,
    adapters: tuple[AdapterUse, ...] = (),
    progress: Callable[[], None] = lambda: None,
) -> tuple[ParityCheck, float | None]:
    """Compare the models' predictions of next tokens.

    Args:
        prompts: The same tokens for both.
        limit: How far they may be apart.
        adapters: Switched on in the source.
        progress: Called after each prompt.

    Returns:
        What was found, and the limit in nats; None where a model predicts nothing that is a number.
    """
    divergence, information = Divergence(), Information()
    for tokens in prompts:
        since = max(0, len(tokens) - _POSITIONS)
        one = source.logits(tokens, since, adapters)
        other = result.logits(tokens, since)
        try:
            first, second = _same_width(one, other)
            sums = divergence.add(first, second)
        except WorkbenchError as error:
            return ParityCheck(name=NAME, result="failed", finding=error.message), None
        information.add(first, sums.reference)
        progress()
    found, most = divergence.distance(), limit.nats(information.nats)
    measured = f"{found.mean_kld:.2g} nats (KL divergence, mean of {found.positions:,} positions)"
    allowed = (
        f"{most:.2g}, {limit.share:.2g} of the {information.nats:.2g} nats that its predictions tell,"
        f" may come from {limit.reason}"
    )
    if found.mean_kld > most:
        finding = f"They are {measured} from the source's; no more than {allowed}: weights are damaged."
        return ParityCheck(name=NAME, result="failed", finding=finding), most
    return ParityCheck(name=NAME, result="passed", finding=f"{measured}; {allowed}."), most


def _same_width(one: Logits, other: Logits) -> tuple[Logits, Logits]:
    """Without the padding that one vocabulary has and the other has not."""
    width = min(one.shape[-1], other.shape[-1])
    return one[:, :width], other[:, :width]
