"""A Matroska reader of pure bytes: fed a file piece by piece, it gives blocks back.

It trusts nothing: whatever the bytes, it raises only ParseError, holds at most one element
of `MAX_BLOCK` bytes, and each piece is walked once. What it does not know it passes over.
A file that was cut off is no error: `whole_end` says where its last whole element ends.

It reads what `mkv` writes and what other muxers write without lacing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vms.common.errors import ParseError
from vms.common.model.media import CodecParameters
from vms.format import mkv_ebml as ebml
from vms.format.mkv import APP, DURATION_ROOM, EPOCH_2001_NS, NOTE, NOTE_MAGIC, NOTE_UNKNOWN, Layout
from vms.format.mkv_tracks import parse_tracks

MAX_BLOCK = 64 * 1024 * 1024
_MAX_HEADER = 4 * 1024 * 1024
_MAX_TIME_NS = 1 << 60
_MAX_TAGS = 1000
_MAX_UNSIZED = 100_000
_LEVEL_ONE = frozenset(
    (ebml.SEEK_HEAD, ebml.INFO, ebml.TRACKS, ebml.CLUSTER, ebml.CUES, ebml.TAGS, ebml.CHAPTERS,
     ebml.ATTACHMENTS)
)  # fmt: skip
_KEPT = {
    ebml.EBML: _MAX_HEADER, ebml.INFO: _MAX_HEADER, ebml.TRACKS: _MAX_HEADER,
    ebml.TAGS: _MAX_HEADER, ebml.TIMESTAMP: 8, ebml.SIMPLE_BLOCK: MAX_BLOCK,
    ebml.BLOCK_GROUP: MAX_BLOCK,
}  # fmt: skip


@dataclass(slots=True)
class Block:
    """One picture or audio frame as it lies in the file.

    `time_ns` counts from the file's zero; `offset` is that of the block's element and
    `cluster` that of its cluster. `wall_ns` and `camera_ns` come from the note ahead of it.
    """

    track: int
    time_ns: int
    key: bool
    data: bytes
    offset: int
    cluster: int
    wall_ns: int | None = None
    camera_ns: int | None = None


@dataclass(slots=True)
class Header:
    """What stands ahead of the clusters. `date_ns` is UTC in nanoseconds."""

    tracks: dict[int, CodecParameters] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    title: str = ""
    date_ns: int | None = None
    duration_ns: int | None = None
    timestamp_scale: int = 1_000_000


class MkvReader:
    """`feed` it the file from the start, or from a cluster found by an index.

    `header` fills as its parts come; all of it is there with the first block. Offsets count
    from the file's first byte. `whole_end` is the end of the last whole part seen: a block,
    or a part ahead of or behind the clusters.
    """

    def __init__(self, offset: int = 0, header: Header | None = None) -> None:
        """`offset` above 0 is that of a cluster; `header` is then the file's own."""
        self.header = header or Header()
        self.whole_end = offset
        self.first_cluster: int | None = None
        self.cluster: int | None = None
        """Where the cluster being read begins."""
        self.open_cluster = False
        """Whether the size of that cluster is unknown: it is being written, or was cut off."""
        self.behind: int | None = None
        """Where something that is no cluster begins behind the clusters, such as cues."""
        self._unsized: list[tuple[int, int]] = []
        self._at = offset
        # What waits for the rest of its element, and how many bytes that has.
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._need = 0
        self._skip = 0
        self._skips_room = False
        self._error: ParseError | None = None
        self._in_segment = offset > 0
        self._segment_end: int | None = None
        self._cluster_end: int | None = None
        self._time: int | None = None
        self._note: tuple[int, int | None] | None = None
        self._seeks: dict[int, int] = {}
        self._first = 0
        self._duration_at: int | None = None

    @property
    def layout(self) -> Layout | None:
        """What closing the file has to patch; None where it is not one of ours."""
        if self._duration_at is None:
            return None
        return Layout(self._first, self._duration_at, tuple(self._seeks.items()))

    @property
    def unsized(self) -> list[tuple[int, int]]:
        """Clusters whose size is yet to be put in place, each with its end.

        Where the file ends within its last cluster, that is one of them, for its size may
        speak of what never came to be in the file.
        """
        if self.cluster is not None and self.whole_end > self.cluster:
            return [*self._unsized, (self.cluster, self.whole_end)]
        return list(self._unsized)

    def feed(self, data: bytes) -> list[Block]:
        """The blocks that `data` completes.

        Raises ParseError where the file is damaged, once the blocks ahead of the damage
        have been given: then the next call raises. The reader is spent after that.
        """
        if self._error is not None:
            raise self._error
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            self._at += passed
            data = data[passed:]
            if self._skip:
                return []
            self._passed_over()
        self._pieces.append(data)
        self._waiting += len(data)
        if self._waiting < self._need:
            return []
        buffer = data if len(self._pieces) == 1 else b"".join(self._pieces)
        found: list[Block] = []
        self._need = 0
        try:
            used = self._walk(buffer, found)
        except ParseError as error:
            self._error = error
            if not found:
                raise
            return found
        self._at += used
        self._waiting = len(buffer) - used
        self._pieces = [buffer[used:]] if self._waiting else []
        return found

    def _walk(self, buffer: bytes, found: list[Block]) -> int:
        """Take whole elements from `buffer`; how many bytes they were."""
        at, end, base = 0, len(buffer), self._at
        while (head := ebml.read_head(buffer, at, end)) is not None:
            element_id, size, body = head
            self._check_place(element_id, base + at)
            if element_id == ebml.SEGMENT or element_id == ebml.CLUSTER:
                self._enter(element_id, base + at, base + body, size)
                at = body
                continue
            if size is None:
                raise ParseError(f"element 0x{element_id:X} at {base + at} has no size")
            next_at = body + size
            if self._cluster_end is not None and base + next_at > self._cluster_end:
                raise ParseError(f"an element at {base + at} reaches over the end of its cluster")
            limit = _KEPT.get(element_id)
            if limit is None and not (element_id == ebml.VOID and size == NOTE.size - 2):
                if next_at > end:
                    self._skip = next_at - end
                    self._skips_room = element_id == ebml.VOID
                    return end
            elif limit is not None and size > limit:
                raise ParseError(f"an element of {size} bytes at {base + at}: too long")
            elif next_at > end:
                self._need = next_at - at
                return at
            else:
                self._take(element_id, buffer[body:next_at], base + at, base + body, found)
            at = next_at
            if element_id not in (ebml.TIMESTAMP, ebml.VOID):
                self.whole_end = base + at
        return at

    def _passed_over(self) -> None:
        """A part that was too long to be at hand ended here."""
        if not self._skips_room:
            self.whole_end = self._at

    def _check_place(self, element_id: int, offset: int) -> None:
        if offset == 0:
            if element_id != ebml.EBML:
                raise ParseError("not a Matroska file: it does not begin with an EBML header")
            return
        if not self._in_segment:
            if element_id not in (ebml.SEGMENT, ebml.VOID):
                raise ParseError(f"element 0x{element_id:X} at {offset} stands ahead of a Segment")
            return
        if self._segment_end is not None and offset >= self._segment_end:
            raise ParseError(f"something stands behind the Segment, at {offset}")
        if self.cluster is None:
            if element_id not in _LEVEL_ONE and element_id not in (ebml.VOID, ebml.CRC_32):
                raise ParseError(f"element 0x{element_id:X} at {offset} is out of place")
        elif element_id in _LEVEL_ONE or (
            self._cluster_end is not None and offset >= self._cluster_end
        ):
            if self._cluster_end is not None and offset != self._cluster_end:
                raise ParseError(f"the cluster at {self.cluster} ends early, at {offset}")
            if element_id != ebml.CLUSTER:
                self.behind = self.behind or offset
            if self.open_cluster:
                if len(self._unsized) >= _MAX_UNSIZED:
                    raise ParseError(f"more than {_MAX_UNSIZED} clusters without a size")
                self._unsized.append((self.cluster, offset))
            self.cluster = self._cluster_end = self._time = None
            self.open_cluster = False

    def _enter(self, element_id: int, offset: int, body: int, size: int | None) -> None:
        end = None if size is None else body + size
        if element_id == ebml.SEGMENT:
            if self._in_segment:
                raise ParseError(f"a second Segment at {offset}")
            self._in_segment = True
            self._first = body
            self._segment_end = end
            return
        if end is not None and self._segment_end is not None and end > self._segment_end:
            raise ParseError(f"the cluster at {offset} reaches over the end of its Segment")
        self.cluster = offset
        self.open_cluster = size is None
        self.behind = None
        self._cluster_end = end
        self._time = None
        self._note = None
        if self.first_cluster is None:
            self.first_cluster = offset

    def _take(
        self, element_id: int, body: bytes, offset: int, body_at: int, found: list[Block]
    ) -> None:
        if element_id == ebml.SIMPLE_BLOCK:
            found.append(self._block(body, offset, None))
        elif element_id == ebml.BLOCK_GROUP:
            parts = dict(ebml.children(body))
            if ebml.BLOCK in parts:
                key = ebml.REFERENCE_BLOCK not in parts
                found.append(self._block(parts[ebml.BLOCK], offset, key))
        elif element_id == ebml.TIMESTAMP:
            time = ebml.to_unsigned(body)
            if time * self.header.timestamp_scale >= _MAX_TIME_NS:
                raise ParseError(f"the cluster at {self.cluster} has an impossible time")
            self._time = time
        elif element_id == ebml.VOID:
            self._take_note(body)
        elif element_id == ebml.EBML:
            if dict(ebml.children(body)).get(ebml.DOC_TYPE) not in (b"matroska", b"webm"):
                raise ParseError("an EBML file, but not a Matroska one")
        elif element_id == ebml.INFO:
            self._take_info(body, offset, body_at)
        elif element_id == ebml.TRACKS:
            self.header.tracks = parse_tracks(body)
            self._seeks[ebml.TRACKS] = offset - self._first
        else:
            self.header.tags.update(_parse_tags(body))
            if len(self.header.tags) > _MAX_TAGS:
                raise ParseError(f"more than {_MAX_TAGS} tags")
            self._seeks[ebml.TAGS] = offset - self._first

    def _take_note(self, body: bytes) -> None:
        _, _, magic, wall_ns, camera_ns = NOTE.unpack(b"\0\0" + body)
        if magic == NOTE_MAGIC:
            self._note = wall_ns, None if camera_ns == NOTE_UNKNOWN else camera_ns

    def _take_info(self, body: bytes, offset: int, body_at: int) -> None:
        fields = dict(ebml.children(body))
        header = self.header
        scale = ebml.to_unsigned(fields.get(ebml.TIMESTAMP_SCALE, b"\x0f\x42\x40"))
        if not 0 < scale <= 1_000_000_000:
            raise ParseError(f"a tick of {scale} ns")
        header.timestamp_scale = scale
        header.title = ebml.to_text(fields.get(ebml.TITLE, b""))
        if ebml.DATE_UTC in fields:
            header.date_ns = ebml.to_signed(fields[ebml.DATE_UTC]) + EPOCH_2001_NS
        if ebml.DURATION in fields:
            ticks = ebml.to_real(fields[ebml.DURATION])
            if not 0 <= ticks * scale < _MAX_TIME_NS:
                raise ParseError(f"a duration of {ticks} ticks")
            header.duration_ns = int(ticks * scale)
        self._seeks[ebml.INFO] = offset - self._first
        if ebml.to_text(fields.get(ebml.WRITING_APP, b"")) == APP and (
            body[-DURATION_ROOM:] == ebml.void(DURATION_ROOM)
            or body[-DURATION_ROOM:-8] == b"\x44\x89\x88"
        ):
            self._duration_at = body_at + len(body) - DURATION_ROOM

    def _block(self, body: bytes, offset: int, key: bool | None) -> Block:
        if len(body) < 4:
            raise ParseError(f"a block of {len(body)} bytes at {offset}")
        if self._time is None or self.cluster is None:
            raise ParseError(f"a block at {offset} ahead of its cluster's time")
        if body[0] < 0x80:
            raise ParseError(f"a block of a track above 127 at {offset}")
        flags = body[3]
        if flags & 0x06:
            raise ParseError(f"a laced block at {offset}: this reader takes none")
        relative = int.from_bytes(body[1:3], "big", signed=True)
        ticks = self._time + relative
        if ticks < 0:
            raise ParseError(f"a block at {offset} stands ahead of the file's zero")
        block = Block(
            body[0] & 0x7F,
            ticks * self.header.timestamp_scale,
            flags & 0x80 != 0 if key is None else key,
            body[4:],
            offset,
            self.cluster,
        )
        if self._note is not None:
            block.wall_ns, block.camera_ns = self._note
            self._note = None
        return block


def _parse_tags(body: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for element_id, tag in ebml.children(body):
        if element_id != ebml.TAG:
            continue
        for inner_id, simple in ebml.children(tag):
            if inner_id == ebml.SIMPLE_TAG:
                fields = dict(ebml.children(simple))
                name = ebml.to_text(fields.get(ebml.TAG_NAME, b""))
                found[name] = ebml.to_text(fields.get(ebml.TAG_STRING, b""))
    return found
