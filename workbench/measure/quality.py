"""Measures how far a candidate's predictions of a text are from its reference's.

The method is that of llama.cpp's `llama-perplexity --kl-divergence`, and so are the definitions of the
figures and of their standard errors: windows as `windows.py` cuts them, and of each the predictions of the
second half. Both models get the same token ids, so they may run on different backends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import Engine
from workbench.errors import WorkbenchError
from workbench.measure.card import Histogram, Quality
from workbench.measure.divergence import Divergence, Floats
from workbench.measure.same_vocabulary import check_same_vocabulary, on_common_tokens
from workbench.measure.windows import Windows, first_scored

#: Three bins for each power of ten, from where float32 stops telling models apart to where nothing is alike.
#: The same for every card, so that histograms can be laid over each other.
EDGES = np.logspace(-6, 1, 22)


def measure_quality(
    reference: Engine,
    candidate: Engine,
    windows: Windows,
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Quality:
    """Compare two models on windows of a text.

    One window is computed after the other and given up again: besides two windows' logits, nine bytes a
    prediction are held.

    Args:
        reference: What the candidate was made from.
        candidate: What is measured.
        windows: Token ids by the reference's tokenizer, shape (windows, width); see `windows_of`.
        threads: How many threads compare what the models, with threads of their own, computed.
        progress: Called with the windows done and all of them, before the first and after each.

    Raises:
        WorkbenchError: A model gives no logits or none that are numbers, has a context shorter than a
            window, or other tokens than the other.
    """
    total, width = windows.shape
    compare = window_comparison(reference, candidate, windows, threads=threads)
    sums = QualitySums(width)
    progress(0, total)
    for done, window in enumerate(windows, start=1):
        sums.add(compare(window))
        progress(done, total)
    return sums.quality()


def window_comparison(
    reference: Engine, candidate: Engine, windows: Windows, *, threads: int = 1
) -> Callable[[NDArray[np.int32]], WindowSums]:
    """What compares two models on one window, of some; see `measure_quality`."""
    width = windows.shape[1]
    for engine in (reference, candidate):
        _check(engine, width)
    common = check_same_vocabulary(reference.tokenizer, candidate.tokenizer)
    if windows.max(initial=0) >= common:
        raise WorkbenchError(
            f"The text has tokens that only one of the models knows: token {windows.max()} of {common}.",
            remedy="Compare models that come from the same base.",
        )
    first = first_scored(width)

    def compare(window: NDArray[np.int32]) -> WindowSums:
        # Whole windows are computed, as the tool does it, though nothing follows the last token: for 511
        # tokens llama.cpp takes another path than for 512, whose rounding moves logits of a quantized file.
        tokens = window.tolist()
        expected, found = (
            each[:-1]
            for each in on_common_tokens(
                common, reference.logits(tokens, first), candidate.logits(tokens, first)
            )
        )
        divergence = Divergence(threads)
        sums = divergence.add(expected, found)
        targets = window[first + 1 :, None]
        losses = (
            sums.reference - np.take_along_axis(expected, targets, -1)[:, 0],
            sums.candidate - np.take_along_axis(found, targets, -1)[:, 0],
        )
        return WindowSums(divergence, *losses)

    return compare


@dataclass(frozen=True, slots=True)
class WindowSums:
    """What comparing two models on one window adds: it may be computed anywhere, and is merged in order.

    Attributes:
        divergence: Of the scored positions.
        reference, candidate: Both models' losses there, in nats.
    """

    divergence: Divergence
    reference: Floats
    candidate: Floats


class QualitySums:
    """The sums over windows, taken in one after the other.

    Args:
        width: Tokens of a window.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._windows = 0
        self._divergence, self._losses = Divergence(), _Losses()

    def add(self, window: WindowSums) -> None:
        """Take in the next window."""
        self._windows += 1
        self._divergence.include(window.divergence)
        self._losses.add(window.reference, window.candidate)

    def quality(self) -> Quality:
        """The figures over all windows so far."""
        return _quality(self._divergence, self._losses, self._windows, self._width)


