"""What a metric is given: one loaded model, what to ask it, and whom to tell of progress."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from workbench.engines.base import Engine, Tokenizer
from workbench.engines.errors import EngineError
from workbench.engines.request import GREEDY, Message, Request, Sampling
from workbench.engines.wire import Delta, Failed, Finished

Tell = Callable[[float, float], None]


class MetricResult(Struct, frozen=True, kw_only=True):
    """One figure of one model.

    Attributes:
        value: The figure, in the metric's unit; a finite number.
        error: Its standard error; 0 where it is not known.
        n: How many items it was made of, such as prompts or tokens; 0 where it is made of none.
    """

    value: float
    error: float = 0.0
    n: int = 0

    @classmethod
    def mean(cls, values: Sequence[float]) -> MetricResult:
        """The mean of one figure for each item, with its standard error.

        >>> MetricResult.mean([1.0, 2.0, 3.0, 6.0])
        MetricResult(value=3.0, error=1.0801234497346435, n=4)

        Raises:
            ValueError: There are no items.
        """
        if not values:
            raise ValueError("There is nothing to take the mean of.")
        n = len(values)
        middle = math.fsum(values) / n
        squares = math.fsum((each - middle) ** 2 for each in values)
        return cls(value=middle, error=math.sqrt(squares / (n - 1) / n) if n > 1 else 0.0, n=n)


class Answered(Struct, frozen=True, kw_only=True):
    """A prompt, and what the model answered: its tokens without the one that ends it, and their text."""

    prompt: str
    tokens: tuple[int, ...]
    text: str


class MetricContext:
    """One loaded model, and what a metric may ask of it.

    Attributes:
        engine: The model. It has nothing under way, and room for several requests at once.
        prompts: What a person might say, in many languages, code and numbers; more in the full form.
        text: The text that the proof compares on.
        seed: Of every random choice.
        threads: How many CPU threads the metric may use.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        prompts: Sequence[str],
        text: str,
        seed: int = 0,
        threads: int = 1,
        tell: Tell = lambda _done, _total: None,
    ) -> None:
        self.engine = engine
        self.prompts = tuple(prompts)
        self.text = text
        self.seed = seed
        self.threads = threads
        self._tell = tell
        self._told = (0.0, 1.0)

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to tokens and back, by the model's own rules."""
        return self.engine.tokenizer

    def progress(self, done: float, total: float) -> None:
        """Say how far it is: `done` of `total`, in any unit. What it raises ends the metric: let it pass."""
        self._told = (float(done), float(total))
        self._tell(*self._told)

    def check(self) -> None:
        """Say that it is still at work, where there is no progress to tell; raises as `progress` does."""
        self._tell(*self._told)

    def answers(
        self,
        tokens: int,
        prompts: Sequence[str] | None = None,
        *,
        sampling: Sampling = GREEDY,
    ) -> tuple[Answered, ...]:
        """Let the model answer prompts, several at once, each as a conversation of its own.

        Progress is told with every token. A model without a chat template continues the prompt's text.

        Args:
            tokens: The longest answer.
            prompts: In place of those of the proof.
            sampling: The likeliest token after the other unless another is given; set its `seed`.

        Returns:
            The answers in the order of the prompts.

        Raises:
            ContextFullError: A prompt is longer than the context.
            EngineError: An answer could not be computed.
        """
        asked = self.prompts if prompts is None else tuple(prompts)
        chosen = msgspec.structs.replace(sampling, max_tokens=tokens)
        said: dict[str, list[int]] = {}
        texts: dict[str, str] = {}
        for number, prompt in enumerate(asked):
            said[str(number)] = []
            self.engine.add(self._request(str(number), prompt, chosen))
        try:
            while self.engine.active or self.engine.waiting:
                for event in self.engine.step():
                    match event:
                        case Delta():
                            said[event.id] += event.tokens
                        case Finished():
                            texts[event.id] = event.text
                        case Failed():
                            error = event.error
                            raise EngineError(error.message, remedy=error.remedy, details=error.details)
                self.progress(_done(said, texts, tokens), len(asked) * tokens)
        except BaseException:
            for id in said:
                self.engine.cancel(id)
            raise
        return tuple(
            Answered(prompt=prompt, tokens=tuple(said[str(number)]), text=texts[str(number)])
            for number, prompt in enumerate(asked)
        )

    def _request(self, id: str, prompt: str, sampling: Sampling) -> Request:
        # Kept prompts are rounded differently, which tips the choice between tokens nearly as likely.
        if self.engine.report.has_template:
            turn = Message(role="user", content=prompt)
            return Request(id=id, messages=(turn,), sampling=sampling, reuse=False)
        return Request(id=id, prompt=prompt, sampling=sampling, reuse=False)


def _done(said: dict[str, list[int]], texts: dict[str, str], tokens: int) -> int:
    """Tokens done; an answer that has ended counts whole, so that the progress ends where it should."""
    return sum(tokens if id in texts else len(each) for id, each in said.items())
