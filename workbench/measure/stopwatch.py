"""Times single prompts and answers of an engine."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from workbench.engines.answer import Clock
from workbench.engines.base import Engine
from workbench.engines.errors import EngineError
from workbench.engines.request import GREEDY, AdapterUse, Request
from workbench.engines.wire import Delta, Emission, Failed, Finished

Prompt = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Timed:
    """What some answers side by side took.

    Attributes:
        tokens: Tokens of all answers together, in the steps that were timed.
        steps_s: Seconds of each step; an answer gets a token in each.
    """

    tokens: int
    steps_s: tuple[float, ...]


class Stopwatch:
    """Makes prompts and times what an engine does with them.

    Args:
        seed: Of the prompts: the same engine and seed give the same ones.
        clock: Seconds, monotonic.
    """

    def __init__(self, engine: Engine, *, seed: int, clock: Clock = time.perf_counter) -> None:
        self._engine = engine
        self._random = np.random.default_rng(seed)
        self._clock = clock
        self._begun: set[int] = set()
        self._ids = (f"timed {number}" for number in itertools.count())
        # An adapter that was loaded beside a model is part of what is measured.
        self._adapters = tuple(AdapterUse(name=name) for name in engine.report.adapters)

    def random_prompt(self, length: int) -> Prompt:
        """Tokens without meaning, none of them a control token; no two prompts begin alike."""
        tokenizer = self._engine.tokenizer
        tokens: list[int] = []
        # A vocabulary that is used up lends its first tokens again.
        if len(self._begun) >= tokenizer.vocabulary // 2:
            self._begun.clear()
        while len(tokens) < length:
            token = int(self._random.integers(tokenizer.vocabulary))
            if tokenizer.is_special(token) or (not tokens and token in self._begun):
                continue
            tokens.append(token)
        self._begun.add(tokens[0])
        return tuple(tokens)

    def prompt(self, length: int) -> float:
        """Seconds from a new prompt to the first token of its answer."""
        request = self._request(self.random_prompt(length), reuse=False, most=1)
        began = self._clock()
        self._engine.add(request)
        missing = {request.id}
        while missing:
            missing -= _answered(self._step())
        taken_s = self._clock() - began
        self._finish()
        return taken_s

    def read(self, prompts: Sequence[Prompt]) -> None:
        """Have prompts computed, so that answers to them begin in the same step."""
        for each in prompts:
            self._engine.add(self._request(each, reuse=False, most=1))
        self._finish()

    def answers(self, prompts: Sequence[Prompt], steps: int) -> Timed:
        """Time up to so many steps in which every answer gets a token, from when each has got its first.

        Raises:
            EngineError: The context has no room for them.
        """
        requests = [self._request(each, reuse=True) for each in prompts]
        for each in requests:
            self._engine.add(each)
        missing = {each.id for each in requests}
        while missing:
            missing -= _answered(self._step())
        tokens = 0
        taken: list[float] = []
        while len(taken) < steps:
            began = self._clock()
            found = self._step()
            ended = self._clock()
            if any(isinstance(each, Finished) for each in found) or not found:
                break
            taken.append(ended - began)
            tokens += sum(len(each.tokens) for each in found if isinstance(each, Delta))
        for each in requests:
            self._engine.cancel(each.id)
        if not taken:
            raise EngineError(
                f"The context has no room for {len(prompts)} answers to prompts of {len(prompts[0])} tokens.",
                remedy="Measure at a smaller depth.",
            )
        return Timed(tokens, tuple(taken))

    def _request(self, prompt: Prompt, *, reuse: bool, most: int | None = None) -> Request:
        sampling = msgspec.structs.replace(GREEDY, max_tokens=most, ignore_end=True)
        return Request(
            id=next(self._ids),
            tokens=prompt,
            sampling=sampling,
            adapters=self._adapters,
            reuse=reuse,
            speculate=False,
        )

    def _finish(self) -> None:
        while self._engine.active or self._engine.waiting:
            self._step()

    def _step(self) -> list[Emission]:
        found = self._engine.step()
        for each in found:
            if isinstance(each, Failed):
                raise EngineError(each.error.message, remedy=each.error.remedy, details=each.error.details)
        return found


def _answered(found: Sequence[Emission]) -> set[str]:
    return {each.id for each in found if isinstance(each, Delta) and each.tokens}
