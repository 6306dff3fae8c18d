"""The lines of a recording's index, and the chain of hashes that runs through them.

Each line but the header carries `x`: SHA-256 over the link before it (64 hex digits) and the
line's canonical JSON without `x` (keys sorted, no spaces). The link before the first line is
SHA-256 of the header line's bytes without the newline. Whoever keeps the last link can tell
whether any line was changed, taken away or put in; and each group's `h` ties the bytes of
the recording to its line.

All times are UTC nanoseconds, but media times: those are milliseconds from the file's zero.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from vms.common.model.media import Codec

SCHEMA = 2
SCHEMAS = (1, 2)
"""Schema 1 has neither `g`, `h` nor `x`; it is read, and carried on as it is."""
MODES = ("continuous", "event")


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
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Group:
    """One group of pictures: its key picture, and where the group lies in the file.

    `camera_ns` is the camera's own time of the key picture, None where it is unknown;
    `offset` is that of the cluster it begins with, `size` reaches to the next group's.
    `pictures` counts the video track's, `damaged` those of them with packets missing.
    `gap_ms` is the largest step between two pictures shown one after another, up to the next
    group's key picture. `digest` is SHA-256 of the group's bytes in hex, each cluster's size
    taken as unknown (`mkv_digest`); empty in schema 1. `link` is what the file says of the
    chain: encoding never believes it.
    """

    wall_ns: int
    camera_ns: int | None
    media_ms: int
    offset: int
    size: int
    pictures: int
    damaged: int = 0
    gap_ms: int = 0
    digest: str = ""
    link: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class IndexEnd:
    """The closed file as a whole; `size` in bytes, `frames` counts pictures.

    `mode` is why it was recorded: one of MODES. `clock_offset_ns` is the camera's clock minus
    ours, the median over the file, and `clock_drift_ppb` how fast that grows, in billionths;
    None where unknown. `link` as in Group.
    """

    end_ns: int
    duration_ms: int
    size: int
    frames: int
    key_frames: int
    mode: str = "continuous"
    clock_offset_ns: int | None = None
    clock_drift_ppb: int | None = None
    link: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Shift:
    """All wall times of the closed file were moved by `shift_ns`: the clock was wrong.

    `was` is the last link before that (empty in schema 1). The notes in the recording itself
    stay as they were written.
    """

    shift_ns: int
    was: str = ""
    link: str = field(default="", compare=False)


@dataclass(slots=True)
class SegmentIndex:
    """A parsed index. `end` is None while the file grows, or where it was cut off.

    `shifts` are what its times were moved by since it was written, the first one first.

    `root` is the link before the first line, as the header's bytes give it; empty where the
    index was not parsed.
    """

    header: IndexHeader
    groups: list[Group] = field(default_factory=list)
    end: IndexEnd | None = None
    root: str = field(default="", compare=False)
    shifts: list[Shift] = field(default_factory=list)

    @property
    def shifted_ns(self) -> int:
        """What is to be added to the times that the recording itself notes."""
        return sum(shift.shift_ns for shift in self.shifts)

    def at(self, wall_ns: int) -> Group | None:
        """The last group that begins at or before `wall_ns`; None: all begin later."""
        place = bisect_right(self.groups, wall_ns, key=lambda group: group.wall_ns)
        return self.groups[place - 1] if place else None

    @property
    def tail(self) -> int | None:
        """Where the file goes on behind what is indexed; None: nothing is indexed."""
        return self.groups[-1].offset + self.groups[-1].size if self.groups else None


def header_fields(header: IndexHeader) -> dict[str, Any]:
    return {
        "schema": header.schema,
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


def group_fields(group: Group, schema: int = SCHEMA) -> dict[str, Any]:
    """A group's line without its link."""
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
    if schema > 1:
        fields["g"] = group.gap_ms
        fields["h"] = group.digest
    return fields


def end_fields(end: IndexEnd, schema: int = SCHEMA) -> dict[str, Any]:
    """The last line without its link."""
    fields: dict[str, Any] = {
        "end_ns": end.end_ns,
        "duration_ms": end.duration_ms,
        "size": end.size,
        "frames": end.frames,
        "key_frames": end.key_frames,
    }
    if schema > 1:
        fields["mode"] = end.mode
        fields["clock_offset_ns"] = end.clock_offset_ns
        fields["clock_drift_ppb"] = end.clock_drift_ppb
    return fields


def shift_fields(shift: Shift) -> dict[str, Any]:
    """The line of a shift, without its link."""
    return {"shift_ns": shift.shift_ns, "was": shift.was}


def next_link(link: str, fields: Mapping[str, Any]) -> str:
    """The link of the line with these fields (without `x`) behind the line of `link`."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256((link + text).encode()).hexdigest()


def group_link(link: str, group: Group) -> str:
    """As `next_link` for a group of schema 2, several times as fast: readers check thousands."""
    camera = "null" if group.camera_ns is None else group.camera_ns
    damaged = f'"d":{group.damaged},' if group.damaged else ""
    text = (
        f'{link}{{"c":{camera},{damaged}"g":{group.gap_ms},"h":"{group.digest}",'
        f'"m":{group.media_ms},"n":{group.pictures},"o":{group.offset},"s":{group.size},'
        f'"t":{group.wall_ns}}}'
    )
    return sha256(text.encode()).hexdigest()


def root_of(header_line: bytes) -> str:
    """The link before the first line; `header_line` without its newline."""
    return sha256(header_line).hexdigest()


class Chain:
    """Encodes the lines of one index, in order; `link` is the last one, empty in schema 1."""

    __slots__ = ("head", "link", "schema")

    def __init__(self, header: IndexHeader) -> None:
        self.schema = header.schema
        self.head = line(header_fields(header))
        """The first line, newline included."""
        self.link = root_of(self.head[:-1]) if self.schema > 1 else ""

    def group(self, group: Group) -> bytes:
        return self._next(group_fields(group, self.schema))

    def shift(self, shift: Shift) -> bytes:
        return self._next(shift_fields(shift))

    def end(self, end: IndexEnd) -> bytes:
        return self._next(end_fields(end, self.schema))

    def _next(self, fields: dict[str, Any]) -> bytes:
        if self.schema > 1:
            self.link = fields["x"] = next_link(self.link, fields)
        return line(fields)


def line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def encode(index: SegmentIndex) -> bytes:
    """A whole index, its links made anew."""
    chain = Chain(index.header)
    lines = [chain.head, *map(chain.group, index.groups), *map(chain.shift, index.shifts)]
    if index.end is not None:
        lines.append(chain.end(index.end))
    return b"".join(lines)


def last_link(index: SegmentIndex) -> str:
    """The last link of what `encode` gives: what a row's `digest` says of a closed file."""
    chain = Chain(index.header)
    for group in index.groups:
        chain.group(group)
    for shift in index.shifts:
        chain.shift(shift)
    if index.end is not None:
        chain.end(index.end)
    return chain.link
