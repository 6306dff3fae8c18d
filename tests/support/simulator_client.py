"""A plain RTSP client for looking at what the simulator sends, packet by packet."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from vms.common.model.media import Codec
from vms.common.sei_stamp import STAMP_UUID, SeiStamp, unpack_sei_stamp
from vms.format import digest, rtcp
from vms.format.annexb import to_length_prefixed
from vms.format.rtp import RtpHeader, parse_rtp
from vms.format.rtsp import Headers, Interleaved, Request, Response, RtspParser, interleave
from vms.format.rtsp_headers import parse_session, parse_transport
from vms.format.sdp import SessionDescription
from vms.format.sdp import parse as parse_sdp
from vms.format.sei import find_user_data

LIMIT = 4.0


async def until(condition: Callable[[], object], limit: float = LIMIT) -> None:
    """Wait until `condition` is true; TimeoutError after `limit` seconds."""
    async with asyncio.timeout(limit):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


class Packet:
    """An RTP packet and when it came (monotonic, seconds)."""

    def __init__(self, data: bytes) -> None:
        self.at = time.monotonic()
        self.header: RtpHeader = parse_rtp(data)
        self.payload = data[self.header.start : self.header.end]

    def stamp(self, codec: Codec = Codec.H264) -> SeiStamp | None:
        """The SEI stamp, where this packet is one."""
        if (self.payload[0] & 31 != 6) if codec is Codec.H264 else (self.payload[0] >> 1 != 39):
            return None
        found = find_user_data(to_length_prefixed([self.payload]), codec, STAMP_UUID)
        return None if found is None else unpack_sei_stamp(found)


class RtspClient:
    """One connection. Media and reports by channel in `packets` and `reports`."""

    def __init__(self, url: str, username: str = "", password: str = "") -> None:
        self.url = url
        self._credentials = username, password
        self._challenge: digest.Challenge | None = None
        self._cseq = 0
        self._answers: asyncio.Queue[Response] = asyncio.Queue()
        self.packets: dict[int, list[Packet]] = defaultdict(list)
        self.reports: dict[int, list[rtcp.RtcpPacket]] = defaultdict(list)
        self.session = ""
        self.timeout = 0
        self.closed = asyncio.Event()
        self._udp: list[asyncio.DatagramTransport] = []

    async def __aenter__(self) -> Self:
        host, _, port = self.url.split("/")[2].rpartition(":")
        self._reader, self._writer = await asyncio.open_connection(host, int(port))
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading
        self._writer.close()
        for transport in self._udp:
            transport.close()

    async def _read(self) -> None:
        parser = RtspParser()
        with contextlib.suppress(OSError):
            while data := await self._reader.read(65536):
                for message in parser.feed(data):
                    if isinstance(message, Response):
                        self._answers.put_nowait(message)
                    elif isinstance(message, Interleaved):
                        self._media(message.channel, message.data[message.start : message.end])
        self.closed.set()

    def _media(self, channel: int, data: bytes) -> None:
        if channel % 2:
            self.reports[channel] += rtcp.parse_rtcp(data)
        else:
            self.packets[channel].append(Packet(data))

    async def ask(self, method: str, url: str = "", **headers: str) -> Response:
        """Send a request and wait for its answer; signs in when asked to."""
        response = await self._once(method, url or self.url, headers)
        if response.status == 401 and self._credentials[0] and self._challenge is None:
            challenges = digest.parse_challenges(response.headers.get_all("WWW-Authenticate"))
            self._challenge = digest.strongest(challenges)
            response = await self._once(method, url or self.url, headers)
        return response

    async def _once(self, method: str, url: str, headers: dict[str, str]) -> Response:
        self._cseq += 1
        items = {"CSeq": str(self._cseq)}
        if self.session:
            items["Session"] = self.session
        items |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self._challenge is not None:
            items["Authorization"] = digest.authorization(
                self._challenge, *self._credentials, method, url, self._cseq
            )
        self._writer.write(Request(method, url, Headers(items)).encode())
        response = await asyncio.wait_for(self._answers.get(), LIMIT)
        assert response.cseq == self._cseq
        return response

    async def describe(self) -> SessionDescription:
        response = await self.ask("DESCRIBE", Accept="application/sdp")
        assert response.status == 200, response
        return parse_sdp(response.body)

    async def setup(self, track: int = 1) -> Response:
        """Interleaved, on the channels 2 * (track - 1) and the next."""
        first = 2 * (track - 1)
        transport = f"RTP/AVP/TCP;unicast;interleaved={first}-{first + 1}"
        response = await self.ask("SETUP", f"{self.url}/track{track}", Transport=transport)
        if response.status == 200:
            self.session, self.timeout = parse_session(response.headers.get("Session"))
        return response

    async def setup_udp(self, track: int = 1) -> Response:
        """By UDP; the packets land in the same lists as those of an interleaved track."""
        loop = asyncio.get_running_loop()
        ports = []
        for channel in (2 * (track - 1), 2 * (track - 1) + 1):
            transport, _ = await loop.create_datagram_endpoint(
                lambda channel=channel: _Receiver(self, channel), ("127.0.0.1", 0)
            )
            self._udp.append(transport)
            ports.append(transport.get_extra_info("sockname")[1])
        wanted = f"RTP/AVP;unicast;client_port={ports[0]}-{ports[1]}"
        response = await self.ask("SETUP", f"{self.url}/track{track}", Transport=wanted)
        if response.status == 200:
            self.session, self.timeout = parse_session(response.headers.get("Session"))
            server = parse_transport(response.headers.get("Transport")).server_port
            assert server is not None
            self._rtcp_to = ("127.0.0.1", server[1])
        return response

    async def play(self, tracks: int = 1) -> Response:
        """SETUP of that many tracks and PLAY."""
        for track in range(1, tracks + 1):
            response = await self.setup(track)
            assert response.status == 200, response
        response = await self.ask("PLAY", Range="npt=0.000-")
        assert response.status == 200, response
        return response

    def send_report(self, channel: int = 1) -> None:
        self._writer.write(interleave(channel, rtcp.build_receiver_report(1)))

    def send_report_by_udp(self) -> None:
        self._udp[1].sendto(rtcp.build_receiver_report(1), self._rtcp_to)

    async def received(self, count: int, channel: int = 0, limit: float = LIMIT) -> list[Packet]:
        """Wait until `count` packets have come on a channel; gives them all."""
        await until(lambda: len(self.packets[channel]) >= count, limit)
        return self.packets[channel]

    async def stamps(self, count: int, codec: Codec = Codec.H264) -> list[SeiStamp]:
        """The SEI stamps of the first `count` pictures."""
        async with asyncio.timeout(LIMIT):
            while True:
                found = [s for p in self.packets[0] if (s := p.stamp(codec)) is not None]
                if len(found) >= count:
                    return found[:count]
                await asyncio.sleep(0.005)


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, client: RtspClient, channel: int) -> None:
        self._client, self._channel = client, channel

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._client._media(self._channel, data)


@contextlib.asynccontextmanager
async def playing(url: str, tracks: int = 1) -> AsyncIterator[RtspClient]:
    """A client that has begun to play."""
    async with RtspClient(url) as client:
        await client.play(tracks)
        yield client
