"""Reads the ZIP of a case, and nothing else: what `zip_layout` would not write is refused.

Files lie one behind the other from the first byte to the directory, so no two share bytes
and nothing hides between them: reading all of it takes time in proportion to its size.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from vms.common.errors import ParseError
from vms.storage.export import zip_layout as layout
from vms.storage.export.zip_layout import Entry

_CHUNK = 1 << 20
_MOST_DIRECTORY = layout.MAX_ENTRIES * (layout.CENTRAL.size + layout.MAX_NAME + 28)
_TAIL = layout.END64.size + layout.LOCATOR.size + layout.END.size


class _End(NamedTuple):
    files: int
    size: int
    at: int
    length: int


def read_entries(file: BinaryIO, size: int) -> list[Entry]:
    """The files of the ZIP of `size` bytes, in order. Raises ParseError, OSError."""
    end = _find_end(_read(file, max(0, size - _TAIL), min(size, _TAIL)), size)
    if end.files > layout.MAX_ENTRIES:
        raise ParseError(f"{end.files} files in it; a case has at most {layout.MAX_ENTRIES}")
    if end.size > _MOST_DIRECTORY or end.at + end.size + end.length != size:
        raise ParseError("its directory is not where it should be")
    entries = list(_parse(_read(file, end.at, end.size)))
    if len(entries) != end.files:
        raise ParseError(f"its directory names {len(entries)} files, not {end.files}")
    at, names = 0, set()
    for entry in entries:
        if entry.offset != at:
            raise ParseError(f"{entry.name} does not follow the file before it")
        if entry.name in names:
            raise ParseError(f"{entry.name} is in it twice")
        names.add(entry.name)
        at = entry.end
        if at > end.at:
            raise ParseError(f"{entry.name} is said to be larger than the ZIP")
    if at != end.at:
        raise ParseError("something stands between the last file and the directory")
    return entries


def headers_whole(file: BinaryIO, size: int, entries: list[Entry]) -> bool:
    """Whether all bytes around the files are those that `zip_layout` makes. Raises OSError."""
    for entry in entries:
        if _read(file, entry.offset, layout.local_size(entry.name)) != layout.local_header(entry):
            return False
    at = entries[-1].end if entries else 0
    return _read(file, at, size - at) == layout.ending(entries, at)


def chunks(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """The file's bytes. Raises OSError."""
    file.seek(entry.data_at)
    left = entry.size
    while left:
        data = file.read(min(_CHUNK, left))
        if not data:
            return
        left -= len(data)
        yield data


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _find_end(tail: bytes, size: int) -> _End:
    at = len(tail) - layout.END.size
    if at < 0 or int.from_bytes(tail[at : at + 4], "little") != layout.END_SIGNATURE:
        raise ParseError("it does not end as the ZIP of a case does")
    _, disk, first, here, count, length, start, comment = layout.END.unpack_from(tail, at)
    if disk or first or here != count or comment:
        raise ParseError("its ending is not that of a case")
    at -= layout.LOCATOR.size
    if at < 0 or int.from_bytes(tail[at : at + 4], "little") != layout.LOCATOR_SIGNATURE:
        return _End(count, length, start, layout.END.size)
    at -= layout.END64.size
    if at < 0 or int.from_bytes(tail[at : at + 4], "little") != layout.END64_SIGNATURE:
        raise ParseError("its ZIP64 ending is not that of a case")
    _, _, _, _, _, _, here, count, length, start = layout.END64.unpack_from(tail, at)
    if here != count or max(count, length, start) > size:
        raise ParseError("its ZIP64 ending is not that of a case")
    return _End(count, length, start, _TAIL)


def _parse(directory: bytes) -> Iterator[Entry]:
    at = 0
    while at < len(directory):
        if at + layout.CENTRAL.size > len(directory):
            raise ParseError("its directory breaks off")
        fields = layout.CENTRAL.unpack_from(directory, at)
        signature, method, crc, packed, size = fields[0], fields[4], *fields[7:10]
        name_length, extra_length, comment_length, offset = *fields[10:13], fields[16]
        at += layout.CENTRAL.size
        raw = directory[at : at + name_length]
        extra = directory[at + name_length : at + name_length + extra_length]
        at += name_length + extra_length + comment_length
        if signature != layout.CENTRAL_SIGNATURE or at > len(directory):
            raise ParseError("its directory breaks off")
        if name_length > layout.MAX_NAME:
            raise ParseError(f"a name of {name_length} bytes in it")
        name = raw.decode("ascii", "backslashreplace")
        if not layout.is_name(name):
            raise ParseError(f"a file in it is called {name[:80]!r}, which no case would use")
        if method or packed != size:
            raise ParseError(f"{name} is compressed, which no file of a case is")
        size, offset = _large(name, size, offset, extra)
        yield Entry(name, size, crc, offset)


def _large(name: str, size: int, offset: int, extra: bytes) -> tuple[int, int]:
    """Sizes of files above 4 GiB stand in an extra field."""
    wanted = (2 if size == 0xFFFFFFFF else 0) + (1 if offset == 0xFFFFFFFF else 0)
    if not wanted:
        return size, offset
    if len(extra) != 4 + 8 * wanted or extra[:2] != b"\x01\x00":
        raise ParseError(f"{name} lacks its size")
    numbers = [int.from_bytes(extra[4 + 8 * n : 12 + 8 * n], "little") for n in range(wanted)]
    if size == 0xFFFFFFFF:
        size = numbers[0]
    return size, numbers[-1] if offset == 0xFFFFFFFF else offset
