"""Access units made ready for sending: packetised once, patched per client.

A `Packets` is the row of RTP packets of (a part of) one access unit, each behind the four
bytes that frame it on an RTSP connection (RFC 2326 10.12). Sequence number, timestamp
and SSRC stand in it as zeros; a client copies the row and fills them in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vms.common.model.media import Codec, CodecParameters, Medium
from vms.common.sei_stamp import STAMP_UUID, pack_sei_stamp
from vms.format.annexb import to_length_prefixed
from vms.format.packetize import packetize
from vms.format.sei import build_stamp_sei

MTU = 1400
"""Bytes of payload in a packet, as cameras on Ethernet have it."""

FRAMING = 4
RTP_HEADER = 12
_LEAD = struct.Struct(">BBHBBHII")
_PATCH = struct.Struct(">HII").pack_into
_SEQUENCE_AT = FRAMING + 2

PAYLOAD_TYPES = {Codec.PCMU: 0, Codec.PCMA: 8}


def payload_type(codec: Codec) -> int:
    """Static where RFC 3551 has one; else 96 for video and 97 for audio."""
    return PAYLOAD_TYPES.get(codec, 96 if codec.medium is Medium.VIDEO else 97)


@dataclass(frozen=True, slots=True)
class Packets:
    """A row of framed packets. `starts`: where each one's frame begins in `data`."""

    data: bytes
    starts: tuple[int, ...]

    @property
    def octets(self) -> int:
        """Bytes of payload, as sender reports count them."""
        return len(self.data) - len(self.starts) * (FRAMING + RTP_HEADER)

    def filled(self, channel: int, sequence: int, timestamp: int, ssrc: int) -> bytearray:
        """A copy with the first `sequence` number (it counts on) and the rest filled in."""
        copy = bytearray(self.data)
        for start in self.starts:
            _PATCH(copy, start + _SEQUENCE_AT, sequence, timestamp, ssrc)
            sequence = (sequence + 1) & 0xFFFF
        if channel:
            for start in self.starts:
                copy[start + 1] = channel
        return copy

    def split(self, copy: bytearray) -> Iterator[memoryview]:
        """Each RTP packet of a filled `copy`, without framing."""
        view = memoryview(copy)
        ends = (*self.starts[1:], len(copy))
        for start, end in zip(self.starts, ends, strict=True):
            yield view[start + FRAMING : end]


def framed(payloads: Sequence[bytes], kind: int, *, marker: bool) -> Packets:
    """Packets of `payloads` with payload type `kind`; the last one has the marker if told."""
    data = bytearray()
    starts: list[int] = []
    for index, payload in enumerate(payloads):
        starts.append(len(data))
        second = kind | (0x80 if marker and index == len(payloads) - 1 else 0)
        data += _LEAD.pack(0x24, 0, RTP_HEADER + len(payload), 0x80, second, 0, 0, 0)
        data += payload
    return Packets(bytes(data), tuple(starts))


@dataclass(frozen=True, slots=True)
class Unit:
    """One access unit, ready. Parameter sets in `head`, then the stamp, the rest in `body`."""

    codec: Codec
    key: bool
    head: Packets | None
    body: Packets

    @property
    def stamped(self) -> bool:
        """True for pictures, which carry the SEI stamp."""
        return self.codec.medium is Medium.VIDEO

    def stamp(self, number: int, sent_ns: int) -> Packets | None:
        """The packet with the SEI stamp; None for audio."""
        if not self.stamped:
            return None
        nal = build_stamp_sei(self.codec, STAMP_UUID, pack_sei_stamp(number, sent_ns))
        lead = _LEAD.pack(0x24, 0, RTP_HEADER + len(nal), 0x80, payload_type(self.codec), 0, 0, 0)
        return Packets(lead + nal, (0,))


def video_unit(
    codec: Codec, parameter_sets: Sequence[bytes], slices: Sequence[bytes], *, key: bool
) -> Unit:
    """An access unit of raw NAL units; `parameter_sets` may be empty."""
    kind = payload_type(codec)
    head = None
    if parameter_sets:
        payloads = packetize(codec, to_length_prefixed(parameter_sets), MTU)
        head = framed(payloads, kind, marker=False)
    body = framed(packetize(codec, to_length_prefixed(slices), MTU), kind, marker=True)
    return Unit(codec, key, head, body)


def audio_unit(codec: Codec, frame: bytes) -> Unit:
    """One audio frame. AAC frames end with the marker (RFC 3640 3.1), G.711 has none."""
    payloads = packetize(codec, frame, MTU)
    return Unit(codec, True, None, framed(payloads, payload_type(codec), marker=codec is Codec.AAC))


@dataclass(frozen=True, slots=True)
class Item:
    """A unit of a programme: sent at `at_ns` from its start, shown `shift_ns` after that."""

    unit: Unit
    at_ns: int
    shift_ns: int = 0


@dataclass(frozen=True, slots=True)
class Programme:
    """What is played round and round. `duration_ns` is one round; at least one item is key."""

    parameters: CodecParameters
    items: tuple[Item, ...]
    duration_ns: int

    @property
    def delay_ns(self) -> int:
        """How long the encoder holds pictures back to reorder them."""
        return max(item.shift_ns for item in self.items)
