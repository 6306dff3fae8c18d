"""One RTP stream of a session: order, losses, times, and its units (RFC 3550).

The hot path of the system: some 400 packets a second and camera go through
`RtpTrack.packet`, so it does as little as it can and leaves the rest to rare branches.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters, Medium
from vms.format import h264, h265
from vms.format.depacketize import Unit, create_depacketizer
from vms.format.depacketize_video import PictureDepacketizer
from vms.format.rtcp import ReportBlock, SenderReport
from vms.format.rtp import payload_range, unwrap_timestamp
from vms.ingest.source import SourceStats, UnitSink

_HEADER = struct.Struct(">BBHII")
_HEADER_SIZE = 12
_FRAME = struct.Struct(">HHHH")
_FRAME_HEADER = 16
"""Bytes of the interleaved frame's and the plain RTP header."""
_WHO = struct.Struct(">II")
_ROW_LEAST, _ROW_MOST = 3, 64
"""So many frames of one size make a row that is taken apart by one call."""
_NUMBERS = struct.pack(f">{0x10000 + _ROW_MOST}H", *range(0x10000), *range(_ROW_MOST))
"""All sequence numbers in their order, wrap included, as they stand in packets."""
_NS = 1_000_000_000
_MISORDER = 100
"""A packet so far behind is late; one further behind may be a new count (RFC 3550 A.1)."""
_DROPOUT = 0x4000
"""A packet so far ahead may be one of a new count too; nearer ones follow a loss."""
_FOREIGN_PATIENCE = 64
"""So many packets of another source, and none of ours between them, make it ours."""
_REPORT_LIMIT = 10
"""Seconds by which a sender report may differ from the newest timestamp."""
_OFFSETS_KEPT = 8
_FIRST_WRAP = 1 << 32
"""Ticks begin so high that times just before the first stay positive."""


