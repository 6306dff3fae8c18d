"""EBML (RFC 8794): elements of an ID, a size and a body, and the IDs that Matroska uses.

Writing never fails; reading raises ParseError for what cannot be an element, and says
"not enough bytes yet" by None, so that a file may be read while it grows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from vms.common.errors import ParseError

EBML = 0x1A45DFA3
DOC_TYPE = 0x4282
SEGMENT = 0x18538067
SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION = 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
INFO, TIMESTAMP_SCALE, DURATION, DATE_UTC = 0x1549A966, 0x2AD7B1, 0x4489, 0x4461
TITLE, MUXING_APP, WRITING_APP, SEGMENT_UUID = 0x7BA9, 0x4D80, 0x5741, 0x73A4
TRACKS, TRACK_ENTRY, TRACK_NUMBER, TRACK_UID, TRACK_TYPE = 0x1654AE6B, 0xAE, 0xD7, 0x73C5, 0x83
FLAG_LACING, LANGUAGE, CODEC_ID, CODEC_PRIVATE = 0x9C, 0x22B59C, 0x86, 0x63A2
CODEC_DELAY, SEEK_PRE_ROLL = 0x56AA, 0x56BB
VIDEO, PIXEL_WIDTH, PIXEL_HEIGHT = 0xE0, 0xB0, 0xBA
AUDIO, SAMPLING_FREQUENCY, CHANNELS, BIT_DEPTH = 0xE1, 0xB5, 0x9F, 0x6264
CLUSTER, TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0x1F43B675, 0xE7, 0xA3, 0xA0, 0xA1
REFERENCE_BLOCK = 0xFB
CUES, CUE_POINT, CUE_TIME, CUE_TRACK_POSITIONS = 0x1C53BB6B, 0xBB, 0xB3, 0xB7
CUE_TRACK, CUE_CLUSTER_POSITION = 0xF7, 0xF1
TAGS, TAG, TARGETS, SIMPLE_TAG, TAG_NAME, TAG_STRING = (
    0x1254C367, 0x7373, 0x63C0, 0x67C8, 0x45A3, 0x4487,
)  # fmt: skip
CHAPTERS, ATTACHMENTS = 0x1043A770, 0x1941A469
VOID, CRC_32 = 0xEC, 0xBF

UNKNOWN_SIZE = b"\x01\xff\xff\xff\xff\xff\xff\xff"
"""A size of eight bytes that says "until something of the parent's level follows"."""


def identifier(element_id: int) -> bytes:
    return element_id.to_bytes((element_id.bit_length() + 7) // 8, "big")


def size(count: int, length: int = 0) -> bytes:
    """`count` as an EBML size in `length` bytes, 0: as few as hold it."""
    if not length:
        length = 1
        while count >= (1 << 7 * length) - 1:
            length += 1
    return (1 << 7 * length | count).to_bytes(length, "big")


def element(element_id: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return identifier(element_id) + size(len(body)) + body


def unsigned(element_id: int, value: int, length: int = 0) -> bytes:
    return element(
        element_id, value.to_bytes(length or max(1, (value.bit_length() + 7) // 8), "big")
    )


def signed(element_id: int, value: int) -> bytes:
    return element(element_id, value.to_bytes(8, "big", signed=True))


def real(element_id: int, value: float) -> bytes:
    return element(element_id, struct.pack(">d", value))


def text(element_id: int, value: str) -> bytes:
    return element(element_id, value.encode())


def void(total: int) -> bytes:
    """A hole of `total` bytes, head included; at least 2 and at most 128."""
    return bytes((VOID, 0x80 | total - 2)) + bytes(total - 2)


def read_head(
    data: bytes | bytearray | memoryview, at: int, end: int
) -> tuple[int, int | None, int] | None:
    """(ID, size or None where unknown, where the body begins); None: not enough bytes.

    Raises ParseError for an ID or size of more bytes than Matroska allows (4 and 8).
    """
    if at >= end:
        return None
    first = data[at]
    if first < 0x10:
        raise ParseError(f"0x{first:02x} cannot begin an EBML ID")
    id_length = 9 - first.bit_length()
    at_size = at + id_length
    if at_size >= end:
        return None
    mark = data[at_size]
    if not mark:
        raise ParseError("an EBML size of more than eight bytes")
    size_length = 9 - mark.bit_length()
    body = at_size + size_length
    if body > end:
        return None
    value = int.from_bytes(data[at_size:body], "big") ^ 1 << 7 * size_length
    if value == (1 << 7 * size_length) - 1:
        return int.from_bytes(data[at:at_size], "big"), None, body
    return int.from_bytes(data[at:at_size], "big"), value, body


def children(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements inside a body that is wholly here, as (ID, body).

    Raises ParseError where one reaches over the end or has an unknown size.
    """
    at, end = 0, len(data)
    while at < end:
        head = read_head(data, at, end)
        if head is None:
            raise ParseError("an element is cut off by the end of its parent")
        element_id, length, body = head
        if length is None or body + length > end:
            raise ParseError("an element reaches over the end of its parent")
        yield element_id, data[body : body + length]
        at = body + length


def to_unsigned(body: bytes) -> int:
    if len(body) > 8:
        raise ParseError(f"a number of {len(body)} bytes")
    return int.from_bytes(body, "big")


def to_signed(body: bytes) -> int:
    if len(body) > 8:
        raise ParseError(f"a number of {len(body)} bytes")
    return int.from_bytes(body, "big", signed=True)


def to_real(body: bytes) -> float:
    if len(body) == 4:
        return float(struct.unpack(">f", body)[0])
    if len(body) == 8:
        return float(struct.unpack(">d", body)[0])
    if not body:
        return 0.0
    raise ParseError(f"a floating point number of {len(body)} bytes")


def to_text(body: bytes) -> str:
    return body.rstrip(b"\0").decode("utf-8", "replace")
