"""RTCP (RFC 3550 section 6, feedback of RFC 4585 and RFC 5104): compound packets, both ways."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vms.common.errors import ParseError

SR, RR, SDES, BYE, APP, RTPFB, PSFB = range(200, 207)

_NTP_TO_UNIX = 2_208_988_800
"""Seconds from 1900 to 1970."""
_NTP_ERA = 1 << 32
_MAX_PACKETS = 64
_WORD = struct.Struct(">I")
_SENDER = struct.Struct(">IIIIII")
_BLOCK = struct.Struct(">IIIIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver tells of one sender (RFC 3550 6.4.1).

    `fraction_lost` in 1/256 since the last report; `lost` in all (24 bits, signed);
    `highest_sequence` with its cycles (32 bits); `jitter` in timestamp ticks;
    `last_sr` the middle 32 bits of the NTP time of the last sender report, and
    `delay_since_last_sr` in 1/65536 s (both 0 before the first).
    """

    ssrc: int
    fraction_lost: int = 0
    lost: int = 0
    highest_sequence: int = 0
    jitter: int = 0
    last_sr: int = 0
    delay_since_last_sr: int = 0


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`ntp_ns` is the sender's UTC in nanoseconds (0: it has no clock) at `rtp_time`;
    `ntp_middle` is what goes into `ReportBlock.last_sr`."""

    ssrc: int
    ntp_ns: int
    rtp_time: int
    packets: int = 0
    octets: int = 0
    reports: tuple[ReportBlock, ...] = ()
    ntp_middle: int = 0


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """`names` are the CNAMEs: (ssrc, name)."""

    names: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Bye:
    sources: tuple[int, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Nack:
    """`sequences`: the packets that are asked for again (RFC 4585 6.2.1)."""

    sender: int
    media: int
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pli:
    """Picture loss indication: send a key picture (RFC 4585 6.3.1)."""

    sender: int
    media: int


@dataclass(frozen=True, slots=True)
class Fir:
    """Full intra request (RFC 5104 4.3.1): (ssrc, number) of each stream asked for."""

    sender: int
    requests: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Remb:
    """Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb), in bit/s."""

    sender: int
    bitrate: int
    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Any other packet: `kind` is the packet type, `count` its five-bit field."""

    kind: int
    count: int
    body: bytes


RtcpPacket = (
    SenderReport | ReceiverReport | SourceDescription | Bye | Nack | Pli | Fir | Remb | Unknown
)


def parse_rtcp(data: bytes, start: int = 0, end: int | None = None) -> list[RtcpPacket]:
    """The packets of a compound at `start` to `end`; ParseError where one is malformed.

    A compound that begins with something other than a report is accepted (RFC 5506).
    """
    if end is None:
        end = len(data)
    if not 0 <= start <= end <= len(data):
        raise ParseError("RTCP range outside its buffer")
    packets: list[RtcpPacket] = []
    while start < end:
        if end - start < 4:
            raise ParseError(f"RTCP packet of {end - start} bytes")
        if data[start] >> 6 != 2:
            raise ParseError(f"RTCP version {data[start] >> 6}")
        following = start + 4 + 4 * (data[start + 2] << 8 | data[start + 3])
        if following > end:
            raise ParseError(f"RTCP packet of {following - start} bytes in {end - start}")
        body = bytes(data[start + 4 : following])
        if data[start] & 0x20:
            padding = body[-1] if body else 0
            if not 0 < padding <= len(body):
                raise ParseError(f"RTCP padding of {padding} bytes in {len(body)}")
            body = body[:-padding]
        packets.append(_packet(data[start + 1], data[start] & 0x1F, body))
        if len(packets) > _MAX_PACKETS:
            raise ParseError(f"more than {_MAX_PACKETS} RTCP packets in a compound")
        start = following
    if not packets:
        raise ParseError("empty RTCP compound")
    return packets


def _packet(kind: int, count: int, body: bytes) -> RtcpPacket:
    try:
        if kind == SR:
            return _sender_report(count, body)
        if kind == RR:
            return ReceiverReport(_WORD.unpack_from(body)[0], _blocks(body, 4, count))
        if kind == SDES:
            return SourceDescription(_names(count, body))
        if kind == BYE:
            return _bye(count, body)
        if kind == RTPFB and count == 1:
            return _nack(body)
        if kind == PSFB and count == 1:
            return Pli(*struct.unpack_from(">II", body))
        if kind == PSFB and count == 4:
            return _fir(body)
        if kind == PSFB and count == 15 and body[8:12] == b"REMB":
            return _remb(body)
    except (struct.error, IndexError) as error:
        raise ParseError(f"RTCP packet type {kind} of {len(body)} bytes is cut short") from error
    return Unknown(kind, count, body)


def _sender_report(count: int, body: bytes) -> SenderReport:
    ssrc, seconds, fraction, rtp_time, packets, octets = _SENDER.unpack_from(body)
    return SenderReport(
        ssrc,
        ntp_to_ns(seconds, fraction),
        rtp_time,
        packets,
        octets,
        _blocks(body, _SENDER.size, count),
        (seconds & 0xFFFF) << 16 | fraction >> 16,
    )


def _blocks(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    found: list[ReportBlock] = []
    for index in range(count):
        ssrc, loss, highest, jitter, last, delay = _BLOCK.unpack_from(body, start + 24 * index)
        lost = loss & 0xFFFFFF
        lost -= (lost & 0x800000) << 1
        found.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last, delay))
    return tuple(found)


