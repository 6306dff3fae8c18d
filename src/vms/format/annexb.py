"""NAL units in a row: behind start codes (Annex B) or behind a length of four bytes.

Sources: ITU-T H.264 Annex B, H.265 Annex B, ISO/IEC 14496-15 5.3.
"""

from __future__ import annotations

from collections.abc import Iterable

from vms.common.errors import ParseError

START_CODE = b"\x00\x00\x00\x01"
_SHORT_START_CODE = b"\x00\x00\x01"


def split_annexb(data: bytes) -> list[bytes]:
    """The NAL units of a byte stream, without start codes and trailing zeros.

    Bytes before the first start code are skipped; no start code gives an empty list.
    """
    data = bytes(data)
    nals: list[bytes] = []
    start = data.find(_SHORT_START_CODE)
    while start >= 0:
        start += 3
        following = data.find(_SHORT_START_CODE, start)
        end = following if following >= 0 else len(data)
        nal = data[start:end].rstrip(b"\x00")
        if nal:
            nals.append(nal)
        start = following
    return nals


def to_length_prefixed(nals: Iterable[bytes]) -> bytes:
    """NAL units, each behind its length in four bytes, big-endian."""
    parts: list[bytes] = []
    for nal in nals:
        parts.append(len(nal).to_bytes(4, "big"))
        parts.append(nal)
    return b"".join(parts)


def ranges(data: bytes | memoryview) -> list[tuple[int, int]]:
    """(start, end) of each NAL unit in length-prefixed data.

    Raises ParseError where a length runs past the end, leaves a rest, or is zero.
    """
    found: list[tuple[int, int]] = []
    at, total = 0, len(data)
    while at < total:
        start = at + 4
        at = start + int.from_bytes(data[at:start], "big")
        if start >= at or at > total:
            raise ParseError(f"NAL unit at byte {start - 4} of {total} ends at byte {at}")
        found.append((start, at))
    return found


def split_length_prefixed(data: bytes | memoryview) -> list[memoryview]:
    """Views of the NAL units in length-prefixed data; ParseError as in `ranges`."""
    view = memoryview(data)
    return [view[start:end] for start, end in ranges(data)]


def to_annexb(data: bytes | memoryview) -> bytes:
    """Length-prefixed data with a four-byte start code before each NAL unit instead."""
    out = bytearray(data)
    for start, _ in ranges(data):
        out[start - 4 : start] = START_CODE
    return bytes(out)
