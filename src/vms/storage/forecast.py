"""How long what is promised will hold: from how fast streams are written, and the room there is.

Pure but for `Forecaster`, which asks the catalog now and then. Footage is taken to be written
on as it was in the last day (or since it began, where that is shorter); where nothing was
written in the last day, as in the last week.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vms.catalog.port_evidence import CameraUsage
from vms.common.clock import Clock
from vms.common.model.segment import SegmentRow
from vms.storage.alarms import RETENTION
from vms.storage.overview import Outlook
from vms.storage.retention import RetentionHolds, RetentionRules
from vms.storage.retention_plan import DAY_NS, Promise, promise_of
from vms.storage.retention_room import RoomAlarms
from vms.storage.settings import StorageSettings
from vms.storage.volume import Volume
from vms.storage.volumes import Volumes

_EVERY_S = 600.0
_HOUR_NS = 3_600_000_000_000
_WEEK_NS = 7 * DAY_NS
_MOST_DAYS = 1000
SUBJECT = "all volumes"


@dataclass(frozen=True, slots=True)
class Flow:
    """One camera: bytes a day, days promised (None: until room is needed), days that are there
    already, bytes that are held beyond the promise (their room is taken, and comes back when
    they are released), and the ceiling in bytes."""

    per_day: float
    promised: float | None
    days: float
    held: int = 0
    ceiling: int | None = None

    @property
    def wanted(self) -> float:
        """Days that it comes to if nothing but its own rule bounds it."""
        most = math.inf if self.promised is None else self.promised
        if self.ceiling is not None and self.per_day > 0:
            most = min(most, self.ceiling / self.per_day)
        return most


@dataclass(frozen=True, slots=True)
class Forecast:
    """`days_left`: until footage goes before its time, None: not within years. `depth`: how
    many days of each camera fit, at most its own promise; inf: all that is wanted."""

    days_left: float | None
    depth: float


def foresee(flows: Iterable[Flow], free: float) -> Forecast:
    """`free`: bytes that may still be written, on all volumes together."""
    known = [flow for flow in flows if flow.per_day > 0]
    room = free + sum(flow.per_day * min(flow.days, flow.wanted) for flow in known)
    return Forecast(_days_left(known, free), _depth(known, room))


def _days_left(flows: Sequence[Flow], free: float) -> float | None:
    """Each grows until it has what it wants; then as much goes by age as comes."""
    firm = [flow for flow in flows if flow.promised is not None]
    loose = [flow for flow in flows if flow.promised is None]
    # What is kept only until room is needed gives way to what is promised.
    free += sum(flow.per_day * flow.days for flow in loose)
    ends = sorted((max(0.0, flow.wanted - flow.days), flow.per_day) for flow in firm)
    rate = sum(per_day for _, per_day in ends)
    at = 0.0
    if free <= 0 and any(end > 0 for end, _ in ends):
        return 0.0
    for end, per_day in ends:
        if rate > 0 and free - rate * (end - at) < 0:
            found = at + max(0.0, free) / rate
            return found if found <= _MOST_DAYS else None
        free -= rate * (end - at)
        at, rate = end, rate - per_day
    return None


def _depth(flows: Sequence[Flow], room: float) -> float:
    """The age at which the oldest goes when all share `room` bytes: the oldest goes first."""
    wants = sorted((flow.wanted, flow.per_day) for flow in flows)
    rate = sum(per_day for _, per_day in wants)
    at = 0.0
    for want, per_day in wants:
        if rate > 0 and rate * (want - at) > room:
            return at + max(0.0, room) / rate
        room -= rate * (want - at)
        at, rate = want, rate - per_day
    return math.inf


class ForecastSegments(Protocol):
    async def usage(self, since_ns: int | None = None) -> list[CameraUsage]: ...

    async def spans(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int
    ) -> list[SegmentRow]: ...


class ForecastCatalog(Protocol):
    @property
    def segments(self) -> ForecastSegments: ...

    @property
    def holds(self) -> RetentionHolds: ...

    @property
    def retention(self) -> RetentionRules: ...


class Forecaster:
    """`run` until cancelled. Belongs to the event loop."""

    def __init__(
        self,
        volumes: Volumes,
        catalog: ForecastCatalog,
        alarms: RoomAlarms,
        clock: Clock,
        settings: StorageSettings,
        headroom: Callable[[Volume], int] = lambda _volume: 0,
    ) -> None:
        """`headroom`: bytes above the floor that stay free as well."""
        self._volumes = volumes
        self._catalog = catalog
        self._alarms = alarms
        self._clock = clock
        self._days = settings.retention_days
        self._warn = settings.warn_days
        self._headroom = headroom
        self._flows: Mapping[str, Flow] = {}
        self._found = Forecast(None, math.inf)

    def outlook(self, camera: str) -> Outlook:
        """How many days of a camera there will be."""
        flow = self._flows.get(camera)
        if flow is None or flow.per_day <= 0:
            return Outlook()
        days = min(flow.wanted, self._found.depth)
        if math.isinf(days):
            return Outlook()
        warning = ""
        if flow.promised is not None and days < flow.promised - 0.05:
            why = "its ceiling" if days >= flow.wanted else "the room on the volumes"
            warning = f"{flow.promised:g} days are promised, and {why} is enough for {days:.1f}"
        return Outlook(round(days, 2), warning)

    async def run(self) -> None:
        """Raises CatalogError."""
        while True:
            await self.look()
            await self._clock.sleep(_EVERY_S)

    async def look(self) -> Forecast:
        """Measure, foresee, and say what is to be said. Raises CatalogError."""
        now = self._clock.now_ns()
        self._flows = await self._measure(now)
        held = sum(flow.held for flow in self._flows.values())
        self._found = foresee(self._flows.values(), self._free())
        left = self._found.days_left
        if left is None or left > self._warn:
            self._alarms.clear(RETENTION, SUBJECT)
        else:
            when = f"in {left:.1f} days" if left >= 0.05 else "now"
            also = f"; {held >> 20} MiB are held beyond their time" if held >> 20 else ""
            self._alarms.raise_(
                RETENTION, SUBJECT,
                f"recordings will be deleted before their time {when}: at this rate there is room "
                f"for {self._found.depth:.1f} days{also}; add a disk, or promise fewer days",
            )  # fmt: skip
        return self._found

    def _free(self) -> float:
        """Bytes that may still be written."""
        return float(
            sum(
                volume.seen.free - volume.floor - self._headroom(volume)
                for volume in self._volumes
                if not volume.is_away()
            )
        )

    async def _measure(self, now: int) -> dict[str, Flow]:
        segments, rules = self._catalog.segments, await self._catalog.retention.list()
        usage = await segments.usage()
        rates = per_day(await segments.usage(now - DAY_NS), now, DAY_NS)
        week = per_day(await segments.usage(now - _WEEK_NS), now, _WEEK_NS)
        total = sum(volume.max_bytes or volume.seen.total for volume in self._volumes)
        sizes: dict[str, int] = {}
        for one in usage:
            sizes[one.camera] = sizes.get(one.camera, 0) + one.size
        flows: dict[str, Flow] = {}
        for camera, size in sizes.items():
            promise = promise_of(camera, rules, self._days, total)
            held = await self._held(camera, promise, now)
            rate = rates.get(camera) or week.get(camera, 0.0)
            flows[camera] = Flow(
                rate,
                None if promise.keep_ns is None else promise.keep_ns / DAY_NS,
                # By size: what is held from long ago is no sign of days in between.
                max(0, size - held) / rate if rate > 0 else 0.0,
                held,
                promise.most_bytes,
            )
            # So that the file of a camera begun long ago does not hold up all others.
            await asyncio.sleep(0)
        return flows

    async def _held(self, camera: str, promise: Promise, now: int) -> int:
        """Bytes of what would be gone but for holds."""
        if promise.keep_ns is None:
            return 0
        before = now - promise.keep_ns
        found: dict[str, int] = {}
        for hold in await self._catalog.holds.list(camera, active_at_ns=now):
            if hold.start_ns < before:
                end = min(hold.end_ns, before)
                for row in await self._catalog.segments.spans(camera, None, hold.start_ns, end):
                    found[row.id] = row.size
        return sum(found.values())


def per_day(usage: Iterable[CameraUsage], now_ns: int, window_ns: int) -> dict[str, float]:
    """Bytes a day of each camera, by what began within the window before `now_ns`."""
    sizes: dict[str, int] = {}
    since: dict[str, int] = {}
    for one in usage:
        sizes[one.camera] = sizes.get(one.camera, 0) + one.size
        since[one.camera] = min(since.get(one.camera, one.oldest_ns), one.oldest_ns)
    return {
        camera: size * DAY_NS / min(window_ns, max(_HOUR_NS, now_ns - since[camera]))
        for camera, size in sizes.items()
    }
