"""Recordings to export, and the service that exports them, on real files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

from tests.support.storage_media import (
    SECOND,
    START_NS,
    encode_aac,
    encode_video,
    merged,
)
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import Rig, camera, rig

from vms.common.clock import SystemClock
from vms.common.lifecycle import stop_task
from vms.common.model.camera import Camera
from vms.common.model.evidence import ExportJob, ExportState
from vms.common.model.media import AccessUnit, Codec
from vms.storage.export.service import About, ExportService
from vms.storage.export.spec import Spec

OVER = (ExportState.DONE, ExportState.FAILED, ExportState.CANCELLED)
OWNER = ("0123456789abcdef", "ana")


def footage(
    camera_id: str, count: int = 4, after: float = 0.0, run: str = "run1", sound: bool = True,
    codec: Codec = Codec.H264, b_frames: int = 0,
) -> list[AccessUnit]:  # fmt: skip
    """`count` seconds of a camera from `after` seconds behind START_NS, a group a second."""
    start = START_NS + round(after * SECOND)
    coded = encode_video(codec, pictures=25 * count, gop=25, b_frames=b_frames)
    video = make_units(*coded, camera=camera_id, start_ns=start, run=run)
    if not sound:
        return video
    tone = encode_aac(float(count))
    return merged(video, make_units(*tone, track=1, camera=camera_id, start_ns=start, run=run))


class ExportRig:
    def __init__(self, storage: Rig, root: Path, clock: SystemClock, page: Path | None) -> None:
        self.storage, self.root, self.clock = storage, root, clock
        self.catalog = storage.catalog
        self.page = page
        self.service = self.made()
        self.task: asyncio.Task[None] | None = None

    def made(self) -> ExportService:
        return ExportService(
            self.catalog, self.storage.settings, self.root, self.storage.service.volumes.of,
            self.clock, About("0.0.test", self.page),
        )  # fmt: skip

    def start(self) -> None:
        self.task = asyncio.create_task(self.service.run())

    async def stop(self) -> None:
        task, self.task = self.task, None
        await stop_task(task)

    async def ask(self, spec: Spec, cameras: Iterable[Camera] = ()) -> ExportJob:
        job = await self.service.prepare(*OWNER, spec, {one.id: one for one in cameras})
        await self.service.submit(job)
        return job

    async def until(
        self, identity: str, wanted: Callable[[ExportJob], bool] = lambda job: job.state in OVER
    ) -> ExportJob:
        async with asyncio.timeout(20):
            while True:
                job = await self.catalog.exports.get(identity)
                if wanted(job):
                    return job
                await asyncio.sleep(0.02)

    async def done(self, spec: Spec) -> tuple[ExportJob, Path]:
        """Export it; the job and its file."""
        job = await self.until((await self.ask(spec)).id)
        assert job.state is ExportState.DONE, job.error
        return job, self.service.file(job)


@contextlib.asynccontextmanager
async def exporting(
    folder: Path,
    units: Iterable[AccessUnit],
    cameras: Iterable[Camera] | None = None,
    page: Path | None = None,
    **settings: Any,
) -> AsyncIterator[ExportRig]:
    """`units` recorded and closed, and the service of exports running."""
    async with rig(folder, cameras if cameras is not None else [camera()], **settings) as storage:
        storage.send(units)
        await storage.stop()
        made = ExportRig(storage, folder / "exports", SystemClock(), page)
        made.start()
        try:
            yield made
        finally:
            await made.stop()
