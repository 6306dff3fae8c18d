"""Footage whose clock was wrong is put where it belongs; wrong clocks are said.

A file is re-stamped by writing its index anew, whole: all wall times moved, and a line that
says by how much and names the last link of the chain before. The recording itself stays as
the camera's bytes came; the notes in it are those of the time of writing. Then the row.
See docs/design/time.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import structlog

from vms.common.clock import Clock
from vms.common.errors import CatalogError, ParseError, StorageError
from vms.common.model.evidence import Hold
from vms.common.model.segment import MAX_SEGMENT_NS, SegmentRow
from vms.common.wallclock import WallClock, clock_text
from vms.format import index as indexes
from vms.format.index import SegmentIndex, Shift
from vms.storage.alarms import CLOCK, Alarms
from vms.storage.volume import fsync_folder, index_path

log = structlog.get_logger(__name__)

_LATEST_NS = 1 << 62
_MOST_DONE = 10_000
_TOUCH_NS = 200_000_000
"""Files that follow one another may share this: a file ends with how long its last picture is
shown, which is an estimate, while pictures come a little early or late."""

Key = tuple[str, str]
Place = Callable[[SegmentRow], Path]
"""Where a row's file lies: `Volumes.path`."""


class Rows(Protocol):
    """What is needed of the catalog's segments."""

    async def update(self, segment: SegmentRow) -> None: ...

    async def spans(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int
    ) -> list[SegmentRow]: ...


class Holds(Protocol):
    async def spans(self, camera: str, start_ns: int, end_ns: int) -> Sequence[Hold]: ...


def restamp_file(recording: Path, row: SegmentRow, shift_ns: int) -> SegmentRow:
    """Move the times of one closed recording; the row as it is then. Blocking.

    Where the index was moved before and the row was not, as after a kill between the two,
    only the row is. Raises StorageError; nothing is changed then.
    """
    path = index_path(recording)
    try:
        index = indexes.parse(path.read_bytes())
        indexes.check(index)
    except (OSError, ParseError) as error:
        raise StorageError(
            f"{row.path} cannot be re-stamped: {error}; run 'vms storage verify' first"
        ) from error
    if index.end is None or not row.closed:
        raise StorageError(f"{row.path} cannot be re-stamped: it is not closed")
    if not _is_moved(index, row, shift_ns):
        index = _moved(index, shift_ns, path)
        _replace(path, indexes.encode(index))
    assert index.end is not None
    return replace(
        row,
        start_ns=index.header.start_ns,
        end_ns=index.end.end_ns,
        digest=indexes.last_link(index),
        clock_offset_ns=index.end.clock_offset_ns,
    )


def _is_moved(index: SegmentIndex, row: SegmentRow, shift_ns: int) -> bool:
    moved = bool(index.shifts) and index.shifts[-1].shift_ns == shift_ns
    return moved and index.header.start_ns == row.start_ns + shift_ns


def _moved(index: SegmentIndex, by: int, path: Path) -> SegmentIndex:
    assert index.end is not None
    start, end = index.header.start_ns + by, index.end.end_ns + by
    if start < 0 or end >= _LATEST_NS:
        raise StorageError(f"{path} cannot be moved by {by / 1e9:g} s: no such time is written")
    offset = index.end.clock_offset_ns
    was = indexes.last_link(index)
    return SegmentIndex(
        replace(index.header, start_ns=start),
        [replace(group, wall_ns=group.wall_ns + by) for group in index.groups],
        replace(
            index.end,
            end_ns=end,
            clock_offset_ns=None if offset is None else offset - by,
        ),
        shifts=[*index.shifts, Shift(by, was)],
    )


