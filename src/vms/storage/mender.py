"""Beside the recording: makes whole what a crash left, and brings files and rows together.

Nothing waits for it. First the files whose rows were left open; then, on each volume, files
that have no row (a crash took it, or the catalog was restored from a backup) and rows whose
file is gone. Then it stays, for files that the disk refuses while recording. A volume that is
away or does not answer is left alone until it is back; the others do not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from vms.common.clock import Clock
from vms.common.errors import StorageError
from vms.common.model.evidence import Gap, GapCause
from vms.common.model.segment import SegmentRow
from vms.storage.mend import StillWritten, mend_orphan, mend_row
from vms.storage.survey import (
    camera_in,
    cameras_of,
    day_in,
    days_of,
    files_of,
    is_gone,
    is_there,
    prefix_of,
)
from vms.storage.volume import Volume
from vms.storage.volume_state import VolumeState
from vms.storage.volumes import Volumes

log = structlog.get_logger(__name__)

_EVERY_S = 10.0
_AGAIN_S = 3600.0
"""How often the newest days are looked through again."""
_SURE_AFTER_S = 10.0
"""A file that is missing twice, this far apart, is gone: it is not being moved just now."""
_BREATH_S = 0.01
_NEWEST_DAYS = 2
_DAY = timedelta(days=1)


class MenderSegments(Protocol):
    """What is needed of the catalog's segments."""

    async def known_paths(self, volume: str, prefix: str = "") -> set[str]: ...

    async def spans(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int
    ) -> list[SegmentRow]: ...

    async def remove_many(self, segment_ids: Iterable[str]) -> None: ...


class MenderGaps(Protocol):
    async def put_many(self, gaps: Iterable[Gap]) -> None: ...


class MenderCatalog(Protocol):
    @property
    def segments(self) -> MenderSegments: ...

    @property
    def gaps(self) -> MenderGaps: ...


class Rows(Protocol):
    """Who tells the catalog of files."""

    def opened(self, row: SegmentRow) -> None: ...

    def closed(self, row: SegmentRow) -> None: ...


