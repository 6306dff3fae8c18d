"""A Matroska writer of pure bytes, for files that may be cut off at any byte.

A file is a head, then clusters, then (once closed) cues. The Segment and the cluster being
written have an unknown size, so what is on disk is a valid file at every moment; sizes,
duration and seek positions are patched in place later and never move a byte. All offsets
are known before anything is written.

Times are milliseconds from the file's zero, which stands at `start_ns` (UTC). Each cluster
begins with a key picture of the video track or when the one before lasted a second. Ahead
of a key picture stands a Void of 22 bytes that players pass over: b"VMSt", then the wall
time and the camera's own time in UTC nanoseconds (8 bytes each, signed, the least number
where unknown), from which an index can be made again exactly.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vms.common.model.media import CodecParameters
from vms.format import mkv_ebml as ebml
from vms.format.mkv_tracks import tracks_element

EPOCH_2001_NS = 978_307_200_000_000_000
APP = "vms"
CLUSTER_MS = 1000
NOTE_MAGIC = b"VMSt"
NOTE = struct.Struct(">BB4sqq")
NOTE_UNKNOWN = -(1 << 63)

_BLOCK = struct.Struct(">BIBhB")
_BLOCK_EXTRA = 4
_CLUSTER = struct.Struct(">I8sBBQ")
_CLUSTER_HEAD = 12
_SEEK_ENTRY = 21
_SEEK_ROOM = 5 + 4 * _SEEK_ENTRY
DURATION_ROOM = 11

Patch = tuple[int, bytes]
"""Where in the file, and what to put there: it replaces bytes and adds none."""


def encode_note(wall_ns: int, camera_ns: int | None) -> bytes:
    """The Void ahead of a key picture."""
    camera = NOTE_UNKNOWN if camera_ns is None else camera_ns
    return NOTE.pack(ebml.VOID, 0x80 | NOTE.size - 2, NOTE_MAGIC, wall_ns, camera)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of one of our files stand: what closing it has to patch.

    `first` is where the Segment's body begins; `seeks` are (ID, offset from there).
    """

    first: int
    duration_at: int
    seeks: tuple[tuple[int, int], ...]

    def closing(
        self, cues_at: int, cue_points: Iterable[tuple[int, int]], duration_ms: int
    ) -> tuple[bytes, list[Patch]]:
        """(what to append at `cues_at`, what to patch after that), making the file whole.

        `cue_points` are (milliseconds, offset of the cluster in the file) of key pictures.
        """
        tail = _cues(cue_points, self.first)
        seeks = (*self.seeks, (ebml.CUES, cues_at - self.first)) if tail else self.seeks
        size = cues_at + len(tail) - self.first
        return tail, [
            (self.first, _seek_head(seeks)),
            (self.duration_at, ebml.real(ebml.DURATION, float(duration_ms))),
            (self.first - 8, ebml.size(size, 8)),
        ]


def cluster_size_patch(cluster: int, end: int) -> Patch:
    """The size of the cluster that begins at `cluster`, once it is known to end at `end`."""
    return cluster + 4, ebml.size(end - cluster - _CLUSTER_HEAD, 8)


