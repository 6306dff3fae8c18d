"""A made-up life of a system: cameras, files, events, holds and rules, told alike to the engine
and to the model, hour by hour of virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from tests.support.virtual_clock import VirtualClock

from soak.retention_model import DAY, File, Happening, Lock, Model, Rule, Store
from soak.retention_world import Engine
from vms.catalog.open import SqlCatalog
from vms.common.model.camera import Camera, RecordingMode, StreamConfig, Transport
from vms.common.model.evidence import Event, Hold, HoldKind, RetentionRule
from vms.common.model.media import Codec
from vms.common.model.segment import SegmentRow

HOUR = 3600
START = 1_790_000_000 // HOUR * HOUR
_S = 1_000_000_000
_KINDS = ("motion", "person", "vehicle", "input", "manual")


@dataclass(slots=True)
class Plan:
    """How much of what happens. `size` is what a main file of an hour takes, in bytes."""

    cameras: int = 20
    hours: int = 45 * 24
    size: int = 900_000_000
    volumes: dict[str, int] = field(default_factory=dict)
    floor: int = 2_000_000_000
    events_an_hour: float = 4.0
    locks_a_day: float = 2.0
    kills: float = 0.03
    rules: dict[str, Rule] = field(default_factory=dict)
    changes: dict[int, dict[str, Rule]] = field(default_factory=dict)
    """Rules that change at an hour."""
    others: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Bytes that others take on a volume from an hour on."""
    away: dict[int, tuple[str, bool]] = field(default_factory=dict)


@dataclass(slots=True)
class Figures:
    hours: int = 0
    files: int = 0
    size: int = 0
    events: int = 0
    holds: int = 0
    differences: list[str] = field(default_factory=list)


