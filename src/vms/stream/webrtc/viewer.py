"""One WebRTC viewer: its ways, its keys, and what it is sent."""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from vms.common.errors import ParseError
from vms.format.rtcp import (
    Bye,
    Fir,
    Nack,
    Pli,
    build_bye,
    build_sender_report,
    build_source_description,
    parse_rtcp,
)
from vms.format.rtp import unwrap_sequence
from vms.format.srtp import MasterKeys
from vms.stream import metrics
from vms.stream.webrtc.answer import CNAME
from vms.stream.webrtc.dtls import Dtls, Identity
from vms.stream.webrtc.negotiate import Plan
from vms.stream.webrtc.pictures import Picture, RtpTrack, Variant, header
from vms.stream.webrtc.sealing import SecureChannel
from vms.stream.webrtc.udp import Address, Path, UdpPort

_AT_ONCE = 3
"""Groups of packets of one picture sent without a pause."""
_MAX_QUEUED = 3000
"""Groups that may wait; a viewer further behind goes on at the next key picture."""
_MAX_WAYS = 8
_LATEST_START = 0xF000
"""The highest 16-bit sequence number that a viewer starts with."""
_AGAIN_EVERY = 2.0
_RESEND_RATE = 1000.0
_RESEND_BURST = 500.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """One generation of ICE names and passwords, ours and the viewer's name."""

    ufrag: str
    password: str
    remote_ufrag: str

    @classmethod
    def make(cls, remote_ufrag: str) -> Credentials:
        return cls(secrets.token_hex(4), secrets.token_hex(16), remote_ufrag)


class Flow:
    """One track to one viewer: its numbers there, and what was sent."""

    __slots__ = ("next_index", "octets", "offset", "offset_since", "packets", "track", "variant")

    def __init__(self, track: RtpTrack, variant: Variant) -> None:
        self.track = track
        self.variant = variant
        self.packets = 0
        self.octets = 0
        self.offset = 0
        self.offset_since = 0
        self.next_index = -1

    def start(self, ahead: int = 0) -> int:
        """Begin at the track's next packet, after `ahead` packets of the viewer's own.

        Gives the index of the first. Most viewers get an offset that leaves the 16-bit
        sequence numbers as they are, so that they share headers. One that would wrap soon
        starts low instead: a receiver that misses the packets before a wrap decrypts none
        after it.
        """
        first = (self.track.next_index - ahead) & 0xFFFF
        if first > _LATEST_START:
            first = secrets.randbits(14)
        return self.go_on(first, ahead)

    def go_on(self, first: int, ahead: int = 0) -> int:
        """Put the track's next packet at index `first + ahead`."""
        self.offset = first + ahead - self.track.next_index
        self.offset_since = first + ahead
        self.next_index = first + ahead
        return first