def _names(count: int, body: bytes) -> tuple[tuple[int, str], ...]:
    names: list[tuple[int, str]] = []
    at = 0
    for _ in range(count):
        ssrc = _WORD.unpack_from(body, at)[0]
        at += 4
        while body[at]:
            size = body[at + 1]
            text = body[at + 2 : at + 2 + size]
            if len(text) != size:
                raise IndexError
            if body[at] == 1:
                names.append((ssrc, text.decode("utf-8", "replace")))
            at += 2 + size
        at = (at | 3) + 1
    return tuple(names)


def _bye(count: int, body: bytes) -> Bye:
    sources = struct.unpack_from(f">{count}I", body)
    rest = body[4 * count :]
    reason = rest[1 : 1 + rest[0]].decode("utf-8", "replace") if rest else ""
    return Bye(sources, reason)


def _nack(body: bytes) -> Nack:
    sender, media = struct.unpack_from(">II", body)
    sequences: list[int] = []
    for at in range(8, len(body), 4):
        first, mask = struct.unpack_from(">HH", body, at)
        sequences.append(first)
        sequences += [(first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1]
    return Nack(sender, media, tuple(sequences))


def _fir(body: bytes) -> Fir:
    sender = _WORD.unpack_from(body)[0]
    entries = range(8, len(body), 8)
    return Fir(sender, tuple((_WORD.unpack_from(body, at)[0], body[at + 4]) for at in entries))


def _remb(body: bytes) -> Remb:
    word = _WORD.unpack_from(body, 12)[0]
    bitrate = (word & 0x3FFFF) << (word >> 18 & 0x3F)
    sources = struct.unpack_from(f">{word >> 24}I", body, 16)
    return Remb(_WORD.unpack_from(body)[0], bitrate, sources)


def ntp_to_ns(seconds: int, fraction: int) -> int:
    """UTC in nanoseconds of an NTP time; 0 for the time 0, which means no clock.

    Seconds without their highest bit belong to the era that begins in 2036 (RFC 5905 6).
    """
    if not seconds and not fraction:
        return 0
    if seconds < 1 << 31:
        seconds += _NTP_ERA
    return (seconds - _NTP_TO_UNIX) * 1_000_000_000 + ((fraction * 1_000_000_000 + (1 << 31)) >> 32)


def ns_to_ntp(utc_ns: int) -> tuple[int, int]:
    """(seconds, fraction) of an NTP time, from UTC in nanoseconds."""
    seconds, rest = divmod(utc_ns, 1_000_000_000)
    fraction = min(((rest << 32) + 500_000_000) // 1_000_000_000, 0xFFFFFFFF)
    return (seconds + _NTP_TO_UNIX) % _NTP_ERA, fraction


def _framed(kind: int, count: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(">BBH", 0x80 | count, kind, len(body) // 4) + body


def _pack_blocks(reports: Sequence[ReportBlock]) -> bytes:
    if len(reports) > 31:
        raise ParseError(f"{len(reports)} reports do not fit one packet")
    return b"".join(
        _BLOCK.pack(
            report.ssrc,
            report.fraction_lost << 24 | max(-0x800000, min(report.lost, 0x7FFFFF)) & 0xFFFFFF,
            report.highest_sequence & 0xFFFFFFFF,
            report.jitter & 0xFFFFFFFF,
            report.last_sr,
            min(report.delay_since_last_sr, 0xFFFFFFFF),
        )
        for report in reports
    )


def build_sender_report(
    ssrc: int,
    utc_ns: int,
    rtp_time: int,
    packets: int,
    octets: int,
    reports: Sequence[ReportBlock] = (),
) -> bytes:
    """An SR; counters and times wrap at 32 bits as they should."""
    seconds, fraction = ns_to_ntp(utc_ns)
    mask = 0xFFFFFFFF
    body = _SENDER.pack(
        ssrc, seconds, fraction, rtp_time & mask, packets & mask, octets & mask
    ) + _pack_blocks(reports)
    return _framed(SR, len(reports), body)


def build_receiver_report(ssrc: int, reports: Sequence[ReportBlock] = ()) -> bytes:
    return _framed(RR, len(reports), _WORD.pack(ssrc) + _pack_blocks(reports))


def build_source_description(ssrc: int, name: str) -> bytes:
    """An SDES with one CNAME."""
    text = name.encode()[:255]
    body = _WORD.pack(ssrc) + bytes((1, len(text))) + text + b"\x00"
    return _framed(SDES, 1, body)


def build_bye(sources: Sequence[int], reason: str = "") -> bytes:
    text = reason.encode()[:255]
    body = struct.pack(f">{len(sources)}I", *sources)
    return _framed(BYE, len(sources), body + (bytes((len(text),)) + text if text else b""))


def build_nack(sender: int, media: int, sequences: Iterable[int]) -> bytes:
    """A generic NACK; sequence numbers in a row share an entry."""
    entries: list[tuple[int, int]] = []
    for sequence in sequences:
        if entries and 0 < (ahead := (sequence - entries[-1][0]) & 0xFFFF) <= 16:
            entries[-1] = (entries[-1][0], entries[-1][1] | 1 << (ahead - 1))
        elif not entries or sequence != entries[-1][0]:
            entries.append((sequence & 0xFFFF, 0))
    body = struct.pack(">II", sender, media)
    return _framed(RTPFB, 1, body + b"".join(struct.pack(">HH", *entry) for entry in entries))


def build_pli(sender: int, media: int) -> bytes:
    return _framed(PSFB, 1, struct.pack(">II", sender, media))


def build_fir(sender: int, requests: Sequence[tuple[int, int]]) -> bytes:
    entries = b"".join(struct.pack(">IB3x", ssrc, number & 0xFF) for ssrc, number in requests)
    return _framed(PSFB, 4, struct.pack(">II", sender, 0) + entries)
