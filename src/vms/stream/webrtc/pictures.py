"""A track as RTP: each unit packetised once, whoever watches.

Packets of a track are counted by an index of 48 bits or more that never wraps; a viewer
adds an offset of its own, so that it can start low (RFC 3711: a receiver that missed a
wrap before its first packet could never decrypt) and be given old pictures again.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Sequence
from typing import NamedTuple

from vms.common.model.media import AccessUnit, Codec, CodecParameters
from vms.format import h264, h265
from vms.format.annexb import ranges
from vms.format.packetize import packetize
from vms.format.srtp import nonce_low
from vms.stream.timeline import Timeline

MTU = 1200
"""Most bytes of an RTP payload."""
RING = 2048
"""Packets of a track kept to be sent again; a power of two."""
RATES = {Codec.H264: 90_000, Codec.H265: 90_000, Codec.OPUS: 48_000}
"""RTP clock rates that are fixed; other codecs have their own."""
_GROUP = 32
_HEADER = struct.Struct(">BBHII")
_DROPPED_H264 = frozenset(
    {h264.AUD, h264.SEI, h264.FILLER, h264.END_OF_SEQUENCE, h264.END_OF_STREAM}
)
_DROPPED_H265 = frozenset(
    {
        h265.AUD,
        h265.PREFIX_SEI,
        h265.SUFFIX_SEI,
        h265.FILLER,
        h265.END_OF_SEQUENCE,
        h265.END_OF_BITSTREAM,
    }
)


class Variant(NamedTuple):
    """What viewers of one track may differ in.

    `playout` is the ID of the playout-delay extension, 0 for none, and `delay` its value
    (12 bits least, 12 bits most, in 10 ms).
    """

    payload_type: int
    playout: int = 0
    delay: int = 0


Row = tuple[bytes, int, bytes]
"""A packet as one viewer gets it: header, what the nonce adds to the salt, payload."""


class Picture:
    """The RTP packets of one access unit. `first` is the index of the first of them.

    `groups` are (start, end) of packets that the kernel may cut from one buffer: equal in
    size but for the last, which may be smaller.
    """

    __slots__ = ("_rows", "first", "groups", "key", "payloads", "size", "ssrc", "timestamp")

    def __init__(
        self, payloads: Sequence[bytes], first: int, timestamp: int, ssrc: int, key: bool
    ) -> None:
        self.payloads = payloads
        self.first = first
        self.timestamp = timestamp & 0xFFFFFFFF
        self.ssrc = ssrc
        self.key = key
        self.size = sum(map(len, payloads))
        self.groups = _groups(payloads)
        self._rows: dict[tuple[Variant, int], list[list[Row]]] = {}

    def rows(self, variant: Variant, offset: int) -> list[list[Row]]:
        """The packets of each group for viewers of `variant` whose indices are ours plus
        `offset`. Made once for all of them."""
        found = self._rows.get((variant, offset))
        if found is None:
            last = len(self.payloads) - 1
            first = self.first + offset
            found = [
                [
                    (
                        header(variant, first + i, self.timestamp, self.ssrc, i == last),
                        nonce_low(self.ssrc, first + i),
                        self.payloads[i],
                    )
                    for i in range(start, end)
                ]
                for start, end in self.groups
            ]
            self._rows[(variant, offset)] = found
        return found


def header(variant: Variant, index: int, timestamp: int, ssrc: int, marker: bool) -> bytes:
    """An RTP header, with the playout-delay extension (one-byte form, RFC 8285) if wanted."""
    second = variant.payload_type | (0x80 if marker else 0)
    if not variant.playout:
        return _HEADER.pack(0x80, second, index & 0xFFFF, timestamp, ssrc)
    extension = struct.pack(">HHI", 0xBEDE, 1, variant.playout << 28 | 2 << 24 | variant.delay)
    return _HEADER.pack(0x90, second, index & 0xFFFF, timestamp, ssrc) + extension


def _groups(payloads: Sequence[bytes]) -> list[tuple[int, int]]:
    groups: list[tuple[int, int]] = []
    start = 0
    for i in range(1, len(payloads)):
        size = len(payloads[start])
        if len(payloads[i]) > size or len(payloads[i - 1]) != size or i - start >= _GROUP:
            groups.append((start, i))
            start = i
    groups.append((start, len(payloads)))
    return groups


class RtpTrack:
    """Numbers the packets of one track and keeps the newest to send them again.

    Its RTP times are those of the stream's timeline from a random start on (RFC 3550).
    """

    def __init__(self, parameters: CodecParameters, timeline: Timeline) -> None:
        self.codec = parameters.codec
        self.rate = RATES.get(parameters.codec, parameters.clock_rate)
        self.ssrc = secrets.randbits(31) | 1
        self.next_index = secrets.randbits(14)
        self.newest = 0
        """RTP time of the newest unit, not yet cut to 32 bits; 0 before the first."""
        self.interval = self.rate // 25
        """Ticks between the last two units."""
        self._timeline = timeline
        self._base = 1 + secrets.randbits(31)
        self._ring: list[tuple[int, int, bool, bytes] | None] = [None] * RING

    def follow(self, unit: AccessUnit) -> int:
        """Take the time of the next unit; its RTP time."""
        before = self.newest
        self.newest = self._base + self._timeline.ticks(unit, self.rate)
        if before and before != self.newest:
            self.interval = min(max(self.newest - before, 1), self.rate)
        return self.newest

    def picture(self, unit: AccessUnit) -> Picture | None:
        """The packets of the next unit; None where it holds nothing to send.

        Raises ParseError for a unit whose lengths lie.
        """
        ticks = self.follow(unit)
        payloads = payloads_of(unit)
        if not payloads:
            return None
        first = self.next_index
        self.next_index += len(payloads)
        made = Picture(payloads, first, ticks, self.ssrc, unit.key)
        last = len(payloads) - 1
        for i, payload in enumerate(payloads):
            self._ring[(first + i) % RING] = (first + i, made.timestamp, i == last, payload)
        return made

    def kept(self, index: int) -> tuple[int, bool, bytes] | None:
        """Timestamp, marker and payload of packet `index`, None where it is gone."""
        entry = self._ring[index % RING]
        if entry is None or entry[0] != index:
            return None
        return entry[1:]

    def timestamp_at(self, utc_ns: int) -> int:
        """The RTP time that stands for `utc_ns`, for sender reports."""
        return (self._base + self._timeline.at(utc_ns, self.rate)) & 0xFFFFFFFF


def payloads_of(unit: AccessUnit) -> list[bytes]:
    """RTP payloads: without delimiters, SEI and filler, and a key picture with its
    parameter sets before it."""
    codec = unit.parameters.codec
    if codec not in (Codec.H264, Codec.H265):
        return packetize(codec, unit.data, MTU) if unit.data else []
    data = unit.data
    found = ranges(data)
    if codec is Codec.H264:
        kinds = [data[start] & 0x1F for start, _ in found]
        dropped, has_sets = _DROPPED_H264, h264.SPS in kinds
    else:
        kinds = [data[start] >> 1 & 0x3F for start, _ in found]
        dropped, has_sets = _DROPPED_H265, h265.SPS in kinds
    if not dropped.isdisjoint(kinds):
        kept = [r for r, kind in zip(found, kinds, strict=True) if kind not in dropped]
        data = b"".join(data[start - 4 : end] for start, end in kept)
    if unit.key and not has_sets:
        sets = unit.parameters.parameter_sets
        data = b"".join(len(nal).to_bytes(4, "big") + nal for nal in sets) + data
    return packetize(codec, data, MTU) if data else []


def again(units: Sequence[AccessUnit], track: RtpTrack) -> list[Picture]:
    """Pictures already sent, for one viewer, from a key picture up to the newest.

    Their times are pressed into the moment after the newest one sent, so that the viewer
    shows them as fast as it can and is at the live edge at once. Their indices count from
    0: the viewer's offset does the rest.
    """
    pictures: list[Picture] = []
    step = max(1, min(90, track.interval // (len(units) + 1)))
    first = 0
    for i, unit in enumerate(units, 1):
        payloads = payloads_of(unit)
        if payloads:
            ticks = track.newest + i * step
            pictures.append(Picture(payloads, first, ticks, track.ssrc, unit.key))
            first += len(payloads)
    return pictures
