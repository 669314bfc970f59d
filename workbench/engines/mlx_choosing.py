"""How tokens are chosen in MLX's batch: on the device where that is all, through numpy where it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.engines.answer import Answer
from workbench.engines.constraints import TokenMask
from workbench.engines.mlx_model import as_numpy
from workbench.engines.request import Sampling
from workbench.engines.sampling import Sampler
from workbench.engines.wire import TokenLogprob
from workbench.errors import WorkbenchError


def is_plain(asked: Sampling) -> bool:
    """Whether the device can choose by itself, so that steps overlap."""
    return (
        asked.repetition_penalty == 1.0
        and not asked.presence_penalty
        and not asked.frequency_penalty
        and not asked.logit_bias
        and asked.constraint is None
        and asked.logprobs is None
    )


def device_sampler(mx: Any, asked: Sampling) -> Callable[[Any], Any] | None:
    """A sampler with random numbers of its own; None for greedy, which MLX does for all rows at once."""
    if asked.temperature <= 0:
        return None
    from mlx_lm.sample_utils import apply_min_p, apply_top_k, apply_top_p

    seed = asked.seed if asked.seed is not None else int(np.random.default_rng().integers(2**31))
    key = mx.random.key(seed)

    def sample(logprobs: Any) -> Any:
        nonlocal key
        if 0 < asked.top_k < logprobs.shape[-1]:
            logprobs = apply_top_k(logprobs, asked.top_k)
        if asked.top_p < 1.0:
            logprobs = apply_top_p(logprobs, asked.top_p)
        if asked.min_p > 0:
            logprobs = apply_min_p(logprobs, asked.min_p)
        key, now = mx.random.split(key)
        return mx.random.categorical(logprobs * (1 / asked.temperature), key=now)

    return sample


class Chooser:
    """A logits processor that chooses by itself and leaves the chosen token as the only possible one.

    mlx-lm computes a step ahead: it is called for the next token before the answer has seen the last one. So
    it keeps a sampler of its own, and takes the last token from the context that it is given.
    """

    def __init__(self, mx: Any, asked: Sampling, answer: Answer, mask: TokenMask | None, end: int) -> None:
        self._mx = mx
        self._answer = answer
        self._sampler = Sampler(asked, answer.prompt, mask)
        self._wants_logprobs = asked.logprobs is not None
        self._end = end
        self._calls = 0
        #: Log-probabilities of the tokens chosen so far, where asked for.
        self.logprobs: list[TokenLogprob] = []
        #: What made choosing impossible.
        self.error: WorkbenchError | None = None

    def __call__(self, context: Any, logits: Any) -> Any:
        if self._calls:
            self._sampler.accept(int(context[-1].item()))
        self._calls += 1
        token = self._end
        if not self._sampler.exhausted and self.error is None:
            values = as_numpy(self._mx, logits[0])
            try:
                token = self._sampler.choose(values)
            except WorkbenchError as error:
                self.error = error
            else:
                if self._wants_logprobs:
                    self.logprobs.append(self._answer.logprob_of(values, token))
        chosen = np.full((1, logits.shape[-1]), -np.inf, dtype=np.float32)
        chosen[0, token] = 0.0
        return self._mx.array(chosen)
