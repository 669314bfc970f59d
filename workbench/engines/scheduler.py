"""Makes an engine of a backend's rows: requests join and leave between steps, and long prompts take turns.

Each step computes one batch: the newest token of every answer under way, with its guess where there is one,
and a bounded piece of the prompts that are still being read. Batching of this kind: arXiv 2309.06180 and the
paper before it (Orca, OSDI 2022); prompts in pieces: Sarathi, arXiv 2308.16369.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.engines.answer import Answer, Clock
from workbench.engines.base import Capabilities, Chunk, Continued, Logits, Rows, Tokenizer
from workbench.engines.constraints import Constrainer
from workbench.engines.errors import RequestError
from workbench.engines.likelihoods import row_likelihoods
from workbench.engines.prompt_store import SHORTEST, PromptStore
from workbench.engines.prompting import Prompting
from workbench.engines.request import AdapterUse, EngineName, Request
from workbench.engines.rows_in_use import Match, Row, best_row, settle
from workbench.engines.speculation import Drafter, Judge
from workbench.engines.wire import Emission, ErrorInfo, Failed, LoadReport, OptionCheck, Started
from workbench.errors import WorkbenchError

#: A prompt with no more left than this is read whole: in pieces it would stall the answers more often.
_WHOLE = 512
#: Tokens of a longer prompt in one step; fewer while answers wait for their next token meanwhile.
_PIECE = 512
_PIECE_BESIDE_ANSWERS = 256
#: Tokens at the beginning that stay when the context is shifted (attention sinks, arXiv 2309.17453).
_SINKS = 4
#: Guessing costs more than it gains where the machine is busy with other answers anyway.
_MOST_GUESSING_ROWS = 8


@dataclass(frozen=True, slots=True)
class Guessing:
    """A drafter, and how many tokens it guesses at a time."""

    drafter: Drafter
    tokens: int


class Scheduler:
    """An `Engine` over `Rows`; see `base.Engine` for what each method does."""

    def __init__(
        self,
        name: EngineName,
        rows: Rows,
        tokenizer: Tokenizer,
        prompting: Prompting,
        report: LoadReport,
        *,
        guessing: Guessing | None = None,
        store: PromptStore | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        self.name = name
        self.report = report
        self._rows = rows
        self._tokenizer = tokenizer
        self._prompting = prompting
        self._guessing = guessing
        self._store = store
        self._clock = clock
        self._constrainer = Constrainer(tokenizer)
        self._queue: deque[Answer] = deque()
        self._in_use = [Row(index) for index in range(rows.count)]
        self._uses = 0
        self._closed = False
        self._prompt_s = 0.0  # measured seconds for a prompt token
        self._computed = 0

    @property
    def capabilities(self) -> Capabilities:
        return self._rows.capabilities

    @property
    def tokenizer(self) -> Tokenizer:
        return self._tokenizer

    @property
    def active(self) -> int:
        return sum(row.answer is not None for row in self._in_use)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def context_used(self) -> int:
        """Tokens held for the requests under way."""
        return sum(len(row.held) for row in self._in_use if row.answer is not None)

    @property
    def prompt_tokens_computed(self) -> int:
        """Prompt tokens computed since loading."""
        return self._computed

    def add_check(self, check: OptionCheck) -> None:
        """Add to the report what was found out after loading."""
        self.report = msgspec.structs.replace(self.report, checks=(*self.report.checks, check))

    def prompt_tokens(self, request: Request) -> list[int]:
        return self._prompting.tokens(request)

    def add(self, request: Request) -> None:
        unknown = {use.name for use in request.adapters} - set(self.report.adapters)
        if unknown:
            raise RequestError(
                f"No adapter named {', '.join(sorted(unknown))} is loaded.",
                remedy="Load the model with it, or leave it out.",
            )
        self._queue.append(
            Answer(
                request,
                self.prompt_tokens(request),
                self._tokenizer,
                self._constrainer,
                context=self._rows.context,
                clock=self._clock,
            )
        )

    def cancel(self, request_id: str) -> list[Emission]:
        for answer in self._queue:
            if answer.id == request_id:
                self._queue.remove(answer)
                answer.reason = "cancelled"
                return [*answer.finish()]
        for row in self._in_use:
            if row.answer is not None and row.answer.id == request_id:
                row.answer.reason = "cancelled"
                return self._ended(row)
        return []

    def step(self) -> list[Emission]:
        out = self._admit()
        busy = [row for row in self._in_use if row.answer is not None]
        for adapters in dict.fromkeys(row.adapters for row in busy):
            out += self._compute([row for row in busy if row.adapters == adapters], adapters)
        return out

    def logits(self, tokens: Sequence[int], since: int = 0, adapters: tuple[AdapterUse, ...] = ()) -> Logits:
        self._forget_all()
        return self._rows.logits(tokens, since, adapters)

    def likelihoods(
        self,
        items: Sequence[Continued],
        adapters: tuple[AdapterUse, ...] = (),
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> list[tuple[float, ...]]:
        self._forget_all()
        return row_likelihoods(self._rows, items, adapters, progress)

    def embed(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], int]:
        if not self.capabilities.embeddings:
            raise RequestError(
                "This model was not loaded for embeddings.", remedy="Load it with embeddings switched on."
            )
        self._forget_all()
        vectors, count = [], 0
        for text in texts:
            tokens = self._tokenizer.encode(text, begin=True)[: self._rows.context]
            if not tokens:
                raise RequestError("A text to embed is empty.")
            count += len(tokens)
            vector = self._rows.embed(tokens)
            vectors.append(vector / max(float(np.linalg.norm(vector)), 1e-12))
        return np.stack(vectors).astype(np.float32), count

    def memory_bytes(self) -> int:
        return self._rows.memory_bytes()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._store is not None:
            for row in self._in_use:
                if not row.adapters:
                    self._store.keep(self._rows, row.index, row.held)
        if self._guessing is not None:
            self._guessing.drafter.close()
        self._rows.close()

    # --- joining ------------------------------------------------------------------------------------

    def _admit(self) -> list[Emission]:
        out: list[Emission] = []
        while self._queue:
            answer = self._queue[0]
            adapters = answer.request.adapters
            prompt, dropped = self._fitted(answer)
            match = best_row(self._in_use, prompt, adapters)
            if match is None:
                break
            self._queue.popleft()
            if not answer.request.reuse:
                match = Match(match.row, 0)
            row = match.row
            reused = settle(match, self._rows, adapters)
            reused = self._from_disk(row, prompt, reused) if answer.request.reuse else reused
            row.pending = prompt[reused:]
            row.last = None
            row.answer = answer
            row.judge = Judge()
            self._touch(row)
            if self._guessing is not None:
                self._guessing.drafter.forget(row.index)
            answer.begin()
            answer.cached_tokens = reused
            answer.shifted_tokens = dropped
            answer.saved_s = reused * self._prompt_s
            out.append(
                Started(
                    id=answer.id,
                    prompt_tokens=len(answer.prompt),
                    cached_tokens=reused,
                    saved_s=answer.saved_s,
                )
            )
        return out

    def _fitted(self, answer: Answer) -> tuple[list[int], int]:
        """The prompt, and how many of its oldest tokens were left out because that is allowed and needed."""
        prompt = answer.prompt
        most = self._rows.context - max(1, self._rows.context // 4)
        if len(prompt) < self._rows.context:
            return prompt, 0
        kept = prompt[:_SINKS] + prompt[len(prompt) - (most - _SINKS) :]
        return kept, len(prompt) - len(kept)

    def _from_disk(self, row: Row, prompt: list[int], reused: int) -> int:
        if self._store is None or row.adapters:
            return reused
        kept, shared = self._store.longest(prompt)
        shared = min(shared, len(prompt) - 1)
        if kept is None or shared < reused + SHORTEST:
            return reused
        tokens = self._rows.load(row.index, kept.path) if self._store.is_whole(kept) else None
        if tokens != kept.tokens:
            self._store.forget(kept)
            self._rows.truncate(row.index, 0)
            row.held = []
            return 0
        row.held = tokens
        if shared < len(tokens) and not self._rows.truncate(row.index, shared):
            self._rows.truncate(row.index, 0)
            shared = 0
        row.held = tokens[:shared]
        return shared

    # --- computing ----------------------------------------------------------------------------------

    def _compute(self, rows: list[Row], adapters: tuple[AdapterUse, ...]) -> list[Emission]:
        began = self._clock()
        answering = [row for row in rows if not row.pending]
        for row in answering:
            self._make_room(row)
        answering = [row for row in rows if not row.pending]
        guesses = self._guesses(answering)
        chunks = [
            Chunk(row.index, [_last(row), *guess], 1 + len(guess))
            for row, guess in zip(answering, guesses, strict=True)
        ]
        reading, pieces = self._pieces([row for row in rows if row.pending], chunks)
        try:
            results = self._rows.forward([*chunks, *pieces], adapters)
        except WorkbenchError as error:
            return self._failed(rows, error)
        out: list[Emission] = []
        taken_s = self._clock() - began
        for row, guess, chunk, logits in zip(answering, guesses, chunks, results, strict=False):
            out += self._answered(row, chunk, guess, logits, taken_s)
        for row, piece, logits in zip(reading, pieces, results[len(chunks) :], strict=True):
            out += self._read(row, piece, logits)
        if pieces:
            self._time_prompts(sum(len(each.tokens) for each in pieces), len(chunks), taken_s)
        return out

    def _pieces(self, reading: list[Row], chunks: list[Chunk]) -> tuple[list[Row], list[Chunk]]:
        """What to read of the prompts in this step."""
        budget = self._rows.chunk - sum(len(each.tokens) for each in chunks)
        if not reading or budget <= 0:
            return [], []
        by_age = sorted(reading, key=lambda row: row.used_at)
        sizes = _shares(
            {row.index: len(row.pending) for row in by_age},
            budget,
            _PIECE_BESIDE_ANSWERS if chunks else _PIECE,
        )
        rows = [row for row in by_age if sizes.get(row.index)]
        return rows, [
            Chunk(row.index, row.pending[:size], 1 if size == len(row.pending) else 0)
            for row in rows
            for size in (sizes[row.index],)
        ]

    def _answered(
        self, row: Row, chunk: Chunk, guess: list[int], logits: Logits, taken_s: float
    ) -> list[Emission]:
        answer = _answer(row)
        before = len(row.held)
        row.held.extend(chunk.tokens)
        accepted = 0
        try:
            for position in range(1 + len(guess)):
                guessed = guess[position] if position < len(guess) else None
                row.last = answer.choose(logits[position], drafted=guessed)
                if answer.reason is not None or row.last != guessed:
                    break
                accepted += 1
        except WorkbenchError as error:
            return self._failed([row], error)
        right = min(accepted, len(guess))
        if right < len(guess):
            # What the last token and the right guesses put there stays; the rest never happened.
            keep = before + 1 + right
            if self._rows.truncate(row.index, keep):
                row.held = row.held[:keep]
            else:
                row.pending = [*row.held[:keep], _last(row)]
                row.held = []
                self._rows.truncate(row.index, 0)
        self._judge(row, guess, right, taken_s)
        return self._said(row)

    def _read(self, row: Row, piece: Chunk, logits: Logits) -> list[Emission]:
        row.held.extend(piece.tokens)
        row.pending = row.pending[len(piece.tokens) :]
        if row.pending:
            return []
        answer = _answer(row)
        try:
            row.last = answer.choose(logits[0])
        except WorkbenchError as error:
            return self._failed([row], error)
        return self._said(row)

    def _said(self, row: Row) -> list[Emission]:
        answer = _answer(row)
        if answer.reason is not None:
            return self._ended(row)
        delta = answer.delta()
        return [delta] if delta is not None else []

    def _ended(self, row: Row) -> list[Emission]:
        answer = _answer(row)
        row.answer, row.pending, row.last = None, [], None
        self._touch(row)
        if not answer.saved_s:
            answer.saved_s = answer.cached_tokens * self._prompt_s
        return [*answer.finish()]

    def _failed(self, rows: Iterable[Row], error: WorkbenchError) -> list[Emission]:
        out: list[Emission] = []
        for row in rows:
            answer = _answer(row)
            out.append(Failed(id=answer.id, error=ErrorInfo.of(error)))
            row.answer, row.pending, row.last, row.held = None, [], None, []
            self._rows.truncate(row.index, 0)
        return out

    # --- a full context -----------------------------------------------------------------------------

    def _make_room(self, row: Row) -> None:
        """Let the oldest half go where the next token would not fit; answers that may not never get here."""
        if len(row.held) + 1 <= self._rows.context:
            return
        keep = min(_SINKS, len(row.held))
        discard = (len(row.held) - keep) // 2
        _answer(row).shifted_tokens += discard
        left = row.held[:keep] + row.held[keep + discard :]
        if self._rows.shift(row.index, keep, discard):
            row.held = left
            return
        # Where positions can't be moved, what stays is computed anew.
        cut = keep if self._rows.truncate(row.index, keep) else 0
        if not cut:
            self._rows.truncate(row.index, 0)
        row.held, row.pending = left[:cut], [*left[cut:], _last(row)]

    # --- guessing -----------------------------------------------------------------------------------

    def _guesses(self, rows: list[Row]) -> list[list[int]]:
        none: list[list[int]] = [[] for _ in rows]
        if self._guessing is None or len(rows) > _MOST_GUESSING_ROWS:
            return none
        asked = []
        for place, row in enumerate(rows):
            answer = _answer(row)
            room = self._rows.context - len(row.held) - 2
            most = min(self._guessing.tokens, room, answer.tokens_left - 1)
            if most > 0 and answer.request.speculate and row.judge.wants_guess:
                asked.append((place, (row.index, [*row.held, _last(row)], most)))
        if asked:
            found = self._guessing.drafter.propose([each for _, each in asked])
            for (place, _), guess in zip(asked, found, strict=True):
                none[place] = guess
        return none

    def _judge(self, row: Row, guess: list[int], right: int, taken_s: float) -> None:
        if self._guessing is None or row.answer is None or not row.answer.request.speculate:
            return
        draft = row.answer.figures_of_draft
        if guess:
            draft.count(len(guess), right)
        if guess or (self._guessing.drafter.costs and row.judge.wants_guess):
            row.judge.guessed_step(taken_s, right + 1)
        else:
            row.judge.plain_step(taken_s)
        draft.state = "lost" if row.judge.lost else "on"
        draft.plain_s, draft.speculative_s = row.judge.plain_s, row.judge.speculative_s

    # --- bookkeeping --------------------------------------------------------------------------------

    def _time_prompts(self, tokens: int, answers: int, taken_s: float) -> None:
        self._computed += tokens
        # Small pieces, and such beside many answers, say little of what a prompt token costs.
        if tokens >= 16 and tokens > 4 * answers:
            each = taken_s / tokens
            self._prompt_s = each if not self._prompt_s else 0.7 * self._prompt_s + 0.3 * each

    def _touch(self, row: Row) -> None:
        self._uses += 1
        row.used_at = self._uses

    def _forget_all(self) -> None:
        if self.active or self._queue:
            raise RequestError("Requests are under way.", remedy="Wait until they are done.")
        for row in self._in_use:
            row.held = []
            self._rows.truncate(row.index, 0)


def _answer(row: Row) -> Answer:
    if row.answer is None:
        raise RuntimeError("the row has no answer")
    return row.answer


def _last(row: Row) -> int:
    if row.last is None:
        raise RuntimeError("the row has no token to go on from")
    return row.last


def _shares(rests: dict[int, int], budget: int, piece: int) -> dict[int, int]:
    """How many tokens of each prompt to read in a step.

    Short ones are read whole, the shortest first, so that most get their first token soon. The prompt that
    waits longest always goes on, so that short ones can't keep it out; of the long ones one at a time does.

    Args:
        rests: Tokens left to read, the prompt that waits longest first.
        budget: Tokens of the step.
        piece: Most tokens of a long prompt.

    >>> _shares({1: 3000, 2: 100, 3: 200}, 512, 256)
    {1: 256, 2: 100, 3: 156}
    """
    oldest = next(iter(rests))
    sizes = {oldest: min(rests[oldest] if rests[oldest] <= _WHOLE else piece, budget)}
    budget -= sizes[oldest]
    short = [index for index in rests if rests[index] <= _WHOLE and index != oldest]
    for index in sorted(short, key=rests.__getitem__):
        sizes[index] = min(rests[index], budget)
        budget -= sizes[index]
    if rests[oldest] <= _WHOLE:
        long = next((index for index in rests if rests[index] > _WHOLE), None)
        if long is not None:
            sizes[long] = min(piece, budget)
    return sizes
