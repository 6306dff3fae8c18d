"""The HTTP server of a process: the routes of its roles on one port."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from vms.app.settings import HttpSettings
from vms.common.errors import ConfigError

log = structlog.get_logger(__name__)

_BACKLOG = 512
_GRACE_SECONDS = 2


def listen(settings: HttpSettings) -> socket.socket:
    """A listening socket. Raises ConfigError that says who is in the way."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((settings.host, settings.port))
        server.listen(_BACKLOG)
    except OSError as error:
        server.close()
        raise ConfigError(_cannot_listen(settings, error)) from None
    server.setblocking(False)
    return server


def _cannot_listen(settings: HttpSettings, error: OSError) -> str:
    where = f"port {settings.port} on {settings.host}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program; choose another with --port"
    if error.errno == errno.EACCES:
        return f"{where} needs more rights than this user has; choose a port above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{settings.host} is no address of this machine; choose one of its own with --host"
    return f"{where} cannot be listened on: {error.strerror}; choose others with --host and --port"


def address(server: socket.socket) -> str:
    """The address to type into a browser."""
    host, port = server.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def most_connections(settings: HttpSettings) -> int:
    """How many clients may be connected: half of the files we may open are for the rest."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return settings.connections if files < 0 else min(settings.connections, files // 2)


class _Connection(H11Protocol):
    """Does not wait for ever for a request, and is one of a limited number.

    Uvicorn's own limits begin with the first whole request; who never sends one would keep
    a connection for as long as it likes.
    """

    head_seconds = 10.0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency:
            log.warning("too many connections, one is refused", most=self.limit_concurrency)
            transport.abort()
            return
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _wait_for_request(self) -> None:
        self._patience = self.loop.call_later(self.head_seconds, self._look, self.cycle)

    def _look(self, seen: Any) -> None:
        cycle: Any = self.cycle
        if self.transport.is_closing() or self not in self.connections:
            return
        if cycle is seen and (cycle is None or cycle.response_complete):
            self.transport.abort()
        else:
            self._wait_for_request()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the node, which stops its parts in order."""
        yield


async def serve(app: FastAPI, server: socket.socket, settings: HttpSettings) -> None:
    """Serve `app` on the listening socket `server` until cancelled.

    Then let requests end for two seconds at most.
    """
    connection = type("Connection", (_Connection,), {"head_seconds": settings.head_seconds})
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        http=connection,
        limit_concurrency=most_connections(settings),
        ws="websockets-sansio",
        ws_max_size=1 << 16,
        # Video does not get smaller, and each viewer would cost its own compression.
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=1 << 16,
    )
    running = _Server(config)
    task = asyncio.create_task(running.serve(sockets=[server.dup()]))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        running.should_exit = True
        await asyncio.wait([task], timeout=_GRACE_SECONDS + 0.5)
        raise
