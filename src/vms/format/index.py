"""The index beside each recording file: one JSON object a line, appended as it grows.

docs/reference/recording-index.md describes it for people. The first line is the header,
then comes a line for each finished group of pictures, and in the end, once the file is
closed, a line that sums up. A last line without its newline was being written when the
process died, and does not count. What is missing can be made again from the MKV file.

All times are UTC nanoseconds, but media times: those are milliseconds from the file's zero.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vms.common.errors import ParseError
from vms.common.model.media import Codec, Medium
from vms.format.mkv_reader import Block, MkvReader

SCHEMA = 1
MAX_BYTES = 64 * 1024 * 1024
DEFAULT_INTERVAL_MS = 40
"""How long a picture is taken to be shown where nothing tells."""
_MAX_TEXT = 200
_MAX_INT = 1 << 62


@dataclass(frozen=True, slots=True)
class IndexHeader:
    """What the file is. `media_zero_ns` is where its zero stands in the Run's media time."""

    segment: str
    camera: str
    stream: str
    run: str
    codec: Codec
    width: int
    height: int
    start_ns: int
    media_zero_ns: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """One group of pictures: its key picture, and where the group lies in the file.

    `camera_ns` is the camera's own time of the key picture, None where it is unknown;
    `offset` is that of the cluster it begins with, `size` reaches to the next group's.
    `pictures` counts the video track's, `damaged` those of them with packets missing.
    """

    wall_ns: int
    camera_ns: int | None
    media_ms: int
    offset: int
    size: int
    pictures: int
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class IndexEnd:
    """The closed file as a whole; `size` in bytes, `frames` counts pictures."""

    end_ns: int
    duration_ms: int
    size: int
    frames: int
    key_frames: int


@dataclass(slots=True)
class SegmentIndex:
    """A parsed index. `end` is None while the file grows, or where it was cut off."""

    header: IndexHeader
    groups: list[Group] = field(default_factory=list)
    end: IndexEnd | None = None

    def at(self, wall_ns: int) -> Group | None:
        """The last group that begins at or before `wall_ns`; None: all begin later."""
        place = bisect_right(self.groups, wall_ns, key=lambda group: group.wall_ns)
        return self.groups[place - 1] if place else None

    @property
    def tail(self) -> int | None:
        """Where the file goes on behind what is indexed; None: nothing is indexed."""
        return self.groups[-1].offset + self.groups[-1].size if self.groups else None


def encode_header(header: IndexHeader) -> bytes:
    return _line(
        {
            "schema": SCHEMA,
            "segment": header.segment,
            "camera": header.camera,
            "stream": header.stream,
            "run": header.run,
            "codec": header.codec.value,
            "width": header.width,
            "height": header.height,
            "start_ns": header.start_ns,
            "media_zero_ns": header.media_zero_ns,
        }
    )


def encode_group(group: Group) -> bytes:
    fields: dict[str, Any] = {
        "t": group.wall_ns,
        "c": group.camera_ns,
        "m": group.media_ms,
        "o": group.offset,
        "s": group.size,
        "n": group.pictures,
    }
    if group.damaged:
        fields["d"] = group.damaged
    return _line(fields)


def encode_end(end: IndexEnd) -> bytes:
    return _line(
        {
            "end_ns": end.end_ns,
            "duration_ms": end.duration_ms,
            "size": end.size,
            "frames": end.frames,
            "key_frames": end.key_frames,
        }
    )


def encode(index: SegmentIndex) -> bytes:
    """A whole index."""
    lines = [encode_header(index.header), *map(encode_group, index.groups)]
    if index.end is not None:
        lines.append(encode_end(index.end))
    return b"".join(lines)


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def parse(data: bytes) -> SegmentIndex:
    """Read an index, whole or still growing. Raises ParseError, naming the line.

    Groups must follow one another in time and in the file, without overlap.
    """
    if len(data) > MAX_BYTES:
        raise ParseError(f"an index of {len(data)} bytes; at most {MAX_BYTES} are read")
    lines = data.split(b"\n")[:-1]
    if not lines:
        raise ParseError("an index without its first line")
    index = SegmentIndex(_parse_header(_load(lines[0], 1)))
    for number, line in enumerate(lines[1:], 2):
        fields = _load(line, number)
        if index.end is not None:
            raise ParseError(f"line {number} of the index stands behind its end")
        if "t" in fields:
            index.groups.append(_parse_group(fields, number, index.groups))
        else:
            index.end = IndexEnd(
                *(
                    _int(fields, name, number)
                    for name in ("end_ns", "duration_ms", "size", "frames", "key_frames")
                )
            )
    return index


def _load(line: bytes, number: int) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise ParseError(f"line {number} of the index is not JSON") from None
    if not isinstance(fields, dict):
        raise ParseError(f"line {number} of the index is not a JSON object")
    return fields