def _replace(path: Path, data: bytes) -> None:
    """Put a whole new index in the place of the old one, durably."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        with open(fresh, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        fsync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise StorageError(f"{path} cannot be written anew: {error.strerror}") from error


async def restamp(
    place: Place,
    rows: Rows,
    holds: Holds,
    chosen: Iterable[SegmentRow],
    shift_ns: int,
    told: Callable[[SegmentRow], None] = lambda _: None,
) -> list[SegmentRow]:
    """Move closed recordings by `shift_ns` (UTC nanoseconds); the rows as they are then.

    Refused, whole and ahead of any change, where a file would come to lie over another
    recording of its stream, or leaves a span that a hold in force protects. `told` hears of
    each file that was moved. Raises StorageError, CatalogError; to be called again then with
    what was not told.
    """
    files = sorted(chosen, key=lambda row: row.start_ns, reverse=shift_ns > 0)
    await check_restamp(rows, holds, files, shift_ns)
    done = []
    for row in files:
        moved = await asyncio.to_thread(restamp_file, place(row), row, shift_ns)
        await rows.update(moved)
        told(moved)
        done.append(moved)
    return done


async def check_restamp(
    rows: Rows, holds: Holds, files: Sequence[SegmentRow], shift_ns: int
) -> None:
    """Raises StorageError where they cannot be moved, CatalogError."""
    moving = {row.id for row in files}
    for row in files:
        await _check_room(rows, moving, row, shift_ns)
        for hold in await holds.spans(row.camera, row.start_ns, row.end_ns):
            if hold.released_ns is None:
                raise StorageError(
                    f"{row.path} is held ({hold.kind.value}: {hold.reason[:60]}), and would leave "
                    "the span that is held; release it, or hold the span where it will be as well"
                )


async def _check_room(rows: Rows, moving: set[str], row: SegmentRow, by: int) -> None:
    if row.start_ns + by < 0:
        raise StorageError(f"{row.path} would begin before 1970")
    start, end = row.start_ns + by, row.end_ns + by
    for other in await rows.spans(row.camera, row.stream, start, end):
        shared = min(other.end_ns, end) - max(other.start_ns, start)
        if other.id not in moving and shared > min(_TOUCH_NS, (end - start) // 2):
            raise StorageError(
                f"{row.path} would come to lie over {other.path} of the same stream; "
                "choose a larger span, or another shift"
            )


class ClockWatch:
    """Follows the machine's clock and those of the cameras. On the event loop's thread."""

    def __init__(
        self, alarms: Alarms, clock: Clock, rows: Rows, holds: Holds, place: Place
    ) -> None:
        self._alarms = alarms
        self._clock = clock
        self._wall = clock if isinstance(clock, WallClock) else None
        self._rows = rows
        self._holds = holds
        self._place = place
        self._tellers: dict[str, str] = {}
        self._done: dict[tuple[Key, str, int], None] = {}
        self._moved: set[tuple[str, int]] = set()

    def tick(self) -> None:
        """Look at the machine's clock."""
        if self._wall is not None:
            self._wall.check()
            self._say("machine", self._wall.problem)

    def camera(self, camera: str, stream: str, offset_ns: int | None) -> None:
        """What a stream tells of its camera's clock: its own minus ours; None: nothing.

        The stream that was the first to tell of a wrong clock is the one to tell of its end.
        """
        text = "" if offset_ns is None else clock_text(offset_ns)
        teller = self._tellers.get(camera)
        if text and teller is None:
            self._tellers[camera] = stream
        elif text or teller != stream or offset_ns is None:
            return
        else:
            del self._tellers[camera]
        self._say(camera, text)

    def forget(self, camera: str, stream: str) -> None:
        """The stream is no longer listened to: nobody would tell of the end."""
        if self._tellers.get(camera) == stream:
            del self._tellers[camera]
            self._say(camera, "")

    def _say(self, subject: str, text: str) -> None:
        if text:
            self._alarms.raise_(CLOCK, subject, text)
        else:
            self._alarms.clear(CLOCK, subject)

    async def settle(self, keys: Iterable[Key]) -> None:
        """Move what was recorded while the machine's clock was wrong, once it is closed."""
        if self._wall is None:
            return
        for key in keys:
            shifts = self._wall.shifts(*key)
            runs = {run for run, _ in shifts}
            for run, by in shifts:
                if (key, run, by) not in self._done and await self._settle(key, run, by, runs):
                    self._done[key, run, by] = None
                    if len(self._done) > _MOST_DONE:
                        self._done.pop(next(iter(self._done)))

    async def _settle(self, key: Key, run: str, by: int, runs: set[str]) -> bool:
        """False where it is to be tried again later. `runs`: all that are to be moved."""
        began = int(run[:12], 16) * 1_000_000
        try:
            around = await self._rows.spans(
                *key,
                began + min(0, by) - MAX_SEGMENT_NS,
                self._clock.now_ns() + abs(by) + MAX_SEGMENT_NS,
            )
            mine = [row for row in around if row.run == run and (row.id, by) not in self._moved]
            if not all(row.closed for row in mine):
                return False
            await restamp(
                self._place, self._rows, self._holds, mine, by,
                lambda row: self._moved.add((row.id, by)),
            )  # fmt: skip
        except (StorageError, CatalogError) as error:
            log.error("footage is not put right", camera=key[0], stream=key[1], error=str(error))
            # What cannot be moved now cannot be later either, but for a catalog that is away.
            return isinstance(error, StorageError)
        if mine:
            log.warning(
                "footage moved to where it belongs: the clock was wrong", camera=key[0],
                stream=key[1], files=len(mine), seconds=round(by / 1e9, 3),
            )  # fmt: skip
        # Rows come once files are durable: with one of a later Run, those before are there.
        return any(row.run not in runs and row.start_ns >= began + by for row in around)
