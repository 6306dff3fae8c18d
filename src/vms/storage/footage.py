"""Finds footage: from an instant to the files, and the groups of pictures in them, that show it.

What is found is whole groups of pictures of files that join: it begins with the key picture
at or before the instant asked for and ends before a key picture, so that answers that follow
one another neither overlap nor leave anything out. It ends early where footage has a gap or
the stream's parameters change. The group that is still being written is only given to those
who ask for an instant within it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vms.common.errors import NotFound
from vms.common.model.media import CodecParameters
from vms.common.model.segment import SegmentRow
from vms.format.index import Group
from vms.storage.recording import Recording
from vms.storage.volume import Volume

JOIN_NS = 2_000_000_000
"""Files no further apart are one; footage that begins no later after an instant shows it."""
_UNTOLD_NS = 30_000_000_000
_ASTRAY_NS = 500_000_000

VolumeOf = Callable[[SegmentRow], Volume]


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


@dataclass(slots=True)
class Piece:
    """The groups of one file between two offsets."""

    recording: Recording
    start: int
    end: int
    zero_ns: int
    """Media time in the file at which the footage shows 0."""

    def groups(self) -> list[Group]:
        """The groups within, in order."""
        return self.recording.between(self.start, self.end)


@dataclass(slots=True)
class Footage:
    """Pieces that join, of the same parameters. `close` it: it holds files open.

    `start_ns` is UTC of the first picture, `end_ns` where to go on: nothing before it is
    left out.
    """

    pieces: list[Piece]
    start_ns: int
    end_ns: int

    @property
    def tracks(self) -> dict[int, CodecParameters]:
        """Parameters by the track's number in the files."""
        return self.pieces[0].recording.tracks

    @property
    def rate(self) -> float:
        """Pictures a second, measured over the first file; 25 where there is too little."""
        groups = self.pieces[0].recording.first(60)
        took_ms = groups[-1].media_ms - groups[0].media_ms
        pictures = sum(group.pictures for group in groups[:-1])
        return pictures * 1000 / took_ms if took_ms > 0 and pictures else 25.0

    def close(self) -> None:
        for piece in self.pieces:
            piece.recording.close()


async def rows_of(
    catalog: PlaybackCatalog, camera: str, stream: str, start_ns: int, end_ns: int
) -> list[SegmentRow]:
    """Rows that may hold it. A file that grows reaches further than its row says."""
    rows = await catalog.segments.spans(
        camera, stream, start_ns - _UNTOLD_NS, max(end_ns, start_ns + JOIN_NS)
    )
    return [row for row in rows if not row.closed or row.end_ns > start_ns]


async def no_footage(catalog: PlaybackCatalog, camera: str, stream: str, at_ns: int) -> NoFootage:
    """The error that says where footage goes on. Raises CatalogError."""
    row = await catalog.segments.after(camera, stream, at_ns)
    return NoFootage(
        f"nothing of camera {camera!r}, stream {stream!r} is recorded there",
        row.start_ns if row else None,
    )


def find(volume_of: VolumeOf, rows: list[SegmentRow], start_ns: int, end_ns: int) -> Footage | None:
    """Open the files and decide what of them is given; None: nothing is there. Blocking.

    Raises NotFound, StorageError.
    """
    pieces: list[Piece] = []
    try:
        return _fill(volume_of, pieces, rows, start_ns, end_ns)
    except BaseException:
        for piece in pieces:
            piece.recording.close()
        raise


def _fill(
    volume_of: VolumeOf, pieces: list[Piece], rows: list[SegmentRow], start_ns: int, end_ns: int
) -> Footage | None:
    began = ended = 0
    for row in rows:
        if pieces and row.start_ns >= end_ns:
            break
        recording = Recording(volume_of(row), row)
        if not pieces:
            group = recording.at(start_ns)
            if recording.end_ns <= start_ns or group.wall_ns > start_ns + JOIN_NS:
                recording.close()
                continue
            began = group.wall_ns
            zero = group.media_ms * 1_000_000
        else:
            group = recording.first(1)[0]
            if not -JOIN_NS <= row.start_ns - ended <= JOIN_NS or recording.tracks != (
                pieces[0].recording.tracks
            ):
                recording.close()
                break
            zero = _zero_of_next(pieces[0], recording, began)
        last_ns, last = _cut(recording, not pieces, start_ns, end_ns)
        if last <= group.offset:
            recording.close()
            break
        pieces.append(Piece(recording, group.offset, last, zero))
        ended = last_ns
        if last_ns < recording.end_ns:
            break
    return Footage(pieces, began, ended) if pieces else None


def _cut(recording: Recording, first: bool, start_ns: int, end_ns: int) -> tuple[int, int]:
    """(UTC, offset) at which the part of this file ends: before a key picture, or its end."""
    # At least one group is given, however short the time that was asked for.
    following = recording.next(end_ns, start_ns if first else -1)
    if following is not None:
        return following.wall_ns, following.offset
    growing = recording.growing
    if growing is None:
        return recording.end_ns, recording.tail
    if first and (start_ns >= growing.wall_ns or not recording.whole_groups):
        return recording.end_ns, growing.offset + growing.size
    return growing.wall_ns, growing.offset


def _zero_of_next(first: Piece, recording: Recording, began_ns: int) -> int:
    """Where 0 of the footage lies in the media time of a file that follows.

    Within a Run the camera's own ticks join the files exactly; else the wall time does.
    """
    group = recording.first(1)[0]
    media_ns = group.media_ms * 1_000_000
    by_wall = group.wall_ns - began_ns
    before, header = first.recording.index_header, recording.index_header
    by_ticks = header.media_zero_ns + media_ns - before.media_zero_ns - first.zero_ns
    same = before.run == header.run and abs(by_ticks - by_wall) < _ASTRAY_NS
    return media_ns - (by_ticks if same else by_wall)
