"""Ingest under test: cameras in, media and states out, over a memory bus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from vms.bus import subjects
from vms.bus.memory import MemoryBus
from vms.bus.port import Delivery
from vms.common.clock import SystemClock
from vms.common.model.camera import Camera, StreamConfig, StreamState, StreamStatus, Transport
from vms.common.model.media import AccessUnit
from vms.common.model.messages import Command, ConfigChanged, Reply
from vms.common.secret import Secret
from vms.common.sei_stamp import STAMP_UUID, unpack_sei_stamp
from vms.format.sei import find_user_data
from vms.ingest import service
from vms.ingest.settings import IngestSettings
from vms.simulator.sources import Loop

SMALL = Loop(width=320, height=180, fps=25.0, bitrate=200_000, seconds=1.0, gop=10)
QUICK = IngestSettings(
    backoff_first=0.05, backoff_longest=0.2, auth_backoff=0.05, connects_per_second=1000
)


def camera(
    name: str,
    url: str,
    transport: Transport = Transport.TCP,
    username: str = "",
    password: str = "",
    **more: Any,
) -> Camera:
    stream = StreamConfig("main", url, transport)
    return Camera(name, name, (stream,), username, Secret(password), **more)


def number_left(unit: AccessUnit) -> int | None:
    """The number that the simulator put into a picture; None where its packet was lost."""
    found = find_user_data(unit.data, unit.parameters.codec, STAMP_UUID)
    return None if found is None else unpack_sei_stamp(found).number


def sent_number(unit: AccessUnit) -> int:
    """The number that the simulator put into a picture."""
    number = number_left(unit)
    assert number is not None
    return number


class Rig:
    """What a running ingest published."""

    def __init__(self, bus: MemoryBus, cameras: list[Camera]) -> None:
        self.bus = bus
        self.cameras = cameras
        self.units: list[AccessUnit] = []
        self.states: list[StreamState] = []

    def take_unit(self, delivery: Delivery) -> None:
        assert isinstance(delivery.message, AccessUnit)
        self.units.append(delivery.message)

    def take_state(self, delivery: Delivery) -> None:
        assert isinstance(delivery.message, StreamState)
        self.states.append(delivery.message)

    def of(self, name: str, track: int = 0) -> list[AccessUnit]:
        return [unit for unit in self.units if unit.camera == name and unit.track == track]

    def state(self, name: str) -> StreamState:
        return next(state for state in reversed(self.states) if state.camera == name)

    async def until(self, condition: Callable[[], Any], limit: float = 8.0) -> None:
        deadline = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < deadline, f"not within {limit} s; {self.states[-3:]}"
            await asyncio.sleep(0.01)

    async def units_of(self, name: str, count: int, track: int = 0) -> list[AccessUnit]:
        await self.until(lambda: len(self.of(name, track)) >= count)
        return self.of(name, track)

    async def status(self, name: str, status: StreamStatus, limit: float = 8.0) -> StreamState:
        def reached() -> bool:
            states = [state for state in self.states if state.camera == name]
            return bool(states) and states[-1].status is status

        await self.until(reached, limit)
        return self.state(name)

    async def configure(self, cameras: Sequence[Camera]) -> None:
        self.cameras[:] = cameras
        self.bus.publish(subjects.config("camera", "any"), ConfigChanged("camera", "any"))

    async def command(self, kind: str, **body: Any) -> Reply:
        return await self.bus.request(subjects.INGEST_COMMANDS, Command(kind, body), 20)


@asynccontextmanager
async def ingesting(*cameras: Camera, settings: IngestSettings = QUICK) -> AsyncIterator[Rig]:
    """Run the service with these cameras."""
    bus = MemoryBus()
    rig = Rig(bus, list(cameras))
    await bus.subscribe(subjects.MEDIA_ALL, rig.take_unit)
    await bus.subscribe(subjects.STATE_ALL, rig.take_state)

    loaded = asyncio.Event()

    async def load() -> Sequence[Camera]:
        loaded.set()
        return tuple(rig.cameras)

    task = asyncio.create_task(service.run(bus, load, settings, SystemClock()))
    try:
        async with asyncio.timeout(5):
            await loaded.wait()
        yield rig
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=5)
        await bus.close()
