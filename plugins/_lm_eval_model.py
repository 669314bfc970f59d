"""A model that runs in one of Tenfold's engines, as EleutherAI's lm-eval asks for one.

Imported where lm-eval is installed, which is the environment of the operation's own jobs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.model import LM

from plugins._likelihoods import beginning_of, rolling, scored, split
from workbench.plugin import Delta, Engine, Failed, Finished, Request, Sampling, WorkbenchError

#: The longest answer where a task names no limit of its own, as lm-eval's other models have it.
_ANSWER_TOKENS = 256


class EngineModel(LM):  # type: ignore[misc]
    """An engine as a model of lm-eval.

    Args:
        engine: Loaded, with nothing under way.
        done: Called with how many requests were answered since the last call; what it raises ends the work.
    """

    def __init__(self, engine: Engine, done: Callable[[int], None]) -> None:
        super().__init__()
        self._engine = engine
        self._done = done

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """For each (context, continuation): its log-likelihood in nats, and whether greedy gives it."""
        found = []
        for each in requests:
            context, continuation = each.args
            found.append(scored(self._engine, *split(self._engine, context, continuation)))
            self._done(1)
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """For each text: the log-likelihood of all of it in nats, each token predicted once."""
        found = []
        for each in requests:
            (text,) = each.args
            tokens = self._engine.tokenizer.encode(text, begin=False)
            windows = rolling(tokens, beginning_of(self._engine), self._engine.report.context)
            found.append(sum(scored(self._engine, *window)[0] for window in windows))
            self._done(1)
        return found

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """For each (context, settings): what the model writes up to a stop text."""
        for number, each in enumerate(requests):
            context, settings = each.args
            self._engine.add(self._asked(str(number), context, dict(settings)))
        found: dict[str, str] = {}
        try:
            while self._engine.active or self._engine.waiting:
                for event in self._engine.step():
                    if isinstance(event, Failed):
                        raise WorkbenchError(
                            event.error.message, remedy=event.error.remedy, details=event.error.details
                        )
                    if isinstance(event, Finished):
                        found[event.id] = event.text
                        self._done(1)
                    elif isinstance(event, Delta):
                        self._done(0)
        except BaseException:
            for number in range(len(requests)):
                self._engine.cancel(str(number))
            raise
        return [found[str(number)] for number in range(len(requests))]

    def _asked(self, id: str, context: str, settings: dict[str, Any]) -> Request:
        stop = settings.get("until") or ()
        longest = int(settings.get("max_gen_toks") or settings.get("max_tokens") or _ANSWER_TOKENS)
        sampled = bool(settings.get("do_sample", False))
        tokens = self._engine.tokenizer.encode(context, begin=True)
        # The end of a long context is what the question is in.
        kept = tuple(tokens[-max(1, self._engine.report.context - longest - 1) :])
        sampling = Sampling(
            temperature=float(settings.get("temperature") or 1.0) if sampled else 0.0,
            top_k=int(settings.get("top_k") or 0),
            top_p=float(settings.get("top_p") or 1.0),
            min_p=0.0,
            seed=0,
            max_tokens=longest,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
        )
        return Request(id=id, tokens=kept, sampling=sampling)
