"""The messages between a client (window, server, command line) and a generating process.

One JSON object a line: commands go to the process's standard input, events come from its standard output.
A client sends `Load` first and waits for `Loaded` or `LoadFailed`; requests then join and leave freely.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import msgspec
from msgspec import Struct

from workbench.engines.request import EngineName, LoadOptions, Request, ToolCall
from workbench.errors import WorkbenchError

FinishReason = Literal["stop", "length", "tool_calls", "cancelled"]


class ErrorInfo(Struct, frozen=True, kw_only=True):
    """An error as it crosses the pipe; `kind` is the stable word of `WorkbenchError.kind`."""

    kind: str
    message: str
    remedy: str = ""
    details: str = ""

    @classmethod
    def of(cls, error: WorkbenchError) -> ErrorInfo:
        return cls(kind=error.kind, message=error.message, remedy=error.remedy, details=error.details)


# --- commands -----------------------------------------------------------------------------------------


class Load(Struct, frozen=True, kw_only=True, tag="load"):
    """Load a model; the first command."""

    options: LoadOptions


class Generate(Struct, frozen=True, kw_only=True, tag="generate"):
    """Begin an answer."""

    request: Request


class Cancel(Struct, frozen=True, kw_only=True, tag="cancel"):
    """Stop an answer; it ends with reason `cancelled`. Unknown ids are ignored."""

    id: str


class Count(Struct, frozen=True, kw_only=True, tag="count"):
    """Ask how many tokens a prompt would take, without computing it."""

    request: Request


class Embed(Struct, frozen=True, kw_only=True, tag="embed"):
    """Ask for the embedding of each text."""

    id: str
    texts: tuple[str, ...]


class Compare(Struct, frozen=True, kw_only=True, tag="compare"):
    """Measure an answer with and without the draft on the same prompt, greedily; ends with `Compared`."""

    id: str
    request: Request


class Close(Struct, frozen=True, kw_only=True, tag="close"):
    """Write the prompt cache where asked, free the memory, end. End of input means the same."""


Command = Load | Generate | Cancel | Count | Embed | Compare | Close


# --- events -------------------------------------------------------------------------------------------


class OptionCheck(Struct, frozen=True, kw_only=True):
    """Whether a requested option really took effect, as probed after loading.

    Attributes:
        option: For example `GPU layers`, `KV cache`, `draft`, `context`, `flash attention`.
        requested: What was asked for.
        actual: What is so.
        active: Whether that is what was asked for.
        note: Why not, or what follows; one sentence.
    """

    option: str
    requested: str
    actual: str
    active: bool
    note: str = ""


class LoadReport(Struct, frozen=True, kw_only=True):
    """What was loaded and how.

    Attributes:
        context: Longest sequence of one request, in tokens.
        parallel: Requests computed at once.
        memory_bytes: What the loaded model takes, measured.
        estimated_bytes: What the estimate had said, raw; 0 where none was made.
        has_template: Whether the model brings a chat template.
        device: Where it computes, for example `CPU, 2 threads`.
    """

    engine: EngineName
    version: str
    device: str
    context: int
    trained_context: int
    parallel: int
    vocabulary: int
    architecture: str
    load_s: float
    memory_bytes: int
    estimated_bytes: int = 0
    has_template: bool = True
    checks: tuple[OptionCheck, ...] = ()
    adapters: tuple[str, ...] = ()


class Figures(Struct, frozen=True, kw_only=True):
    """What one answer took.

    Attributes:
        prompt_tokens: Tokens of the prompt, reused ones included.
        cached_tokens: Those of them that were reused and not computed.
        saved_s: Seconds that the reuse saved, from the measured speed of this engine.
        completion_tokens: Tokens that were generated, the end-of-text token not counted.
        queued_s: From the request to the first computation.
        time_to_first_token_s: From the request to the first token.
        prompt_s: Seconds that the prompt's computation took.
        decode_s: From the first token to the last.
        inter_token_p50_s: Median time between two tokens.
        inter_token_p99_s: The slowest percent.
        drafted: Tokens that were guessed.
        accepted: Guesses that were right.
        accepted_at: Right guesses by position in the guess: first, second, …
        offered_at: Guesses made by position.
        speculation: `off`, `on`, or `lost` where it was slower than plain decoding and turned itself off.
        plain_s: Measured seconds a token without the draft, in this very answer; 0 where not measured.
        speculative_s: Measured seconds a token with the draft, in this very answer; 0 where not measured.
        shifted_tokens: Tokens let go because the context was full.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    saved_s: float = 0.0
    completion_tokens: int = 0
    queued_s: float = 0.0
    time_to_first_token_s: float = 0.0
    prompt_s: float = 0.0
    decode_s: float = 0.0
    inter_token_p50_s: float = 0.0
    inter_token_p99_s: float = 0.0
    drafted: int = 0
    accepted: int = 0
    accepted_at: tuple[int, ...] = ()
    offered_at: tuple[int, ...] = ()
    speculation: Literal["off", "on", "lost"] = "off"
    plain_s: float = 0.0
    speculative_s: float = 0.0
    shifted_tokens: int = 0

    @property
    def tokens_per_s(self) -> float:
        """Decoding speed: tokens after the first over the time they took; 0 where there is one token only."""
        return (self.completion_tokens - 1) / self.decode_s if self.decode_s > 0 else 0.0


