"""Events that people start and end by hand: told to the storage role again and again while
they last, as every source of events does."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import structlog

from vms.bus import subjects
from vms.bus.port import Bus, Delivery
from vms.common.clock import Clock
from vms.common.errors import BusError
from vms.common.model.evidence import Event
from vms.common.model.messages import Trigger

log = structlog.get_logger(__name__)

SOURCE = "manual"
ALL = subjects.events(SOURCE, ">")
LONGEST_S = 3600.0
MAX_OPEN = 64
_EVERY_NS = 5 * 1_000_000_000
_SECOND = 1_000_000_000


class TooManyEvents(BusError):
    """More events by hand than one process keeps open."""


@dataclass(slots=True)
class _Lasting:
    event: Event
    until: int
    said: int
    """Monotonic nanoseconds: of its end, and of the last word."""


class EventsByHand:
    """Those that this process keeps; all methods belong to the event loop's thread."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._open: dict[str, _Lasting] = {}

    def start(self, camera: str, kind: str, label: str, duration_s: float | None) -> Event:
        """Raises TooManyEvents, BusError."""
        if len(self._open) >= MAX_OPEN:
            raise TooManyEvents(f"{MAX_OPEN} events by hand last already; end one first")
        now = self._clock.monotonic_ns()
        event = Event(
            f"{SOURCE}-{secrets.token_hex(10)}", camera, kind, self._clock.now_ns(), None,
            SOURCE, label,
        )  # fmt: skip
        lasts = LONGEST_S if duration_s is None else min(duration_s, LONGEST_S)
        self._say(event, active=True)
        self._open[event.id] = _Lasting(event, now + int(lasts * _SECOND), now)
        return event

    def lasting(self, event_id: str) -> Event | None:
        """The event, where this process keeps it open."""
        found = self._open.get(event_id)
        return None if found is None else found.event

    def end(self, event: Event) -> None:
        """Tell that it is over, also where another process keeps it. Raises BusError."""
        self._say(event, active=False)
        self._open.pop(event.id, None)

    def heard(self, delivery: Delivery) -> None:
        """Another process may have ended one of ours."""
        told = delivery.message
        if isinstance(told, Trigger) and not told.active:
            self._open.pop(told.id, None)

    def tick(self) -> None:
        """Say again what lasts, and end what is over; to be called every second."""
        now = self._clock.monotonic_ns()
        for lasting in [*self._open.values()]:
            try:
                if now >= lasting.until:
                    self.end(lasting.event)
                elif now - lasting.said >= _EVERY_NS:
                    self._say(lasting.event, active=True)
                    lasting.said = now
            except BusError as error:
                log.warning("an event by hand was not told", error=str(error))

    def _say(self, event: Event, *, active: bool) -> None:
        told = Trigger(
            event.camera, event.kind, SOURCE, self._clock.now_ns(), active, event.id, event.label
        )
        self._bus.publish(subjects.events(SOURCE, event.camera), told)
