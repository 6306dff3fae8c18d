"""The RTSP source: from an address to access units (RFC 2326, RFC 3550)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from vms.common.clock import Clock
from vms.common.errors import ParseError, SourceError, SourceProtocolError, SourceRefused
from vms.common.model.camera import Transport
from vms.common.model.media import CodecParameters, Medium
from vms.format import sdp
from vms.format.rtcp import (
    Bye,
    SenderReport,
    build_receiver_report,
    build_source_description,
    parse_rtcp,
)
from vms.format.rtsp import Response
from vms.format.rtsp_headers import Transport as TransportHeader
from vms.format.rtsp_headers import parse_session, parse_transport, resolve_control
from vms.format.sdp_codecs import select_format
from vms.ingest.address import Address
from vms.ingest.reorder import ReorderBuffer
from vms.ingest.rtp_track import RtpTrack, new_ssrc
from vms.ingest.rtsp_connection import RtspConnection, connect
from vms.ingest.rtsp_requests import Requester
from vms.ingest.rtsp_udp import UdpPorts
from vms.ingest.settings import IngestSettings
from vms.ingest.source import SourceStats, UnitSink

_REPORT_PERIOD = 5.0
_FAREWELL = 0.5
_SHORTEST_KEEP_ALIVE = 2.0


class _Line:
    """One track on its transport."""

    def __init__(self, track: RtpTrack, channel: int) -> None:
        self.track = track
        self.channel = channel
        self.ports: UdpPorts | None = None
        self.reorder: ReorderBuffer | None = None


class RtspSource:
    """One session with one camera; see `source.Source`. Used once."""

    def __init__(
        self, address: Address, transport: Transport, settings: IngestSettings, clock: Clock
    ) -> None:
        self._address = address
        self._udp = transport is Transport.UDP
        self._settings = settings
        self._clock = clock
        self._stats = SourceStats()
        self._connection: RtspConnection | None = None
        self._requests: Requester | None = None
        self._lines: list[_Line] = []
        self._channels: dict[int, Callable[[bytes, int, int], object]] = {}
        """What takes interleaved frames, from PLAY on: a stale session's come before."""
        self._base = address.url
        self._aggregate = address.url
        self._session_timeout = 60
        self._ssrc = new_ssrc()
        self._closed = False

    @property
    def stats(self) -> SourceStats:
        return self._stats

    @property
    def server(self) -> str:
        """What the server calls itself."""
        return self._connection.server if self._connection else ""

    @property
    def certificate(self) -> str:
        """SHA-256 of the server's certificate, empty without TLS."""
        return self._connection.certificate if self._connection else ""

    # -- the port ---------------------------------------------------------------------

    async def open(self) -> Sequence[CodecParameters]:
        """Connect, read the description and set the tracks up."""
        self._connection = connection = await connect(self._address, self._settings)
        self._requests = requests = Requester(
            connection, self._address, self._settings.connect_timeout
        )
        options = await requests.try_ask("OPTIONS", self._address.url)
        if options is not None and "GET_PARAMETER" in options.headers.get("Public"):
            requests.keep_alive_method = "GET_PARAMETER"
        description = self._describe(
            await requests.ask("DESCRIBE", self._address.url, {"Accept": "application/sdp"})
        )
        for media, payload_type, parameters in self._select(description):
            await self._setup(media, payload_type, parameters)
        return [line.track.parameters for line in self._lines]

    async def run(self, sink: UnitSink) -> None:
        """Play until the camera ends it (returns) or something breaks (raises)."""
        connection, requests = self._connection, self._requests
        assert connection is not None
        assert requests is not None
        for line in self._lines:
            line.track.sink = sink
        connection.channels.update(self._channels)
        if not self._udp:
            connection.runs.update({line.channel: line.track.run for line in self._lines})
        await requests.ask("PLAY", self._aggregate, {"Range": "npt=0.000-"})
        loop = asyncio.get_running_loop()
        keep_alive_at = loop.time() + self._keep_alive_period
        report_at = loop.time()
        while not connection.ended.done():
            now = loop.time()
            if now >= report_at:
                self._report()
                report_at = now + _REPORT_PERIOD
            if now >= keep_alive_at:
                requests.keep_alive(self._aggregate)
                keep_alive_at = now + self._keep_alive_period
            pause = max(0.01, min(keep_alive_at, report_at) - now)
            await asyncio.wait([connection.ended], timeout=pause)
        if connection.error is not None:
            raise connection.error

    async def close(self) -> None:
        """Say goodbye where there is a session, and free the sockets."""
        if self._closed:
            return
        self._closed = True
        for line in self._lines:
            line.track.sink = None
            if line.reorder is not None:
                line.reorder.close()
            if line.ports is not None:
                line.ports.close()
        connection, requests = self._connection, self._requests
        if connection is None:
            return
        connection.channels.clear()
        try:
            if requests is not None and requests.session and not connection.ended.done():
                async with asyncio.timeout(_FAREWELL):
                    await requests.ask("TEARDOWN", self._aggregate)
        except (SourceError, TimeoutError):
            pass
        finally:
            connection.close()
            connection.abort()

    # -- agreeing ---------------------------------------------------------------------

    def _describe(self, response: Response) -> sdp.SessionDescription:
        headers = response.headers
        base = headers.get("Content-Base") or headers.get("Content-Location")
        self._base = base if base.lower().startswith("rtsp") else self._address.url
        try:
            description = sdp.parse(response.body)
        except ParseError as error:
            raise SourceProtocolError(
                f"{self._address.shown} describes its stream in an unreadable way: {error}"
            ) from None
        self._aggregate = resolve_control(self._base, description.control)
        return description

    def _select(
        self, description: sdp.SessionDescription
    ) -> list[tuple[sdp.Media, int, CodecParameters]]:
        """The first video and the first audio that we can carry."""
        chosen: dict[Medium, tuple[sdp.Media, int, CodecParameters]] = {}
        unknown: dict[str, str] = {}
        for media in description.media:
            if media.direction == "inactive":
                continue
            found = select_format(media)
            if found is None:
                unknown.setdefault(media.kind.lower(), _format_name(media))
            elif self._settings.audio or found[1].medium is Medium.VIDEO:
                chosen.setdefault(found[1].medium, (media, *found))
        if Medium.VIDEO not in chosen and ("video" in unknown or not chosen):
            what = f"video in {unknown['video']}" if "video" in unknown else "no video"
            raise SourceRefused(
                f"{self._address.shown} offers {what}; set H.264 or H.265 in the camera's settings"
            )
        if "audio" in unknown and Medium.AUDIO not in chosen and self._settings.audio:
            self._stats.note = f"audio in {unknown['audio']} is left out; AAC or G.711 would work"
        return [chosen[medium] for medium in (Medium.VIDEO, Medium.AUDIO) if medium in chosen]

    async def _setup(
        self, media: sdp.Media, payload_type: int, parameters: CodecParameters
    ) -> None:
        assert self._connection is not None
        assert self._requests is not None
        index = len(self._lines)
        try:
            track = RtpTrack(
                index, parameters, payload_type, self._stats, media.fmtp.get(payload_type)
            )
        except ParseError as error:
            raise SourceProtocolError(
                f"{self._address.shown} describes {parameters.codec} wrongly: {error}"
            ) from None
        line = _Line(track, 2 * index)
        self._lines.append(line)
        wanted = await self._offer_udp(line) if self._udp else self._offer_tcp(line)
        response = await self._requests.ask(
            "SETUP", resolve_control(self._base, media.control), {"Transport": wanted.encode()}
        )
        try:
            if not self._requests.session and "Session" in response.headers:
                session = parse_session(response.headers.get("Session"))
                self._requests.session, self._session_timeout = session
            agreed = parse_transport(response.headers.get("Transport"))
        except ParseError as error:
            raise SourceProtocolError(
                f"{self._address.shown} answered SETUP wrongly: {error}"
            ) from None
        self._agree(line, agreed)

    def _offer_tcp(self, line: _Line) -> TransportHeader:
        return TransportHeader("RTP/AVP/TCP", interleaved=(line.channel, line.channel + 1))

    async def _offer_udp(self, line: _Line) -> TransportHeader:
        assert self._connection is not None
        line.reorder = reorder = ReorderBuffer(line.track, self._settings.udp_reorder_ms / 1000)
        line.ports = await UdpPorts.open(
            self._connection.local,
            self._connection.peer[0],
            self._settings.udp_buffer_bytes,
            reorder.packet,
            lambda data: self._rtcp(line, data, 0, len(data)),
            self._refused,
        )
        return TransportHeader(client_port=(line.ports.port, line.ports.port + 1))

    def _agree(self, line: _Line, agreed: TransportHeader) -> None:
        assert self._connection is not None
        if agreed.over_tcp is self._udp or not agreed.unicast:
            raise SourceRefused(
                f"{self._address.shown} chose a transport other than the one asked for; "
                f"set the camera's transport to {'TCP' if self._udp else 'UDP'} here"
            )
        if line.ports is not None:
            if agreed.server_port is not None:
                line.ports.aim(self._connection.peer[0], agreed.server_port)
            return
        first, second = agreed.interleaved or (line.channel, line.channel + 1)
        line.channel = first
        if first in self._channels or second in self._channels:
            raise SourceProtocolError(f"{self._address.shown} gave one channel to two tracks")
        self._channels[first] = line.track.packet
        self._channels[second] = lambda data, start, end: self._rtcp(line, data, start, end)

    # -- RTCP -------------------------------------------------------------------------

    @property
    def _keep_alive_period(self) -> float:
        return max(_SHORTEST_KEEP_ALIVE, self._session_timeout / 2)

    def _refused(self) -> None:
        self._stats.packets_refused += 1

    def _rtcp(self, line: _Line, data: bytes, start: int, end: int) -> None:
        try:
            packets = parse_rtcp(data, start, end)
        except ParseError:
            self._stats.packets_refused += 1
            return
        for packet in packets:
            if isinstance(packet, SenderReport):
                line.track.sender_report(packet, self._clock.now_ns())
            elif isinstance(packet, Bye) and line.track.ssrc in packet.sources:
                self._ended(line)

    def _ended(self, line: _Line) -> None:
        """The camera said that a track's source is gone; without the first there is no stream."""
        if line.track.index == 0 and self._connection is not None:
            self._connection.close()

    def _report(self) -> None:
        """Receiver reports for all tracks, which also keep sessions alive in many cameras."""
        assert self._connection is not None
        self._stats.packets_refused += self._connection.take_strays()
        for line in self._lines:
            block = line.track.report_block()
            packet = build_receiver_report(self._ssrc, [block] if block else [])
            packet += build_source_description(self._ssrc, f"{self._ssrc:08x}@vms")
            if line.ports is not None:
                line.ports.send_rtcp(packet)
            else:
                self._connection.send_frame(line.channel + 1, packet)


def _format_name(media: sdp.Media) -> str:
    """What the camera calls the encoding of a media that we do not know."""
    for number in media.payload_types():
        if number in media.rtpmap:
            return media.rtpmap[number].name[:40]
        return {26: "JPEG", 32: "MPEG video", 33: "MPEG-TS"}.get(number, f"RTP format {number}")
    return "an unknown format"
