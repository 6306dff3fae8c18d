"""RTP (RFC 3550): the header, and counting through numbers that wrap."""

from __future__ import annotations

import struct
from typing import NamedTuple

from vms.common.errors import ParseError

HEADER_SIZE = 12
_HEADER = struct.Struct(">BBHII")


class RtpHeader(NamedTuple):
    """One packet's header; the payload is at `start` to `end` of the buffer it came in."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    start: int
    end: int


def parse_rtp(data: bytes | memoryview, start: int = 0, end: int | None = None) -> RtpHeader:
    """Reads the RTP packet at `start` to `end`; ParseError where it is not one.

    Contributing sources, header extension and padding are stepped over.
    """
    if end is None:
        end = len(data)
    if not 0 <= start <= end - HEADER_SIZE or end > len(data):
        raise ParseError(f"RTP packet of {end - start} bytes")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data, start)
    if first == 0x80:
        start += HEADER_SIZE
    else:
        start, end = payload_range(data, start, end)
    return RtpHeader(second > 127, second & 0x7F, sequence, timestamp, ssrc, start, end)


def payload_range(data: bytes | memoryview, start: int, end: int) -> tuple[int, int]:
    """Where the payload lies in a packet whose first byte is not the plain 0x80."""
    first = data[start]
    if first >> 6 != 2:
        raise ParseError(f"RTP version {first >> 6}")
    start += HEADER_SIZE + (first & 15) * 4
    if first & 0x10:
        if start + 4 > end:
            raise ParseError("RTP header extension runs past the packet")
        start += 4 + ((data[start + 2] << 8) | data[start + 3]) * 4
    if start > end:
        raise ParseError("RTP header runs past the packet")
    if first & 0x20:
        padding = data[end - 1]
        if not 0 < padding <= end - start:
            raise ParseError(f"RTP padding of {padding} bytes in {end - start}")
        end -= padding
    return start, end


def build_header(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, marker: bool = False
) -> bytes:
    """A header of 12 bytes; `sequence` and `timestamp` are cut to 16 and 32 bits."""
    return _HEADER.pack(
        0x80,
        (0x80 if marker else 0) | payload_type,
        sequence & 0xFFFF,
        timestamp & 0xFFFFFFFF,
        ssrc,
    )


def unwrap(reference: int, value: int, bits: int) -> int:
    """The number nearest to `reference` whose lowest `bits` bits are `value`.

    The way to count on through 16-bit sequence numbers and 32-bit timestamps: keep the
    result as the next reference. The result may be negative before the first wrap.
    """
    span = 1 << bits
    half = span >> 1
    return reference + ((value - reference + half) & (span - 1)) - half


def unwrap_sequence(reference: int, sequence: int) -> int:
    """`unwrap` for 16-bit sequence numbers."""
    return reference + ((sequence - reference + 0x8000) & 0xFFFF) - 0x8000


def unwrap_timestamp(reference: int, timestamp: int) -> int:
    """`unwrap` for 32-bit timestamps."""
    return reference + ((timestamp - reference + 0x80000000) & 0xFFFFFFFF) - 0x80000000
