"""How packets leave: on the RTSP connection, or by UDP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from vms.format.rtsp import interleave
from vms.simulator.packets import Packets

WRITE_LIMIT = 4 << 20
"""Bytes that wait for a client before whole pictures are left out."""

_BURST = 48
"""Packets sent at once by UDP; the rest of a large picture follows a millisecond later."""
_MAX_WAITING = 20_000

Filled = tuple[Packets, bytearray]


class Output(Protocol):
    """Where the packets of one track of one client go."""

    channel: int

    @property
    def ready(self) -> bool:
        """False while the client does not keep up."""

    def send(self, rows: Sequence[Filled]) -> None: ...

    def send_packets(self, packets: Sequence[bytes | memoryview]) -> None:
        """RTP packets one by one, without framing."""

    def send_report(self, packet: bytes) -> None: ...

    def close(self) -> None: ...


class TcpOutput:
    """Interleaved frames; RTP on `channel`, RTCP on the next one."""

    def __init__(
        self, transport: asyncio.Transport, channels: tuple[int, int], paused: Callable[[], bool]
    ) -> None:
        self._transport = transport
        self.channel, self._report_channel = channels
        self._paused = paused

    @property
    def ready(self) -> bool:
        return not self._paused()

    def send(self, rows: Sequence[Filled]) -> None:
        if len(rows) == 1:
            self._transport.write(rows[0][1])
        else:
            self._transport.writelines([copy for _, copy in rows])

    def send_packets(self, packets: Sequence[bytes | memoryview]) -> None:
        frames = [interleave(self.channel, bytes(packet)) for packet in packets]
        self._transport.write(b"".join(frames))

    def send_report(self, packet: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(interleave(self._report_channel, packet))

    def close(self) -> None:
        """The connection is not the track's to close."""


class UdpOutput:
    """A pair of sockets, RTP on an even port, RTCP on the next."""

    channel = 0

    def __init__(
        self,
        host: str,
        client: tuple[str, int, int],
        received: Callable[[bytes], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._rtp, self._rtcp = _socket_pair(host)
        self.ports = self._rtp.getsockname()[1], self._rtcp.getsockname()[1]
        address, rtp_port, rtcp_port = client
        self._rtp.connect((address, rtp_port))
        self._report_to = (address, rtcp_port)
        self._received = received
        self._waiting: deque[bytes | memoryview] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._rtcp.fileno(), self._read)
        self._loop.add_reader(self._rtp.fileno(), self._drain)
        self.unsent = 0

    @property
    def ready(self) -> bool:
        return len(self._waiting) < _MAX_WAITING

    def send(self, rows: Sequence[Filled]) -> None:
        for packets, copy in rows:
            self._waiting.extend(packets.split(copy))
        if self._timer is None:
            self._flush()

    def send_packets(self, packets: Sequence[bytes | memoryview]) -> None:
        self._waiting.extend(packets)
        if self._timer is None:
            self._flush()

    def _flush(self) -> None:
        waiting, send = self._waiting, self._rtp.send
        for _ in range(min(_BURST, len(waiting))):
            try:
                send(waiting.popleft())
            except OSError:
                self.unsent += 1
        self._timer = self._loop.call_later(0.001, self._flush) if waiting else None

    def send_report(self, packet: bytes) -> None:
        with contextlib.suppress(OSError):
            self._rtcp.sendto(packet, self._report_to)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            data, (address, *_) = self._rtcp.recvfrom(2048)
            if address == self._report_to[0]:
                self._received(data)

    def _drain(self) -> None:
        """Clients open their firewall by sending to the RTP port; nothing is made of it."""
        with contextlib.suppress(OSError):
            self._rtp.recv(2048)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        for sock in (self._rtp, self._rtcp):
            if sock.fileno() >= 0:
                self._loop.remove_reader(sock.fileno())
                sock.close()


def _socket_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two UDP sockets on neighbouring ports, the first one even (RFC 3550 11)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(100):
        first, second = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        try:
            first.bind((host, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((host, port + 1))
                break
        except OSError:
            pass
        first.close()
        second.close()
    else:
        raise OSError("no pair of free UDP ports")
    for sock in (first, second):
        sock.setblocking(False)
    first.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    return first, second