class Viewer:
    """`offer` made it, `on_datagram` of the server feeds it, the outlet sends through it."""

    def __init__(
        self, stream: tuple[str, str], owner: str, plan: Plan, identity: Identity, port: UdpPort
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.camera, self.stream = stream
        self.owner = owner
        self.plan = plan
        self.credentials = [Credentials.make(plan.ufrag)]
        self.tag = secrets.token_hex(4)
        """Names the ICE session in HTTP (ETag)."""
        self.dtls = Dtls(identity, plan.fingerprints)
        self.channel: SecureChannel | None = None
        self.path: Path | None = None
        self.ways: dict[Address, Path] = {}
        self.started = self.heard = time.monotonic()
        self.ended = False
        self.watch: asyncio.Task[None] | None = None
        """Ends the session when its owner may watch no longer."""
        self.video: Flow | None = None
        self.audio: Flow | None = None
        self.rtx_ssrc = secrets.randbits(31) | 1
        self.packets_taken = 0
        self.bytes_taken = 0
        self._port = port
        self._rtx_index = secrets.randbits(14)
        self._waits_for_key = True
        self._queue: deque[tuple[Picture, int, int]] = deque()
        self._again: dict[int, tuple[int, bool, bytes]] = {}
        self._again_at = 0.0
        self._resend_credit = _RESEND_BURST
        self._resend_at = self.started
        self._report_at = 0.0

    @property
    def connected(self) -> bool:
        return self.channel is not None

    @property
    def queued(self) -> int:
        """Groups of packets that wait for their turn."""
        return len(self._queue)

    def remember_way(self, path: Path, nominated: bool) -> None:
        """A check came over `path`; it is the way to send from now on if `nominated`."""
        if path.remote not in self.ways and len(self.ways) >= _MAX_WAYS:
            self.ways.pop(next(a for a in self.ways if self.path is None or a != self.path.remote))
        known = self.ways.setdefault(path.remote, path)
        if known.local != path.local:
            known = self.ways[path.remote] = path
        if nominated or self.path is None:
            self.path = known

    def open_channel(self, profile: bytes, keys: MasterKeys) -> None:
        """The handshake is done: what is sent from now on is sealed with its keys."""
        self.channel = SecureChannel(profile, keys)

    def send_raw(self, datagrams: Sequence[bytes]) -> None:
        if self.path is not None:
            for datagram in datagrams:
                self._port.send(datagram, self.path)

    # --- media ---

    def begin(self, again: Sequence[Picture]) -> None:
        """Connected: start with `again`, the pictures kept since the last key picture."""
        if self.video is None:
            return
        count = sum(len(picture.payloads) for picture in again)
        first = self.video.start(count)
        if again:
            self._send_again(again, first)
        if self.audio is not None:
            self.audio.start()

    def repeat(self, again: Sequence[Picture]) -> bool:
        """The viewer lost the picture: give it those since the last key picture once more.

        False where that was done just now, or is being done, or nothing is kept.
        """
        now = time.monotonic()
        if not again or self._queue or self._waits_for_key or now - self._again_at < _AGAIN_EVERY:
            return False
        if self.video is None:
            return False
        count = sum(len(picture.payloads) for picture in again)
        self._send_again(again, self.video.go_on(self.video.next_index, count))
        return True

    def _send_again(self, again: Sequence[Picture], first: int) -> None:
        self._again_at = time.monotonic()
        self._waits_for_key = False
        self._again.clear()
        for picture in again:
            last = len(picture.payloads) - 1
            for i, payload in enumerate(picture.payloads):
                place = first + picture.first + i
                self._again[place] = (picture.timestamp, i == last, payload)
            self._queue.extend((picture, first, group) for group in range(len(picture.groups)))
        self.drain(_AT_ONCE)

    def send_video(self, picture: Picture) -> None:
        """The next picture of the track, as it comes."""
        flow = self.video
        if flow is None:
            return
        if self._waits_for_key:
            if not picture.key:
                return
            self._waits_for_key = False
            flow.offset = flow.next_index - picture.first
            flow.offset_since = flow.next_index
        elif len(self._queue) > _MAX_QUEUED:
            metrics.dropped.labels("webrtc").inc()
            self._queue.clear()
            self._waits_for_key = True
            return
        flow.next_index = picture.first + flow.offset + len(picture.payloads)
        if self._queue or len(picture.groups) > _AT_ONCE:
            self._queue.extend((picture, flow.offset, g) for g in range(len(picture.groups)))
            if len(self._queue) == len(picture.groups):
                self.drain(_AT_ONCE)
            return
        for rows in picture.rows(flow.variant, flow.offset):
            self._send_rows(flow, rows)

    def drain(self, groups: int) -> None:
        """Send up to `groups` of the groups that wait."""
        flow = self.video
        if flow is None:
            return
        for _ in range(min(groups, len(self._queue))):
            picture, offset, group = self._queue.popleft()
            self._send_rows(flow, picture.rows(flow.variant, offset)[group])

    def send_audio(self, frame: Picture) -> None:
        flow = self.audio
        if flow is None:
            return
        flow.next_index = frame.first + flow.offset + len(frame.payloads)
        for rows in frame.rows(flow.variant, flow.offset):
            self._send_rows(flow, rows)

    def _send_rows(self, flow: Flow, rows: Sequence[tuple[bytes, int, bytes]]) -> None:
        channel, path = self.channel, self.path
        if channel is None or path is None:
            return
        buffers = channel.rtp.seal_rows(rows)
        segment = len(rows[0][0]) + len(rows[0][2]) + channel.rtp.overhead
        count = len(rows)
        size = segment * (count - 1) + len(rows[-1][2])
        taken = self._port.send_packets(buffers, segment, count, path)
        flow.packets += count
        flow.octets += size
        self.packets_taken += taken
        self.bytes_taken += size if taken else 0

    # --- control ---

    def on_rtcp(self, datagram: bytes) -> list[Pli | Fir | Bye]:
        """Answer what can be answered here; the rest goes to the outlet."""
        if self.channel is None:
            return []
        compound = self.channel.open_rtcp(datagram)
        if compound is None:
            metrics.ignored.labels("rtcp").inc()
            return []
        try:
            packets = parse_rtcp(compound)
        except ParseError:
            metrics.ignored.labels("rtcp").inc()
            return []
        for packet in packets:
            flow = self.video
            if isinstance(packet, Nack) and flow and packet.media == flow.track.ssrc:
                self._on_nack(flow, packet.sequences)
        return [packet for packet in packets if isinstance(packet, Pli | Fir | Bye)]

    def _on_nack(self, flow: Flow, sequences: Sequence[int]) -> None:
        now = time.monotonic()
        credit = self._resend_credit + (now - self._resend_at) * _RESEND_RATE
        self._resend_credit, self._resend_at = min(credit, _RESEND_BURST), now
        metrics.nacks.inc(len(sequences))
        for sequence in sequences:
            if self._resend_credit < 1:
                return
            index = unwrap_sequence(flow.next_index, sequence)
            kept = self._kept(flow, index)
            if kept is not None:
                self._resend_credit -= 1
                self._resend(flow, index, kept)

    def _kept(self, flow: Flow, index: int) -> tuple[int, bool, bytes] | None:
        if flow.offset_since <= index < flow.next_index:
            return flow.track.kept(index - flow.offset)
        return self._again.get(index)

    def _resend(self, flow: Flow, index: int, kept: tuple[int, bool, bytes]) -> None:
        channel, path = self.channel, self.path
        if channel is None or path is None:
            return
        timestamp, marker, payload = kept
        ssrc = flow.track.ssrc
        rtx = self.plan.video.retransmission
        if rtx is None:
            head = header(flow.variant, index, timestamp, ssrc, marker)
            sealed = channel.rtp.seal(head, payload, ssrc, index)
        else:
            # RFC 4588: a stream of its own, the original number before the payload.
            number = self._rtx_index
            self._rtx_index += 1
            head = header(Variant(rtx.number), number, timestamp, self.rtx_ssrc, marker)
            body = struct.pack(">H", index & 0xFFFF) + payload
            sealed = channel.rtp.seal(head, body, self.rtx_ssrc, number)
        if self._port.send(sealed, path):
            metrics.retransmitted.inc()

    def report(self, now: float, utc_ns: int) -> None:
        """Send a sender report a second, once media was sent."""
        if self.channel is None or self.path is None or now < self._report_at:
            return
        self._report_at = now + 1.0
        for flow in (self.video, self.audio):
            if flow is None or not flow.packets:
                continue
            ssrc = flow.track.ssrc
            report = build_sender_report(
                ssrc, utc_ns, flow.track.timestamp_at(utc_ns), flow.packets, flow.octets
            )
            compound = report + build_source_description(ssrc, CNAME)
            self._port.send(self.channel.seal_rtcp(compound), self.path)

    def say_goodbye(self) -> None:
        """BYE and close_notify, as far as there is a way to send them."""
        if self.channel is not None and self.path is not None:
            flows = [flow for flow in (self.video, self.audio) if flow is not None]
            bye = build_bye([flow.track.ssrc for flow in flows])
            self._port.send(self.channel.seal_rtcp(bye), self.path)
        self.dtls.close()
        self.send_raw(self.dtls.flush())