class RtpTrack:
    """Takes packets in the order in which the network gave them (UDP: after reordering).

    A foreign SSRC or payload type is refused and counted. A camera that changes its SSRC for
    good is followed, and the unit in flight counts as damaged.
    """

    def __init__(
        self,
        index: int,
        parameters: CodecParameters,
        payload_type: int,
        stats: SourceStats,
        fmtp: Mapping[str, str] | None = None,
        ssrc: int | None = None,
    ) -> None:
        self.index = index
        self.parameters = parameters
        self.sink: UnitSink | None = None
        """Who takes the units; what comes before there is one is refused."""
        self._stats = stats
        self._type = payload_type
        joiner = create_depacketizer(parameters, fmtp)
        self._push = joiner.push
        self._pictures = joiner if isinstance(joiner, PictureDepacketizer) else None
        self._ssrc = -1 if ssrc is None else ssrc
        self._next = -1
        """The sequence number expected next, counted on beyond 16 bits; -1 before the first."""
        self._gaps = 0
        self._restart = -1
        self._foreign = (-1, 0)
        self._lost = False
        self._ticks = -1
        self._rate = parameters.clock_rate
        self._ready = parameters.medium is Medium.AUDIO or bool(parameters.parameter_sets)
        self._anchor_ns = 0
        self._anchor_ticks = 0
        self._offsets: list[int] = []
        self._last_report = (0, 0)
        self._reported = (0, 0)
        self._jitter = 0.0
        self._transit = 0

    @property
    def ssrc(self) -> int:
        """The source of our packets, -1 before the first."""
        return self._ssrc

    @property
    def expected(self) -> int:
        """The sequence number expected next, -1 before the first packet."""
        return self._next & 0xFFFF if self._next >= 0 else -1

    def packet(self, data: bytes, start: int, end: int) -> None:
        """Takes the RTP packet at `start` to `end` of `data`. Never raises."""
        if end - start <= _HEADER_SIZE:
            self._stats.packets_refused += 1
            return
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data, start)
        if (ssrc != self._ssrc or second & 0x7F != self._type) and not self._accept(
            ssrc, second & 0x7F
        ):
            return
        if sequence != self._next & 0xFFFF and not self._jumped(sequence):
            return
        self._next += 1
        try:
            if first == 0x80:
                start += _HEADER_SIZE
            else:
                start, end = payload_range(data, start, end)
                if start == end:
                    return
            units = self._push(data, start, end, second > 127, timestamp, self._lost)
        except ParseError:
            self._stats.packets_refused += 1
            self._lost = False
            return
        if self._lost:
            self._lost = False
        for unit in units:
            self._emit(unit)

    def run(self, data: bytes, at: int, total: int) -> int:
        """Takes interleaved frames (RFC 2326 10.12) from `at` on, as far as each is whole,
        carries on the same NAL unit and is the next in order; gives where it stopped.

        Most packets of a camera are such; taken so they cost a third.
        """
        pictures = self._pictures
        if pictures is None or self._lost:
            return at
        timestamp, begin = pictures.continuation()
        if timestamp < 0:
            return at
        same = _WHO.pack(timestamp, self._ssrc) + begin
        body = _FRAME_HEADER + len(begin)
        lead, kind = 0x2400 | data[at + 1], 0x8000 | self._type
        sequence = self._next & 0xFFFF
        first = at
        bodies = self._row(data, at, total, same, sequence)
        if bodies:
            at += len(bodies) * (body + len(bodies[0]))
            sequence = (sequence + len(bodies)) & 0xFFFF
        while at + body < total:
            found, size, head, number = _FRAME.unpack_from(data, at)
            end = at + 4 + size
            if (
                number != sequence
                or head != kind
                or found != lead
                or end > total
                or end <= at + body
                or data[at + 8 : at + body] != same
            ):
                break
            bodies.append(data[at + body : end])
            sequence = (sequence + 1) & 0xFFFF
            at = end
        if bodies:
            self._next += len(bodies)
            pictures.carry_on(bodies, at - first)
        return at

    def _row(self, data: bytes, at: int, total: int, same: bytes, sequence: int) -> list[bytes]:
        """The bodies of all frames from `at` on, if all of them have the size of the first and
        are what `run` takes; else none. Cameras cut a picture into packets of one size, so
        that this decides about a dozen of them in four comparisons.
        """
        size = 4 + (data[at + 2] << 8 | data[at + 3]) if total - at > _FRAME_HEADER else total
        count = min((total - at) // size, _ROW_MOST)
        body = 8 + len(same)
        if count < _ROW_LEAST or size <= body:
            return []
        lead = data[at : at + 6]
        if lead[0] != 0x24 or lead[4] != 0x80 or lead[5] != self._type:
            return []
        fields = _row_format(len(same), size - body, count).unpack_from(data, at)
        if (
            fields[0::4].count(lead) != count
            or fields[2::4].count(same) != count
            or b"".join(fields[1::4]) != _NUMBERS[2 * sequence : 2 * (sequence + count)]
        ):
            return []
        return list(fields[3::4])

    # -- rare branches ----------------------------------------------------------------

    def _accept(self, ssrc: int, payload_type: int) -> bool:
        """Whether a packet whose SSRC or type is not the usual one is taken."""
        if payload_type == self._type:
            if self._ssrc < 0 and self.sink is not None:
                self._ssrc = ssrc
                return True
            known, count = self._foreign
            count = count + 1 if ssrc == known else 1
            if self._ssrc >= 0 and count >= _FOREIGN_PATIENCE:
                self._follow(ssrc)
                return True
            self._foreign = (ssrc, count)
        self._stats.packets_refused += 1
        return False

    def _follow(self, ssrc: int) -> None:
        """The camera has become another source: its counts begin anew, the codec stays."""
        self._ssrc = ssrc
        self._next = -1
        self._lost = True
        self._anchor_ns = 0
        self._offsets.clear()
        self._last_report = (0, 0)
        self._foreign = (-1, 0)

    def _jumped(self, sequence: int) -> bool:
        """A sequence number that is not the expected one: lost ones before it, or a late one."""
        if self._next < 0:
            self._next = sequence
            self._gaps = 0
            self._reported = (sequence, 0)
            return True
        ahead = (sequence - self._next) & 0xFFFF
        if ahead < _DROPOUT:
            self._count_lost(ahead)
        elif 0x10000 - ahead <= _MISORDER:
            return False
        elif sequence != self._restart:
            self._restart = (sequence + 1) & 0xFFFF
            return False
        else:
            self._reported = (self._next + ahead, self._gaps)
            self._lost = True
        self._next += ahead
        self._foreign = (-1, 0)
        return True

    def _count_lost(self, count: int) -> None:
        self._gaps += count
        self._stats.packets_lost += count
        self._lost = True

    # -- units ------------------------------------------------------------------------

    def _emit(self, unit: Unit) -> None:
        ticks = self._ticks
        if ticks < 0:
            self._ticks = ticks = unit.timestamp + _FIRST_WRAP
        else:
            self._ticks = ticks = unwrap_timestamp(ticks, unit.timestamp)
        if unit.parameter_sets is not None:
            self._renew(unit.parameter_sets)
        if not self._ready:
            self._stats.note = "no parameter sets (SPS, PPS) yet, neither in the SDP nor in band"
            return
        if self._foreign[1]:
            self._foreign = (-1, 0)
        now = time.monotonic_ns()
        transit = now * self._rate // _NS - ticks
        self._jitter += (abs(transit - self._transit) - self._jitter) / 16
        self._transit = transit
        capture = None
        if self._anchor_ns:
            capture = self._anchor_ns + (ticks - self._anchor_ticks) * _NS // self._rate
        sink = self.sink
        if sink is not None:
            sink.unit(
                self.index, self.parameters, unit.data, ticks, unit.key, unit.damaged, capture
            )

    def _renew(self, parameter_sets: tuple[bytes, ...]) -> None:
        """New parameters for new parameter sets; unreadable ones are passed on as they are."""
        old = self.parameters
        read = h264.parameters if old.codec is Codec.H264 else h265.parameters
        try:
            new = read(parameter_sets, old.frame_rate)
        except ParseError:
            new = replace(old, parameter_sets=parameter_sets)
        self.parameters = (
            new if new.clock_rate == self._rate else replace(new, clock_rate=self._rate)
        )
        if not self._ready:
            self._ready = True
            self._stats.note = ""

    # -- reports ----------------------------------------------------------------------

    def sender_report(self, report: SenderReport, now_ns: int) -> None:
        """Maps the camera's clock. `now_ns` is our UTC; reports that cannot be are left out.

        The offset is the greatest of the last few: the one that spent least time on its way.
        """
        if report.ssrc != self._ssrc or self._ticks < 0:
            return
        self._last_report = (report.ntp_middle, time.monotonic_ns())
        ticks = unwrap_timestamp(self._ticks, report.rtp_time)
        if not report.ntp_ns or abs(ticks - self._ticks) > _REPORT_LIMIT * self._rate:
            return
        self._anchor_ns, self._anchor_ticks = report.ntp_ns, ticks
        self._offsets = [*self._offsets[1 - _OFFSETS_KEPT :], report.ntp_ns - now_ns]
        self._stats.clock_offset_ns = max(self._offsets)

    def report_block(self) -> ReportBlock | None:
        """What to tell the camera (RFC 3550 A.3); None before the first packet.

        Jitter is measured over units, not packets.
        """
        if self._next < 0:
            return None
        seen, gaps = self._reported
        expected = self._next - seen
        lost = self._gaps - gaps
        self._reported = (self._next, self._gaps)
        middle, received = self._last_report
        delay = (time.monotonic_ns() - received) * 65536 // _NS if middle else 0
        return ReportBlock(
            self._ssrc,
            min(255, lost * 256 // expected) if expected > 0 else 0,
            self._gaps,
            self._next - 1,
            min(int(self._jitter), 0xFFFFFFFF),
            middle,
            delay,
        )


def new_ssrc() -> int:
    """A random source number of our own, for reports."""
    return random.getrandbits(32)


@lru_cache(maxsize=4096)
def _row_format(same: int, body: int, count: int) -> struct.Struct:
    """`count` interleaved frames: lead and RTP type, sequence number, the rest that all have
    in common, and the body."""
    return struct.Struct(">" + f"6s2s{same}s{body}s" * count)
