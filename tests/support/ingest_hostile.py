"""Scripted servers that do what no camera should."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from vms.format.rtp import build_header
from vms.format.rtsp import Headers, Request, Response, RtspParser, interleave

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 {name}/90000\r\na=control:track1\r\n"
)


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[str]:
    """A TCP server that plays `script` to each client; gives its RTSP address."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"rtsp://127.0.0.1:{port}/stream"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2)


class HandMade:
    """A small RTSP server whose answers can be replaced, method by method."""

    def __init__(
        self,
        answers: dict[str, Response] | None = None,
        sdp: str = SDP.format(name="H264"),
        media: Script | None = None,
    ) -> None:
        self.answers = answers or {}
        self.sdp = sdp
        self.media = media
        self.requests: list[Request] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = RtspParser()
        while data := await reader.read(65536):
            for message in parser.feed(data):
                if not isinstance(message, Request):
                    continue
                self.requests.append(message)
                writer.write(self._answer(message).encode())
                if message.method == "PLAY" and self.media is not None:
                    await self.media(reader, writer)
            await writer.drain()

    def _answer(self, request: Request) -> Response:
        given = self.answers.get(request.method)
        headers = [("CSeq", str(request.cseq))]
        if given is not None:
            return Response(given.status, Headers([*headers, *given.headers.items()]), given.body)
        if request.method == "DESCRIBE":
            headers.append(("Content-Type", "application/sdp"))
            return Response(200, Headers(headers), self.sdp.encode())
        if request.method == "SETUP":
            headers.append(("Transport", request.headers.get("Transport")))
        headers.append(("Session", "12345678;timeout=60"))
        return Response(200, Headers(headers))


def packet(sequence: int, timestamp: int, payload: bytes, marker: bool = False) -> bytes:
    """An interleaved RTP packet on channel 0."""
    return interleave(0, build_header(96, sequence, timestamp, 7, marker) + payload)
