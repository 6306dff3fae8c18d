"""The storage service on a memory bus and a real SQLite catalog."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

from tests.support.storage_media import START_NS

from vms.bus import subjects
from vms.bus.memory import MemoryBus
from vms.catalog.open import open_catalog
from vms.catalog.port import Catalog
from vms.common.clock import SystemClock
from vms.common.model.camera import Camera, RecordingMode, StreamConfig
from vms.common.model.media import AccessUnit
from vms.common.model.segment import SegmentRow
from vms.storage.service import StorageService
from vms.storage.settings import StorageSettings

DAY = 86_400_000_000_000


class Rig:
    def __init__(self, bus: MemoryBus, catalog: Catalog, root: Path, settings: StorageSettings):
        self.bus = bus
        self.catalog = catalog
        self.root = root
        self.settings = settings
        self.service = StorageService(bus, catalog, settings, SystemClock())
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self.service.run())
        await wait_for(lambda: bool(self.service.recorder.states()) or self.service.problem)

    async def stop(self) -> None:
        task, self.task = self.task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def send(self, units: Iterable[AccessUnit]) -> None:
        for unit in units:
            self.bus.publish(subjects.media(unit.camera, unit.stream), unit)

    async def rows(self, camera: str = "front", stream: str | None = None) -> list[SegmentRow]:
        return await self.catalog.segments.spans(camera, stream, START_NS - DAY, START_NS + DAY)


async def wait_for(condition: Any, limit: float = 5.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def eventually(storage: Rig, accept: Callable[[list[SegmentRow]], bool]) -> list[SegmentRow]:
    """The rows of camera `front`, once they are as wanted; as they are after five seconds."""
    rows: list[SegmentRow] = []
    for _ in range(500):
        rows = await storage.catalog.segments.spans("front", None, 0, 1 << 62)
        if accept(rows):
            break
        await asyncio.sleep(0.01)
    return rows


def camera(identity: str = "front", *streams: str) -> Camera:
    return Camera(
        identity,
        identity.title(),
        tuple(
            StreamConfig(name, f"rtsp://127.0.0.1/{name}", recording=RecordingMode.CONTINUOUS)
            for name in streams or ("main",)
        ),
    )


@contextlib.asynccontextmanager
async def rig(
    folder: Path, cameras: Iterable[Camera] | None = None, **settings: Any
) -> AsyncIterator[Rig]:
    """Started, with one camera `front` unless others are given."""
    catalog = await open_catalog(f"sqlite:///{folder / 'vms.db'}")
    for one in cameras if cameras is not None else (camera(),):
        await catalog.cameras.add(one)
    root = folder / "recordings"
    settings = {"min_free_bytes": 0, "extend_seconds": 0.2, "start_wait_s": 0.5} | settings
    made = Rig(MemoryBus(), catalog, root, StorageSettings(root=root, **settings))
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
        await made.bus.close()
        await catalog.close()
