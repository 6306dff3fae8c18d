"""Between the bus and the threads that write: one bounded lane per stream.

`bus.media_queue` serves one reader of one stream. Here one thread serves a hundred
streams, so that what matters is to wake it seldom and to find what has come at no cost:
the lanes that hold something stand in one list, and while there is much to do nobody
rings: the thread looks every other millisecond by itself.

Only the thread of the event loop puts, and only the writing thread takes. Numbers that
both need are kept as two counters, each written by one of them.
"""

from __future__ import annotations

import threading
from collections import deque

from vms.bus.port import Delivery
from vms.common.model.media import AccessUnit, Medium


class Inbox:
    """The lanes of one writing thread, which may hold `max_bytes` together."""

    __slots__ = ("_awake", "_bell", "max_bytes", "put", "ready", "taken")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.put = 0
        self.taken = 0
        self.ready: deque[Lane] = deque()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._awake = False

    def ring(self) -> None:
        """Wake the thread, unless it has been woken already."""
        if not self._awake:
            self._awake = True
            try:
                self._bell.release()
            except RuntimeError:
                # Rung twice at the same time from two threads: it is awake.
                return

    def wait(self, timeout: float) -> None:
        """Sleep until rung, or something waits already; at most `timeout` seconds."""
        self._awake = False
        # What came before that line rang nobody; what comes after it rings.
        if not self.ready:
            self._bell.acquire(timeout=timeout)
        self._awake = True


class Lane:
    """Access units of one stream that wait to be written.

    Where there is no room, units are shed up to the next key picture that finds room: what
    was taken before stays decodable. `lost` counts them, `missed` those lost on the bus.
    """

    __slots__ = ("_inbox", "_listed", "_max_bytes", "_max_units", "_put", "_shedding", "_taken",
                 "lost", "missed", "units")  # fmt: skip

    def __init__(self, inbox: Inbox, max_bytes: int, max_units: int) -> None:
        self.units: deque[AccessUnit] = deque()
        self.lost = 0
        self.missed = 0
        self._inbox = inbox
        self._max_bytes = max_bytes
        self._max_units = max_units
        self._put = 0
        self._taken = 0
        self._listed = False
        self._shedding = False

    @property
    def waiting(self) -> int:
        """Bytes of media that wait."""
        return self._put - self._taken

    def sink(self, delivery: Delivery) -> None:
        """Take what the bus delivers; never waits."""
        unit = delivery.message
        if type(unit) is not AccessUnit:
            return
        if delivery.missed:
            self.missed += delivery.missed
        size = len(unit.data)
        inbox = self._inbox
        if (
            self._shedding
            or self._put - self._taken + size > self._max_bytes
            or inbox.put - inbox.taken + size > inbox.max_bytes
            or len(self.units) >= self._max_units
        ) and not self._has_room(unit, size):
            self.lost += 1
            return
        self._put += size
        inbox.put += size
        self.units.append(unit)
        if not self._listed:
            self._listed = True
            inbox.ready.append(self)
            inbox.ring()

    def _has_room(self, unit: AccessUnit, size: int) -> bool:
        """Whether shedding ends with `unit`: a key picture that finds room."""
        begins = unit.key and unit.parameters.codec.medium is Medium.VIDEO
        self._shedding = not (
            begins
            and len(self.units) < self._max_units
            and self._put - self._taken + size <= self._max_bytes
            and self._inbox.put - self._inbox.taken + size <= self._inbox.max_bytes
        )
        return not self._shedding

    def take(self) -> list[AccessUnit]:
        """All that wait. Called by the writing thread."""
        # Off the list first: what comes from now on lists the lane again.
        self._listed = False
        units: list[AccessUnit] = []
        size = 0
        try:
            while True:
                unit = self.units.popleft()
                size += len(unit.data)
                units.append(unit)
        except IndexError:
            self._taken += size
            self._inbox.taken += size
            return units

    def hand_over(self, other: Lane) -> int:
        """Give what waits to another lane of the same stream, from a key picture on; how many
        units came before that, and are lost. Called by the event loop, as `sink`."""
        size, begun, lost = 0, False, 0
        while self.units:
            try:
                unit = self.units.popleft()
            except IndexError:
                # The writing thread came to it after all.
                break
            size += len(unit.data)
            begun = begun or (unit.key and unit.parameters.codec.medium is Medium.VIDEO)
            if begun:
                other.sink(Delivery("", unit))
            else:
                lost += 1
        # They were never put, as far as this lane is concerned: `taken` is the thread's.
        self._put -= size
        self._inbox.put -= size
        return lost

    def nudge(self) -> None:
        """Have the thread look at this lane though nothing has come."""
        self._listed = True
        self._inbox.ready.append(self)
        self._inbox.ring()
