"""Makes an index again from the recording alone, or goes on from one that stops early."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from vms.common.errors import ParseError
from vms.common.model.media import Medium
from vms.common.model.segment import MAX_SEGMENT_NS
from vms.format.index import (
    DEFAULT_INTERVAL_MS,
    MAX_LINES,
    MAX_PICTURES,
    TAG_NAMES,
    known_tags,
    largest_step,
)
from vms.format.index_lines import Group, IndexHeader, SegmentIndex
from vms.format.mkv_digest import GroupHasher
from vms.format.mkv_reader import Block, MkvReader

_MAX_INT = 1 << 62
_MAX_NAME = 80


class Rebuilder:
    """Makes the index again from the MKV file: feed it the file, then take `index`.

    It may also go on from an index that stops early: give the index's `tail` as `offset`.
    """

    def __init__(self, reader: MkvReader, index: SegmentIndex | None = None) -> None:
        self.reader = reader
        self.index = index
        self.last_ms = 0
        """Media time of the last picture."""
        self.interval_ms = 0
        """How long a picture is shown; known after `finish`."""
        self._open: tuple[Block, int] | None = None
        self._times = array("q")
        self._pictures = 0
        # Bytes are hashed once it is known to which group they belong.
        self._hasher = GroupHasher()
        self._raw = bytearray()
        self._raw_at = reader.whole_end
        self._cluster: int | None = None

    @property
    def found(self) -> bool:
        """Whether a key picture has come."""
        return self._open is not None

    def feed(self, data: bytes) -> None:
        """Raises ParseError, also where the file is not one of ours."""
        self._raw += data
        try:
            blocks = self.reader.feed(data)
        except ParseError:
            self._settle(self._end)
            raise
        self._take(blocks)
        reader = self.reader
        if reader.behind is not None:
            self._settle(reader.behind)
        elif reader.cluster is None or reader.cluster == self._cluster:
            self._settle(reader.whole_end)
        else:
            # Its first block is yet to say whether a group begins with this cluster.
            self._settle(reader.cluster)

    @property
    def _end(self) -> int:
        """Where the clusters end, as far as they were read."""
        behind = self.reader.behind
        return self.reader.whole_end if behind is None else behind

    def _take(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            begins = block.cluster != self._cluster
            self._cluster = block.cluster
            if block.track != 1:
                continue
            time_ms = block.time_ns // 1_000_000
            self.last_ms = max(self.last_ms, time_ms)
            if begins and block.key and block.wall_ns is not None:
                self._finish_group(block.cluster, time_ms)
                self._open = (block, block.cluster)
            if self._open is not None:
                self._times.append(time_ms)
                self._pictures += 1
                if self._pictures > MAX_PICTURES:
                    raise ParseError(f"a file of more than {MAX_PICTURES} pictures")

    def _settle(self, end: int) -> None:
        """The bytes up to offset `end` belong to the group that is open, if one is."""
        count = end - self._raw_at
        if count <= 0:
            return
        count = min(count, len(self._raw))
        if self._open is not None:
            self._hasher.feed(bytes(self._raw[:count]))
        del self._raw[:count]
        self._raw_at += count

    def finish(self) -> SegmentIndex:
        """The index up to the last whole block. Raises ParseError where there is none."""
        self._finish_group(self._end, None)
        if self.index is None:
            raise ParseError("a Matroska file without a key picture of ours")
        self.interval_ms = _interval_ms(self.index.groups, self.last_ms)
        return self.index

    def _finish_group(self, end: int, next_ms: int | None) -> None:
        """The group that is open ends at `end`; the next begins with a picture at `next_ms`."""
        self._settle(end)
        if self._open is None:
            return
        block, offset = self._open
        self._open = None
        groups = self.index.groups if self.index is not None else []
        wall_ns = self._wall_ns(block, groups)
        if self.index is None:
            self.index = SegmentIndex(_header_from(self.reader, wall_ns), groups)
        if len(groups) >= MAX_LINES - 2:
            raise ParseError(f"a file of more than {MAX_LINES - 2} key pictures")
        hashed = self.index.header.schema > 1
        camera_ns = block.camera_ns
        group = Group(
            wall_ns,
            camera_ns if camera_ns is not None and 0 <= camera_ns < _MAX_INT else None,
            block.time_ns // 1_000_000,
            offset,
            end - offset,
            len(self._times),
            0,
            largest_step(self._times, next_ms) if hashed else 0,
            self._hasher.hexdigest(cut_off=next_ms is None) if hashed else "",
        )
        groups.append(group)
        self._times = array("q")
        self._hasher = GroupHasher()

    def _wall_ns(self, key: Block, groups: list[Group]) -> int:
        """When the key picture came. A damaged note is still a number: one that cannot be is
        replaced by what the media times say."""
        assert key.wall_ns is not None
        if groups:
            least = groups[-1].wall_ns
            due = max(least, least + key.time_ns - groups[-1].media_ms * 1_000_000)
            most = min(_MAX_INT - 1, due + MAX_SEGMENT_NS)
        else:
            least, most = 0, _MAX_INT - 1
            due = max(0, self.reader.header.date_ns or 0) + key.time_ns
        return key.wall_ns if least <= key.wall_ns <= most else due


def _interval_ms(groups: list[Group], last_ms: int) -> int:
    """How long one picture is shown, by the last group, or the one before it."""
    if groups and groups[-1].pictures > 1:
        return max(1, (last_ms - groups[-1].media_ms) // (groups[-1].pictures - 1))
    if len(groups) > 1:
        return max(1, (groups[-1].media_ms - groups[-2].media_ms) // groups[-2].pictures)
    return DEFAULT_INTERVAL_MS


def _header_from(reader: MkvReader, start_ns: int) -> IndexHeader:
    header = reader.header
    track = header.tracks.get(1)
    if track is None or track.medium is not Medium.VIDEO:
        raise ParseError("the file's first track is not video of ours")
    found = known_tags(header.tags)
    segment, camera, stream, run = (
        found[TAG_NAMES[name]] for name in ("segment", "camera", "stream", "run")
    )
    longest = max(map(len, (segment, camera, stream, run)))
    if not (segment and camera and stream) or longest > _MAX_NAME:
        raise ParseError("its tags do not say which recording it is, or of which camera")
    return IndexHeader(
        segment,
        camera,
        stream,
        run,
        track.codec,
        track.width,
        track.height,
        start_ns,
        int(found[TAG_NAMES["media_zero_ns"]]),
    )
