"""Catalogs for tests, on both databases, and rows to put into them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from vms.catalog.open import SqlCatalog, open_catalog
from vms.common.model.camera import Camera, RecordingMode, StreamConfig, Transport
from vms.common.model.media import Codec
from vms.common.model.segment import SegmentRow
from vms.common.secret import Secret

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


@contextlib.asynccontextmanager
async def opened(url: str, directory: Path) -> AsyncIterator[SqlCatalog]:
    catalog = await open_catalog(url, directory)
    try:
        yield catalog
    finally:
        await catalog.close()


def camera(camera_id: str = "front", password: str = "s3cret", **changes: object) -> Camera:
    values: dict[str, object] = {
        "id": camera_id,
        "name": camera_id.title(),
        "streams": (
            StreamConfig("main", "rtsp://10.0.0.1/main", Transport.TCP, RecordingMode.CONTINUOUS),
            StreamConfig("sub", "rtsp://10.0.0.1/sub", Transport.UDP),
        ),
        "username": "viewer",
        "password": Secret(password),
    }
    return Camera(**(values | changes))  # type: ignore[arg-type]


def segment(
    number: int = 0,
    camera: str = "front",
    stream: str = "main",
    start_ns: int = 0,
    duration_ns: int = HOUR,
    closed: bool = True,
) -> SegmentRow:
    return SegmentRow(
        id=f"{camera}-{stream}-{number}",
        camera=camera,
        stream=stream,
        run="run-1",
        path=f"cameras/{camera}/{stream}/{number}.mkv",
        start_ns=start_ns,
        end_ns=start_ns + duration_ns,
        size=1000,
        frames=25,
        key_frames=1,
        codec=Codec.H264,
        width=1920,
        height=1080,
        closed=closed,
    )
