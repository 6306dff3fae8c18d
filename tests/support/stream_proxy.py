"""A UDP proxy between a WebRTC server and one viewer, that can lose what it carries."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

Lose = Callable[[bytes], bool]


def is_rtp(datagram: bytes) -> bool:
    """RTP, not RTCP, STUN or DTLS (RFC 7983, RFC 5761)."""
    return len(datagram) >= 12 and datagram[0] >> 6 == 2 and not 192 <= datagram[1] <= 223


class _Side(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, tuple[str, int]], None]) -> None:
        self.take = take

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.take(data, address)


class LossyProxy:
    """Stands at `port` of loopback for the server at `target`. `lose` says of each datagram
    to the viewer whether it is lost; `deaf` loses all of the viewer's own."""

    def __init__(self, target: int) -> None:
        self.target = ("127.0.0.1", target)
        self.lose: Lose = lambda _: False
        self.deaf = False
        self.lost = 0
        self.seen: list[bytes] = []
        self._viewer: tuple[str, int] | None = None

    async def __aenter__(self) -> LossyProxy:
        loop = asyncio.get_running_loop()
        here = ("127.0.0.1", 0)
        self._front, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self._from_viewer), local_addr=here
        )
        self._back, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self._from_server), local_addr=here
        )
        self.port: int = self._front.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._front.close()
        self._back.close()

    def _from_viewer(self, data: bytes, address: tuple[str, int]) -> None:
        self._viewer = address
        if not self.deaf:
            self._back.sendto(data, self.target)

    def _from_server(self, data: bytes, _: tuple[str, int]) -> None:
        if is_rtp(data):
            self.seen.append(data)
        if self.lose(data):
            self.lost += 1
        elif self._viewer is not None:
            self._front.sendto(data, self._viewer)

    def through(self, answer: str) -> str:
        """The server's SDP answer with the proxy as its only candidate."""
        first = re.search(r"a=candidate:.*\r\n", answer)
        assert first is not None
        line = f"a=candidate:1 1 udp 2130706431 127.0.0.1 {self.port} typ host\r\n"
        rest = re.sub(r"a=candidate:.*\r\n", "", answer)
        return rest.replace("a=end-of-candidates\r\n", line + "a=end-of-candidates\r\n")
