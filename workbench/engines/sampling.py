"""Chooses tokens from logits: one sampler for an answer, the same arithmetic for every backend."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.engines.constraints import TokenMask
from workbench.engines.request import Sampling

#: Sampling looks at no more than this many of the likeliest tokens where neither top-k nor a nucleus is asked
#: for; further ones have no measurable chance, and sorting a vocabulary of 150,000 for each token costs more
#: than computing a small model.
_WIDEST = 4096


class Sampler:
    """Chooses the tokens of one answer.

    The order is llama.cpp's: penalties and biases, constraint, top-k, top-p, min-p, temperature. One uniform
    number is drawn for every token, so that a seed gives the same text with and without a draft.

    Args:
        sampling: What was asked for.
        prompt: The prompt's tokens; the repetition penalty counts its end too.
        mask: The constraint's state, where there is one.
    """

    def __init__(self, sampling: Sampling, prompt: list[int], mask: TokenMask | None = None) -> None:
        self._asked = sampling
        self._mask = mask
        self._random = np.random.Generator(np.random.Philox(sampling.seed))
        self._recent: deque[int] = deque(
            prompt[-sampling.repetition_window :] if sampling.repetition_window else [],
            maxlen=max(1, sampling.repetition_window),
        )
        self._seen: Counter[int] = Counter()
        self._repeats = sampling.repetition_penalty != 1.0 and sampling.repetition_window > 0
        self._counts = sampling.presence_penalty != 0.0 or sampling.frequency_penalty != 0.0
        self._plain = not (self._repeats or self._counts or sampling.logit_bias or mask)

    @property
    def exhausted(self) -> bool:
        """Whether the constraint is fulfilled and allows nothing more."""
        return self._mask is not None and self._mask.finished

    def choose(self, logits: NDArray[np.float32]) -> int:
        """The next token, from logits of shape (vocabulary,). The array is not changed.

        Raises:
            RequestError: The constraint allows no token at all.
        """
        if not self._plain:
            logits = self._adjusted(logits)
        if self._asked.temperature <= 0:
            return int(logits.argmax())
        return self._drawn(logits)

    def accept(self, token: int) -> None:
        """Take note of a token that is now part of the answer."""
        if self._repeats:
            self._recent.append(token)
        if self._counts:
            self._seen[token] += 1
        if self._mask is not None:
            self._mask.accept(token)

    def _adjusted(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        asked = self._asked
        logits = logits.copy()
        if self._repeats:
            recent = np.fromiter(set(self._recent), dtype=np.int64)
            values = logits[recent]
            penalty = np.float32(asked.repetition_penalty)
            logits[recent] = np.where(values > 0, values / penalty, values * penalty)
        if self._counts and self._seen:
            seen = np.fromiter(self._seen.keys(), dtype=np.int64)
            times = np.fromiter(self._seen.values(), dtype=np.float32)
            logits[seen] -= asked.presence_penalty + asked.frequency_penalty * times
        for token, bias in asked.logit_bias.items():
            if 0 <= token < len(logits):
                logits[token] += bias
        if self._mask is not None:
            self._mask.apply(logits)
        return logits

    def _drawn(self, logits: NDArray[np.float32]) -> int:
        asked = self._asked
        widest = min(asked.top_k or _WIDEST, len(logits))
        if widest < len(logits):
            # Ties at the border fall as argpartition likes, which is the same for the same numbers.
            tokens = np.argpartition(logits, -widest)[-widest:]
        else:
            tokens = np.arange(len(logits))
        values = logits[tokens].astype(np.float64)
        order = np.argsort(-values, kind="stable")
        tokens, values = tokens[order], values[order]
        likely = np.exp(values - values[0])
        if asked.top_p < 1.0:
            # The token that crosses the border stays in, so that at least one does.
            before = np.cumsum(likely) - likely
            values = values[: max(1, int(np.searchsorted(before, asked.top_p * likely.sum(), "left")))]
        if asked.min_p > 0:
            kept = int(np.count_nonzero(values >= values[0] + np.log(asked.min_p)))
            values = values[: max(1, kept)]
        weights = np.exp((values - values[0]) / asked.temperature)
        reached = np.cumsum(weights)
        index = int(np.searchsorted(reached, self._random.random() * reached[-1], "right"))
        return int(tokens[min(index, len(values) - 1)])


def log_probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Natural logarithms of the probabilities, from logits of shape (vocabulary,).

    >>> log_probabilities(np.zeros(2, dtype=np.float32)).round(4).tolist()
    [-0.6931, -0.6931]
    """
    values = logits.astype(np.float64)
    values -= values.max()
    result: NDArray[Any] = values - np.log(np.exp(values).sum())
    return result


def likeliest(logprobs: NDArray[np.float64], count: int) -> list[int]:
    """The `count` likeliest tokens, likeliest first."""
    count = min(count, len(logprobs))
    if not count:
        return []
    found = np.argpartition(logprobs, -count)[-count:]
    return [int(each) for each in found[np.argsort(-logprobs[found], kind="stable")]]
