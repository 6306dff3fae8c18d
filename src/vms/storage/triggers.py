"""Events as their sources report them: opened, extended, closed, and kept as rows.

A source says `active` when something begins and repeats it while it lasts; when it says
nothing for `SILENCE_S` the event is closed as of its last word. Whatever a source says of
a camera, also that nothing happens, is a sign of life: a camera without one is recorded
continuously (`alive`). What people do by hand is no such sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from vms.bus.port import Delivery
from vms.common.clock import Clock
from vms.common.errors import CatalogError, InvalidIdentifier
from vms.common.model.camera import check_id
from vms.common.model.evidence import Event
from vms.common.model.messages import Trigger
from vms.common.wallclock import Step
from vms.storage.metrics import TRIGGERS
from vms.storage.notes_shift import EventRows as Movable
from vms.storage.sieve import Window

log = structlog.get_logger(__name__)

SILENCE_S = 30.0
ALIVE_S = 60.0
BY_HAND = frozenset({"manual", "api", "user"})
"""Sources that report when somebody presses a button, and are silent else."""
_NS = 1_000_000_000
_ASKEW_NS = 10 * _NS
_REMEMBER_NS = 300 * _NS
_MOST_OPEN = 64
_MOST_PAST = 64
_MOST_ROWS = 20_000


class EventRows(Movable, Protocol):
    """What is needed of the catalog's events."""

    async def open(self, camera: str | None = None) -> list[Event]: ...


@dataclass(slots=True)
class _Lasting:
    event: Event
    said_ns: int
    heard: int
    """Monotonic nanoseconds of the last word."""


