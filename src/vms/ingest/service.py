"""Ingest as a service: every enabled stream pulled, and commands answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from vms.bus import subjects
from vms.bus.port import Bus, Delivery
from vms.common.clock import Clock
from vms.common.lifecycle import stop_task
from vms.common.model.camera import Camera, StreamState, StreamStatus
from vms.common.model.messages import ConfigChanged
from vms.common.secret import Secret, redact
from vms.common.wallclock import WallClock
from vms.ingest import metrics
from vms.ingest.camera_events import EventReaders
from vms.ingest.commands import Commands
from vms.ingest.gate import ConnectGate
from vms.ingest.puller import Puller, Refusals, StreamPlan
from vms.ingest.settings import IngestSettings
from vms.ingest.source import Source
from vms.ingest.sources import make_source

log = structlog.get_logger(__name__)

LoadCameras = Callable[[], Awaitable[Sequence[Camera]]]

_TICK = 0.5
_LOAD_AGAIN = 5.0
_STOP_LIMIT = 2.5

Key = tuple[str, str]
Account = tuple[str, str, Secret]


async def run(
    bus: Bus, catalog_cameras: LoadCameras, settings: IngestSettings, clock: Clock
) -> None:
    """Pull all enabled streams until cancelled.

    Publishes access units and stream states, loads the cameras again on ConfigChanged of
    kind 'camera' and restarts only the streams whose settings changed, and serves the
    commands `probe`, `discover` and `onvif`.
    """
    await Ingest(bus, catalog_cameras, settings, clock).run()


class Ingest:
    """The pullers of one process, and the readers of cameras' own events."""

    def __init__(self, bus: Bus, load: LoadCameras, settings: IngestSettings, clock: Clock) -> None:
        self._bus = bus
        self._load = load
        self._settings = settings
        self._clock = clock
        self._gate = ConnectGate(settings.connects_at_once, settings.connects_per_second)
        self._pullers: dict[Key, tuple[Puller, asyncio.Task[None]]] = {}
        self._disabled: dict[Key, StreamState] = {}
        self._refusals: dict[Account, Refusals] = {}
        self._events = EventReaders(bus, settings, clock)
        self._changed = asyncio.Event()

    async def run(self) -> None:
        commands = Commands(self._settings, self._clock)
        subscription = await self._bus.subscribe(subjects.CONFIG_ALL, self._on_config)
        served = await self._bus.serve(subjects.INGEST_COMMANDS, commands.handle)
        ticker = asyncio.create_task(self._tick(), name="ingest ticker")
        try:
            while True:
                self._changed.clear()
                loaded = await self._reconcile()
                try:
                    async with asyncio.timeout(None if loaded else _LOAD_AGAIN):
                        await self._changed.wait()
                except TimeoutError:
                    continue
        finally:
            await stop_task(ticker)
            await subscription.close()
            await served.close()
            await asyncio.gather(self._events.stop(), self._stop([*self._pullers]))

    def _on_config(self, delivery: Delivery) -> None:
        message = delivery.message
        if isinstance(message, ConfigChanged) and message.kind == "camera":
            self._changed.set()

    async def _reconcile(self) -> bool:
        """Make what is pulled what is configured. False where the cameras cannot be loaded."""
        try:
            cameras = await self._load()
        except Exception as error:
            log.error(
                "cameras cannot be loaded, trying again",
                error=redact(f"{type(error).__name__}: {error}"),
                retry_s=_LOAD_AGAIN,
            )
            return False
        wanted: dict[Key, StreamPlan] = {}
        disabled: set[Key] = set()
        for camera in cameras:
            for stream in camera.streams:
                key = (camera.id, stream.name)
                if camera.enabled:
                    wanted[key] = StreamPlan.of(camera, stream)
                else:
                    disabled.add(key)
        gone = [key for key, (puller, _) in self._pullers.items() if wanted.get(key) != puller.plan]
        await self._stop(gone)
        self._note_disabled(disabled, [key for key in gone if key not in wanted])
        accounts = {_account(plan) for plan in wanted.values()}
        self._refusals = {
            account: self._refusals.get(account) or Refusals() for account in accounts
        }
        for key, plan in wanted.items():
            if key not in self._pullers:
                self._start(key, plan)
        metrics.pulled.set(len(self._pullers))
        await self._events.follow(cameras)
        return True

    def _start(self, key: Key, plan: StreamPlan) -> None:
        puller = Puller(
            plan,
            partial(self._source, plan),
            self._bus,
            self._settings,
            self._clock,
            self._gate,
            self._refusals[_account(plan)],
        )
        task = asyncio.create_task(puller.run(), name=f"pull {plan.camera}/{plan.stream}")
        self._pullers[key] = (puller, task)

    def _source(self, plan: StreamPlan) -> Source:
        return make_source(
            plan.url, plan.transport, plan.username, plan.password, self._settings, self._clock
        )

    async def _stop(self, keys: Sequence[Key]) -> None:
        tasks = [self._pullers.pop(key)[1] for key in keys]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_LIMIT)

    def _note_disabled(self, disabled: set[Key], gone: Sequence[Key]) -> None:
        """States of streams that are not pulled: repeated while configured, else said once."""
        now = self._clock.now_ns()
        for key in gone:
            if key not in disabled:
                self._say(StreamState(*key, StreamStatus.DISABLED, now, "removed"))
        known = self._disabled
        self._disabled = {
            key: known.get(key) or StreamState(*key, StreamStatus.DISABLED, now, "switched off")
            for key in disabled
        }
        for key, state in self._disabled.items():
            if key not in known:
                self._say(state)

    def _say(self, state: StreamState) -> None:
        self._bus.publish(subjects.state(state.camera, state.stream), state)

    async def _tick(self) -> None:
        """One timer for all streams."""
        loop = asyncio.get_running_loop()
        say_disabled = 0.0
        while True:
            now = loop.time()
            if isinstance(self._clock, WallClock):
                self._clock.check()
            online = 0
            for puller, _ in [*self._pullers.values()]:
                try:
                    puller.tick(now)
                except Exception:
                    log.exception("watching a stream failed", camera=puller.plan.camera)
                online += puller.status is StreamStatus.ONLINE
            metrics.online.set(online)
            if now >= say_disabled:
                say_disabled = now + self._settings.state_period
                for state in self._disabled.values():
                    self._say(state)
            await asyncio.sleep(_TICK)


def _account(plan: StreamPlan) -> Account:
    """Whose refused passwords count together: an account at a camera is locked as a whole."""
    return plan.camera, plan.username, plan.password
