"""The storage role: records what is to be recorded, and mends what a crash left open."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from vms.bus import subjects
from vms.bus.port import Bus
from vms.common.clock import Clock
from vms.common.errors import CatalogError, StorageError
from vms.common.lifecycle import keep_running, stop_task
from vms.common.model.messages import Command, Reply
from vms.common.model.segment import SegmentRow
from vms.storage.mend import StillWritten, mend_orphan, mend_row
from vms.storage.recorder import Recorder, RecorderCatalog, RecordingState
from vms.storage.settings import StorageSettings
from vms.storage.volume import Volume

log = structlog.get_logger(__name__)

_RETRY_S = 5.0
_MEND_EVERY_S = 10.0
_ORPHAN_DAYS = 2


async def run(bus: Bus, catalog: RecorderCatalog, settings: StorageSettings, clock: Clock) -> None:
    """Record until cancelled, then close all files. `settings.root` must be set.

    A volume that cannot be used is reported and tried again; nothing else waits for it.
    """
    await StorageService(bus, catalog, settings, clock).run()


class StorageService:
    """One volume, and the recorder that writes to it."""

    def __init__(
        self,
        bus: Bus,
        catalog: RecorderCatalog,
        settings: StorageSettings,
        clock: Clock,
        root: Path | None = None,
    ) -> None:
        """Raises StorageError where neither `root` nor `settings.root` is given."""
        where = root or settings.root
        if where is None:
            raise StorageError("no directory for recordings: set storage.root")
        self.volume = Volume(where, settings.min_free_bytes)
        self.problem = ""
        """Why the volume cannot be used, as a sentence; empty while it can."""
        self._bus = bus
        self._catalog = catalog
        self._clock = clock
        self.recorder = Recorder(bus, catalog, self.volume, settings, clock)

    def states(self) -> list[RecordingState]:
        """How each stream's recording stands."""
        return self.recorder.states()

    async def run(self) -> None:
        serving = await self._bus.serve(subjects.STORAGE_COMMANDS, self._answer)
        mender: asyncio.Task[None] | None = None
        try:
            await self._prepare()
            left = await self._left_open()
            await self.recorder.start()
            mender = asyncio.create_task(
                keep_running("storage-mender", lambda: self._mend(left)), name="storage-mender"
            )
            await asyncio.Event().wait()
        finally:
            await stop_task(mender)
            await serving.close()
            await self.recorder.stop()

    async def _answer(self, command: Command) -> Reply:
        if command.kind != "status":
            return Reply(error=f"storage knows no command {command.kind[:40]!r}; it knows 'status'")
        return Reply(
            {
                "volume": str(self.volume.root),
                "problem": self.problem or self._disk_problem(),
                "streams": [asdict(state) for state in self.states()],
            }
        )

    def _disk_problem(self) -> str:
        """What the volume refuses, as the streams that are to be recorded found it."""
        stopped = [state for state in self.states() if state.problem]
        if not stopped:
            return ""
        count = len(stopped)
        what = f"{count} streams are" if count > 1 else f"{stopped[0].camera} is"
        return f"{what} not recorded: {stopped[0].problem}"

    async def _prepare(self) -> None:
        """Wait until the volume can be used."""
        while True:
            try:
                await asyncio.to_thread(self.volume.prepare)
                if self.problem:
                    log.info("volume can be used again", volume=str(self.volume.root))
                self.problem = ""
                return
            except StorageError as error:
                if self.problem != str(error):
                    log.error("not recording", error=str(error), next_try_s=_RETRY_S)
                self.problem = str(error)
            await self._clock.sleep(_RETRY_S)

    async def _left_open(self) -> list[SegmentRow]:
        """Rows that no living process closed; asked before this one opens its own."""
        while True:
            try:
                return await self._catalog.segments.open_segments()
            except CatalogError as error:
                log.error("the catalog cannot be read, trying again", error=str(error))
                await self._clock.sleep(_RETRY_S)

    async def _mend(self, left: list[SegmentRow]) -> None:
        """Mend what was left open, then files without a row, then what breaks later."""
        while left:
            await self._mend_one(left[-1])
            left.pop()
        await self._adopt()
        broken = self.recorder.broken
        while True:
            await self._clock.sleep(_MEND_EVERY_S)
            for _ in range(len(broken)):
                row = broken.pop(0)
                if not await self._mend_one(row):
                    broken.append(row)

    async def _mend_one(self, row: SegmentRow) -> bool:
        """False where it should be tried again."""
        try:
            mended = await asyncio.to_thread(mend_row, self.volume, row)
        except StillWritten:
            return True
        except StorageError as error:
            log.error("recording not mended", path=row.path, error=str(error))
            return False
        if mended is None:
            await self._catalog.segments.remove(row.id)
        else:
            self.recorder.rows.closed(mended)
        return True

    async def _adopt(self) -> None:
        """Bring files into the catalog whose row a crash took: those of the newest days."""
        found = await asyncio.to_thread(_newest_files, self.volume.root)
        for camera, paths in found.items():
            days = sorted({path.split("/")[2] for path in paths})
            start = datetime.fromisoformat(days[0]).replace(tzinfo=UTC) - timedelta(days=1)
            end = datetime.fromisoformat(days[-1]).replace(tzinfo=UTC) + timedelta(days=2)
            rows = await self._catalog.segments.spans(
                camera, None, int(start.timestamp()) * 10**9, int(end.timestamp()) * 10**9
            )
            for path in sorted(paths - {row.path for row in rows}):
                await self._adopt_one(path)

    async def _adopt_one(self, path: str) -> None:
        try:
            row = await asyncio.to_thread(mend_orphan, self.volume, path)
        except StillWritten:
            return
        except StorageError as error:
            log.warning("file is left alone", path=path, reason=str(error))
            return
        if row is not None and path.startswith(f"cameras/{row.camera}/"):
            log.info("recording brought back into the catalog", path=path)
            self.recorder.rows.opened(row)
            self.recorder.rows.closed(row)


def _newest_files(root: Path) -> dict[str, set[str]]:
    """Recordings of each camera's newest days, as paths below the root."""
    found: dict[str, set[str]] = {}
    for camera in sorted(p for p in (root / "cameras").glob("*") if p.is_dir()):
        days = sorted(day for day in camera.iterdir() if day.is_dir() and _is_day(day.name))
        for day in days[-_ORPHAN_DAYS:]:
            for file in day.glob("*.mkv"):
                found.setdefault(camera.name, set()).add(str(file.relative_to(root)))
    return found


def _is_day(name: str) -> bool:
    try:
        return len(name) == 10 and bool(datetime.fromisoformat(name))
    except ValueError:
        return False
