"""`/v1/completions`."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from workbench.engines.request import AdapterUse, Constraint, Request
from workbench.engines.wire import Delta, Figures, Finished
from workbench.errors import WorkbenchError
from workbench.serve import errors
from workbench.serve.bodies import read_body
from workbench.serve.chat import usage_of
from workbench.serve.generation import Generation
from workbench.serve.schemas import CompletionBody


async def completions(http: HttpRequest, generation: Generation) -> Response:
    """Go on with a text."""
    body = await read_body(http, CompletionBody)
    if isinstance(body, Response):
        return body
    try:
        slot = generation.pool.find(body.model)
        requests = _requests(body, slot.adapters)
    except WorkbenchError as error:
        return errors.of(error)
    shape = _Shape(slot.name)
    if body.stream:
        return await generation.streamed(slot, requests, shape, shape.usage if body.wants_usage else None)
    return await generation.whole(http, slot, requests, shape.whole)


def _requests(body: CompletionBody, usual: tuple[AdapterUse, ...]) -> list[Request]:
    id = uuid.uuid4().hex
    constraint = Constraint(kind="grammar", text=body.grammar) if body.grammar else None
    found: list[Request] = []
    for prompt in body.prompts():
        for choice in range(body.n):
            found.append(
                Request(
                    id=f"{id}-{len(found)}",
                    prompt=prompt if isinstance(prompt, str) else None,
                    tokens=None if isinstance(prompt, str) else prompt,
                    adapters=body.adapter_uses(usual),
                    overflow=body.overflow,
                    sampling=body.sampling(
                        choice=choice, limit=body.max_tokens, logprobs=body.logprobs, constraint=constraint
                    ),
                )
            )
    return found


class _Shape:
    """The bodies of one answer."""

    def __init__(self, model: str) -> None:
        self._head = {
            "id": f"cmpl-{uuid.uuid4().hex[:24]}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }

    def __call__(self, index: int, event: Delta | Finished) -> dict[str, Any] | None:
        if isinstance(event, Delta):
            if not event.text and not event.logprobs:
                return None
            return {**self._head, "choices": [_choice(index, event.text, [event], None)]}
        return {**self._head, "choices": [_choice(index, "", [], event)]}

    def whole(self, ends: Sequence[tuple[Finished, list[Delta]]]) -> dict[str, Any]:
        choices = [_choice(index, end.text, deltas, end) for index, (end, deltas) in enumerate(ends)]
        return {**self._head, "choices": choices, "usage": usage_of([end.figures for end, _ in ends])}

    def usage(self, ends: Sequence[Figures]) -> dict[str, Any]:
        return {**self._head, "choices": [], "usage": usage_of(ends)}


def _choice(index: int, text: str, deltas: Sequence[Delta], end: Finished | None) -> dict[str, Any]:
    reason = end.reason if end is not None else None
    return {
        "index": index,
        "text": text,
        "logprobs": _logprobs(deltas),
        "finish_reason": "stop" if reason == "cancelled" else reason,
    }


def _logprobs(deltas: Sequence[Delta]) -> dict[str, Any] | None:
    found = [each for delta in deltas for each in delta.logprobs]
    if not found:
        return None
    return {
        "tokens": [each.text for each in found],
        "token_logprobs": [each.logprob for each in found],
        "top_logprobs": [{other.text: other.logprob for other in each.top} for each in found],
        "text_offset": [],
    }
