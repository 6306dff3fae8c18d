"""Keeps what was promised, and deletes what was not, so that recording always has room.

About twice a second, in this order (see docs/design/retention.md):

    1. what is older than promised goes, wherever it lies;
    2. a camera above its ceiling gives its oldest;
    3. a volume that runs low gives its oldest, whatever its age, across all cameras.

Nothing deletes what is held, or what still grows. All methods belong to the event loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog

from vms.catalog.port_evidence import CameraUsage
from vms.common.clock import Clock
from vms.common.errors import StorageError
from vms.common.model.camera import Camera
from vms.common.model.evidence import Hold, HoldKind, RetentionRule
from vms.common.model.segment import SegmentRow
from vms.storage.alarms import LOCKS, RETENTION
from vms.storage.removal import Remover
from vms.storage.retention_age import AgeEvents, AgeSegments, AgeSweep, View
from vms.storage.retention_clock import Today
from vms.storage.retention_plan import DAY_NS, Held, Rolls, freed, promise_of
from vms.storage.retention_room import Rate, RoomAlarms, Walker, wanted_bytes
from vms.storage.settings import StorageSettings
from vms.storage.volume import Volume
from vms.storage.volume_state import VolumeState
from vms.storage.volumes import Volumes

log = structlog.get_logger(__name__)

_EVERY_S = 0.5
_REST_S = 5.0
_SWEEP_NS = 1_000_000_000
_USAGE_NS = 60_000_000_000
_COUNT_PART = 50
_PATIENCE_S = 1.0
_ALL_AGAIN_NS = 6 * 3_600_000_000_000
_SORRY_NS = DAY_NS
_TIDY_NS = 3_600_000_000_000
_LOW_TIMES = 3
_TIDY_ROWS = 1000
_TIDY_BATCHES = 1000
_REFUSED_NS = 60_000_000_000
_RETRY_NS = 30_000_000_000


class RetentionSegments(AgeSegments, Protocol):
    async def usage(self, since_ns: int | None = None) -> list[CameraUsage]: ...


class RetentionEvents(AgeEvents, Protocol):
    async def remove_before(self, camera: str, t_ns: int, limit: int = ...) -> int: ...


class RetentionGaps(Protocol):
    async def remove_before(self, camera: str, t_ns: int, limit: int = ...) -> int: ...


class RetentionHolds(Protocol):
    async def list(
        self,
        camera: str | None = None,
        active_at_ns: int | None = None,
        kind: HoldKind | None = None,
    ) -> tuple[Hold, ...]: ...


class RetentionRules(Protocol):
    async def list(self) -> dict[str, RetentionRule]: ...


class RetentionCameras(Protocol):
    async def list(self) -> tuple[Camera, ...]: ...


class RetentionCatalog(Protocol):
    """What is needed of the catalog."""

    @property
    def segments(self) -> RetentionSegments: ...

    @property
    def events(self) -> RetentionEvents: ...

    @property
    def gaps(self) -> RetentionGaps: ...

    @property
    def holds(self) -> RetentionHolds: ...

    @property
    def retention(self) -> RetentionRules: ...

    @property
    def cameras(self) -> RetentionCameras: ...


class Retention:
    """`run` until cancelled, or `tick` by hand. Both raise CatalogError."""

    def __init__(
        self,
        volumes: Volumes,
        catalog: RetentionCatalog,
        remover: Remover,
        alarms: RoomAlarms,
        clock: Clock,
        settings: StorageSettings,
    ) -> None:
        self._volumes = volumes
        self._catalog = catalog
        self._remover = remover
        self._alarms = alarms
        self._clock = clock
        self._settings = settings
        self._sweep = AgeSweep(catalog.segments, catalog.events, self._remove)
        self._walker = Walker(catalog.segments, self._remove)
        self._today = Today(clock)
        self.rates = {volume.name: Rate() for volume in volumes}
        """How fast each volume is written to, by its name."""
        self._asked: dict[str, int] = {}
        self._holds: dict[str, Hold] = {}
        self._held = Held()
        self._again: list[tuple[str, int, int]] = []
        self._rules: dict[str, RetentionRule] = {}
        self._cameras: dict[str, Camera] = {}
        self._oldest: dict[str, int] = {}
        self._newest: int | None = None
        self._sizes: Counter[tuple[str, str]] = Counter()
        self._freed: Counter[tuple[str, str]] = Counter()
        self._counting: asyncio.Task[None] | None = None
        self._count_at_ns: int | None = None
        self._patience_s: float | None = None
        self._all_ns = clock.monotonic_ns()
        self._tidied_ns: int | None = None
        self._undone: dict[str, int] = {}
        self._early: dict[str, int] = {}
        self._refused: dict[str, int] = {}

    async def run(self) -> None:
        self._patience_s = _PATIENCE_S
        waited = _REST_S
        while True:
            if waited >= _REST_S or any(map(self._is_low, self._volumes)):
                waited = 0.0
                await self.tick()
                await self._tidy_when_due()
            await self._clock.sleep(_EVERY_S)
            waited += _EVERY_S

    def ask(self, name: str, size: int) -> None:
        """Somebody waits to write so many bytes to a volume, beside the recorder; 0: no more."""
        self._asked[name] = size

    def headroom(self, volume: Volume) -> int:
        """Bytes above the floor at which deleting begins."""
        return self.rates[volume.name].headroom(volume.seen.total)

    def runs_low(self, volume: Volume) -> bool:
        """Whether deleting for room will soon begin: what can be moved away should be."""
        used, rate = self._used(volume.name), self.rates[volume.name]
        more, free = _LOW_TIMES * self.headroom(volume), volume.seen.free
        return volume.seen.total > 0 and wanted_bytes(volume, free, used, rate, more) > 0

    def _used(self, name: str) -> int:
        """Bytes of recordings on a volume, by the last count and what was deleted since."""
        return sum(size for (_, volume), size in self._sizes.items() if volume == name)

    def _is_low(self, volume: Volume) -> bool:
        seen = volume.seen
        room = self.headroom(volume) + self._asked.get(volume.name, 0)
        low = seen.total > 0 and seen.free < volume.floor + room
        return low or volume.pressed.is_set()

    async def tick(self) -> None:
        """Once through all that may have to go."""
        view = await self._look()
        self._retry()
        began = self._clock.monotonic_ns()
        whole = await self._sweep.run(
            view, self._names(), lambda: self._clock.monotonic_ns() - began < _SWEEP_NS
        )
        while whole and self._again:
            await self._sweep.examine(view, *self._again[0])
            self._again.pop(0)
        await self._ceilings(view)
        rooms = (self._room(view, volume) for volume in self._volumes)
        for done in await asyncio.gather(*rooms, return_exceptions=True):
            if done is not None:
                raise done

    async def _look(self) -> View:
        """What is held, promised and there. A hold is heeded from the tick on in which it is
        first seen; one that comes later than this still is, by the catalog itself."""
        now = self._today.now_ns(self._newest)
        holds = {h.id: h for h in await self._catalog.holds.list(active_at_ns=self._clock.now_ns())}
        if holds != self._holds:
            self._again += freed(self._holds, holds)
            self._holds, self._held = holds, Held(holds.values())
            self._walker.look_again()
        rules = await self._catalog.retention.list()
        if rules != self._rules:
            self._rules = rules
            self._sweep.look_again()
        await self._count()
        total = sum(volume.max_bytes or volume.seen.total for volume in self._volumes)
        days = self._settings.retention_days
        return View(
            now,
            self._held,
            lambda camera: promise_of(camera, self._rules, days, total),
            lambda camera: Rolls.of(self._cameras.get(camera)),
        )

    async def _count(self) -> None:
        """Count what there is, once a minute at most, and for a fiftieth of the time.

        In `run` a count that takes long is not waited for: room is made without it.
        """
        at = self._clock.monotonic_ns()
        if self._counting is None and (self._count_at_ns is None or at >= self._count_at_ns):
            self._counting = asyncio.create_task(self._counted(), name="storage-count")
        if self._counting is not None:
            await asyncio.wait([self._counting], timeout=self._patience_s)
            if self._counting.done():
                done, self._counting = self._counting, None
                done.result()
        if at - self._all_ns >= _ALL_AGAIN_NS:
            self._all_ns = at
            self._sweep.look_again()
            self._walker.look_again()

    async def _counted(self) -> None:
        began = self._clock.monotonic_ns()
        freed_before = self._freed.copy()
        usage = await self._catalog.segments.usage()
        self._cameras = {camera.id: camera for camera in await self._catalog.cameras.list()}
        self._sizes, self._oldest = Counter(), {}
        for one in usage:
            self._sizes[one.camera, one.volume] += one.size
            before = self._oldest.get(one.camera, one.oldest_ns)
            self._oldest[one.camera] = min(before, one.oldest_ns)
        # What was deleted meanwhile may have been counted still: better too little than
        # deleting for it again.
        self._sizes.subtract(self._freed - freed_before)
        self._freed = Counter()
        self._newest = max((one.newest_ns for one in usage), default=None)
        took = self._clock.monotonic_ns() - began
        self._count_at_ns = began + max(_USAGE_NS, _COUNT_PART * took)

    def _names(self) -> list[str]:
        return sorted(self._oldest.keys() | self._cameras.keys())

    def _usable(self, name: str) -> bool:
        try:
            volume = self._volumes.named(name)
        except StorageError:
            return False
        return volume.state() in (VolumeState.OK, VolumeState.FULL)

    async def _remove(self, rows: Sequence[SegmentRow]) -> list[SegmentRow]:
        gone = await self._remover.remove([row for row in rows if self._usable(row.volume)])
        at = self._clock.monotonic_ns()
        for row in gone:
            self._sizes[row.camera, row.volume] -= row.size
            self._freed[row.camera, row.volume] += row.size
            self.rates[row.volume].freed(row.size)
        ids = {row.id for row in gone}
        for row in rows:
            if row.id not in ids:
                self._undone.setdefault(row.volume, at)
        return gone

    def _retry(self) -> None:
        """Look again at what was due on a volume that could not be used."""
        at = self._clock.monotonic_ns()
        for name, since in list(self._undone.items()):
            if at - since >= _RETRY_NS and self._usable(name):
                del self._undone[name]
                self._sweep.look_again()
                self._walker.look_again()

    async def _ceilings(self, view: View) -> None:
        used: Counter[str] = Counter()
        for (camera, _), size in self._sizes.items():
            used[camera] += size
        for camera in sorted(used):
            most = view.promise(camera).most_bytes
            if most is not None and used[camera] > most:
                over = used[camera] - most
                await self._walker.free(view, over, self._usable, camera=camera)

    async def _room(self, view: View, volume: Volume) -> None:
        if not self._usable(volume.name):
            return
        try:
            # What a kill left to be deleted is to be free before it is asked for again.
            await self._remover.recover(volume)
            await self._make_room(view, volume, await self._remover.free(volume))
        except (OSError, StorageError) as error:
            log.warning("free space cannot be read", volume=volume.name, error=str(error))

    async def _make_room(self, view: View, volume: Volume, free: int) -> None:
        rate, at = self.rates[volume.name], self._clock.monotonic_ns()
        rate.look(free, at)
        used, asked = self._used(volume.name), self._asked.get(volume.name, 0)
        wanted = wanted_bytes(volume, free, used, rate, asked) - rate.unseen()
        if self._is_refused(volume):
            wanted = max(wanted, 1)
        missing = 0
        if wanted > 0:
            done = await self._walker.free(view, wanted, self._usable, volume=volume.name)
            missing = done.missing if done.held else 0
            if done.rows:
                now_free = await self._remover.free(volume)
                size = sum(row.size for row in done.rows)
                rate.not_seen(size - (now_free - free), self._clock.monotonic_ns())
                volume.look_soon()
                self._note_early(view, volume, done.rows)
        if missing:
            self._alarms.raise_(LOCKS, volume.name, _locks_text(volume, free, missing))
        else:
            self._alarms.clear(LOCKS, volume.name)
        if at - self._early.get(volume.name, at) >= _SORRY_NS:
            del self._early[volume.name]
            self._alarms.clear(RETENTION, volume.name)

    def _is_refused(self, volume: Volume) -> bool:
        """Whether the disk says that it is full, and not only once: where there seems to be
        room, there is a quota, or there are no names left."""
        if not volume.pressed.is_set():
            return False
        volume.pressed.clear()
        at = self._clock.monotonic_ns()
        before = self._refused.get(volume.name)
        self._refused[volume.name] = at
        return before is not None and at - before < _REFUSED_NS

    def _note_early(self, view: View, volume: Volume, rows: Iterable[SegmentRow]) -> None:
        """What was due by its age went before: this was promised for longer."""
        early = [row for row in rows if view.promise(row.camera).keep_ns is not None]
        if not early:
            return
        self._early[volume.name] = self._clock.monotonic_ns()
        last = max(early, key=lambda row: row.end_ns)
        days = (view.now_ns - last.end_ns) / DAY_NS
        self._alarms.raise_(
            RETENTION,
            volume.name,
            f"volume {volume.name} has no room for what is promised: footage of {last.camera} was "
            f"deleted when it was {days:.1f} days old; add a disk, or promise fewer days",
        )

    async def _tidy_when_due(self) -> None:
        at = self._clock.monotonic_ns()
        if self._tidied_ns is None or at - self._tidied_ns >= _TIDY_NS:
            self._tidied_ns = at
            await self.tidy()

    async def tidy(self) -> None:
        """Remove events and gaps that are older than any footage was promised to be, and
        than all that is left of their camera's."""
        view = await self._look()
        for camera in self._names():
            promise = view.promise(camera)
            terms = promise.terms() or (round(self._settings.retention_days * DAY_NS),)
            before = min(view.now_ns - terms[-1], self._oldest.get(camera, view.now_ns))
            await self._forget(self._catalog.events, camera, before)
            await self._forget(self._catalog.gaps, camera, before)

    async def _forget(self, rows: RetentionGaps, camera: str, before_ns: int) -> None:
        for _ in range(_TIDY_BATCHES):
            if await rows.remove_before(camera, before_ns, _TIDY_ROWS) < _TIDY_ROWS:
                return
            # Others write to the catalog too.
            await asyncio.sleep(0.01)


def _locks_text(volume: Volume, free: int, missing: int) -> str:
    return (
        f"what is held fills volume {volume.name}: {free >> 20} MiB are free, {missing >> 20} MiB "
        f"more are needed, and only held or unfinished footage is left; recording ends at "
        f"{volume.floor >> 20} MiB: release holds, or add a disk"
    )
