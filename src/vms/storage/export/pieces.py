"""The list of a media file's pieces: which bytes show which span, and their hashes.

One JSON object a line, in order, from the first byte of the file to the last without a
gap: `o` offset, `s` size, `h` SHA-256 in hex, `t` and `e` the first and the end of what
it shows (UTC, epoch milliseconds; null for what shows nothing, as the file's head), and
`i`, the number of the group in the recording's index (0 the first) whose very bytes it is,
null where it is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vms.common.errors import ParseError

MAX_BYTES = 64 << 20
_MAX_INT = 1 << 53
_KEYS = frozenset("oshtei")


@dataclass(frozen=True, slots=True)
class Piece:
    """Times in epoch milliseconds, `offset` and `size` in bytes."""

    offset: int
    size: int
    start_ms: int | None = None
    end_ms: int | None = None
    group: int | None = None
    digest: str = ""


def encode(pieces: Iterable[Piece]) -> bytes:
    lines = (
        json.dumps(
            {
                "o": p.offset, "s": p.size, "h": p.digest, "t": p.start_ms, "e": p.end_ms,
                "i": p.group,
            },
            separators=(",", ":"),
        )
        for p in pieces
    )  # fmt: skip
    return b"".join(line.encode() + b"\n" for line in lines)


def parse(data: bytes, size: int) -> list[Piece]:
    """The pieces of a file of `size` bytes. Raises ParseError, naming the line."""
    if len(data) > MAX_BYTES:
        raise ParseError(f"a list of pieces of {len(data)} bytes; at most {MAX_BYTES} are read")
    found, at = [], 0
    for number, line in enumerate(_lines(data), 1):
        piece = _parse_line(line, number)
        if piece.offset != at:
            raise ParseError(f"line {number}: the piece does not follow the one before")
        at += piece.size
        found.append(piece)
    if at != size:
        raise ParseError(f"the pieces cover {at} bytes of {size}")
    return found


def _lines(data: bytes) -> Iterator[bytes]:
    if not data.endswith(b"\n"):
        raise ParseError("the last line is cut off")
    yield from data[:-1].split(b"\n")


def _parse_line(line: bytes, number: int) -> Piece:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise ParseError(f"line {number} is not JSON") from None
    if not isinstance(fields, dict) or fields.keys() != _KEYS:
        raise ParseError(f"line {number} is not a piece")
    digest = fields["h"]
    if not isinstance(digest, str) or len(digest) != 64 or digest.strip("0123456789abcdef"):
        raise ParseError(f"line {number}: 'h' is no SHA-256 in hex")
    offset, size = (_number(fields, name, number) for name in "os")
    start, end, group = (
        None if fields[name] is None else _number(fields, name, number) for name in "tei"
    )
    if not size or (start is None) != (end is None):
        raise ParseError(f"line {number} is not a piece")
    return Piece(offset, size, start, end, group, digest)


def _number(fields: dict[str, object], name: str, number: int) -> int:
    value = fields[name]
    if type(value) is not int or not 0 <= value < _MAX_INT:
        raise ParseError(f"line {number}: {name!r} is not a number in range")
    return value
