"""The bytes of a case's ZIP around its files, made one way only.

A case is an ordinary ZIP file (PKWARE APPNOTE 6.3.10) of stored files. Nothing in its
headers is left to choice: no dates, no comments, one order, ZIP64 exactly where it is
needed. So whoever knows the names, sizes and check sums can make the same headers again,
and a verifier finds every byte of them that was changed.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

MAX_ENTRIES = 100_000
MAX_NAME = 200
LOCAL = struct.Struct("<IHHHHHIIIHH")
CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
END = struct.Struct("<IHHHHIIH")
END64 = struct.Struct("<IQHHIIQQQQ")
LOCATOR = struct.Struct("<IIQI")
LOCAL_SIGNATURE, CENTRAL_SIGNATURE, END_SIGNATURE = 0x04034B50, 0x02014B50, 0x06054B50
END64_SIGNATURE, LOCATOR_SIGNATURE = 0x06064B50, 0x07064B50

_FULL32, _FULL16 = 0xFFFFFFFF, 0xFFFF
_DATE = 0x0021
"""1 January 1980, which is how a ZIP says "no date": the manifest has the true ones."""
_MADE_BY = 3 << 8 | 45
_MODE = 0o100644 << 16
_ZIP64, _ROOM = 0x0001, 0xD935
_EXTRA = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in the ZIP. `offset` is that of its local header; sizes in bytes."""

    name: str
    size: int
    crc: int
    offset: int

    @property
    def data_at(self) -> int:
        return self.offset + local_size(self.name)

    @property
    def end(self) -> int:
        return self.data_at + self.size


def is_name(name: str) -> bool:
    """Whether a file of a case may be called so: ASCII, relative, without '..' or '\\'."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


def local_size(name: str) -> int:
    return LOCAL.size + len(name) + _EXTRA


def local_header(entry: Entry) -> bytes:
    """Of one length whatever the size, so that it can be put in place when that is known."""
    large = entry.size >= _FULL32
    size = _FULL32 if large else entry.size
    if large:
        extra = struct.pack("<HHQQ", _ZIP64, 16, entry.size, entry.size)
    else:
        extra = struct.pack("<HH16x", _ROOM, 16)
    name = entry.name.encode("ascii")
    return (
        LOCAL.pack(
            LOCAL_SIGNATURE, 45 if large else 20, 0, 0, 0, _DATE, entry.crc, size, size,
            len(name), _EXTRA,
        )
        + name
        + extra
    )  # fmt: skip


def central_header(entry: Entry) -> bytes:
    large, far = entry.size >= _FULL32, entry.offset >= _FULL32
    extra = b""
    if large:
        extra += struct.pack("<QQ", entry.size, entry.size)
    if far:
        extra += struct.pack("<Q", entry.offset)
    if extra:
        extra = struct.pack("<HH", _ZIP64, len(extra)) + extra
    size = _FULL32 if large else entry.size
    name = entry.name.encode("ascii")
    return (
        CENTRAL.pack(
            CENTRAL_SIGNATURE, _MADE_BY, 45 if extra else 20, 0, 0, 0, _DATE, entry.crc, size,
            size, len(name), len(extra), 0, 0, 0, _MODE, _FULL32 if far else entry.offset,
        )
        + name
        + extra
    )  # fmt: skip


def ending(entries: Sequence[Entry], at: int) -> bytes:
    """The central directory, which stands at offset `at`, and all that follows it."""
    directory = b"".join(map(central_header, entries))
    count, size = len(entries), len(directory)
    tail = b""
    if count >= _FULL16 or size >= _FULL32 or at >= _FULL32:
        tail = END64.pack(END64_SIGNATURE, 44, _MADE_BY, 45, 0, 0, count, count, size, at)
        tail += LOCATOR.pack(LOCATOR_SIGNATURE, 0, at + size, 1)
    few = min(count, _FULL16)
    return (
        directory
        + tail
        + END.pack(END_SIGNATURE, 0, 0, few, few, min(size, _FULL32), min(at, _FULL32), 0)
    )
