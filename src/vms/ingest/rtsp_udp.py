"""The pair of UDP ports on which one track's RTP and RTCP come (RFC 3550 section 11)."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable

from vms.common.errors import SourceUnreachable

_TRIES = 64
_LOWEST, _HIGHEST = 20_000, 60_000


class _Receiver(asyncio.DatagramProtocol):
    """Takes datagrams of one host only: anybody may send to a port."""

    def __init__(self, host: str, take: Callable[[bytes], None], refuse: Callable[[], None]):
        self._host = host
        self._take = take
        self._refuse = refuse

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        if addr[0] == self._host:
            self._take(data)
        else:
            self._refuse()

    def error_received(self, exc: Exception) -> None:
        """An ICMP error: the camera is not listening yet, or no more; stalls show it."""


class UdpPorts:
    """Two sockets on neighbouring ports, the even one for RTP."""

    def __init__(self, rtp: asyncio.DatagramTransport, rtcp: asyncio.DatagramTransport, port: int):
        self.port = port
        self._rtp = rtp
        self._rtcp = rtcp
        self._target: tuple[str, int, int] | None = None

    @classmethod
    async def open(
        cls,
        local: str,
        host: str,
        buffer_bytes: int,
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], None],
        on_refused: Callable[[], None],
    ) -> UdpPorts:
        """Bind on `local`; datagrams not from `host` are refused. Raises SourceUnreachable."""
        loop = asyncio.get_running_loop()
        first, second = _bind_pair(local, buffer_bytes)
        port = first.getsockname()[1]
        transports = []
        for sock, take in ((first, on_rtp), (second, on_rtcp)):
            transport, _ = await loop.create_datagram_endpoint(
                lambda take=take: _Receiver(host, take, on_refused),  # type: ignore[misc]
                sock=sock,
            )
            transports.append(transport)
        return cls(transports[0], transports[1], port)

    def aim(self, host: str, ports: tuple[int, int]) -> None:
        """Where the camera sends from: reports go there, and open the way through a NAT."""
        self._target = (host, *ports)
        self._rtp.sendto(b"\x80\x00\x00\x00" + bytes(8), (host, ports[0]))

    def send_rtcp(self, packet: bytes) -> None:
        if self._target is not None:
            host, _, port = self._target
            self._rtcp.sendto(packet, (host, port))

    def close(self) -> None:
        self._rtp.close()
        self._rtcp.close()


def _bind_pair(local: str, buffer_bytes: int) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    for _ in range(_TRIES):
        port = random.randrange(_LOWEST, _HIGHEST, 2)
        pair = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(2)]
        try:
            for offset, sock in enumerate(pair):
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
                sock.bind((local, port + offset))
        except OSError:
            for sock in pair:
                sock.close()
            continue
        return pair[0], pair[1]
    raise SourceUnreachable(
        f"no free pair of UDP ports between {_LOWEST} and {_HIGHEST} on {local}; use TCP"
    )