def _parse_header(fields: dict[str, Any]) -> IndexHeader:
    if fields.get("schema") != SCHEMA:
        raise ParseError(f"an index of schema {str(fields.get('schema'))[:20]}, not {SCHEMA}")
    texts = [_text(fields, name) for name in ("segment", "camera", "stream", "run", "codec")]
    try:
        codec = Codec(texts[4])
    except ValueError:
        raise ParseError(f"an index of the unknown codec {texts[4]!r}") from None
    if codec.medium is not Medium.VIDEO:
        raise ParseError(f"an index of the codec {codec}, which is not video")
    numbers = [_int(fields, n, 1) for n in ("width", "height", "start_ns", "media_zero_ns")]
    return IndexHeader(texts[0], texts[1], texts[2], texts[3], codec, *numbers)


def _parse_group(fields: dict[str, Any], number: int, before: list[Group]) -> Group:
    camera = None if fields.get("c") is None else _int(fields, "c", number)
    wall, media, offset, size, pictures = (_int(fields, n, number) for n in "tmosn")
    damaged = _int(fields, "d", number) if "d" in fields else 0
    group = Group(wall, camera, media, offset, size, pictures, damaged)
    if not size or not pictures or damaged > pictures:
        raise ParseError(f"line {number} of the index holds an empty group")
    if before:
        last = before[-1]
        if wall < last.wall_ns or media < last.media_ms or offset < last.offset + last.size:
            raise ParseError(f"line {number} of the index lies ahead of the one before")
    return group


def _int(fields: dict[str, Any], name: str, number: int) -> int:
    value = fields.get(name)
    if type(value) is not int or not 0 <= value < _MAX_INT:
        raise ParseError(f"line {number} of the index: {name!r} is not a number in range")
    return value


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ParseError(f"line 1 of the index: {name!r} is not a text of a fair length")
    return value


TAG_NAMES = {
    "segment": "VMS_SEGMENT",
    "camera": "VMS_CAMERA",
    "stream": "VMS_STREAM",
    "run": "VMS_RUN",
    "media_zero_ns": "VMS_MEDIA_ZERO_NS",
}


def tags(header: IndexHeader) -> dict[str, str]:
    """What the MKV file itself carries, so that the index can be made again from it."""
    return {tag: str(getattr(header, name)) for name, tag in TAG_NAMES.items()}


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
        self._open: tuple[Block, int, int] | None = None

    @property
    def found(self) -> bool:
        """Whether a key picture has come."""
        return self._open is not None

    def feed(self, data: bytes) -> None:
        """Raises ParseError, also where the file is not one of ours."""
        self.take(self.reader.feed(data))

    def take(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            if block.track != 1:
                continue
            time_ms = block.time_ns // 1_000_000
            self.last_ms = max(self.last_ms, time_ms)
            if block.key and block.wall_ns is not None:
                self._finish_group(block.cluster)
                self._open = (block, block.cluster, 1)
            elif self._open is not None:
                first, offset, pictures = self._open
                self._open = (first, offset, pictures + 1)

    def finish(self) -> SegmentIndex:
        """The index up to the last whole block. Raises ParseError where there is none."""
        self._finish_group(
            self.reader.whole_end if self.reader.behind is None else self.reader.behind
        )
        if self.index is None:
            raise ParseError("a Matroska file without a key picture of ours")
        self.interval_ms = _interval_ms(self.index.groups, self.last_ms)
        return self.index

    def _finish_group(self, end: int) -> None:
        if self._open is None:
            return
        block, offset, pictures = self._open
        self._open = None
        if self.index is None:
            self.index = SegmentIndex(_header_from(self.reader, block))
        assert block.wall_ns is not None
        groups = self.index.groups
        wall = max(block.wall_ns, groups[-1].wall_ns if groups else 0)
        groups.append(
            Group(wall, block.camera_ns, block.time_ns // 1_000_000, offset, end - offset, pictures)
        )


def _interval_ms(groups: list[Group], last_ms: int) -> int:
    """How long one picture is shown, by the last group, or the one before it."""
    if groups and groups[-1].pictures > 1:
        return max(1, (last_ms - groups[-1].media_ms) // (groups[-1].pictures - 1))
    if len(groups) > 1:
        return max(1, (groups[-1].media_ms - groups[-2].media_ms) // groups[-2].pictures)
    return DEFAULT_INTERVAL_MS


def _header_from(reader: MkvReader, first: Block) -> IndexHeader:
    header = reader.header
    track = header.tracks.get(1)
    if track is None or track.medium is not Medium.VIDEO:
        raise ParseError("the file's first track is not video of ours")
    found = {name: header.tags.get(tag, "") for name, tag in TAG_NAMES.items()}
    zero = found.pop("media_zero_ns")
    return IndexHeader(
        **found,
        codec=track.codec,
        width=track.width,
        height=track.height,
        start_ns=first.wall_ns or 0,
        media_zero_ns=int(zero) if zero.isascii() and zero.isdigit() and len(zero) < 19 else 0,
    )
