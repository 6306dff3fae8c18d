"""One process of the system: the roles it carries and what they share."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import structlog
from fastapi import APIRouter

from vms.app.data_dir import holding, make_data_dir
from vms.app.limits import end_soon
from vms.app.settings import Settings
from vms.app.watch import watch_cameras
from vms.bus.connect import open_bus
from vms.bus.port import Bus
from vms.catalog.open import open_catalog
from vms.catalog.port import Catalog
from vms.common.clock import Clock, SystemClock
from vms.common.lifecycle import keep_running, stop_task
from vms.common.wallclock import BUILT_NS, WallClock
from vms.storage.ledger import newest_ns

log = structlog.get_logger(__name__)

_STOP_LIMIT = 3.6
"""Seconds that all roles together get to close their files and connections. What follows,
the bus and the catalog, has the rest of `limits.END_WITHIN_S`."""


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """What a role runs, and the routes it serves. `stops` orders the end: low first."""

    name: str
    run: Callable[[], Awaitable[None]]
    router: APIRouter | None = None
    stops: int = 0


@dataclass(slots=True)
class Node:
    settings: Settings
    roles: tuple[str, ...]
    bus: Bus
    catalog: Catalog
    clock: Clock = field(default_factory=SystemClock)
    wall: WallClock = field(default_factory=lambda: WallClock(SystemClock()))
    """What footage is stamped by, and everything that speaks of footage."""
    started: float = field(default_factory=time.time)


class NodeRunner:
    """Opens what the roles share, runs them until told to stop, and closes in order."""

    def __init__(self, settings: Settings, roles: Sequence[str]) -> None:
        self._settings = settings
        self._roles = tuple(roles)
        self._stop = asyncio.Event()

    def stop(self) -> None:
        self._stop.set()

    def _told_to_stop(self) -> None:
        end_soon()
        self.stop()

    async def run(self, build: Callable[[Node], Awaitable[list[Service]]]) -> None:
        """Run until `stop`, SIGINT or SIGTERM. Raises VmsError where it cannot start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._told_to_stop)
        async with AsyncExitStack() as stack:
            services = await self._started(stack, build)
            if services is None:
                log.info("stopped while starting")
                return
            tasks = {
                service: asyncio.create_task(
                    keep_running(service.name, service.run), name=service.name
                )
                for service in services
            }
            # What was made until here stays to the end. To look through all of it for garbage
            # again and again would stop everything for a fifth of a second each time.
            gc.freeze()
            gc.enable()
            log.info("node started", roles=",".join(self._roles))
            await self._stop.wait()
            log.info("node stopping")
            await _stop_in_order(tasks)

    async def _started(
        self, stack: AsyncExitStack, build: Callable[[Node], Awaitable[list[Service]]]
    ) -> list[Service] | None:
        """What to run; None where it was told to stop before it had started."""

        async def start() -> list[Service]:
            return await build(await self._open(stack))

        starting = asyncio.create_task(start(), name="start")
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                return starting.result()
            return None
        finally:
            stopped.cancel()
            await stop_task(starting, _STOP_LIMIT)

    async def _open(self, stack: AsyncExitStack) -> Node:
        settings = self._settings
        make_data_dir(settings.data_dir)
        stack.enter_context(holding(settings.data_dir, self._roles))
        bus = await open_bus(settings.bus)
        stack.push_async_callback(bus.close)
        catalog = await open_catalog(settings.catalog_url, settings.data_dir)
        stack.push_async_callback(catalog.close)
        watcher = asyncio.create_task(
            keep_running("camera watch", lambda: watch_cameras(catalog.cameras.list, bus))
        )
        # Ended, not only told to: it must not ask a catalog that is closed.
        stack.push_async_callback(stop_task, watcher)
        wall = WallClock(SystemClock(), max(BUILT_NS, await newest_ns(catalog)))
        if wall.problem:
            log.error("the machine's clock is wrong", problem=wall.problem)
        return Node(settings, self._roles, bus, catalog, wall=wall)


async def _stop_in_order(tasks: dict[Service, asyncio.Task[None]]) -> None:
    deadline = time.monotonic() + _STOP_LIMIT
    for order in sorted({service.stops for service in tasks}):
        batch = [task for service, task in tasks.items() if service.stops == order]
        for task in batch:
            task.cancel()
        left = max(0.2, deadline - time.monotonic())
        _, late = await asyncio.wait(batch, timeout=left)
        for task in late:
            log.error("part did not stop in time", part=task.get_name(), limit_s=_STOP_LIMIT)