class MkvWriter:
    """Says which bytes to write; whoever holds the file writes them, in order.

    Write `head`, then for each unit what `block` returns and the payload behind it. After
    each write apply `take_patches`. In the end append what `finish` returns and apply its
    patches. `position` is where the next byte goes, `cluster` where the cluster begins that
    is being written (0: none).
    """

    __slots__ = ("_cluster_ms", "_cues", "_patches", "cluster", "head", "layout", "position")

    def __init__(
        self,
        tracks: Sequence[CodecParameters],
        start_ns: int,
        title: str = "",
        tags: Mapping[str, str] | None = None,
        uuid: bytes = b"",
    ) -> None:
        """`tracks[0]` is number 1 and the one that cues point at. `uuid` has 16 bytes.

        Raises ParseError where parameter sets cannot be put into a codec record.
        """
        info = _info(start_ns, title, uuid)
        tracks_part = tracks_element(tracks)
        tags_part = _tags(tags or {})
        seeks = [(ebml.INFO, _SEEK_ROOM), (ebml.TRACKS, _SEEK_ROOM + len(info))]
        if tags_part:
            seeks.append((ebml.TAGS, _SEEK_ROOM + len(info) + len(tracks_part)))
        first = len(_START)
        self.layout = Layout(first, first + _SEEK_ROOM + len(info) - DURATION_ROOM, tuple(seeks))
        self.head = b"".join((_START, _seek_head(seeks), info, tracks_part, tags_part))
        self.position = len(self.head)
        self.cluster = 0
        self._cluster_ms = 0
        self._patches: list[Patch] = []
        # Two numbers a key picture, as machine words: an hour of them is 30 to 60 kB.
        self._cues = array("q")

    def block(self, track: int, time_ms: int, key: bool, length: int, note: bytes = b"") -> bytes:
        """What stands ahead of a payload of `length` bytes (under 256 MiB).

        `time_ms` is at least 0; a `note` belongs to a key picture and begins a cluster.
        """
        relative = time_ms - self._cluster_ms
        if not self.cluster or note or not -30_000 < relative < CLUSTER_MS:
            lead = self._begin_cluster(time_ms, note)
            relative = 0
        else:
            lead = b""
        head = lead + _BLOCK.pack(
            ebml.SIMPLE_BLOCK,
            0x10000000 | length + _BLOCK_EXTRA,
            0x80 | track,
            relative,
            0x80 if key else 0,
        )
        self.position += len(head) + length
        return head

    def _begin_cluster(self, time_ms: int, note: bytes) -> bytes:
        if self.cluster:
            self._patches.append(cluster_size_patch(self.cluster, self.position))
        self.cluster = self.position
        self._cluster_ms = time_ms
        if note:
            self._cues.append(time_ms)
            self._cues.append(self.position)
        return _CLUSTER.pack(ebml.CLUSTER, ebml.UNKNOWN_SIZE, ebml.TIMESTAMP, 0x88, time_ms) + note

    def take_patches(self) -> list[Patch]:
        """Sizes of clusters that ended: to be put in place behind the write that ended them."""
        patches, self._patches = self._patches, []
        return patches

    def finish(self, duration_ms: int) -> tuple[bytes, list[Patch]]:
        """(what to append, what to patch after that). Nothing can be added then."""
        if self.cluster:
            self._patches.append(cluster_size_patch(self.cluster, self.position))
        points = zip(self._cues[::2], self._cues[1::2], strict=True)
        tail, patches = self.layout.closing(self.position, points, duration_ms)
        self.position += len(tail)
        return tail, [*self.take_patches(), *patches]


_START = (
    ebml.element(
        ebml.EBML,
        ebml.unsigned(0x4286, 1),
        ebml.unsigned(0x42F7, 1),
        ebml.unsigned(0x42F2, 4),
        ebml.unsigned(0x42F3, 8),
        ebml.text(ebml.DOC_TYPE, "matroska"),
        ebml.unsigned(0x4287, 4),
        ebml.unsigned(0x4285, 2),
    )
    + ebml.identifier(ebml.SEGMENT)
    + ebml.UNKNOWN_SIZE
)


def _info(start_ns: int, title: str, uuid: bytes) -> bytes:
    return ebml.element(
        ebml.INFO,
        ebml.unsigned(ebml.TIMESTAMP_SCALE, 1_000_000),
        ebml.text(ebml.MUXING_APP, APP),
        ebml.text(ebml.WRITING_APP, APP),
        ebml.signed(ebml.DATE_UTC, start_ns - EPOCH_2001_NS),
        ebml.text(ebml.TITLE, title) if title else b"",
        ebml.element(ebml.SEGMENT_UUID, uuid) if uuid else b"",
        # Comes last, so that its place is known: the duration goes here in the end.
        ebml.void(DURATION_ROOM),
    )


def _tags(tags: Mapping[str, str]) -> bytes:
    if not tags:
        return b""
    listed = [
        ebml.element(
            ebml.SIMPLE_TAG, ebml.text(ebml.TAG_NAME, name), ebml.text(ebml.TAG_STRING, value)
        )
        for name, value in tags.items()
    ]
    return ebml.element(ebml.TAGS, ebml.element(ebml.TAG, ebml.element(ebml.TARGETS), *listed))


def _seek_head(seeks: Iterable[tuple[int, int]]) -> bytes:
    """The SeekHead and a Void behind it: always as long as one of four entries."""
    entries = [
        ebml.element(
            ebml.SEEK,
            ebml.element(ebml.SEEK_ID, ebml.identifier(element_id)),
            ebml.unsigned(ebml.SEEK_POSITION, offset, 8),
        )
        for element_id, offset in seeks
    ]
    head = ebml.element(ebml.SEEK_HEAD, *entries)
    left = _SEEK_ROOM - len(head)
    return head + (ebml.void(left) if left else b"")


# CuePoint: the time, and of track 1 the cluster's position, in 8 bytes each. An hour has
# thousands of them, made while nothing else may be written: one call of C for each.
_CUE = struct.Struct(">BBBBQBBBBBBBQ")


def _cues(points: Iterable[tuple[int, int]], first: int) -> bytes:
    pack = _CUE.pack
    parts = [
        pack(
            ebml.CUE_POINT, 0x80 | 25, ebml.CUE_TIME, 0x88, time_ms,
            ebml.CUE_TRACK_POSITIONS, 0x80 | 13, ebml.CUE_TRACK, 0x81, 1,
            ebml.CUE_CLUSTER_POSITION, 0x88, cluster - first,
        )
        for time_ms, cluster in points
    ]  # fmt: skip
    return ebml.element(ebml.CUES, *parts) if parts else b""
