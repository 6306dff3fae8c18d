"""Four simulated cameras for a system that has none yet, so that there is something to see.

They are ordinary cameras in the catalog, recorded and shown like any other; whoever deletes
them does not get them again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from vms.catalog.port import Catalog
from vms.common.model.camera import Camera, RecordingMode, StreamConfig
from vms.common.secret import Secret

if TYPE_CHECKING:
    from vms.simulator.camera import SimCamera
    from vms.simulator.server import Simulator

log = structlog.get_logger(__name__)

_MARK = "demo"
_MADE = Secret("made")


async def open_demo(catalog: Catalog) -> Simulator | None:
    """Start the simulator if its cameras are in the catalog, or no camera ever was.

    The port is a new one each time, so the rows of the cameras are brought up to date.
    """
    known = {camera.id: camera for camera in await catalog.cameras.list()}
    made_before = await catalog.settings.get(_MARK) is not None
    if not made_before and known:
        return None
    # A system of real cameras starts without what draws and encodes simulated ones.
    from vms.simulator.demo import demo_simulator

    simulator = demo_simulator()
    shown = [sim for sim in simulator.cameras if not made_before or sim.id in known]
    if not shown:
        return None
    await simulator.start()
    for sim in shown:
        await _write(catalog, known, sim, simulator)
    await catalog.settings.put(_MARK, _MADE)
    log.info("simulated cameras started", cameras=len(shown), port=simulator.port)
    return simulator


def is_demo(camera: Camera) -> bool:
    """Whether it is one of those that `open_demo` makes."""
    from vms.simulator.gallery import VIEWS

    return camera.id in VIEWS and all(
        stream.url.startswith("rtsp://127.0.0.1:") for stream in camera.streams
    )


async def run_demo(simulator: Simulator) -> None:
    """Keep it until cancelled, then close it."""
    try:
        await asyncio.Event().wait()
    finally:
        await simulator.close()


async def _write(
    catalog: Catalog, known: Mapping[str, Camera], sim: SimCamera, simulator: Simulator
) -> None:
    from vms.simulator.gallery import VIEWS

    urls = {name: simulator.url(sim.id, name) for name in sim.streams}
    old = known.get(sim.id)
    if old is None:
        streams = tuple(_stream(name, url) for name, url in urls.items())
        await catalog.cameras.add(Camera(sim.id, VIEWS[sim.id].title, streams))
        return
    moved = tuple(replace(stream, url=urls.get(stream.name, stream.url)) for stream in old.streams)
    if moved != old.streams:
        await catalog.cameras.update(replace(old, streams=moved))


def _stream(name: str, url: str) -> StreamConfig:
    recording = RecordingMode.CONTINUOUS if name == "main" else RecordingMode.OFF
    return StreamConfig(name, url, recording=recording)
