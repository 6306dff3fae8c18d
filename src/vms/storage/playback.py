"""Finds footage and plays it: from the catalog's rows to fragmented MP4.

An answer holds whole groups of pictures: it begins with the key picture at or before the
instant asked for and ends before a key picture, so that answers that follow one another
neither overlap nor leave anything out. It ends early where footage has a gap or the
stream's parameters change. The group that is still being written is only given to those
who ask for an instant within it.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeVar

from vms.common.errors import NotFound, StorageError
from vms.common.model.media import CodecParameters
from vms.common.model.segment import SegmentRow
from vms.format import fmp4
from vms.storage import metrics
from vms.storage.recording import Recording
from vms.storage.remux import Remuxer, playable
from vms.storage.settings import StorageSettings
from vms.storage.snapshot import to_jpeg
from vms.storage.volume import Volume

T = TypeVar("T")

_JOIN_NS = 2_000_000_000
_UNTOLD_NS = 30_000_000_000
_ASTRAY_NS = 500_000_000


class SegmentLookup(Protocol):
    """What playback needs of the catalog's segments."""

    async def spans(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int
    ) -> list[SegmentRow]: ...

    async def after(self, camera: str, stream: str, t_ns: int) -> SegmentRow | None: ...


class PlaybackCatalog(Protocol):
    @property
    def segments(self) -> SegmentLookup: ...


class NoFootage(NotFound):
    """Nothing is recorded there. `next_ns` is when footage begins again, None: never."""

    def __init__(self, message: str, next_ns: int | None) -> None:
        super().__init__(message)
        self.next_ns = next_ns


class PlaybackBusy(StorageError):
    """As many answers as may be are being sent."""


@dataclass(slots=True)
class _Piece:
    """A part of the answer: the groups of one file between two offsets."""

    recording: Recording
    start: int
    end: int
    zero_ns: int
    """Media time in the file at which the answer shows 0."""


class Answer:
    """What is to be sent. Take `next_chunk` until it is None; `close` in any case."""

    def __init__(
        self, pieces: list[_Piece], tracks: dict[int, CodecParameters], start_ns: int, end_ns: int
    ) -> None:
        self.start_ns = start_ns
        """UTC of the first picture."""
        self.end_ns = end_ns
        """UTC at which to go on: nothing before it is left out."""
        self.mime = fmp4.mime_type(tracks.values())
        self.codecs = ", ".join(fmp4.codec_string(track) for track in tracks.values())
        self._pieces = pieces
        self._places = {number: place for place, number in enumerate(tracks)}
        self._remuxer = Remuxer(list(tracks.values()))
        self._lock = Lock()
        self._chunks = self._make_chunks()

    def next_chunk(self) -> bytes | None:
        """The init segment, then fragments, then None. Blocking. Raises StorageError."""
        with self._lock:
            return next(self._chunks, None)

    def close(self) -> None:
        """Let go of the files. Waits for a `next_chunk` of another thread."""
        with self._lock:
            self._chunks.close()
            for piece in self._pieces:
                piece.recording.close()

    def _make_chunks(self) -> Generator[bytes, None, None]:
        remuxer, places = self._remuxer, self._places
        yield remuxer.init()
        for piece in self._pieces:
            for blocks in piece.recording.blocks(piece.start, piece.end):
                for block in blocks:
                    place = places.get(block.track)
                    time_ns = block.time_ns - piece.zero_ns
                    # Below 0 are leading pictures, and sound from before the first picture.
                    if place is not None and time_ns >= 0:
                        remuxer.push(place, time_ns, block.key, block.data)
                if fragments := remuxer.take():
                    yield fragments
        if fragments := remuxer.take(last=True):
            yield fragments


