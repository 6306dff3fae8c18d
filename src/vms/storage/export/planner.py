"""Decides which files an export has: from rows and indexes to the groups each file holds.

Footage that is not there is never joined over: a file ends where nothing is recorded, and
where the stream's parameters change. Files whose bytes are the recording's own (`mkv`) are
one for each recording file; others go over the files' borders, up to two hours.

All times UTC nanoseconds. Blocking: each recording's index is read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from vms.common.errors import NotFound, StorageError
from vms.common.model.media import Codec, CodecParameters
from vms.common.model.segment import SegmentRow
from vms.format.index import Group
from vms.storage.footage import VolumeOf
from vms.storage.recording import Recording

log = structlog.get_logger(__name__)

JOIN_NS = 500_000_000
"""Recording files no further apart are one run: between them no picture is missing."""
LONGEST_NS = 2 * 3600 * 1_000_000_000
MAX_FILES = 5_000
_ASTRAY_NS = 500_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """The groups `first` to before `last` of one recording. `zero_ns` is the media time in
    it at which the file being made shows 0."""

    row: SegmentRow
    first: int
    last: int
    zero_ns: int


@dataclass(frozen=True, slots=True)
class FilePlan:
    """A file to make. It shows `start_ns` to `end_ns`; `from_ns` is when its first picture is,
    which lies ahead of it where the start is exact. `size` in bytes is about what it takes."""

    name: str
    camera: str
    stream: str
    parts: tuple[Part, ...]
    from_ns: int
    start_ns: int
    end_ns: int
    size: int

    def fields(self) -> dict[str, Any]:
        """As JSON, for `parse_plan`."""
        return asdict(self)


@dataclass(slots=True)
class CameraPlan:
    """The files of one camera. `missing` are the spans asked for that none of them shows;
    `problems` are sentences about recordings that could not be read."""

    files: list[FilePlan] = field(default_factory=list)
    missing: list[tuple[int, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def parse_plan(fields: Mapping[str, Any]) -> FilePlan:
    """The reverse of `FilePlan.fields`."""
    parts = tuple(
        Part(
            SegmentRow(**{**part["row"], "codec": Codec(part["row"]["codec"])}),
            part["first"], part["last"], part["zero_ns"],
        )
        for part in fields["parts"]
    )  # fmt: skip
    return FilePlan(**{**fields, "parts": parts})


def plan_camera(
    volume_of: VolumeOf,
    rows: Iterable[SegmentRow],
    start_ns: int,
    end_ns: int,
    *,
    suffix: str,
    exact: bool,
    check: Callable[[], None] = lambda: None,
) -> CameraPlan:
    """What to make of one camera's rows. `suffix` is "mkv" or "mp4"; `exact` cuts at the very
    instants. `check` is called for each row, and may raise."""
    found = CameraPlan()
    tracks: dict[int, CodecParameters] = {}
    for row in sorted(rows, key=lambda row: row.start_ns):
        check()
        try:
            with Recording(volume_of(row), row) as recording:
                made = _of_recording(recording, start_ns, end_ns, suffix, exact)
                before, tracks = tracks, recording.tracks
                if made is None:
                    continue
                last = found.files[-1] if found.files else None
                if last and suffix != "mkv" and before == tracks and _joins(last, made):
                    found.files[-1] = _joined(last, made, recording, volume_of)
                else:
                    found.files.append(made)
        except (NotFound, StorageError) as error:
            log.warning("recording is left out of an export", path=row.path, reason=str(error))
            found.problems.append(str(error))
    found.files = _named(found.files, suffix)
    found.missing = _missing(found.files, start_ns, end_ns)
    return found


def _of_recording(
    recording: Recording, start_ns: int, end_ns: int, suffix: str, exact: bool
) -> FilePlan | None:
    """A file of what one recording has of the span; None: nothing."""
    groups = recording.index.groups
    ends = [*(group.wall_ns for group in groups[1:]), _end_of(recording)]
    first = bisect_left(ends, start_ns + 1)
    last = bisect_left(groups, end_ns, key=lambda group: group.wall_ns)
    if first >= last:
        return None
    row, chosen = recording.row, groups[first:last]
    began, ended = chosen[0].wall_ns, ends[last - 1]
    shows = (max(began, start_ns), min(ended, end_ns)) if exact else (began, ended)
    part = Part(row, first, last, chosen[0].media_ms * 1_000_000)
    size = sum(group.size for group in chosen)
    return FilePlan("", row.camera, row.stream, (part,), began, *shows, size)


def _end_of(recording: Recording) -> int:
    """Until when the whole groups last."""
    return recording.growing.wall_ns if recording.growing is not None else recording.end_ns


def _joins(last: FilePlan, made: FilePlan) -> bool:
    apart = made.from_ns - last.end_ns
    return abs(apart) <= JOIN_NS and made.end_ns - last.from_ns <= LONGEST_NS


def _joined(last: FilePlan, made: FilePlan, recording: Recording, volume_of: VolumeOf) -> FilePlan:
    """Within a Run the camera's own ticks join the files exactly; else the wall time does."""
    part, first = made.parts[0], last.parts[0]
    group = recording.index.groups[part.first]
    by_wall = group.wall_ns - last.from_ns
    zero = part.zero_ns - by_wall
    if first.row.run == part.row.run:
        with Recording(volume_of(first.row), first.row) as before:
            earlier = before.index.header.media_zero_ns
        by_ticks = recording.index.header.media_zero_ns + part.zero_ns - earlier - first.zero_ns
        if abs(by_ticks - by_wall) < _ASTRAY_NS:
            zero = part.zero_ns - by_ticks
    return replace(
        last,
        parts=(*last.parts, replace(part, zero_ns=zero)),
        end_ns=made.end_ns,
        size=last.size + made.size,
    )


def _named(files: Sequence[FilePlan], suffix: str) -> list[FilePlan]:
    named: list[FilePlan] = []
    used: set[str] = set()
    for one in files:
        moment = datetime.fromtimestamp(one.start_ns // 10**9, UTC).strftime("%Y%m%dT%H%M%SZ")
        stem = f"{one.camera}/{moment}-{one.stream}"
        name, count = stem, 1
        while name in used:
            count += 1
            name = f"{stem}-{count}"
        used.add(name)
        named.append(replace(one, name=f"{name}.{suffix}"))
    return named


def _missing(files: Iterable[FilePlan], start_ns: int, end_ns: int) -> list[tuple[int, int]]:
    """Spans of the one asked for that no file shows, but the moments at which files join."""
    found, at = [], start_ns
    for one in sorted(files, key=lambda one: one.start_ns):
        if one.start_ns - at > JOIN_NS:
            found.append((at, one.start_ns))
        at = max(at, one.end_ns)
    if end_ns - at > JOIN_NS:
        found.append((at, end_ns))
    return found


def groups_of(recording: Recording, part: Part) -> list[Group]:
    """The groups of a part. Raises StorageError where the recording has them no more."""
    groups = recording.index.groups[part.first : part.last]
    if len(groups) != part.last - part.first:
        raise StorageError(f"the recording {part.row.path} has become shorter since it was planned")
    return groups
