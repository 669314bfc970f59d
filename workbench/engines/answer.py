"""One answer as it grows: chooses its tokens, makes text of them, knows its end, keeps its figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import Tokenizer
from workbench.engines.constraints import Constrainer
from workbench.engines.errors import ContextFullError, RequestError
from workbench.engines.request import Request, ToolCall
from workbench.engines.sampling import Sampler, likeliest, log_probabilities
from workbench.engines.stops import TextStream
from workbench.engines.tool_calls import CallGate, parse_tool_calls
from workbench.engines.wire import Alternative, Delta, Figures, Finished, FinishReason, TokenLogprob

Clock = Callable[[], float]

#: More alternatives than this are not reported, and more stop texts not looked for.
MOST_ALTERNATIVES = 20
MOST_STOPS = 64


class Answer:
    """The state of one request in any engine.

    An engine calls `begin` when it starts to compute, `choose` (or its own sampler) and `accept` for every
    token, `delta` after each step, and `finish` when `reason` is set.

    Args:
        request: What was asked for.
        prompt: The prompt's tokens.
        tokenizer: The model's.
        constrainer: Compiles the request's constraint.
        context: The longest sequence, in tokens.
        clock: Seconds, monotonic.

    Raises:
        ContextFullError: The prompt fills the context, and the request does not allow shortening.
        RequestError: The sampling settings or the constraint can't be used.
    """

    def __init__(
        self,
        request: Request,
        prompt: list[int],
        tokenizer: Tokenizer,
        constrainer: Constrainer,
        *,
        context: int,
        clock: Clock = time.perf_counter,
    ) -> None:
        asked = request.sampling
        _check(request, prompt, tokenizer.vocabulary)
        if len(prompt) >= context and request.overflow == "error":
            raise ContextFullError(len(prompt), context)
        self.request = request
        self.id = request.id
        self.prompt = prompt
        self.tokens: list[int] = []
        self.reason: FinishReason | None = None
        self.cached_tokens = 0
        self.saved_s = 0.0
        self.shifted_tokens = 0
        self.figures_of_draft = DraftFigures()
        mask = constrainer.mask(asked.constraint) if asked.constraint else None
        self.sampler = Sampler(asked, prompt, mask)
        self._tokenizer = tokenizer
        self._ends = frozenset() if asked.ignore_end else tokenizer.end_tokens
        room = context - len(prompt) if request.overflow == "error" else None
        self._limit = min((each for each in (asked.max_tokens, room) if each is not None), default=None)
        self._stream = TextStream(asked.stop)
        self._gate = CallGate() if request.tools else None
        self._text: list[str] = []
        self._pending_text: list[str] = []
        self._pending_tokens: list[int] = []
        self._pending_drafted: list[bool] = []
        self._pending_ends: list[int] = []
        self._pending_logprobs: list[TokenLogprob] = []
        self._clock = clock
        self._asked_at = clock()
        self._began_at = 0.0
        self._first_at = 0.0
        self._last_at = 0.0
        self._gaps_s: list[float] = []

    @property
    def tokens_left(self) -> int:
        """How many more tokens may come; a large number where nothing limits them."""
        return self._limit - len(self.tokens) if self._limit is not None else 1 << 30

    def begin(self) -> None:
        """The engine starts to compute this answer's prompt."""
        self._began_at = self._clock()

    def choose(self, logits: NDArray[np.float32], *, drafted: int | None = None) -> int:
        """Choose the next token from logits of shape (vocabulary,), and accept it.

        Args:
            logits: Not changed.
            drafted: What the draft guessed for this position; None where it made no guess.
        """
        token = self.sampler.choose(logits)
        logprob = self.logprob_of(logits, token) if self.request.sampling.logprobs is not None else None
        self.accept(token, drafted=token == drafted, logprob=logprob)
        return token

    def accept(self, token: int, *, drafted: bool = False, logprob: TokenLogprob | None = None) -> None:
        """Add a token that was chosen; sets `reason` where it ends the answer."""
        if token in self._ends:
            self.reason = "stop"
            return
        self.sampler.accept(token)
        self.tokens.append(token)
        self._pending_tokens.append(token)
        self._pending_drafted.append(drafted)
        if logprob is not None:
            self._pending_logprobs.append(logprob)
        piece = self._tokenizer.raw_piece(token) if self._gate else self._tokenizer.piece(token)
        self._say(self._stream.push(piece))
        self._pending_ends.append(sum(map(len, self._pending_text)))
        if self._stream.stopped or self.sampler.exhausted:
            self.reason = "stop"
        elif self._limit is not None and len(self.tokens) >= self._limit:
            self.reason = "length"

    def delta(self) -> Delta | None:
        """What has come since the last call; None for nothing."""
        if not self._pending_tokens:
            return None
        now = self._clock()
        count = len(self._pending_tokens)
        if not self._first_at:
            self._first_at = now
            # Tokens that came along with the first one had no gap before them.
            self._gaps_s.extend([0.0] * (count - 1))
        else:
            self._gaps_s.extend([(now - self._last_at) / count] * count)
        self._last_at = now
        delta = Delta(
            id=self.id,
            text="".join(self._pending_text),
            tokens=tuple(self._pending_tokens),
            drafted=tuple(self._pending_drafted) if any(self._pending_drafted) else (),
            ends=tuple(self._pending_ends) if count > 1 else (),
            logprobs=tuple(self._pending_logprobs),
        )
        self._pending_text, self._pending_tokens = [], []
        self._pending_drafted, self._pending_ends, self._pending_logprobs = [], [], []
        return delta

    def finish(self) -> list[Delta | Finished]:
        """The last messages; `reason` must be set."""
        self._say(self._stream.finish())
        calls: tuple[ToolCall, ...] = ()
        said = "".join(self._text)
        if self._gate:
            names = frozenset(_tool_name(tool) for tool in self.request.tools)
            parsed, calls = parse_tool_calls(said + self._gate.rest(), names)
            if calls:
                said = parsed
            elif self._gate.rest():
                self._pending_text.append(self._gate.rest())
                said += self._gate.rest()
        last: list[Delta | Finished] = []
        delta = self.delta()
        if delta is None and any(self._pending_text):
            delta = Delta(id=self.id, text="".join(self._pending_text), tokens=())
        if delta is not None:
            last.append(delta)
        reason = "tool_calls" if calls and self.reason == "stop" else self.reason or "stop"
        last.append(Finished(id=self.id, reason=reason, text=said, figures=self.figures(), tool_calls=calls))
        return last

    def figures(self) -> Figures:
        """What the answer has taken so far."""
        gaps = np.array(self._gaps_s) if self._gaps_s else np.zeros(1)
        began = self._began_at or self._clock()
        draft = self.figures_of_draft
        return Figures(
            prompt_tokens=len(self.prompt),
            cached_tokens=self.cached_tokens,
            saved_s=self.saved_s,
            completion_tokens=len(self.tokens),
            queued_s=began - self._asked_at,
            time_to_first_token_s=max(0.0, self._first_at - self._asked_at) if self._first_at else 0.0,
            prompt_s=max(0.0, self._first_at - began) if self._first_at else 0.0,
            decode_s=max(0.0, self._last_at - self._first_at),
            inter_token_p50_s=float(np.percentile(gaps, 50)),
            inter_token_p99_s=float(np.percentile(gaps, 99)),
            drafted=sum(draft.offered_at),
            accepted=sum(draft.accepted_at),
            accepted_at=tuple(draft.accepted_at),
            offered_at=tuple(draft.offered_at),
            speculation=draft.state,
            plain_s=draft.plain_s,
            speculative_s=draft.speculative_s,
            shifted_tokens=self.shifted_tokens,
        )

    def _say(self, text: str) -> None:
        if self._gate:
            text = self._gate.push(text)
        if text:
            self._text.append(text)
            self._pending_text.append(text)

    def logprob_of(self, logits: NDArray[np.float32], token: int) -> TokenLogprob:
        """A token's log-probability, from logits of shape (vocabulary,), with the alternatives asked for."""
        logprobs = log_probabilities(logits)
        count = min(self.request.sampling.logprobs or 0, MOST_ALTERNATIVES)
        return TokenLogprob(
            token=token,
            text=self._shown(token),
            logprob=float(logprobs[token]),
            top=tuple(
                Alternative(token=each, text=self._shown(each), logprob=float(logprobs[each]))
                for each in likeliest(logprobs, count)
            ),
        )

    def _shown(self, token: int) -> str:
        return self._tokenizer.raw_piece(token).decode("utf-8", errors="replace")


