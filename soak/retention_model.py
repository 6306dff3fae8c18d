"""What retention must leave, worked out from the whole list each time, the slow and plain way.

Shares no code with the engine: it knows the promises only as docs/design/retention.md has
them. Times are whole seconds here, sizes bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DAY = 86_400


@dataclass(slots=True)
class File:
    id: str
    camera: str
    volume: str
    start: int
    end: int
    size: int
    closed: bool = False


@dataclass(slots=True)
class Happening:
    """An event; `end` None: it lasts."""

    camera: str
    kind: str
    start: int
    end: int | None


@dataclass(slots=True)
class Lock:
    """A hold. `until` None: without end."""

    camera: str
    start: int
    end: int
    until: int | None = None
    released: bool = False


@dataclass(slots=True)
class Rule:
    days: float | None = None
    max_bytes: int | None = None
    share: float | None = None
    event_days: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Store:
    """A disk: `other` bytes on it are not ours."""

    size: int
    floor: int
    other: int = 0
    away: bool = False
    written: int = 0
    """Within the last hour; also what others wrote."""


@dataclass(slots=True)
class Tally:
    by_age: int = 0
    by_ceiling: int = 0
    by_room: int = 0
    spared: int = 0
    short: int = 0
    """How often only held footage was left where room was needed."""


class Model:
    def __init__(self, stores: dict[str, Store], rolls: dict[str, tuple[int, int]]) -> None:
        self.stores = stores
        self.rolls = rolls
        self.rules: dict[str, Rule] = {}
        self.files: dict[str, File] = {}
        self.events: dict[str, list[Happening]] = {}
        self.locks: dict[str, Lock] = {}
        self.tally = Tally()

    def rule(self, camera: str) -> Rule:
        return self.rules.get(camera, self.rules.get("*", Rule(days=30)))

    def held(self, one: File, now: int) -> bool:
        for lock in self.locks.values():
            if lock.released or (lock.until is not None and lock.until <= now):
                continue
            if lock.camera == one.camera and lock.start < one.end and lock.end > one.start:
                return True
        return False

    def may_go(self, one: File, now: int) -> bool:
        return one.closed and not self.stores[one.volume].away and not self.held(one, now)

    def promised_until(self, one: File) -> float | None:
        rule = self.rule(one.camera)
        if rule.days is None:
            return None
        before, after = self.rolls.get(one.camera, (5, 10))
        longest = rule.days
        for event in self.events.get(one.camera, ()):
            if event.start - before >= one.end:
                continue
            if event.end is not None and event.end + after <= one.start:
                continue
            for kind in (event.kind, "*"):
                longest = max(longest, rule.event_days.get(kind, 0))
        return one.end + longest * DAY

    def free(self, name: str) -> int:
        store = self.stores[name]
        used = sum(one.size for one in self.files.values() if one.volume == name)
        return store.size - store.other - used

    def tick(self, now: int) -> None:
        """What happens at a time: age, then ceilings, then room."""
        for one in list(self.files.values()):
            days = self.rule(one.camera).days
            if days is None or one.end + days * DAY > now:
                # Events only ever keep it longer.
                continue
            until = self.promised_until(one)
            if until is None or until > now:
                continue
            if self.may_go(one, now):
                del self.files[one.id]
                self.tally.by_age += 1
            elif one.closed and self.held(one, now):
                self.tally.spared += 1
        total = sum(store.size for store in self.stores.values())
        for camera in sorted({one.camera for one in self.files.values()}):
            rule = self.rule(camera)
            mine = [one for one in self.files.values() if one.camera == camera]
            ceilings = [c for c in (rule.max_bytes,) if c is not None]
            if rule.share is not None:
                ceilings.append(int(rule.share * total))
            if ceilings:
                over = sum(one.size for one in mine) - min(ceilings)
                self.tally.by_ceiling += self._oldest(mine, over, now)[0]
        for name, store in self.stores.items():
            if store.away:
                continue
            minute = store.written / 60
            above = int(min(max(minute, store.size // 256), store.size // 16))
            mine = [one for one in self.files.values() if one.volume == name]
            wanted = store.floor + above - self.free(name)
            gone, missing = self._oldest(mine, wanted, now)
            self.tally.by_room += gone
            self.tally.short += missing > 0

    def _oldest(self, files: list[File], wanted: int, now: int) -> tuple[int, int]:
        gone = 0
        if wanted <= 0:
            return 0, 0
        for one in sorted(files, key=lambda one: (one.start, one.id)):
            if wanted <= 0:
                break
            if self.may_go(one, now):
                del self.files[one.id]
                wanted -= one.size
                gone += 1
        return gone, max(0, wanted)
