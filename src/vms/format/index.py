"""The index beside each recording file: one JSON object a line, appended as it grows.

docs/reference/recording-index.md describes it for people. The first line is the header,
then comes a line for each finished group of pictures, and in the end, once the file is
closed, a line that sums up. A last line without its newline was being written when the
process died, and does not count. What is missing can be made again from the MKV file.

All times are UTC nanoseconds, but media times: those are milliseconds from the file's zero.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from vms.common.errors import ParseError
from vms.common.model.media import Codec, Medium
from vms.format.index_lines import (
    MODES,
    SCHEMA,
    SCHEMAS,
    Chain,
    Group,
    IndexEnd,
    IndexHeader,
    SegmentIndex,
    Shift,
    encode,
    end_fields,
    group_link,
    last_link,
    next_link,
    root_of,
    shift_fields,
)

__all__ = [
    "DEFAULT_INTERVAL_MS", "MAX_BYTES", "SCHEMA", "TAG_NAMES", "Chain", "Group", "IndexEnd",
    "IndexHeader", "SegmentIndex", "Shift", "check", "encode", "known_tags",
    "largest_step", "last_link", "parse", "tags",
]  # fmt: skip

MAX_BYTES = 64 * 1024 * 1024
MAX_LINES = 500_000
MAX_PICTURES = 4_000_000
"""In one file; it holds six hours at most."""
_MAX_LINE = 4096
DEFAULT_INTERVAL_MS = 40
"""How long a picture is taken to be shown where nothing tells."""
_MAX_TEXT = 200
_MAX_INT = 1 << 62


def parse(data: bytes) -> SegmentIndex:
    """Read an index, whole or still growing. Raises ParseError, naming the line.

    Groups must follow one another in time and in the file, without overlap.
    """
    if len(data) > MAX_BYTES:
        raise ParseError(f"an index of {len(data)} bytes; at most {MAX_BYTES} are read")
    if data.count(b"\n") > MAX_LINES:
        raise ParseError(f"an index of more than {MAX_LINES} lines")
    lines = data.split(b"\n")[:-1]
    if not lines:
        raise ParseError("an index without its first line")
    index = SegmentIndex(_parse_header(_load(lines[0], 1)), root=root_of(lines[0]))
    schema = index.header.schema
    for number, line in enumerate(lines[1:], 2):
        fields = _load(line, number)
        if index.end is not None:
            raise ParseError(f"line {number} of the index stands behind its end")
        if "shift_ns" in fields:
            index.shifts.append(_parse_shift(fields, number, schema))
        elif index.shifts and "t" in fields:
            raise ParseError(f"line {number} of the index stands behind a shift")
        elif "t" in fields:
            index.groups.append(_parse_group(fields, number, index.groups, schema))
        else:
            index.end = _parse_end(fields, number, schema)
    return index


def check(index: SegmentIndex) -> str:
    """The last link of a parsed index, once every link of its chain was found right.

    Raises ParseError naming the first line that does not follow from those before it. An
    index of schema 1 has no links: it gives "".
    """
    if index.header.schema == 1:
        return ""
    link = index.root
    for number, group in enumerate(index.groups, 2):
        link = group_link(link, group)
        if link != group.link:
            raise ParseError(f"line {number} of the index was changed, or one before it")
    for line, shift in enumerate(index.shifts, len(index.groups) + 2):
        link = next_link(link, shift_fields(shift))
        if link != shift.link:
            raise ParseError(f"line {line} of the index was changed, or one before it")
    if index.end is not None:
        link = next_link(link, end_fields(index.end))
        if link != index.end.link:
            last = len(index.groups) + len(index.shifts) + 2
            raise ParseError(f"line {last} of the index was changed, or one before it")
    return link


def _load(line: bytes, number: int) -> dict[str, Any]:
    if len(line) > _MAX_LINE:
        raise ParseError(f"line {number} of the index has more than {_MAX_LINE} bytes")
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise ParseError(f"line {number} of the index is not JSON") from None
    if not isinstance(fields, dict):
        raise ParseError(f"line {number} of the index is not a JSON object")
    return fields


def _parse_header(fields: dict[str, Any]) -> IndexHeader:
    schema = fields.get("schema")
    if type(schema) is not int or schema not in SCHEMAS:
        raise ParseError(f"an index of schema {str(schema)[:20]}, not {SCHEMA}")
    if schema > 1:
        _only(fields, _HEADER_KEYS, 1)
    segment, camera, stream, run, name = (
        _text(fields, name) for name in ("segment", "camera", "stream", "run", "codec")
    )
    try:
        codec = Codec(name)
    except ValueError:
        raise ParseError(f"an index of the unknown codec {name!r}") from None
    if codec.medium is not Medium.VIDEO:
        raise ParseError(f"an index of the codec {codec}, which is not video")
    width, height, start, zero = (
        _int(fields, name, 1) for name in ("width", "height", "start_ns", "media_zero_ns")
    )
    return IndexHeader(segment, camera, stream, run, codec, width, height, start, zero, schema)


def _parse_group(fields: dict[str, Any], number: int, before: list[Group], schema: int) -> Group:
    camera = None if fields.get("c") is None else _int(fields, "c", number)
    wall, media, offset, size, pictures = (_int(fields, n, number) for n in "tmosn")
    damaged = _int(fields, "d", number) if "d" in fields else 0
    gap, digest, link = 0, "", ""
    if schema > 1:
        _only(fields, _GROUP_KEYS, number)
        gap, digest, link = (
            _int(fields, "g", number), _hash(fields, "h", number), _hash(fields, "x", number),
        )  # fmt: skip
    group = Group(wall, camera, media, offset, size, pictures, damaged, gap, digest, link)
    if not size or not pictures or damaged > pictures:
        raise ParseError(f"line {number} of the index holds an empty group")
    if before:
        last = before[-1]
        if wall < last.wall_ns or media < last.media_ms or offset < last.offset + last.size:
            raise ParseError(f"line {number} of the index lies ahead of the one before")
    return group


def _parse_end(fields: dict[str, Any], number: int, schema: int) -> IndexEnd:
    end_ns, duration, size, frames, keys = (
        _int(fields, name, number)
        for name in ("end_ns", "duration_ms", "size", "frames", "key_frames")
    )
    if schema == 1:
        return IndexEnd(end_ns, duration, size, frames, keys)
    _only(fields, _END_KEYS, number)
    mode = fields.get("mode")
    if mode not in MODES:
        raise ParseError(f"line {number} of the index: 'mode' is none of {', '.join(MODES)}")
    offset, drift = (
        None if fields.get(name) is None else _int(fields, name, number, -_MAX_INT)
        for name in ("clock_offset_ns", "clock_drift_ppb")
    )
    link = _hash(fields, "x", number)
    return IndexEnd(end_ns, duration, size, frames, keys, mode, offset, drift, link)


def _parse_shift(fields: dict[str, Any], number: int, schema: int) -> Shift:
    by = _int(fields, "shift_ns", number, -_MAX_INT)
    if schema == 1:
        return Shift(by)
    _only(fields, _SHIFT_KEYS, number)
    return Shift(by, _hash(fields, "was", number), _hash(fields, "x", number))


_SHIFT_KEYS = frozenset(("shift_ns", "was", "x"))
_HEADER_KEYS = frozenset(
    ("schema", "segment", "camera", "stream", "run", "codec", "width", "height", "start_ns",
     "media_zero_ns")
)  # fmt: skip
_GROUP_KEYS = frozenset("tcmosnghx")
_END_KEYS = frozenset(
    ("end_ns", "duration_ms", "size", "frames", "key_frames", "mode", "clock_offset_ns",
     "clock_drift_ppb", "x")
)  # fmt: skip


def _only(fields: dict[str, Any], wanted: frozenset[str], number: int) -> None:
    """What the chain covers is what is read, so that nothing else may stand in a line."""
    odd = fields.keys() ^ wanted
    if odd and (odd != {"d"} or wanted is not _GROUP_KEYS or not fields["d"]):
        name = min(odd)
        raise ParseError(f"line {number} of the index: {name[:40]!r} is missing, or odd there")


def _hash(fields: dict[str, Any], name: str, number: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) != 64 or value.strip("0123456789abcdef"):
        raise ParseError(f"line {number} of the index: {name!r} is no SHA-256 in hex")
    return value


def _int(fields: dict[str, Any], name: str, number: int, least: int = 0) -> int:
    value = fields.get(name)
    if type(value) is not int or not least <= value < _MAX_INT:
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


def known_tags(found: Mapping[str, str]) -> dict[str, str]:
    """Of a file's own tags those that `tags` gives: empty, or 0, where they say nothing."""
    known = {tag: found.get(tag, "") for tag in TAG_NAMES.values()}
    zero = known[TAG_NAMES["media_zero_ns"]]
    fair = zero.isascii() and zero.isdigit() and len(zero) < 19
    return known | {TAG_NAMES["media_zero_ns"]: str(int(zero)) if fair else "0"}


def largest_step(times_ms: Iterable[int], next_ms: int | None) -> int:
    """The largest step between two pictures shown one after another, in milliseconds.

    `next_ms`: the key picture of the group that follows, None where none does.
    """
    shown = sorted((*times_ms, next_ms) if next_ms is not None else times_ms)
    return max((b - a for a, b in pairwise(shown)), default=0)