class DraftFigures:
    """What speculation did for one answer; see `wire.Figures` for the meaning of each."""

    def __init__(self) -> None:
        self.offered_at: list[int] = []
        self.accepted_at: list[int] = []
        self.state: Literal["off", "on", "lost"] = "off"
        self.plain_s = 0.0
        self.speculative_s = 0.0

    def count(self, offered: int, accepted: int) -> None:
        """One round: so many tokens were guessed, so many of them were right."""
        while len(self.offered_at) < offered:
            self.offered_at.append(0)
            self.accepted_at.append(0)
        for position in range(offered):
            self.offered_at[position] += 1
            self.accepted_at[position] += position < accepted


def _tool_name(tool: dict[str, object]) -> str:
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else tool.get("name")
    return str(name)


def _check(request: Request, prompt: list[int], vocabulary: int) -> None:
    asked = request.sampling
    problems = [
        (not prompt, "The prompt is empty."),
        (asked.temperature < 0, "temperature can't be negative."),
        (not 0 < asked.top_p <= 1, "top_p lies above 0 and up to 1."),
        (not 0 <= asked.min_p <= 1, "min_p lies between 0 and 1."),
        (asked.top_k < 0, "top_k can't be negative."),
        (asked.repetition_penalty <= 0, "repetition_penalty is greater than 0."),
        (asked.max_tokens is not None and asked.max_tokens < 1, "max_tokens is at least 1."),
        (asked.seed is not None and asked.seed < 0, "seed can't be negative."),
        (len(asked.stop) > MOST_STOPS, f"At most {MOST_STOPS} stop texts are taken."),
        (any(not 0 <= token < vocabulary for token in prompt), "The prompt has unknown token ids."),
    ]
    for wrong, message in problems:
        if wrong:
            raise RequestError(message, remedy="Correct the request and send it again.")