class TriggerDesk:
    """All methods belong to the event loop's thread."""

    def __init__(self, rows: EventRows, clock: Clock, changed: Callable[[str], None]) -> None:
        """`changed` is called with a camera whose windows changed."""
        self._rows = rows
        self._clock = clock
        self._changed = changed
        self._open: dict[str, dict[str, _Lasting]] = {}
        self._past: dict[str, list[Window]] = {}
        self._heard: dict[str, int] = {}
        self._waiting: dict[str, Event] = {}
        self._problem = ""
        self.lost = 0
        """Events that could not be kept: too many at once, or a catalog away for too long."""

    def sink(self, delivery: Delivery) -> None:
        """Take what the bus delivers."""
        if isinstance(delivery.message, Trigger):
            self.take(delivery.message)

    def take(self, trigger: Trigger) -> None:
        try:
            camera = check_id(trigger.camera)
            check_id(trigger.kind, "kind of event")
        except InvalidIdentifier as error:
            TRIGGERS.labels("refused").inc()
            log.warning("trigger refused", source=trigger.source[:40], error=str(error))
            return
        if trigger.source not in BY_HAND:
            self._heard[camera] = self._clock.monotonic_ns()
        lasting = self._open.get(camera, {}).get(trigger.id)
        if trigger.active and trigger.id:
            if lasting is None:
                self._begin(trigger)
            else:
                self._extend(lasting, trigger)
        elif lasting is not None:
            self._end(lasting, self._fair(trigger.at_ns))
        else:
            TRIGGERS.labels("heartbeat").inc()

    def alive(self, camera: str) -> bool:
        """Whether a source has said anything of this camera in the last minute."""
        heard = self._heard.get(camera)
        return heard is not None and self._clock.monotonic_ns() - heard <= ALIVE_S * _NS

    def windows(self, camera: str) -> list[tuple[int, int | None]]:
        """(start, end) of events of the last minutes, by start; None: it lasts."""
        found: list[tuple[int, int | None]] = list(self._past.get(camera, ()))
        found += [(lasting.event.start_ns, None) for lasting in self._open.get(camera, {}).values()]
        return sorted(found, key=lambda window: window[0])

    def tick(self) -> None:
        """Close events whose source fell silent, and forget what is long past."""
        now, wall = self._clock.monotonic_ns(), self._clock.now_ns()
        for events in [*self._open.values()]:
            for lasting in [*events.values()]:
                if now - lasting.heard > SILENCE_S * _NS:
                    self._end(lasting, lasting.said_ns)
        for camera, past in [*self._past.items()]:
            kept = [window for window in past if window[1] > wall - _REMEMBER_NS]
            if kept:
                self._past[camera] = kept
            else:
                del self._past[camera]

    async def close_left_open(self, died_ns: int) -> None:
        """Close what a process left open that died at about `died_ns`. Raises CatalogError."""
        mine = {event for events in self._open.values() for event in events}
        left = [event for event in await self._rows.open() if event.id not in mine]
        await self._rows.put_many(
            [replace(event, end_ns=max(event.start_ns + _NS, died_ns)) for event in left]
        )

    def shift(self, step: Step) -> set[str]:
        """The clock was set: move what is in memory where its times were wrong; the ids of it."""
        if step.shifted:
            self._shift(step.began_ns, step.old_ns, step.new_ns - step.old_ns)
        lasting = {event_id for events in self._open.values() for event_id in events}
        return lasting | self._waiting.keys()

    def _shift(self, first_ns: int, last_ns: int, by: int) -> None:
        for event in [*self._waiting.values()]:
            if first_ns <= event.start_ns <= last_ns and event.end_ns is not None:
                self._keep(replace(event, start_ns=event.start_ns + by, end_ns=event.end_ns + by))
        for camera, past in self._past.items():
            self._past[camera] = [
                (a + by, b + by) if first_ns <= a <= last_ns else (a, b) for a, b in past
            ]
        for camera, events in self._open.items():
            for one in events.values():
                one.said_ns += by
                if first_ns <= one.event.start_ns <= last_ns:
                    one.event = replace(one.event, start_ns=one.event.start_ns + by)
                    self._keep(one.event)
            self._changed(camera)

    async def flush(self) -> None:
        """Write the rows that changed. What fails is kept, as much as there is room for."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        try:
            await self._rows.put_many([*waiting.values()])
            self._problem = ""
        except CatalogError as error:
            self._waiting = waiting | self._waiting
            if str(error) != self._problem:
                self._problem = str(error)
                log.error("events are not kept, trying again", error=self._problem)

    def _fair(self, at_ns: int) -> int:
        """A source whose clock is far from ours is not believed."""
        now = self._clock.now_ns()
        return at_ns if abs(at_ns - now) <= _ASKEW_NS else now

    def _begin(self, trigger: Trigger) -> None:
        events = self._open.setdefault(trigger.camera, {})
        if len(events) >= _MOST_OPEN:
            self.lost += 1
            TRIGGERS.labels("lost").inc()
            return
        TRIGGERS.labels("opened").inc()
        at = self._fair(trigger.at_ns)
        event = Event(
            trigger.id, trigger.camera, trigger.kind, at, None, trigger.source,
            trigger.label, trigger.score,
        )  # fmt: skip
        events[trigger.id] = _Lasting(event, at, self._clock.monotonic_ns())
        self._keep(event)
        self._changed(trigger.camera)

    def _extend(self, lasting: _Lasting, trigger: Trigger) -> None:
        TRIGGERS.labels("extended").inc()
        lasting.heard = self._clock.monotonic_ns()
        lasting.said_ns = max(lasting.said_ns, self._fair(trigger.at_ns))
        event = lasting.event
        score = max((s for s in (event.score, trigger.score) if s is not None), default=None)
        label = trigger.label or event.label
        if (score, label) != (event.score, event.label):
            lasting.event = replace(event, score=score, label=label)
            self._keep(lasting.event)

    def _end(self, lasting: _Lasting, at_ns: int) -> None:
        TRIGGERS.labels("closed").inc()
        event = lasting.event
        end = max(at_ns, lasting.said_ns, event.start_ns)
        events = self._open[event.camera]
        del events[event.id]
        if not events:
            del self._open[event.camera]
        past = self._past.setdefault(event.camera, [])
        if past and past[-1][0] <= event.start_ns <= past[-1][1]:
            past[-1] = (past[-1][0], max(past[-1][1], end))
        else:
            past.append((event.start_ns, end))
            del past[:-_MOST_PAST]
        self._keep(replace(event, end_ns=max(end, event.start_ns + 1)))
        self._changed(event.camera)

    def _keep(self, event: Event) -> None:
        if len(self._waiting) >= _MOST_ROWS and event.id not in self._waiting:
            self.lost += 1
            TRIGGERS.labels("lost").inc()
            return
        self._waiting[event.id] = event
