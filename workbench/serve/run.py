"""Runs the server until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence

import uvicorn

from workbench.errors import UsageError
from workbench.serve.app import DEFAULT_MOST_REQUESTS, make_app
from workbench.serve.pool import ModelPool
from workbench.serve.security import LOOPBACK

#: How long answers under way may go on after the server was told to stop, in seconds.
_GRACE_S = 5
#: Connections that the system keeps waiting while the server is busy.
_BACKLOG = 1024


def run_server(
    pool: ModelPool,
    *,
    host: str,
    port: int,
    token: str,
    ready: Callable[[str], None],
    most_requests: int = DEFAULT_MOST_REQUESTS,
    preload: Sequence[str] = (),
) -> None:
    """Serve until SIGINT, SIGTERM or, on Windows, Ctrl+Break.

    Args:
        pool: The models.
        host: An address of this machine.
        port: 0 for any free one.
        token: What clients must send.
        ready: Called with the URL when connections are taken.
        most_requests: Requests computed or waiting at once.
        preload: Models to load before `ready` is called.

    Raises:
        UsageError: The address is taken or not this machine's.
    """
    listening = _bound(host, port)
    with contextlib.closing(listening):
        actual = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        hosts = LOOPBACK | {host} if _is_loopback(host) else frozenset[str]()
        app = make_app(pool, token=token, hosts=hosts, most_requests=most_requests)
        server = _Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=_GRACE_S,
                lifespan="on",
                backlog=_BACKLOG,
            ),
            pool,
            preload,
            lambda: ready(f"http://{shown}:{actual}"),
        )
        asyncio.run(server.serve(sockets=[listening]))


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(
        self, config: uvicorn.Config, pool: ModelPool, preload: Sequence[str], ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._pool = pool
        self._preload = preload
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        for name in self._preload:
            async with self._pool.use(self._pool.find(name)):
                pass
        await super().startup(sockets)
        if self.started:
            self._ready()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            # On Windows another program could take over the port otherwise.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(_BACKLOG)
        found.setblocking(False)
    except (OSError, OverflowError) as error:
        found.close()
        raise UsageError(
            f"The server can't listen on {host}:{port}: {error}.",
            remedy="Choose another port, or 0 for any free one.",
        ) from error
    return found


def _is_loopback(host: str) -> bool:
    return host in LOOPBACK or host.startswith("127.")