class Play:
    def __init__(self, catalog: SqlCatalog, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.random = Random(seed)
        self.catalog = catalog
        self.clock = VirtualClock(START * _S)
        floors = dict.fromkeys(plan.volumes, plan.floor)
        self.engine = Engine(catalog, self.clock, plan.volumes, floors)
        stores = {name: Store(size, plan.floor) for name, size in plan.volumes.items()}
        self.cameras = [f"cam{n:02}" for n in range(plan.cameras)]
        rolls = {name: self.random.choice([(5, 10), (0, 0), (60, 600)]) for name in self.cameras}
        self.model = Model(stores, rolls)
        self.figures = Figures()
        self._open: dict[tuple[str, str], SegmentRow] = {}
        self._lasting: dict[str, tuple[Event, Happening]] = {}
        self._number = 0

    async def begin(self) -> None:
        for name in self.cameras:
            before, after = self.model.rolls[name]
            stream = StreamConfig(
                "main", "rtsp://10.0.0.1/main", Transport.TCP, RecordingMode.CONTINUOUS,
                pre_roll_s=before, post_roll_s=after,
            )  # fmt: skip
            await self.catalog.cameras.add(Camera(name, name, (stream,)))
        await self._set_rules(self.plan.rules)

    async def hour(self) -> None:
        """One hour passes; then both have their turn, and are held against each other."""
        number = self.figures.hours
        if number in self.plan.changes:
            await self._set_rules(self.plan.changes[number])
        for store in self.model.stores.values():
            store.written = 0
        if number in self.plan.others:
            name, size = self.plan.others[number]
            store = self.model.stores[name]
            store.written += size - store.other
            store.other = self.engine.disk.other[name] = size
        if number in self.plan.away:
            name, away = self.plan.away[number]
            self.model.stores[name].away = away
            self.engine.away(name, away)
        await self._record()
        await self._happen()
        await self._hold()
        self.clock.pass_(HOUR)
        for store in self.model.stores.values():
            store.written = max(0, store.written)
        kill = self.random.randint(0, 12) if self.random.random() < self.plan.kills else None
        await self.engine.tick(kill)
        self.model.tick(self.clock.now_ns() // _S)
        self.figures.hours += 1
        await self._compare()

    async def _set_rules(self, rules: dict[str, Rule]) -> None:
        for name in set(await self.catalog.retention.list()) - rules.keys():
            await self.catalog.retention.remove(name)
        for name, rule in rules.items():
            await self.catalog.retention.put(
                RetentionRule(name, rule.days, rule.max_bytes, rule.share, rule.event_days)
            )
        self.model.rules = dict(rules)

    async def _record(self) -> None:
        """Each stream's file of the last hour is closed, and the next one begins."""
        ended, begun = [], []
        now = self.clock.now_ns() // _S
        for number, camera in enumerate(self.cameras):
            for stream in ("main", "sub") if number % 4 == 0 else ("main",):
                before = self._open.pop((camera, stream), None)
                if before is not None:
                    ended.append(self._closed(before))
                if self.random.random() < 0.02:
                    continue
                row = self._row(camera, stream, now)
                if self.random.random() < 0.2:
                    # A file that the camera's going ended within the hour.
                    begun.append(row)
                    ended.append(self._closed(row, self.random.randint(1, HOUR - 1)))
                else:
                    self._open[camera, stream] = row
                    begun.append(row)
        await self.catalog.segments.add_many(begun)
        await self.catalog.segments.extend_many(ended)

    def _row(self, camera: str, stream: str, now: int) -> SegmentRow:
        self._number += 1
        where = [name for name, store in self.model.stores.items() if not store.away]
        start = now + self.random.randint(0, 20)
        row = SegmentRow(
            f"{self._number:08}", camera, stream, "run", path_of(camera, f"{self._number:08}"),
            start * _S, (start + 1) * _S, 0, 1, 1, Codec.H264, 1920, 1080, False,
            volume=where[int(camera[3:]) % len(where)],
        )  # fmt: skip
        self.model.files[row.id] = File(row.id, camera, row.volume, start, start + 1, 0)
        return row

    def _closed(self, row: SegmentRow, seconds: int = HOUR) -> SegmentRow:
        part = self.plan.size if row.stream == "main" else self.plan.size // 8
        size = int(part * seconds / HOUR * self.random.uniform(0.7, 1.3))
        one = self.model.files[row.id]
        one.end = row.start_ns // _S + seconds
        one.size, one.closed = size, True
        self.model.stores[one.volume].written += size
        self.engine.disk.files[one.volume][row.path] = size
        self.figures.files += 1
        self.figures.size += size
        return replace(row, end_ns=one.end * _S, size=size, closed=True)

    async def _happen(self) -> None:
        now = self.clock.now_ns() // _S
        rows = []
        for key, (event, told) in list(self._lasting.items()):
            if self.random.random() < 0.5:
                told.end = now
                rows.append(Event(key, event.camera, event.kind, event.start_ns, now * _S, "play"))
                del self._lasting[key]
        for _ in range(_poisson(self.random, self.plan.events_an_hour)):
            self.figures.events += 1
            camera, kind = self.random.choice(self.cameras), self.random.choice(_KINDS)
            start = now - self.random.randint(0, 3 * HOUR)
            end = start + self.random.choice([0, 5, 60, 600, 2 * HOUR])
            event = Event(f"e{self.figures.events}", camera, kind, start * _S, end * _S, "play")
            told = Happening(camera, kind, start, end)
            if self.random.random() < 0.1:
                event = Event(event.id, camera, kind, start * _S, None, "play")
                told.end = None
                self._lasting[event.id] = (event, told)
            self.model.events.setdefault(camera, []).append(told)
            rows.append(event)
        await self.catalog.events.put_many(rows)

    async def _hold(self) -> None:
        now = self.clock.now_ns() // _S
        for _ in range(_poisson(self.random, self.plan.locks_a_day / 24)):
            self.figures.holds += 1
            key, camera = f"h{self.figures.holds}", self.random.choice(self.cameras)
            start = now - self.random.randint(0, 20 * DAY)
            end = start + self.random.choice([60, HOUR, 6 * HOUR, 2 * DAY])
            until = self.random.choice([None, now + DAY, now + 15 * DAY])
            kind = HoldKind.BOOKMARK if until else HoldKind.LOCK
            await self.catalog.holds.add(
                Hold(
                    key, camera, kind, start * _S, end * _S, "why", "u", "U", now * _S,
                    None if until is None else until * _S,
                )
            )  # fmt: skip
            self.model.locks[key] = Lock(camera, start, end, until)
        for key, lock in self.model.locks.items():
            chance = self.random.random()
            if chance < 0.003 and not lock.released:
                lock.released = True
                await self.catalog.holds.release(key, now * _S, "somebody")
            elif chance < 0.005 and not lock.released:
                lock.end = max(lock.start, lock.end - HOUR)
                hold = await self.catalog.holds.get(key)
                await self.catalog.holds.update(replace(hold, end_ns=lock.end * _S))

    async def _compare(self) -> None:
        """Rows, files on the disk and the model's list must be the same."""
        said, found = f"hour {self.figures.hours}", self.figures.differences
        closed: dict[str, set[str]] = {name: set() for name in self.model.stores}
        growing: dict[str, set[str]] = {name: set() for name in self.model.stores}
        for one in self.model.files.values():
            (closed if one.closed else growing)[one.volume].add(path_of(one.camera, one.id))
        for volume in self.model.stores:
            rows = await self.catalog.segments.known_paths(volume)
            expected = closed[volume] | growing[volume]
            files = set(self.engine.disk.files[volume])
            for what, paths in (
                ("must be gone and has a row", rows - expected),
                ("must be there and has no row", expected - rows),
                ("is a file without a row", files - rows),
                ("is a row without a file", rows - files - growing[volume]),
            ):
                found += [f"{said}: {path} on {volume} {what}" for path in sorted(paths)[:5]]


def path_of(camera: str, number: str) -> str:
    return f"cameras/{camera}/d/{number}.mkv"


def _poisson(random: Random, mean: float) -> int:
    """How often something happens that happens `mean` times on average."""
    count, left = 0, random.expovariate(1.0)
    while left < mean:
        count += 1
        left += random.expovariate(1.0)
    return count