class Alternative(Struct, frozen=True, kw_only=True):
    """A token that could have been chosen, with its log-probability (natural logarithm)."""

    token: int
    text: str
    logprob: float


class TokenLogprob(Struct, frozen=True, kw_only=True):
    """A chosen token with its log-probability before temperature, and the likeliest alternatives."""

    token: int
    text: str
    logprob: float
    top: tuple[Alternative, ...] = ()


class Loading(Struct, frozen=True, kw_only=True, tag="loading"):
    """How far loading is: 0 to 1."""

    fraction: float
    what: str = "weights"


class Loaded(Struct, frozen=True, kw_only=True, tag="loaded"):
    """The model is ready."""

    report: LoadReport


class LoadFailed(Struct, frozen=True, kw_only=True, tag="load-failed"):
    """The model could not be loaded; the process ends with exit code 1."""

    error: ErrorInfo


class Started(Struct, frozen=True, kw_only=True, tag="started"):
    """A request has left the queue."""

    id: str
    prompt_tokens: int
    cached_tokens: int
    saved_s: float


class Delta(Struct, frozen=True, kw_only=True, tag="delta"):
    """More of an answer.

    Attributes:
        text: Whole characters only; may be empty while a character or a stop text is incomplete.
        tokens: The ids behind this and any held-back text, in order.
        drafted: For each token, whether the draft had guessed it.
        ends: For each token, where its text ends in `text`; empty where there is one token only.
        logprobs: One for each token, where asked for.
    """

    id: str
    text: str
    tokens: tuple[int, ...]
    drafted: tuple[bool, ...] = ()
    ends: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()

    def pieces(self) -> list[str]:
        """The text of each token; what follows the last one's end belongs to it.

        >>> Delta(id="a", text="one two", tokens=(1, 2), ends=(3, 7)).pieces()
        ['one', ' two']
        """
        if not self.ends:
            return [self.text]
        borders = (0, *self.ends[:-1], len(self.text))
        return [self.text[start:end] for start, end in pairwise(borders)]


class Finished(Struct, frozen=True, kw_only=True, tag="finished"):
    """The end of an answer. `text` is the whole of it, as the deltas gave it."""

    id: str
    reason: FinishReason
    text: str
    figures: Figures
    tool_calls: tuple[ToolCall, ...] = ()


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    """One request could not be answered; the others are unharmed."""

    id: str
    error: ErrorInfo


class Counted(Struct, frozen=True, kw_only=True, tag="counted"):
    """The answer to `Count`: the prompt's tokens, and how many the context has in all."""

    id: str
    tokens: int
    context: int


class Embedded(Struct, frozen=True, kw_only=True, tag="embedded"):
    """The answer to `Embed`: one vector of unit length for each text, and the tokens of all together."""

    id: str
    vectors: tuple[tuple[float, ...], ...]
    tokens: int


class Compared(Struct, frozen=True, kw_only=True, tag="compared"):
    """The answer to `Compare`.

    Attributes:
        plain: Figures without the draft.
        speculative: Figures with it.
        identical: Whether both gave the same tokens.
        first_difference: Index of the first token that differs; None where identical.
    """

    id: str
    plain: Figures
    speculative: Figures
    identical: bool
    first_difference: int | None = None


class Reading(Struct, frozen=True, kw_only=True, tag="reading"):
    """The process's own counters, twice a second while it works.

    Attributes:
        tokens_per_s: Tokens generated a second, all requests together, since the last reading.
        prompt_tokens_per_s: Prompt tokens computed a second.
        memory_bytes: Resident memory of the process.
        active: Requests being computed.
        waiting: Requests in the queue.
        context_used: Tokens held in the cache of all requests under way.
    """

    tokens_per_s: float
    prompt_tokens_per_s: float
    memory_bytes: int
    active: int
    waiting: int
    context_used: int = 0


Emission = Started | Delta | Finished | Failed
Event = (
    Loading
    | Loaded
    | LoadFailed
    | Started
    | Delta
    | Finished
    | Failed
    | Counted
    | Embedded
    | Compared
    | Reading
)

_ENCODER = msgspec.json.Encoder()
_COMMANDS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Command)
_EVENTS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Event)


def encode(message: Command | Event) -> bytes:
    """A message as one line, the line end included.

    >>> decode_command(encode(Cancel(id="a")))
    Cancel(id='a')
    """
    return _ENCODER.encode(message) + b"\n"


def decode_command(line: bytes) -> Command:
    """The command that a line holds.

    Raises:
        msgspec.DecodeError: The line is not a command.
    """
    command: Command = _COMMANDS.decode(line)
    return command


def decode_event(line: bytes) -> Event:
    """The event that a line holds.

    Raises:
        msgspec.DecodeError: The line is not an event.
    """
    event: Event = _EVENTS.decode(line)
    return event
