"""Runs requests on a model for a route: several choices at once, as a stream or whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse

from workbench.engines.request import Request
from workbench.engines.wire import Delta, Emission, Figures, Finished, Started
from workbench.errors import WorkbenchError
from workbench.serve import errors
from workbench.serve.limits import Gate, TooManyRequests
from workbench.serve.metrics import Metrics
from workbench.serve.pool import ModelPool, Slot

#: How often a whole answer looks whether anybody still waits for it.
_LOOK_S = 0.25

#: Makes the body of one chunk from a choice's index and what came of it.
ToChunk = Callable[[int, Delta | Finished], dict[str, Any] | None]
#: Makes the whole body from all choices' ends and deltas.
ToBody = Callable[[Sequence[tuple[Finished, list[Delta]]]], dict[str, Any]]


class ClientGone(Exception):  # noqa: N818 - control flow
    """Nobody waits for the answer any more."""


class Generation:
    """What every generating route needs.

    Args:
        pool: The models.
        gate: Lets in as many as there is room for.
        metrics: Counts the answers.
    """

    def __init__(self, pool: ModelPool, gate: Gate, metrics: Metrics) -> None:
        self.pool = pool
        self.gate = gate
        self.metrics = metrics

    async def whole(
        self, http: HttpRequest, slot: Slot, requests: Sequence[Request], body: ToBody
    ) -> Response:
        """All choices, when they are done; given up when the client has gone."""
        try:
            async with self.gate, self.pool.use(slot) as process:

                async def one(request: Request) -> tuple[Finished, list[Delta]]:
                    deltas: list[Delta] = []
                    async with contextlib.aclosing(process.generate(request)) as answer:
                        async for each in answer:
                            if isinstance(each, Delta):
                                deltas.append(each)
                            elif isinstance(each, Finished):
                                self.metrics.count_answer(slot.name, each.figures)
                                return each, deltas
                    raise ClientGone

                ends = await _while_connected(http, [one(request) for request in requests])
        except TooManyRequests:
            return self.full()
        except ClientGone:
            return Response(status_code=499)
        except WorkbenchError as error:
            return errors.of(error)
        return Response(msgspec.json.encode(body(ends)), media_type="application/json")

    async def streamed(
        self,
        slot: Slot,
        requests: Sequence[Request],
        chunk: ToChunk,
        usage: Callable[[Sequence[Figures]], dict[str, Any]] | None,
    ) -> Response:
        """All choices as server-sent events, each as it comes."""
        stream = self._events(slot, requests)
        # What is wrong with the request is said with a status, so the first word is waited for.
        try:
            first = await anext(stream)
        except TooManyRequests:
            return self.full()
        except WorkbenchError as error:
            return errors.of(error)
        return StreamingResponse(
            self._lines(slot.name, first, stream, chunk, usage),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )

    def full(self) -> JSONResponse:
        """The queue is full."""
        return errors.refuse(
            429,
            f"{self.gate.most} requests are under way already; try again shortly.",
            kind="rate_limit_error",
            code="queue_full",
            headers={"Retry-After": "1"},
        )

    async def _events(self, slot: Slot, requests: Sequence[Request]) -> AsyncGenerator[tuple[int, Emission]]:
        """What comes of several requests, in the order in which it comes."""
        async with self.gate, self.pool.use(slot) as process:
            merged: asyncio.Queue[tuple[int, Emission | WorkbenchError | None]] = asyncio.Queue()

            async def feed(index: int, request: Request) -> None:
                try:
                    async with contextlib.aclosing(process.generate(request)) as answer:
                        async for each in answer:
                            merged.put_nowait((index, each))
                    merged.put_nowait((index, None))
                except WorkbenchError as error:
                    merged.put_nowait((index, error))

            tasks = [asyncio.create_task(feed(*each)) for each in enumerate(requests)]
            try:
                left = len(tasks)
                while left:
                    index, event = await merged.get()
                    if event is None:
                        left -= 1
                    elif isinstance(event, WorkbenchError):
                        raise event
                    else:
                        yield index, event
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _lines(
        self,
        model: str,
        first: tuple[int, Emission],
        stream: AsyncGenerator[tuple[int, Emission]],
        chunk: ToChunk,
        usage: Callable[[Sequence[Figures]], dict[str, Any]] | None,
    ) -> AsyncIterator[bytes]:
        ends: list[Figures] = []
        try:
            async for index, event in _after(first, stream):
                if isinstance(event, Finished):
                    ends.append(event.figures)
                    self.metrics.count_answer(model, event.figures)
                if isinstance(event, Delta | Finished):
                    body = chunk(index, event)
                    if body is not None:
                        yield _line(body)
            if usage is not None:
                yield _line(usage(ends))
            yield b"data: [DONE]\n\n"
        except WorkbenchError as error:
            yield _line(errors.body_of(error))
        finally:
            # Reached on every way out, also when the client goes away in the middle.
            await stream.aclose()


async def _after(
    first: tuple[int, Emission], rest: AsyncIterator[tuple[int, Emission]]
) -> AsyncIterator[tuple[int, Emission]]:
    if not isinstance(first[1], Started):
        yield first
    async for each in rest:
        yield each


async def _while_connected(http: HttpRequest, work: Sequence[Awaitable[Any]]) -> list[Any]:
    """The results of some work, unless the client goes away before they are there."""
    together = asyncio.gather(*work)
    try:
        while True:
            done, _ = await asyncio.wait([together], timeout=_LOOK_S)
            if done:
                return list(together.result())
            if await http.is_disconnected():
                raise ClientGone
    finally:
        if not together.done():
            together.cancel()
            await asyncio.gather(together, return_exceptions=True)


def _line(body: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(body) + b"\n\n"
