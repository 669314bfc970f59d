"""The requests of OpenAI's protocol that the server understands, and what they mean here."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from workbench.engines.errors import RequestError
from workbench.engines.request import AdapterUse, Constraint, Message, Overflow, Sampling, ToolCall

#: OpenAI takes 4; more than this only slows the search for them.
MOST_STOPS = 16
MOST_CHOICES = 16
MOST_TEXTS = 2048

_Text = Annotated[str, Field(max_length=4_000_000)]


class _Body(BaseModel):
    """Fields that this server does not know are left alone: clients send what other servers take."""

    model_config = ConfigDict(extra="ignore")

    model: str | None = None


class _Sampled(_Body):
    temperature: float = Field(1.0, ge=0, le=5)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    min_p: float = Field(0.0, ge=0, le=1)
    repetition_penalty: float = Field(1.0, gt=0, le=10)
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    logit_bias: dict[int, float] = Field(default_factory=dict, max_length=1024)
    max_tokens: int | None = Field(None, ge=1)
    n: int = Field(1, ge=1, le=MOST_CHOICES)
    seed: int | None = Field(None, ge=0)
    stop: str | list[str] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    adapters: list[AdapterChoice] | None = Field(None, max_length=8)
    overflow: Overflow = "error"
    grammar: str | None = None

    def stops(self) -> tuple[str, ...]:
        """The stop texts.

        Raises:
            RequestError: There are too many.
        """
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if len(given) > MOST_STOPS:
            raise RequestError(f"stop has {len(given)} texts; at most {MOST_STOPS} are taken.")
        return tuple(given)

    def sampling(
        self, *, choice: int, limit: int | None, logprobs: int | None, constraint: Constraint | None
    ) -> Sampling:
        """How one of the `n` answers is sampled: each has a seed of its own."""
        seed = self.seed if self.seed is not None else secrets.randbits(31)
        return Sampling(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            logit_bias=self.logit_bias,
            seed=seed + choice,
            max_tokens=limit,
            stop=self.stops(),
            logprobs=logprobs,
            constraint=constraint,
        )

    def adapter_uses(self, usual: tuple[AdapterUse, ...]) -> tuple[AdapterUse, ...]:
        """The adapters that are wanted; the usual ones where the body says nothing of them."""
        if self.adapters is None:
            return usual
        return tuple(AdapterUse(name=each.name, scale=each.scale) for each in self.adapters)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the token counts."""
        return self.stream_options is not None and self.stream_options.include_usage


class StreamOptions(BaseModel):
    """`stream_options`."""

    include_usage: bool = False


class AdapterChoice(BaseModel):
    """An extension: a loaded LoRA adapter and its factor."""

    name: str
    scale: float = 1.0


class TextPart(BaseModel):
    """A part of a turn's content; this server reads text alone."""

    type: Literal["text"]
    text: _Text


class FunctionCall(BaseModel):
    """The function of a tool call."""

    name: str
    arguments: str = "{}"


class CallBody(BaseModel):
    """A tool call that an earlier answer made."""

    id: str = ""
    function: FunctionCall


class Turn(BaseModel):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: _Text | list[TextPart] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[CallBody] | None = None

    def message(self) -> Message:
        """The turn as an engine takes it."""
        content = self.content
        if isinstance(content, list):
            content = "".join(part.text for part in content)
        return Message(
            # "developer" is OpenAI's newer word for it; no template knows it.
            role="system" if self.role == "developer" else self.role,
            content=content or "",
            name=self.name,
            tool_call_id=self.tool_call_id,
            tool_calls=tuple(
                ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments)
                for call in self.tool_calls or ()
            ),
        )


class JsonSchema(BaseModel):
    """`response_format.json_schema`."""

    model_config = ConfigDict(populate_by_name=True)

    name: str = "answer"
    body: dict[str, Any] | bool = Field(default_factory=dict, alias="schema")


class ResponseFormat(BaseModel):
    """`response_format`."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: JsonSchema | None = None


class ChatBody(_Sampled):
    """The body of `/v1/chat/completions`."""

    messages: list[Turn] = Field(min_length=1, max_length=10_000)
    max_completion_tokens: int | None = Field(None, ge=1)
    tools: list[dict[str, Any]] | None = Field(None, max_length=256)
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    logprobs: bool = False
    top_logprobs: int = Field(0, ge=0, le=20)
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)

    def constraint(self) -> Constraint | None:
        """What the answer must look like.

        Raises:
            RequestError: A schema is announced and missing.
        """
        if self.grammar:
            return Constraint(kind="grammar", text=self.grammar)
        wanted = self.response_format
        if wanted is None or wanted.type == "text":
            return None
        if wanted.type == "json_object":
            return Constraint(kind="json")
        if wanted.json_schema is None:
            raise RequestError("response_format is json_schema, but there is no json_schema.")
        return Constraint(kind="json-schema", text=json.dumps(wanted.json_schema.body))

    def offered_tools(self) -> tuple[dict[str, Any], ...]:
        """The tools, unless they were switched off."""
        return () if self.tool_choice == "none" else tuple(self.tools or ())


class CompletionBody(_Sampled):
    """The body of `/v1/completions`."""

    prompt: str | list[str] | list[int] | list[list[int]]
    max_tokens: int | None = Field(16, ge=1)
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool = False
    suffix: str | None = None
    best_of: int | None = None

    def prompts(self) -> list[str | tuple[int, ...]]:
        """Each prompt, as text or as tokens.

        Raises:
            RequestError: There is none, there are too many, or an option is not offered.
        """
        if self.echo or self.suffix or (self.best_of or 1) > 1:
            raise RequestError("echo, suffix and best_of are not offered by this server.")
        given = self.prompt
        if isinstance(given, str):
            return [given]
        if given and isinstance(given[0], int):
            return [tuple(each for each in given if isinstance(each, int))]
        found: list[str | tuple[int, ...]] = [
            each if isinstance(each, str) else tuple(each) for each in given if not isinstance(each, int)
        ]
        if not found or len(found) * self.n > MOST_CHOICES * 8:
            raise RequestError("prompt is empty or has too many entries.")
        return found


class EmbeddingBody(_Body):
    """The body of `/v1/embeddings`."""

    input: str | list[str] = Field(max_length=MOST_TEXTS * 1000)
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None

    def texts(self) -> tuple[str, ...]:
        """The texts.

        Raises:
            RequestError: There is none, or there are too many.
        """
        found = (self.input,) if isinstance(self.input, str) else tuple(self.input)
        if not found or len(found) > MOST_TEXTS:
            raise RequestError(f"input has {len(found)} texts; 1 to {MOST_TEXTS} are taken.")
        if self.dimensions is not None:
            raise RequestError("dimensions is not offered: the vector has the model's own width.")
        return found


_Sampled.model_rebuild()
