"""A span of footage as one MP4 of a size known beforehand, whose bytes are made on demand.

The file is an init segment, a `sidx`, and then a part for each second or more of whole groups
of pictures. How large a part comes out is known once its pictures are read; how large it can
get is known from the index alone: what an MP4 says of a picture is a few bytes more than what
Matroska said of it. So each part has that much room and ends in a `free` box. Nothing of the
footage is read to lay a clip out, and any byte of it costs the reading of one part.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass, replace
from threading import Lock

from vms.common.errors import ParseError, StorageError
from vms.common.model.media import CodecParameters, Medium
from vms.common.model.segment import SegmentRow
from vms.format import fmp4
from vms.storage.footage import Footage, VolumeOf
from vms.storage.recording import Recording
from vms.storage.remux import VIDEO_SCALE, Remuxer

_LEAST_MS = 1000
_MOST_BYTES = 96 << 20
_MOST_CELLS = 60_000
# `moof` and `mdat` of two tracks, and the `free` box.
_ROOM = 400
_ROOM_A_PICTURE = 16
_KEPT = 16


@dataclass(frozen=True, slots=True)
class Cell:
    """Some whole groups of one file. `piece` names the file; `start` and `end` are offsets in
    it; `base_ns` is when the first picture is shown, `until_ns` when what follows is, both
    from the clip's start; `wall_ns` is UTC of the first picture."""

    piece: int
    start: int
    end: int
    base_ns: int
    until_ns: int
    wall_ns: int
    pictures: int

    @property
    def room(self) -> int:
        """Bytes that the part has in the clip."""
        return self.end - self.start + _ROOM + _ROOM_A_PICTURE * self.pictures


def cells(footage: Footage, least_ms: int) -> list[Cell]:
    """The footage cut before key pictures into parts of at least `least_ms`, but the last."""
    made: list[Cell] = []
    for place, piece in enumerate(footage.pieces):
        groups = piece.groups()
        first = 0
        for number in range(1, len(groups) + 1):
            last = number == len(groups)
            if not last and (
                groups[number].media_ms - groups[first].media_ms < least_ms
                and groups[number].offset - groups[first].offset < _MOST_BYTES // 2
            ):
                continue
            base = groups[first].media_ms * 1_000_000 - piece.zero_ns
            until = 0 if last else groups[number].media_ms * 1_000_000 - piece.zero_ns
            end = piece.end if last else groups[number].offset
            pictures = sum(group.pictures for group in groups[first:number])
            made.append(
                Cell(place, groups[first].offset, end, base, until, groups[first].wall_ns, pictures)
            )
            first = number
    return _joined(made, footage)


def _joined(made: list[Cell], footage: Footage) -> list[Cell]:
    """Each shown until the next begins; the last of the footage until its end."""
    whole = []
    for cell, following in zip(made, [*made[1:], None], strict=True):
        until = following.base_ns if following else cell.base_ns + footage.end_ns - cell.wall_ns
        until = max(until, cell.base_ns + 1_000_000)
        whole.append(replace(cell, until_ns=until))
    return whole