class Mender:
    """`run` until cancelled. All methods belong to the event loop's thread."""

    def __init__(
        self,
        volumes: Volumes,
        catalog: MenderCatalog,
        rows: Rows,
        clock: Clock,
        mended: Callable[[SegmentRow], None] = lambda _row: None,
        settle: Callable[[Volume], Awaitable[None]] | None = None,
        is_going: Callable[[str, str], bool] = lambda _volume, _path: False,
    ) -> None:
        """`mended` hears of each row whose file was made whole. `settle` finishes what was
        being deleted on a volume, and `is_going` says (volume, path) of what is being deleted
        or moved just now: such files have no row, and are to get none.
        """
        self._volumes = volumes
        self._segments = catalog.segments
        self._gaps = catalog.gaps
        self._rows = rows
        self._clock = clock
        self._mended = mended
        self._settle = settle
        self._is_going = is_going
        self.busy = True
        """Whether what the start found is still being worked on."""

    async def run(self, left: list[SegmentRow], broken: list[SegmentRow]) -> None:
        """`left` are the rows left open at the start; `broken` may grow at any time."""
        await self.mend_all(left)
        await self._survey(None)
        self.busy = False
        waited = 0.0
        while True:
            await self._clock.sleep(_EVERY_S)
            await self.mend_all(left)
            await self.mend_all(broken)
            waited += _EVERY_S
            if waited >= _AGAIN_S:
                waited = 0.0
                await self._survey(_NEWEST_DAYS)

    async def mend_all(self, rows: list[SegmentRow]) -> None:
        """Mend those of `rows` whose volume answers; what is to be tried again stays in it."""
        by_volume: dict[str, list[SegmentRow]] = {}
        for row in rows:
            by_volume.setdefault(row.volume, []).append(row)
        await asyncio.gather(*(self._mend_some(some, rows) for some in by_volume.values()))

    async def _mend_some(self, some: Sequence[SegmentRow], rows: list[SegmentRow]) -> None:
        for row in some:
            if self._usable(row.volume) is None:
                return
            if await self._mend_one(row):
                rows.remove(row)

    def _usable(self, name: str) -> Volume | None:
        """The volume, fit to be written to or at least full; None while it is not."""
        try:
            volume = self._volumes.named(name)
        except StorageError:
            return None
        return volume if volume.state() in (VolumeState.OK, VolumeState.FULL) else None

    async def _mend_one(self, row: SegmentRow) -> bool:
        """False where it should be tried again."""
        volume = self._volumes.named(row.volume)
        try:
            mended = await asyncio.to_thread(mend_row, volume, row)
        except StillWritten:
            # The process that died may not have let go of it yet.
            return False
        except StorageError as error:
            log.error("recording not mended", path=row.path, error=str(error))
            return False
        if mended is None:
            # The file is gone, or empty, or of another name by now; or else the whole volume.
            if not await asyncio.to_thread(is_there, volume):
                return False
            await self._segments.remove_many((row.id,))
            return True
        self._rows.closed(mended)
        self._mended(mended)
        return True

    async def _survey(self, newest: int | None) -> None:
        """Look through all volumes; `newest`: only so many of each camera's last days."""
        names = [volume.name for volume in self._volumes]
        await asyncio.gather(*(self._survey_volume(name, newest) for name in names))

    async def _survey_volume(self, name: str, newest: int | None) -> None:
        while (volume := self._usable(name)) is None:
            if newest is not None:
                return
            await self._clock.sleep(_EVERY_S)
        try:
            if self._settle is not None:
                await self._settle(volume)
            cameras = set(await asyncio.to_thread(cameras_of, volume.root))
            if newest is None:
                cameras |= set(map(camera_in, await self._segments.known_paths(name))) - {""}
            for camera in sorted(cameras):
                await self._survey_camera(volume, camera, newest)
        except OSError as error:
            log.error("volume not looked through", error=str(volume.error("fails", error)))
        except StorageError as error:
            log.error("volume not looked through", error=str(error))

    async def _survey_camera(self, volume: Volume, camera: str, newest: int | None) -> None:
        days = await asyncio.to_thread(days_of, volume.root, camera)
        if newest is None:
            known = await self._segments.known_paths(volume.name, prefix_of(camera))
            days = sorted({*days, *filter(None, map(day_in, known))}, reverse=True)
        missing: set[str] = set()
        for day in days[:newest]:
            # The rows first: a file made meanwhile is then one without a row, which is
            # locked, and never a row without a file.
            known = await self._segments.known_paths(volume.name, prefix_of(camera, day))
            files = await asyncio.to_thread(files_of, volume.root, camera, day)
            for path in sorted(files - known):
                await self._adopt(volume, path)
            missing |= known - files
            await self._clock.sleep(_BREATH_S)
        if missing:
            await self._clock.sleep(_SURE_AFTER_S)
            await self._forget(volume, camera, missing)

    async def _adopt(self, volume: Volume, path: str) -> None:
        try:
            row = await asyncio.to_thread(mend_orphan, volume, path)
        except StillWritten:
            return
        except StorageError as error:
            log.warning("file is left alone", path=path, reason=str(error))
            return
        if row is None or self._is_going(volume.name, path):
            return
        if row.camera != camera_in(path):
            log.warning("file is left alone", path=path, reason=f"it is of camera {row.camera!r}")
            return
        log.info("recording brought back into the catalog", volume=volume.name, path=path)
        self._rows.opened(row)
        self._rows.closed(row)
        self._mended(row)

    async def _forget(self, volume: Volume, camera: str, missing: set[str]) -> None:
        """Remove rows whose file is gone, and say what is missing since."""
        rows = [row for row in await self._rows_of(camera, missing) if row.volume == volume.name]
        gone = [row for row in rows if await asyncio.to_thread(is_gone, volume, row.path)]
        if not gone:
            return
        log.error(
            "recordings are gone from the disk, their rows are removed", camera=camera,
            volume=volume.name, files=len(gone), first=gone[0].path,
        )  # fmt: skip
        await self._gaps.put_many(
            Gap(
                row.id, row.camera, row.stream, row.start_ns, row.end_ns, GapCause.DISK,
                f"the recording {row.path} is gone from volume {volume.name}",
            )
            for row in gone
        )  # fmt: skip
        await self._segments.remove_many(row.id for row in gone)

    async def _rows_of(self, camera: str, paths: set[str]) -> list[SegmentRow]:
        found: dict[str, SegmentRow] = {}
        for day in sorted(set(filter(None, map(day_in, paths)))):
            start = datetime.fromisoformat(day).replace(tzinfo=UTC)
            rows = await self._segments.spans(
                camera, None, _ns(start - _DAY), _ns(start + 2 * _DAY)
            )
            found.update((row.id, row) for row in rows if row.path in paths)
        return list(found.values())


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000
