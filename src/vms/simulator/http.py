"""As much of HTTP/1.1 as an ONVIF device needs: one request after the other, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from vms.common.errors import ParseError

log = structlog.get_logger(__name__)

_MAX_HEAD = 16 * 1024
_IDLE_S = 30.0
_REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
    405: "Method Not Allowed", 413: "Content Too Large", 500: "Internal Server Error",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """Header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = field(default=())

    def encode(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unknown')}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join((*lines, "", "")).encode() + self.body


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class HttpServer:
    """Serves on `host`:`port` (0: a free one, known after `start`) until closed."""

    def __init__(self, host: str, port: int, handler: Handler, max_body: int) -> None:
        self.host, self.port = host, port
        self._handler, self._max_body = handler, max_body
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, self.host, self.port, limit=_MAX_HEAD
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and cut the connections that there are."""
        if self._server is not None:
            self._server.close()
        for writer in self._clients.values():
            writer.transport.abort()
        if self._clients:
            await asyncio.wait(tuple(self._clients), timeout=2)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = writer
        try:
            await _converse(reader, writer, self._handler, self._max_body)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        except (ParseError, asyncio.LimitOverrunError) as error:
            log.info("bad http request", error=str(error))
            writer.write(HttpResponse(400, headers=(("Connection", "close"),)).encode())
        finally:
            writer.close()
            del self._clients[task]


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler, max_body: int
) -> None:
    while not writer.is_closing():
        async with asyncio.timeout(_IDLE_S):
            head = await reader.readuntil(b"\r\n\r\n")
            request = _parse_head(head)
            length = request.headers.get("content-length", "0")
            if not length.isdecimal() or len(length) > 9 or int(length) > max_body:
                raise ParseError(f"Content-Length {length[:20]!r}; at most {max_body}")
            body = await reader.readexactly(int(length))
            response = await handler(
                HttpRequest(request.method, request.path, request.headers, body)
            )
            writer.write(response.encode())
            await writer.drain()
        if request.headers.get("connection", "").lower() == "close":
            return


def _parse_head(head: bytes) -> HttpRequest:
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise ParseError(f"request line {lines[0][:60]!r}")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        if line:
            name, colon, value = line.partition(":")
            if not colon:
                raise ParseError(f"header line {line[:60]!r}")
            headers[name.strip().lower()] = value.strip()
    return HttpRequest(words[0], words[1], headers, b"")
