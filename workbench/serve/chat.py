"""`/v1/chat/completions`."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from workbench.engines.request import AdapterUse, Request
from workbench.engines.wire import Delta, Figures, Finished, TokenLogprob
from workbench.errors import WorkbenchError
from workbench.serve import errors
from workbench.serve.bodies import read_body
from workbench.serve.generation import Generation
from workbench.serve.schemas import ChatBody


async def chat_completions(http: HttpRequest, generation: Generation) -> Response:
    """Answer a conversation."""
    body = await read_body(http, ChatBody)
    if isinstance(body, Response):
        return body
    try:
        slot = generation.pool.find(body.model)
        requests = _requests(body, slot.adapters)
    except WorkbenchError as error:
        return errors.of(error)
    shape = _Shape(slot.name)
    if body.stream:
        return await generation.streamed(
            slot, requests, shape.chunker(), shape.usage if body.wants_usage else None
        )
    return await generation.whole(http, slot, requests, shape.whole)


def _requests(body: ChatBody, usual: tuple[AdapterUse, ...]) -> list[Request]:
    id = uuid.uuid4().hex
    limit = body.max_completion_tokens or body.max_tokens
    logprobs = body.top_logprobs if body.logprobs else None
    constraint = body.constraint()
    return [
        Request(
            id=f"{id}-{choice}",
            messages=tuple(turn.message() for turn in body.messages),
            tools=body.offered_tools(),
            template_options=body.chat_template_kwargs,
            adapters=body.adapter_uses(usual),
            overflow=body.overflow,
            sampling=body.sampling(choice=choice, limit=limit, logprobs=logprobs, constraint=constraint),
        )
        for choice in range(body.n)
    ]


class _Shape:
    """The bodies of one answer."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._id = f"chatcmpl-{uuid.uuid4().hex[:24]}"
        self._created = int(time.time())

    def whole(self, ends: Sequence[tuple[Finished, list[Delta]]]) -> dict[str, Any]:
        return {
            **self._head("chat.completion"),
            "choices": [
                {
                    "index": index,
                    "message": _message(end),
                    "logprobs": _logprobs(deltas),
                    "finish_reason": _reason(end),
                }
                for index, (end, deltas) in enumerate(ends)
            ],
            "usage": usage_of([end.figures for end, _ in ends]),
        }

    def usage(self, ends: Sequence[Figures]) -> dict[str, Any]:
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage_of(ends)}

    def chunker(self) -> _Chunker:
        return _Chunker(self._head("chat.completion.chunk"))

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model}


class _Chunker:
    """Makes the chunks of a stream; the first of each choice says whose turn it is."""

    def __init__(self, head: dict[str, Any]) -> None:
        self._head = head
        self._begun: set[int] = set()

    def __call__(self, index: int, event: Delta | Finished) -> dict[str, Any] | None:
        delta: dict[str, Any] = {}
        if index not in self._begun:
            self._begun.add(index)
            delta["role"] = "assistant"
            delta["content"] = ""
        logprobs = None
        if isinstance(event, Delta):
            delta["content"] = event.text
            logprobs = _logprobs([event])
            if not event.text and not logprobs and "role" not in delta:
                return None
        elif event.tool_calls:
            delta["tool_calls"] = [{"index": place, **call} for place, call in enumerate(_calls(event))]
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": _reason(event) if isinstance(event, Finished) else None,
        }
        return {**self._head, "choices": [choice]}


def usage_of(figures: Sequence[Figures]) -> dict[str, Any]:
    """Token counts: the prompt once, the answers together."""
    prompt = figures[0].prompt_tokens if figures else 0
    answers = sum(each.completion_tokens for each in figures)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answers,
        "total_tokens": prompt + answers,
        "prompt_tokens_details": {"cached_tokens": figures[0].cached_tokens if figures else 0},
        "completion_tokens_details": {
            "accepted_prediction_tokens": sum(each.accepted for each in figures),
            "rejected_prediction_tokens": sum(each.drafted - each.accepted for each in figures),
        },
    }


def _message(end: Finished) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": end.text, "refusal": None}
    if end.tool_calls:
        message["content"] = end.text or None
        message["tool_calls"] = _calls(end)
    return message


def _calls(end: Finished) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in end.tool_calls
    ]


def _reason(end: Finished) -> str:
    # OpenAI has no word for a cancelled answer; whoever cancelled it does not read this.
    return "stop" if end.reason == "cancelled" else end.reason


def _logprobs(deltas: Sequence[Delta]) -> dict[str, Any] | None:
    found = [each for delta in deltas for each in delta.logprobs]
    return {"content": [_logprob(each) for each in found], "refusal": None} if found else None


def _logprob(token: TokenLogprob) -> dict[str, Any]:
    return {
        **_entry(token.text, token.logprob),
        "top_logprobs": [_entry(each.text, each.logprob) for each in token.top],
    }


def _entry(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode("utf-8", errors="replace"))}
