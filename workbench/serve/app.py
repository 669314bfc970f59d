"""The server as one ASGI application: the routes, behind the guards."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workbench import __version__
from workbench.serve.chat import chat_completions
from workbench.serve.completions import completions
from workbench.serve.embeddings import embeddings
from workbench.serve.errors import refuse
from workbench.serve.generation import Generation
from workbench.serve.limits import BodyLimit, Gate
from workbench.serve.metrics import Metrics
from workbench.serve.pool import ModelPool
from workbench.serve.security import Guard

#: Requests under way or waiting, unless said otherwise.
DEFAULT_MOST_REQUESTS = 256


def make_app(
    pool: ModelPool,
    *,
    token: str,
    hosts: frozenset[str],
    most_requests: int = DEFAULT_MOST_REQUESTS,
) -> Starlette:
    """The application.

    Args:
        pool: The models; closed when the application ends.
        token: What clients must send.
        hosts: Names by which it may be called; empty for any.
        most_requests: Requests computed or waiting at once; more get a 429.
    """
    metrics = Metrics()
    generation = Generation(pool, Gate(most_requests), metrics)
    created = int(time.time())

    async def models(_http: HttpRequest) -> Response:
        data = [
            {
                "id": slot.name,
                "object": "model",
                "created": created,
                "owned_by": "tenfold",
                "loaded": slot.loaded,
            }
            for slot in pool.slots
        ]
        return JSONResponse({"object": "list", "data": data})

    async def model(http: HttpRequest) -> Response:
        for slot in pool.slots:
            if slot.name == http.path_params["name"]:
                return JSONResponse(
                    {"id": slot.name, "object": "model", "created": created, "owned_by": "tenfold"}
                )
        return refuse(404, f"This server has no model {http.path_params['name']!r}.", code="model_not_found")

    async def health(_http: HttpRequest) -> Response:
        return JSONResponse({"status": "ok", "version": __version__})

    async def figures(_http: HttpRequest) -> Response:
        text = metrics.text(pool, generation.gate.inside)
        return Response(text, media_type="text/plain; version=0.0.4")

    def with_generation(
        route: Callable[[HttpRequest, Generation], Awaitable[Response]],
    ) -> Callable[[HttpRequest], Awaitable[Response]]:
        async def called(http: HttpRequest) -> Response:
            return await route(http, generation)

        return called

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        pool.start()
        try:
            yield
        finally:
            await pool.close()

    return Starlette(
        routes=[
            Route("/v1/chat/completions", with_generation(chat_completions), methods=["POST"]),
            Route("/v1/completions", with_generation(completions), methods=["POST"]),
            Route("/v1/embeddings", with_generation(embeddings), methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/models/{name:path}", model),
            Route("/health", health),
            Route("/metrics", figures),
        ],
        middleware=[
            Middleware(_Counted, metrics=metrics),
            Middleware(Guard, token=token, hosts=hosts),
            Middleware(BodyLimit),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _unforeseen},
        lifespan=lifespan,
    )


class _Counted:
    """Counts every answered request by its route and status; paths that are no route count as one."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = int(message["status"])
                path = scope["path"] if scope["path"].startswith("/v1/") and status != 404 else "other"
                self._metrics.count_request(path.split("/models/")[0], status)
            await send(message)

        await self._app(scope, receive, watched)


async def _http_error(_http: HttpRequest, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: "There is no such path.", 405: "This path takes another method."}
    return refuse(status, words.get(status, "The request can't be answered."), code="http")


async def _unforeseen(_http: HttpRequest, error: Exception) -> Response:
    return refuse(
        500,
        f"The server failed in a way that it does not explain: {type(error).__name__}.",
        kind="server_error",
        code="bug",
    )
