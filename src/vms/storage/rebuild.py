"""Makes the catalog's rows again from the files alone, on a running system too.

Each file that the catalog does not know gives its row: from its index where that is whole,
else it is mended first; one that it knows gets its index again where that is lost. What a
living process writes to is left alone. Doing it twice changes nothing. Rows whose file is
gone are told, and removed only where that is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from vms.common.errors import Conflict, StorageError
from vms.common.model.segment import SegmentRow
from vms.storage.mend import StillWritten, mend_orphan, read_orphan
from vms.storage.survey import (
    camera_in,
    cameras_of,
    day_in,
    days_of,
    files_of,
    is_gone,
    is_there,
    prefix_of,
    without_index,
)
from vms.storage.volume import MARKER, Volume

_BATCH = 200
_MOST_SAID = 1000


class RebuildSegments(Protocol):
    """What is needed of the catalog's segments."""

    async def known_paths(self, volume: str, prefix: str = "") -> set[str]: ...

    async def add_many(self, segments: Iterable[SegmentRow]) -> None: ...

    async def spans(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int
    ) -> list[SegmentRow]: ...

    async def remove_many(self, segment_ids: Iterable[str]) -> None: ...


@dataclass(slots=True)
class Report:
    """What was found. `size` is in bytes, of the files that were read."""

    files: int = 0
    size: int = 0
    known: int = 0
    added: int = 0
    mended: int = 0
    empty: int = 0
    busy: int = 0
    removed: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Files that gave no row, each with the reason; the first thousand."""
    missing: list[str] = field(default_factory=list)
    """Rows whose file is gone, by path; the first thousand."""
    refusals: int = 0
    misses: int = 0

    def refuse(self, path: str, reason: str) -> None:
        self.refusals += 1
        if len(self.refused) < _MOST_SAID:
            self.refused.append((path, reason))

    def miss(self, path: str) -> None:
        self.misses += 1
        if len(self.missing) < _MOST_SAID:
            self.missing.append(path)


class Rebuild:
    """One pass over volumes. `report` fills as it goes."""

    def __init__(
        self,
        segments: RebuildSegments,
        *,
        dry_run: bool = False,
        prune: bool = False,
        tell: Callable[[Report], None] = lambda _report: None,
    ) -> None:
        """`dry_run` writes nothing anywhere; `prune` removes rows whose file is gone.

        `tell` is called after each camera's day.
        """
        self._segments = segments
        self._dry = dry_run
        self._prune = prune
        self._tell = tell
        self.report = Report()

    async def run(self, volumes: Sequence[Volume]) -> Report:
        """Raises StorageError where a volume is not there, CatalogError."""
        for volume in volumes:
            await asyncio.to_thread(check_there, volume)
        for volume in volumes:
            try:
                await self._volume(volume)
            except OSError as error:
                raise volume.error("cannot be read", error) from error
        return self.report

    async def _volume(self, volume: Volume) -> None:
        async for camera, day in _days(self._segments, volume):
            known = await self._segments.known_paths(volume.name, prefix_of(camera, day))
            files = await asyncio.to_thread(files_of, volume.root, camera, day)
            self.report.files += len(files)
            self.report.known += len(files & known)
            rows = []
            for path in sorted(files - known):
                row = await self._read(volume, path)
                if row is not None:
                    rows.append(row)
            await self._add(rows)
            for path in await asyncio.to_thread(without_index, volume.root, files & known):
                await self._read(volume, path)
            await self._look_for(volume, camera, day, known - files)
            self._tell(self.report)

    async def _read(self, volume: Volume, path: str) -> SegmentRow | None:
        """The row of a file, made whole with its index where they are not."""
        report = self.report
        try:
            row = await asyncio.to_thread(read_orphan, volume, path)
            if row is None:
                if self._dry:
                    report.mended += 1
                    return None
                row = await asyncio.to_thread(mend_orphan, volume, path)
                report.mended += row is not None
                report.empty += row is None
        except StillWritten:
            report.busy += 1
            return None
        except StorageError as error:
            report.refuse(path, str(error))
            return None
        if row is not None and row.camera != camera_in(path):
            report.refuse(path, f"it says that it is of camera {row.camera[:80]!r}")
            return None
        if row is not None:
            report.size += row.size
        return row

    async def _add(self, rows: Sequence[SegmentRow]) -> None:
        if self._dry:
            self.report.added += len(rows)
            return
        for first in range(0, len(rows), _BATCH):
            batch = rows[first : first + _BATCH]
            try:
                await self._segments.add_many(batch)
                self.report.added += len(batch)
            except Conflict:
                for row in batch:
                    await self._add_one(row)

    async def _add_one(self, row: SegmentRow) -> None:
        try:
            await self._segments.add_many((row,))
            self.report.added += 1
        except Conflict:
            self.report.refuse(row.path, f"a copy: recording {row.id} is in the catalog already")

    async def _look_for(self, volume: Volume, camera: str, day: str, paths: set[str]) -> None:
        gone = {path for path in paths if await asyncio.to_thread(is_gone, volume, path)}
        for path in sorted(gone):
            self.report.miss(path)
        if not gone or not self._prune or self._dry:
            return
        rows = await self._segments.spans(camera, None, 0, 1 << 62)
        ids = [row.id for row in rows if row.path in gone and row.volume == volume.name]
        await self._segments.remove_many(ids)
        self.report.removed += len(ids)


async def _days(segments: RebuildSegments, volume: Volume) -> AsyncIterator[tuple[str, str]]:
    """All (camera, day) of the volume that have files, or rows that say so; oldest first."""
    known: dict[str, set[str]] = {}
    for path in await segments.known_paths(volume.name):
        if day := day_in(path):
            known.setdefault(camera_in(path), set()).add(day)
    cameras = set(await asyncio.to_thread(cameras_of, volume.root))
    for camera in sorted(cameras | known.keys()):
        days = await asyncio.to_thread(days_of, volume.root, camera)
        for day in sorted(known.get(camera, set()).union(days)):
            yield camera, day


def check_there(volume: Volume) -> None:
    """Raises StorageError where it is no volume: rows would seem to have lost their files."""
    if is_there(volume):
        return
    root: Path = volume.root
    if (root / "cameras").is_dir():
        raise StorageError(
            f"{root} has recordings, but no marker {MARKER}: where it is the right disk of "
            f"volume '{volume.name}', make an empty file of that name there and try again"
        )
    raise StorageError(
        f"{root} is no volume (it has no {MARKER}): mount the disk of volume '{volume.name}', "
        "or set its path"
    )
