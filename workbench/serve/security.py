"""Who may talk to the server: a token, and no web page from elsewhere."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from workbench.serve.errors import refuse

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_OPEN_PATHS = frozenset({"/health"})


def new_token() -> str:
    """A token that can't be guessed: 32 bytes from the system."""
    return secrets.token_urlsafe(32)


class Guard:
    """Refuses requests without the token, with a foreign Host, or from a foreign web page.

    A page on the internet can make a browser send requests to this machine; a name that resolves to 127.0.0.1
    (DNS rebinding) even lets it read the answers. The Host and Origin headers give both away.

    Args:
        app: What is guarded.
        token: The bearer token.
        hosts: Names by which the server may be called; empty to allow any, where it is open to a network.
    """

    def __init__(self, app: ASGIApp, *, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        response = None
        if not self._is_ours(headers.get("host", "")):
            response = refuse(403, "This server does not answer to that Host.", code="host")
        elif "origin" in headers and not self._is_our_origin(headers["origin"]):
            response = refuse(403, "This server does not answer to other web pages.", code="origin")
        elif scope["path"] not in _OPEN_PATHS and not self._has_token(headers):
            response = refuse(
                401,
                "The token is missing or wrong: send it as “Authorization: Bearer …”.",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if response is not None:
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        return not self._hosts or _name(f"//{host}") in self._hosts

    def _is_our_origin(self, origin: str) -> bool:
        return _name(origin) in (self._hosts or LOOPBACK)

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # Compared in constant time, as bytes: the header may hold anything.
        return scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode("utf-8", "replace"), self._token.encode()
        )


def _name(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""
