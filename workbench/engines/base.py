"""The one interface of everything that generates, and the smaller one that a backend fills in.

`Engine` is what the generating process, the batch job and the measurements drive: add requests, step until
nothing is busy, read what comes out. A backend that can compute logits for several sequences at once only
has to be a `Rows`; `Scheduler` makes an engine of it (continuous batching, chunked prompts, prompt reuse,
speculation). One that brings a batch loop of its own is an `Engine` directly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from workbench.engines.request import AdapterUse, EngineName, Request
from workbench.engines.wire import Emission, LoadReport

Logits = NDArray[np.float32]


class Tokenizer(Protocol):
    """Text to tokens and back, by the model's own rules."""

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""

    @property
    def end_tokens(self) -> frozenset[int]:
        """Tokens that end an answer."""

    @property
    def special_texts(self) -> dict[str, str]:
        """`bos_token`, `eos_token` and the like as text, for the chat template."""

    def encode(self, text: str, *, begin: bool) -> list[int]:
        """The tokens of a text; `begin` puts the begin-of-text token before it where the model has one.

        Special tokens written in the text are taken as such: templates write them.
        """

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for; empty for control tokens."""

    def is_special(self, token: int) -> bool:
        """Whether a token is a control token, which is never part of an answer's text."""

    def raw_piece(self, token: int) -> bytes:
        """The bytes of a token, control tokens as they are written, for tool-call parsing and constraints."""


class Capabilities(Struct, frozen=True, kw_only=True):
    """What an engine can do, as loaded.

    Attributes:
        batch: Several requests at once.
        truncate: Forgetting the end of a sequence, which prompt reuse and speculation need.
        shift: Letting the oldest tokens go when the context is full.
        save: Keeping computed prompts on disk.
        adapters: Switching adapters from request to request.
        embeddings: One vector for a text.
        logits: Logits at every position.
    """

    batch: bool = True
    truncate: bool = True
    shift: bool = False
    save: bool = False
    adapters: bool = False
    embeddings: bool = False
    logits: bool = True


class Continued(Struct, frozen=True, kw_only=True):
    """A text, and several ways to go on from it, as tokens.

    Attributes:
        beginning: At least one token.
        endings: Each of at least one token.
    """

    beginning: tuple[int, ...]
    endings: tuple[tuple[int, ...], ...]


class Engine(Protocol):
    """A loaded model that generates. Not thread-safe: one thread adds, steps and cancels."""

    name: EngineName

    @property
    def report(self) -> LoadReport:
        """What was loaded, and which options really took effect."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to tokens and back."""

    def prompt_tokens(self, request: Request) -> list[int]:
        """The tokens of a request's prompt, the chat template applied.

        Raises:
            TemplateError: The model has no template, or its template fails.
        """

    def add(self, request: Request) -> None:
        """Put a request into the queue.

        Raises:
            ContextFullError: The prompt is longer than the context and may not be shortened.
            RequestError: The request asks for something that this engine can't do.
        """

    def step(self) -> list[Emission]:
        """Compute one batch and return what came of it; nothing to do returns an empty list at once."""

    def cancel(self, request_id: str) -> list[Emission]:
        """End a request now; unknown ids are ignored."""

    @property
    def active(self) -> int:
        """Requests being computed."""

    @property
    def waiting(self) -> int:
        """Requests in the queue."""

    def logits(self, tokens: Sequence[int], since: int = 0, adapters: tuple[AdapterUse, ...] = ()) -> Logits:
        """Logits at the positions from `since` on, shape (len(tokens) - since, vocabulary).

        The output layer is computed for these alone. No request may be under way.

        Args:
            adapters: Switched on for it; none for the base model alone.
        """

    def likelihoods(
        self,
        items: Sequence[Continued],
        adapters: tuple[AdapterUse, ...] = (),
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> list[tuple[float, ...]]:
        """For each item the log-likelihood of each of its endings, in nats. No request may be under way.

        Args:
            adapters: Switched on for it; none for the base model alone.
            progress: Called now and then with the items done and their number; what it raises ends the work.

        Raises:
            ContextFullError: An item is longer than the context.
        """

    def embed(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], int]:
        """One unit vector a text, shape (len(texts), width), and the tokens of all together.

        Raises:
            RequestError: This engine makes no embeddings.
        """

    def memory_bytes(self) -> int:
        """What the engine takes now: the process's resident memory, and the device's where there is one."""

    def close(self) -> None:
        """Keep the prompt cache where asked, and free everything."""


class Chunk(Struct, frozen=True):
    """Tokens to append to a row, and for how many of the last of them logits are wanted."""

    row: int
    tokens: Sequence[int]
    wanted: int


def chunks_of(tokens: Sequence[int], size: int, since: int) -> Iterator[Chunk]:
    """A sequence in pieces for row 0, with logits wanted from position `since` on.

    >>> [(len(each.tokens), each.wanted) for each in chunks_of(range(10), 4, 6)]
    [(4, 0), (4, 2), (2, 2)]
    """
    for begin in range(0, len(tokens), size):
        piece = tokens[begin : begin + size]
        yield Chunk(0, piece, min(len(piece), max(0, begin + len(piece) - since)))


class Rows(Protocol):
    """A backend that keeps several sequences ("rows") and computes logits for them in one batch."""

    #: How many rows there are.
    count: int
    #: Longest row, in tokens.
    context: int
    #: Most tokens in one `forward`.
    chunk: int

    @property
    def capabilities(self) -> Capabilities:
        """What the rows can do."""

    def forward(self, chunks: Sequence[Chunk], adapters: tuple[AdapterUse, ...]) -> list[Logits]:
        """Append each chunk to its row; one array of shape (chunk.wanted, vocabulary) for each chunk.

        The arrays may be views that are valid until the next call.

        Raises:
            OutOfMemoryError: The device could not give what the batch needed; the rows are as before.
        """

    def truncate(self, row: int, length: int) -> bool:
        """Forget what a row holds from `length` on; false where only all or nothing can be forgotten."""

    def copy(self, source: int, target: int, length: int) -> bool:
        """Make `target` hold the first `length` tokens of `source`; false where that can't be done."""

    def shift(self, row: int, keep: int, discard: int) -> bool:
        """Drop `discard` tokens after the first `keep`, and move the rest down; false where impossible."""

    def save(self, row: int, tokens: Sequence[int], path: Path) -> bool:
        """Write what a row holds to a file."""

    def load(self, row: int, path: Path) -> list[int] | None:
        """Fill a row from a file, and return its tokens; None where the file does not fit this model."""

    def logits(self, tokens: Sequence[int], since: int = 0, adapters: tuple[AdapterUse, ...] = ()) -> Logits:
        """Logits from `since` on, shape (len(tokens) - since, vocabulary); every row is forgotten."""

    def embed(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """The mean-pooled vector of one sequence, shape (width,)."""

    def memory_bytes(self) -> int:
        """What the rows and weights take now."""

    def close(self) -> None:
        """Free everything."""
