"""How much a client may send, and how many requests may be under way."""

from __future__ import annotations

from types import TracebackType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workbench.serve.errors import refuse

#: What a request may send, in bytes; far more than any context holds as text.
MOST_BODY_BYTES = 32 * 2**20


class TooManyRequests(Exception):  # noqa: N818 - an answer to the client, not a fault
    """The queue is full."""


class Gate:
    """Counts the requests under way, and refuses more than there is room for.

    Args:
        most: Requests being computed or waiting.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.inside = 0

    async def __aenter__(self) -> None:
        if self.inside >= self.most:
            raise TooManyRequests
        self.inside += 1

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.inside -= 1


class BodyLimit:
    """Refuses bodies that are too large, by their stated length and by what really arrives."""

    def __init__(self, app: ASGIApp, *, most_bytes: int = MOST_BODY_BYTES) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._most_bytes:
            await self._refuse(scope, receive, send)
            return
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > self._most_bytes:
                raise _TooLarge
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLarge:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"The request is larger than {self._most_bytes // 2**20} MiB."
        await refuse(413, message, code="request_too_large")(scope, receive, send)


class _TooLarge(Exception):  # noqa: N818 - control flow
    pass
