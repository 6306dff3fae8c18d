"""Footage as HTTP Live Streaming on demand (RFC 8216): a playlist, init segments and parts.

A part is named by what is in it, `<start>-<end>-<base>.m4s`: UTC of its first picture and of
what follows it, and when it is shown, counted in nanoseconds from the last discontinuity. So
parts are made from their names alone, and nothing is kept between requests. Gaps, and places
where the stream's parameters change, are discontinuities, each with an init segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from vms.common.model.segment import SegmentRow
from vms.storage.clip import cells
from vms.storage.footage import Footage, VolumeOf, find

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
NOMINAL_RATE = 25.0
"""What masked video is encoded for: each part by an encoder of its own, all alike."""
MAX_SPAN_S = 86_400
MAX_PART_NS = 120_000_000_000
MAX_PART_BYTES = 128 << 20
_LEAST_MS = 4000
_PART = re.compile(r"(\d{1,19})-(\d{1,19})-(\d{1,19})\.m4s")
_INIT = re.compile(r"init-(\d{1,19})\.mp4")


@dataclass(frozen=True, slots=True)
class Part:
    """Times in nanoseconds: `start_ns` and `end_ns` UTC, `base_ns` from the discontinuity."""

    start_ns: int
    end_ns: int
    base_ns: int
    lasts_ns: int = 0

    @property
    def name(self) -> str:
        return f"{self.start_ns}-{self.end_ns}-{self.base_ns}.m4s"


@dataclass(frozen=True, slots=True)
class Period:
    """Parts without a gap or a change between them. `init_ns` names the init segment."""

    init_ns: int
    parts: tuple[Part, ...]


def parse_part(name: str) -> Part | None:
    """A part by its name; None: there is none of that name."""
    found = _PART.fullmatch(name)
    if found is None:
        return None
    start, end, base = map(int, found.groups())
    if not start < end <= start + MAX_PART_NS or base > MAX_SPAN_S * 2_000_000_000:
        return None
    return Part(start, end, base)


def parse_init(name: str) -> int | None:
    """UTC nanoseconds that an init segment is named by; None: it is not one's name."""
    found = _INIT.fullmatch(name)
    return int(found[1]) if found else None


def periods(
    volume_of: VolumeOf, rows: Sequence[SegmentRow], start_ns: int, end_ns: int
) -> Iterator[Period]:
    """What is recorded in the span, in order. Blocking. Raises NotFound, StorageError."""
    left = list(rows)
    at = start_ns
    while left and at < end_ns:
        footage = find(volume_of, left, at, end_ns)
        if footage is None:
            # Footage that begins within the span, behind a gap.
            left = [row for row in left if row.start_ns > at]
            at = left[0].start_ns if left else end_ns
            continue
        with_parts = _period(footage)
        if with_parts is not None:
            yield with_parts
        at = max(footage.end_ns, at + 1)
        left = [row for row in left if not row.closed or row.end_ns > at]


def _period(footage: Footage) -> Period | None:
    try:
        made = cells(footage, _LEAST_MS)
    finally:
        footage.close()
    parts = []
    for cell, following in zip(made, [*made[1:], None], strict=True):
        end = following.wall_ns if following else footage.end_ns
        if end > cell.wall_ns:
            parts.append(Part(cell.wall_ns, end, cell.base_ns, cell.until_ns - cell.base_ns))
    return Period(footage.start_ns, tuple(parts)) if parts else None


def playlist(found: Sequence[Period], stream: str, query: str = "") -> str:
    """The media playlist. Addresses are relative to it; `query` is put behind each."""
    longest = max((part.lasts_ns for period in found for part in period.parts), default=0)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, -(-longest // 1_000_000_000))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    suffix = f"?{query}" if query else ""
    for number, period in enumerate(found):
        if number:
            lines.append("#EXT-X-DISCONTINUITY")
        lines.append(f'#EXT-X-MAP:URI="{stream}/init-{period.init_ns}.mp4{suffix}"')
        for part in period.parts:
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_iso(part.start_ns)}")
            lines.append(f"#EXTINF:{part.lasts_ns / 1e9:.3f},")
            lines.append(f"{stream}/{part.name}{suffix}")
    lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def _iso(wall_ns: int) -> str:
    seconds, rest = divmod(wall_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"
