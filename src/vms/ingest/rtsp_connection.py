"""One connection to an RTSP server (RFC 2326): requests, answers, and interleaved frames."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any, cast

from vms.common.errors import (
    ParseError,
    SourceError,
    SourceProtocolError,
    SourceRefused,
    SourceUnreachable,
)
from vms.format.rtsp import Headers, Request, Response, RtspParser, interleave
from vms.ingest.address import Address
from vms.ingest.settings import IngestSettings
from vms.ingest.tls import check_pin, client_context, fingerprint

_MOST_PENDING = 16
_MOST_UNSENT = 64 * 1024
_GREETING = b"RTSP/"


class RtspConnection(asyncio.Protocol):
    """Frames that come interleaved go straight to the function of their channel.

    `ended` is done when the connection is; `error` then says why, None for a plain end.
    """

    def __init__(self, address: Address, user_agent: str) -> None:
        self.channels: dict[int, Callable[[bytes, int, int], object]] = {}
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.error: SourceError | None = None
        self.server = ""
        self.certificate = ""
        """SHA-256 of the server's certificate, empty without TLS."""
        self._where = address.shown
        self._user_agent = user_agent
        self.runs: dict[int, Callable[[bytes, int, int], int]] = {}
        self._parser = RtspParser(self.channels, self.runs)
        self._pending: dict[int, asyncio.Future[Response]] = {}
        self._cseq = 0
        self._transport: asyncio.Transport | None = None
        self._greeted = False
        self._head = b""

    def take_strays(self) -> int:
        """Interleaved frames on channels that nobody asked for, since the last call."""
        count = self._parser.strays
        self._parser.strays = 0
        return count

    @property
    def peer(self) -> tuple[str, int]:
        """Address and port of the server."""
        assert self._transport is not None
        name = self._transport.get_extra_info("peername")
        return str(name[0]), int(name[1])

    @property
    def local(self) -> str:
        """Our own address on this connection."""
        assert self._transport is not None
        return str(self._transport.get_extra_info("sockname")[0])

    # -- asyncio ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.error is not None:
            return
        if not self._greeted and not self._greet(data):
            return
        try:
            messages = self._parser.feed(data)
        except ParseError as error:
            self.fail(
                SourceProtocolError(
                    f"{self._where} sent something that is not RTSP ({error}); check the address, "
                    f"and the camera's firmware if it worked before"
                )
            )
            return
        for message in messages:
            if isinstance(message, Response):
                self._answered(message)
            elif isinstance(message, Request):
                self._asked(message)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.error is None and exc is not None:
            self.error = SourceUnreachable(f"the connection to {self._where} broke: {exc}")
        if not self.ended.done():
            self.ended.set_result(None)
        for future in self._pending.values():
            future.cancel()
        self._pending.clear()
        self.channels.clear()

    # -- for the session --------------------------------------------------------------

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], timeout: float
    ) -> Response:
        """Send a request and wait for its answer. Raises SourceError."""
        future = self.send(method, url, headers)
        waits: set[asyncio.Future[Any]] = {future, self.ended}
        done, _ = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if future in done and not future.cancelled():
            return future.result()
        future.cancel()
        if self.error is not None:
            raise self.error
        if self.ended.done():
            raise SourceProtocolError(
                f"{self._where} closed the connection instead of answering {method}; check that "
                f"the port is that of RTSP"
            )
        raise SourceUnreachable(f"{self._where} did not answer {method} within {timeout:g} s")

    def send(self, method: str, url: str, headers: Mapping[str, str]) -> asyncio.Future[Response]:
        """Send a request; the future is cancelled where no answer can come any more."""
        self._cseq += 1
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        if len(self._pending) >= _MOST_PENDING:
            self._pending.pop(next(iter(self._pending))).cancel()
        fields = {"CSeq": str(self._cseq), "User-Agent": self._user_agent, **headers}
        if self._write(Request(method, url, Headers(fields)).encode()):
            self._pending[self._cseq] = future
        else:
            future.cancel()
        return future

    def send_frame(self, channel: int, packet: bytes) -> None:
        """Send a packet interleaved."""
        self._write(interleave(channel, packet))

    def fail(self, error: SourceError) -> None:
        """End the connection because of `error`."""
        if self.error is None and not self.ended.done():
            self.error = error
        self.channels.clear()
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection; what was written may still go out."""
        self.channels.clear()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # -- inside -----------------------------------------------------------------------

    def _greet(self, data: bytes) -> bool:
        """Looks at the first bytes: a server of another kind may never end its first line."""
        self._head += data[: len(_GREETING)]
        if not self._head.startswith(_GREETING[: len(self._head)]):
            self.fail(
                SourceProtocolError(
                    f"{self._where} is not an RTSP server: it answers with "
                    f"{_quoted(data)}; check host and port"
                )
            )
            return False
        self._greeted = len(self._head) >= len(_GREETING)
        return True

    def _write(self, data: bytes) -> bool:
        transport = self._transport
        if transport is None or transport.is_closing() or self.ended.done():
            return False
        if transport.get_write_buffer_size() > _MOST_UNSENT:
            self.fail(SourceProtocolError(f"{self._where} no longer reads what it is sent"))
            return False
        transport.write(data)
        return True

    def _answered(self, response: Response) -> None:
        self.server = self.server or response.headers.get("Server")[:120]
        number = response.cseq
        if number < 0 and len(self._pending) == 1:
            number = next(iter(self._pending))
        if response.status >= 200:
            future = self._pending.pop(number, None)
            if future is not None and not future.done():
                future.set_result(response)

    def _asked(self, request: Request) -> None:
        """Requests of the server: polite answers, and nothing is done."""
        harmless = request.method in ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER")
        headers = Headers({"CSeq": str(max(0, request.cseq))})
        self._write(Response(200 if harmless else 501, headers).encode())


async def connect(address: Address, settings: IngestSettings) -> RtspConnection:
    """Connect, with TLS where the address asks for it. Raises SourceError, no timeout."""
    loop = asyncio.get_running_loop()
    context = client_context(settings) if address.tls else None
    try:
        transport, connection = await loop.create_connection(
            lambda: RtspConnection(address, settings.user_agent),
            address.host,
            address.port,
            ssl=context,
            server_hostname=address.host if context else None,
        )
    except (OSError, ValueError) as error:
        raise connect_error(address, error) from None
    if context is not None:
        certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
        connection.certificate = fingerprint(certificate)
        try:
            check_pin(settings, address.host, certificate)
        except SourceRefused:
            transport.abort()
            raise
    return connection


def connect_error(address: Address, error: Exception) -> SourceError:
    """What a failed connect means, and what to do."""
    where = f"{address.host}:{address.port}"
    if isinstance(error, socket.gaierror):
        return SourceUnreachable(
            f"there is no host named {address.host}; check the address, or the name service"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return SourceRefused(
            f"{where} has a certificate that is not trusted ({error.verify_message}); "
            f"name it in ingest.tls_pins or its authority in ingest.tls_ca_file"
        )
    if isinstance(error, ssl.SSLError):
        return SourceProtocolError(
            f"{where} does not speak TLS ({error.reason}); check the port, or use rtsp://"
        )
    if isinstance(error, ConnectionRefusedError):
        refused = SourceUnreachable(
            f"{where} refuses connections; check the port, and that RTSP is on in the camera"
        )
        # It is there and answers: it restarts, or speaks no RTSP.
        refused.fault = "camera"
        return refused
    if isinstance(error, ConnectionResetError):
        return SourceProtocolError(f"{where} closed the connection at once; check host and port")
    said = (error.strerror if isinstance(error, OSError) else "") or str(error) or "unknown cause"
    return SourceUnreachable(f"{where} cannot be reached: {said}; check address and network")


def _quoted(data: bytes) -> str:
    """The begin of an answer for people; what is no text is the same whatever it is."""
    line = data[:24].partition(b"\r")[0].partition(b"\n")[0]
    if line.isascii() and line.decode("ascii").isprintable():
        return f"'{line.decode('ascii')}'"
    return "bytes that are no text"
