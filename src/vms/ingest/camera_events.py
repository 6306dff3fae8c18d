"""Carries what cameras tell of by themselves (motion, lines, inputs) to the bus.

One reader for each camera that says where its ONVIF device answers. While the camera answers,
it is said to be alive every few seconds, so that event recording relies on it; once it does
not, event recording falls back to recording everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from vms.bus import subjects
from vms.bus.port import Bus
from vms.common.clock import Clock
from vms.common.errors import SourceAuthError, VmsError
from vms.common.lifecycle import keep_running
from vms.common.model.camera import Camera
from vms.common.model.messages import Trigger
from vms.common.retry import Backoff
from vms.common.secret import Secret, redact
from vms.ingest.onvif_notices import Notice, notices_of
from vms.ingest.onvif_pull import PullPoint
from vms.ingest.onvif_soap import DeviceAddress, SoapClient
from vms.ingest.settings import IngestSettings

log = structlog.get_logger(__name__)

SOURCE = "onvif"
_MOMENT_S = 3.0
"""How long something lasts that a camera tells of without an end."""
_CONFIRM_S = 10.0
"""After a new subscription, what the camera does not tell of again within this is over."""
_AT_LEAST_S = 0.25
"""Between two questions, for devices that answer at once whatever they are asked."""
_REFUSED_S = 600.0
"""After a refused password: cameras lock accounts."""
_LONGEST_WAIT_S = 60.0
_MOST_OPEN = 32
_CLOSE_S = 1.0


@dataclass(frozen=True, slots=True)
class EventPlan:
    """What a reader needs to know; another one is made where it changes."""

    camera: str
    address: str
    username: str
    password: Secret


@dataclass(slots=True)
class _Open:
    """What lasts. `ends`, `doubted`: monotonic seconds; None: no such bound."""

    id: str
    kind: str
    label: str
    ends: float | None
    doubted: float | None = None


class EventReader:
    """One camera's events, until cancelled."""

    def __init__(self, plan: EventPlan, bus: Bus, settings: IngestSettings, clock: Clock) -> None:
        self.plan = plan
        self._bus = bus
        self._settings = settings
        self._clock = clock
        self._open: dict[str, _Open] = {}
        self._problem = ""
        self._backoff = Backoff(settings.backoff_first, _LONGEST_WAIT_S)

    async def run(self) -> None:
        """Read for ever; a failure is said once, and tried again after a growing wait."""
        while True:
            try:
                await self._read()
            except SourceAuthError as error:
                self._say(error)
                wait = _REFUSED_S
            except VmsError as error:
                self._say(error)
                wait = self._backoff.next()
            except TimeoutError:
                wait = self._backoff.next()
            await asyncio.sleep(wait)

    def _say(self, error: VmsError) -> None:
        if str(error) != self._problem:
            self._problem = str(error)
            log.warning("events of a camera cannot be read", camera=self.plan.camera,
                        error=redact(self._problem))  # fmt: skip

    async def _read(self) -> None:
        plan, settings = self.plan, self._settings
        place = DeviceAddress.parse(plan.address)
        async with SoapClient(place, plan.username, plan.password, settings) as client:
            point = PullPoint(client, place, settings.onvif_timeout / 2)
            try:
                async with asyncio.timeout(4 * settings.onvif_timeout):
                    await point.open()
                self._begin()
                while True:
                    asked = time.monotonic()
                    answer = await point.pull()
                    self.take(notices_of(answer))
                    await asyncio.sleep(max(0.0, asked + _AT_LEAST_S - time.monotonic()))
            finally:
                # A device that does not answer must not keep this from ending.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_CLOSE_S):
                        await point.close()

    def _begin(self) -> None:
        """What lasted before is doubted until the camera tells of it again."""
        if self._problem:
            log.info("events of a camera can be read again", camera=self.plan.camera)
        self._problem = ""
        self._backoff.reset()
        for one in self._open.values():
            one.doubted = time.monotonic() + _CONFIRM_S

    def take(self, notices: Iterable[Notice]) -> None:
        """Publish what changed, then that the rest still lasts, then that the camera lives."""
        now = time.monotonic()
        for notice in notices:
            if notice.active is False:
                self._end(notice.key)
            else:
                self._last(notice, None if notice.active else now + _MOMENT_S)
        for key, one in [*self._open.items()]:
            bounds = [bound for bound in (one.ends, one.doubted) if bound is not None]
            if bounds and now >= min(bounds):
                self._end(key)
            else:
                self._publish(one, True)
        if not self._open:
            self._tell(Trigger(self.plan.camera, "motion", SOURCE, self._clock.now_ns(), False, ""))

    def _last(self, notice: Notice, ends: float | None) -> None:
        one = self._open.get(notice.key)
        if one is not None:
            one.ends, one.doubted = ends, None
            return
        if len(self._open) >= _MOST_OPEN:
            return
        self._open[notice.key] = _Open(f"onvif-{uuid.uuid4().hex}", notice.kind, notice.label, ends)

    def _end(self, key: str) -> None:
        one = self._open.pop(key, None)
        if one is not None:
            self._publish(one, False)

    def _publish(self, one: _Open, active: bool) -> None:
        self._tell(
            Trigger(
                self.plan.camera, one.kind, SOURCE, self._clock.now_ns(), active, one.id, one.label
            )
        )  # fmt: skip

    def _tell(self, trigger: Trigger) -> None:
        self._bus.publish(subjects.events(SOURCE, trigger.camera), trigger)


class EventReaders:
    """The readers of one process."""

    def __init__(self, bus: Bus, settings: IngestSettings, clock: Clock) -> None:
        self._bus = bus
        self._settings = settings
        self._clock = clock
        self._tasks: dict[EventPlan, asyncio.Task[None]] = {}

    async def follow(self, cameras: Iterable[Camera]) -> None:
        """Have a reader for each of `cameras` that is enabled and says where to ask."""
        wanted = {
            EventPlan(camera.id, camera.onvif, camera.username, camera.password)
            for camera in cameras
            if camera.enabled and camera.onvif
        }
        await self._stop(self._tasks.keys() - wanted)
        for plan in wanted - self._tasks.keys():
            reader = EventReader(plan, self._bus, self._settings, self._clock)
            name = f"events {plan.camera}"
            self._tasks[plan] = asyncio.create_task(keep_running(name, reader.run), name=name)

    async def stop(self) -> None:
        await self._stop([*self._tasks])

    async def _stop(self, plans: Iterable[EventPlan]) -> None:
        tasks = [self._tasks.pop(plan) for plan in [*plans]]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S + 0.5)