class Playback:
    """Serves footage of one volume."""

    def __init__(
        self, catalog: PlaybackCatalog, settings: StorageSettings, root: Path | None = None
    ) -> None:
        """Raises StorageError where neither `root` nor `settings.root` is given."""
        where = root or settings.root
        if where is None:
            raise StorageError("no directory for recordings: set storage.root")
        self.settings = settings
        self._catalog = catalog
        self._volume = Volume(where, 0)
        self._active = 0
        # Its own threads: a disk that stands still takes those of nobody else.
        self._threads = ThreadPoolExecutor(4, "storage-playback")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def active(self) -> int:
        """Answers being prepared or sent."""
        return self._active

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """One of the places for answers. Raises PlaybackBusy."""
        if self._active >= self.settings.playback_responses:
            raise PlaybackBusy(
                f"{self._active} recordings are being played, which is the limit "
                "(storage.playback_responses); try again in a moment"
            )
        self._active += 1
        metrics.PLAYBACK_ACTIVE.set(self._active)
        try:
            yield
        finally:
            self._active -= 1
            metrics.PLAYBACK_ACTIVE.set(self._active)

    async def open(self, camera: str, stream: str, start_ns: int, duration_s: float) -> Answer:
        """Find the footage. Raises NoFootage, NotFound, StorageError, CatalogError."""
        end_ns = start_ns + int(duration_s * 1e9)
        rows = await self._rows(camera, stream, start_ns, end_ns)
        answer = await self._in_thread(self._plan, rows, start_ns, end_ns) if rows else None
        if answer is None:
            await self._no_footage(camera, stream, start_ns)
            raise AssertionError("unreachable")
        return answer

    async def _no_footage(self, camera: str, stream: str, start_ns: int) -> None:
        row = await self._catalog.segments.after(camera, stream, start_ns)
        raise NoFootage(
            f"nothing of camera {camera!r}, stream {stream!r} is recorded there",
            row.start_ns if row else None,
        )

    async def _rows(self, camera: str, stream: str, start_ns: int, end_ns: int) -> list[SegmentRow]:
        """Rows that may hold it. A file that grows reaches further than its row says."""
        rows = await self._catalog.segments.spans(
            camera, stream, start_ns - _UNTOLD_NS, max(end_ns, start_ns + _JOIN_NS)
        )
        return [row for row in rows if not row.closed or row.end_ns > start_ns]

    def _plan(self, rows: list[SegmentRow], start_ns: int, end_ns: int) -> Answer | None:
        """Open the files and decide what of them is sent; None: nothing is there."""
        pieces: list[_Piece] = []
        try:
            return self._fill(pieces, rows, start_ns, end_ns)
        except BaseException:
            for piece in pieces:
                piece.recording.close()
            raise

    def _fill(
        self, pieces: list[_Piece], rows: list[SegmentRow], start_ns: int, end_ns: int
    ) -> Answer | None:
        tracks: dict[int, CodecParameters] = {}
        began = ended = 0
        for row in rows:
            if pieces and row.start_ns >= end_ns:
                break
            recording = Recording(self._volume, row)
            if not pieces:
                group = recording.at(start_ns)
                if recording.end_ns <= start_ns or group.wall_ns > start_ns + _JOIN_NS:
                    recording.close()
                    continue
                began = group.wall_ns
                zero = group.media_ms * 1_000_000
                tracks = {n: t for n, t in recording.tracks.items() if playable(t)}
            else:
                group = recording.groups()[0]
                if not -_JOIN_NS <= row.start_ns - ended <= _JOIN_NS or recording.tracks != (
                    pieces[0].recording.tracks
                ):
                    recording.close()
                    break
                zero = _zero_of_next(pieces[0], recording, began)
            last_ns, last = _cut(recording, not pieces, start_ns, end_ns)
            if last <= group.offset:
                recording.close()
                break
            pieces.append(_Piece(recording, group.offset, last, zero))
            ended = last_ns
            if last_ns < recording.end_ns:
                break
        return Answer(pieces, tracks, began, ended) if pieces else None

    async def stream(self, answer: Answer) -> AsyncIterator[bytes]:
        """The answer's bytes, read as fast as they are taken. `release` it after."""
        while (chunk := await self._in_thread(answer.next_chunk)) is not None:
            metrics.PLAYBACK_BYTES.inc(len(chunk))
            yield chunk

    def release(self, answer: Answer) -> None:
        """Close the answer's files. Not waited for: a slow disk holds no one who left."""
        self._threads.submit(answer.close)

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

    async def snapshot(
        self, camera: str, stream: str, at_ns: int, width: int = 0
    ) -> tuple[bytes, int]:
        """(JPEG of the key picture at or before `at_ns`, its UTC). Raises as `open`."""
        rows = await self._rows(camera, stream, at_ns, at_ns + 1)
        found = await self._in_thread(self._still, rows, at_ns, width)
        if found is None:
            await self._no_footage(camera, stream, at_ns)
            raise AssertionError("unreachable")
        return found

    def _still(self, rows: list[SegmentRow], at_ns: int, width: int) -> tuple[bytes, int] | None:
        for row in rows:
            with Recording(self._volume, row) as recording:
                group = recording.at(at_ns)
                if recording.end_ns > at_ns and group.wall_ns <= at_ns + _JOIN_NS:
                    return to_jpeg(*recording.key_picture(group), width), group.wall_ns
        return None


def _cut(recording: Recording, first: bool, start_ns: int, end_ns: int) -> tuple[int, int]:
    """(UTC, offset) at which the part of this file ends: before a key picture, or its end."""
    groups = recording.index.groups
    place = bisect_left(groups, end_ns, key=lambda group: group.wall_ns)
    # At least one group is given, however short the time that was asked for.
    while place < len(groups) and first and groups[place].wall_ns <= start_ns:
        place += 1
    if place < len(groups):
        return groups[place].wall_ns, groups[place].offset
    growing = recording.growing
    if growing is None:
        return recording.end_ns, recording.index.tail or 0
    if first and (start_ns >= growing.wall_ns or not groups):
        return recording.end_ns, growing.offset + growing.size
    return growing.wall_ns, growing.offset


def _zero_of_next(first: _Piece, recording: Recording, began_ns: int) -> int:
    """Where 0 of the answer lies in the media time of a file that follows.

    Within a Run the camera's own ticks join the files exactly; else the wall time does.
    """
    group = recording.groups()[0]
    media_ns = group.media_ms * 1_000_000
    by_wall = group.wall_ns - began_ns
    before, header = first.recording.index.header, recording.index.header
    by_ticks = header.media_zero_ns + media_ns - before.media_zero_ns - first.zero_ns
    same = before.run == header.run and abs(by_ticks - by_wall) < _ASTRAY_NS
    return media_ns - (by_ticks if same else by_wall)