def _check(engine: Engine, width: int) -> None:
    if not engine.capabilities.logits:
        raise WorkbenchError(
            "A model that was loaded for embeddings gives no predictions, so its quality can't be measured.",
            remedy="Load it without embeddings.",
        )
    if engine.report.context < width:
        raise WorkbenchError(
            f"A window has {width} tokens; the context of {engine.report.architecture or 'the model'} holds"
            f" {engine.report.context}.",
            remedy="Load the model with a larger context, or choose shorter windows.",
        )


class _Losses:
    """Sums over all positions of both models' −ln p of the text's next token, and of what follows from it."""

    def __init__(self) -> None:
        self._count = 0
        self._sums = np.zeros((5, 2))

    def add(self, reference: Floats, candidate: Floats) -> None:
        """Take in some positions' losses, in nats."""
        change = np.exp(-candidate) - np.exp(-reference)
        values = np.stack([reference, candidate, candidate - reference, change, change**2])
        self._count += len(reference)
        self._sums += np.stack([values.sum(-1), (values**2).sum(-1)], -1)

    @property
    def reference(self) -> tuple[float, float]:
        """The mean loss, and its standard error."""
        return self._mean(0)

    @property
    def candidate(self) -> tuple[float, float]:
        """The mean loss, and its standard error."""
        return self._mean(1)

    @property
    def difference(self) -> tuple[float, float]:
        """The candidate's mean loss less the reference's; as they move together, its error is the smaller."""
        return self._mean(2)

    @property
    def probability_change(self) -> tuple[float, float]:
        """The mean change of the next token's probability, and its standard error."""
        return self._mean(3)

    @property
    def rms_probability_change(self) -> tuple[float, float]:
        """The root of the mean square of that change; its error follows from the mean square's."""
        square, error = self._mean(4)
        root = math.sqrt(square)
        return root, error / (2 * root) if root else 0.0

    def _mean(self, what: int) -> tuple[float, float]:
        mean, square = (float(each) for each in self._sums[what] / self._count)
        # Rounding may lead a variance below 0.
        return mean, math.sqrt(max(0.0, square - mean**2) / max(1, self._count - 1))


def _quality(divergence: Divergence, losses: _Losses, windows: int, width: int) -> Quality:
    apart = divergence.distance()
    (base, base_error), (loss, loss_error) = losses.reference, losses.candidate
    more, more_error = losses.difference
    mean_dp, mean_dp_error = losses.probability_change
    rms_dp, rms_dp_error = losses.rms_probability_change
    return Quality(
        positions=apart.positions,
        windows=windows,
        window_tokens=width,
        # The error of exp(x) is exp(x) times that of x, to first order.
        ppl=math.exp(loss),
        ppl_error=math.exp(loss) * loss_error,
        ppl_base=math.exp(base),
        ppl_base_error=math.exp(base) * base_error,
        ppl_ratio=math.exp(more),
        ppl_ratio_error=math.exp(more) * more_error,
        mean_kld=apart.mean_kld,
        mean_kld_error=apart.mean_kld_error,
        median_kld=apart.median_kld,
        median_kld_error=apart.median_kld_error,
        p90_kld=apart.p90_kld,
        p90_kld_error=apart.p90_kld_error,
        p99_kld=apart.p99_kld,
        p99_kld_error=apart.p99_kld_error,
        p999_kld=apart.p999_kld,
        p999_kld_error=apart.p999_kld_error,
        max_kld=apart.max_kld,
        same_top=apart.same_top,
        same_top_error=apart.same_top_error,
        mean_dp=mean_dp,
        mean_dp_error=mean_dp_error,
        rms_dp=rms_dp,
        rms_dp_error=rms_dp_error,
        histogram=Histogram(edges=tuple(EDGES.tolist()), counts=tuple(divergence.counts(EDGES).tolist())),
    )