class Clip:
    """The layout of one clip. Holds no file open; methods may be called from any thread."""

    def __init__(self, footage: Footage) -> None:
        """Raises StorageError where it cannot be an MP4."""
        self.start_ns, self.end_ns = footage.start_ns, footage.end_ns
        tracks = {n: t for n, t in footage.tracks.items() if t.codec in fmp4.STORABLE}
        self._tracks: list[CodecParameters] = list(tracks.values())
        self._places = {number: place for place, number in enumerate(tracks)}
        if self._tracks[0].medium is not Medium.VIDEO:
            raise StorageError("a recording whose first track is not video cannot be a clip")
        self._rows = [piece.recording.row for piece in footage.pieces]
        self._zeros = [piece.zero_ns for piece in footage.pieces]
        self._cells = cells(footage, _LEAST_MS)
        if len(self._cells) > _MOST_CELLS:
            raise StorageError("a clip of so many pieces cannot be made; ask for a shorter span")
        self._head = self._make_head()
        self._starts: list[int] = []
        at = len(self._head)
        for cell in self._cells:
            self._starts.append(at)
            at += cell.room
        self.size = at
        """Bytes of the whole file."""
        self.codecs = ", ".join(map(fmp4.codec_string, self._tracks))
        self.etag = self._tag()

    def _make_head(self) -> bytes:
        try:
            init = Remuxer(self._tracks).init((self._cells[-1].until_ns + 999_999) // 1_000_000)
        except ParseError as error:
            raise StorageError(f"this footage cannot be an MP4: {error}") from error
        index = fmp4.segment_index(
            VIDEO_SCALE, [(c.room, _ticks(c.until_ns) - _ticks(c.base_ns)) for c in self._cells]
        )
        return init + index

    def _tag(self) -> str:
        parts = [self._head, *(row.id.encode() for row in self._rows)]
        parts += [f"{cell.start}-{cell.end}".encode() for cell in self._cells]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]

    def read(self, volume_of: VolumeOf, start: int, end: int) -> Reading:
        """The bytes from `start` to `end`. `close` what is given."""
        return Reading(self._read(volume_of, start, end))

    def _read(self, volume_of: VolumeOf, start: int, end: int) -> Generator[bytes, None, None]:
        if start < len(self._head):
            yield self._head[start:end]
            start = len(self._head)
        opened: tuple[int, Recording] | None = None
        try:
            while start < end:
                place = bisect_right(self._starts, start) - 1
                cell, began = self._cells[place], self._starts[place]
                if opened is None or opened[0] != cell.piece:
                    if opened is not None:
                        opened[1].close()
                        opened = None
                    row = self._rows[cell.piece]
                    opened = cell.piece, Recording(volume_of(row), row)
                part = self._part(opened[1], cell)
                yield part[start - began : end - began]
                start = began + len(part)
        finally:
            if opened is not None:
                opened[1].close()

    def _part(self, recording: Recording, cell: Cell) -> bytes:
        if cell.end - cell.start > _MOST_BYTES:
            raise StorageError(f"a group of {cell.end - cell.start >> 20} MiB is too long to send")
        remuxer = Remuxer(self._tracks)
        for blocks in recording.blocks(cell.start, cell.end):
            for block in blocks:
                place = self._places.get(block.track)
                time_ns = block.time_ns - self._zeros[cell.piece]
                if place is not None and time_ns >= 0:
                    remuxer.push(place, time_ns, block.key, block.data)
        data = remuxer.take(last=True, until_ns=cell.until_ns)
        left = cell.room - len(data)
        if left < 8:
            raise StorageError(f"the recording {recording.row.path} is not as its index says")
        return data + fmp4.padding(left)


class Reading:
    """Bytes of a clip. Take `next_chunk` until it is None; `close` in any case."""

    def __init__(self, chunks: Generator[bytes, None, None]) -> None:
        self._chunks = chunks
        self._lock = Lock()

    def next_chunk(self) -> bytes | None:
        """Blocking. Raises NotFound, StorageError."""
        with self._lock:
            return next(self._chunks, None)

    def close(self) -> None:
        """Let go of the files. Waits for a `next_chunk` of another thread."""
        with self._lock:
            self._chunks.close()


def _ticks(time_ns: int) -> int:
    return (time_ns * VIDEO_SCALE + 500_000_000) // 1_000_000_000


class ClipCache:
    """Layouts of the clips asked for last: a player asks for many ranges of one."""

    def __init__(self, limit: int = _KEPT) -> None:
        self._limit = limit
        self._lock = Lock()
        self._kept: OrderedDict[tuple[object, ...], Clip] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> Clip | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: tuple[object, ...], clip: Clip) -> None:
        with self._lock:
            self._kept[key] = clip
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """(start, end) of a `Range` header of one range, end not included; None: send the whole.

    Raises ValueError where it lies outside of the file (RFC 9110, 14.1.2).
    """
    unit, _, asked = header.partition("=")
    first, dash, last = asked.strip().partition("-")
    if unit.strip().lower() != "bytes" or not dash or "," in asked:
        return None
    first, last = first.strip(), last.strip()
    if not all(not part or (part.isascii() and part.isdigit()) for part in (first, last)):
        return None
    if len(first) > 18 or len(last) > 18 or not (first or last):
        return None
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise ValueError(f"bytes {asked[:60]} of a file of {size}")
    return start, end


def row_ids(rows: list[SegmentRow]) -> tuple[object, ...]:
    """What a layout depends on: which files, and how far those had grown that still do."""
    return tuple((row.id, row.closed, row.end_ns, row.volume) for row in rows)
