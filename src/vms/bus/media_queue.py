"""A bounded queue between the bus and one reader of one stream.

A reader that cannot keep up loses whole groups of pictures: the oldest go first, up to the
next key picture, so that what it gets can always be decoded. Losses are counted.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque

from vms.bus.port import Delivery
from vms.common.model.media import AccessUnit, Medium

DEFAULT_MAX_BYTES = 32 * 1024 * 1024
DEFAULT_MAX_UNITS = 1500


class MediaQueue:
    """Access units of one stream, for one reader: a task (`get`) or a thread.

    `put` and `sink` belong to the thread of the event loop, never wait, and cost about a
    microsecond. `get` is for a task of that loop; `get_blocking` and `get_all_blocking`
    are for another thread. Audio passes by itself: it needs no key picture.
    """

    def __init__(
        self, max_bytes: int = DEFAULT_MAX_BYTES, max_units: int = DEFAULT_MAX_UNITS
    ) -> None:
        self.max_bytes = max_bytes
        self.max_units = max_units
        self.dropped_units = 0
        """Units lost because the reader was slow."""
        self.dropped_groups = 0
        """How often that happened: each is one hole in what the reader gets."""
        self._units: deque[AccessUnit] = deque()
        self._bytes = 0
        self._has_video = False
        self._skipping = False
        self._closed = False
        self._condition = threading.Condition(threading.Lock())
        self._waiter: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._units)

    @property
    def size_bytes(self) -> int:
        """Bytes of media that wait."""
        return self._bytes

    @property
    def closed(self) -> bool:
        return self._closed

    def sink(self, delivery: Delivery) -> None:
        """`put` in the shape that `Bus.subscribe` wants; other messages are left out."""
        message = delivery.message
        if isinstance(message, AccessUnit):
            self.put(message)

    def put(self, unit: AccessUnit) -> None:
        """Add `unit`, dropping what is oldest where there is no room."""
        size = len(unit.data)
        with self._condition:
            if self._closed:
                return
            video = unit.parameters.codec.medium is Medium.VIDEO
            if video:
                self._has_video = True
                if self._skipping:
                    if not unit.key:
                        self.dropped_units += 1
                        return
                    self._skipping = False
            if (
                len(self._units) >= self.max_units or self._bytes + size > self.max_bytes
            ) and not self._make_room(unit, size):
                self.dropped_units += 1
                return
            self._units.append(unit)
            self._bytes += size
            self._condition.notify()
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def _make_room(self, unit: AccessUnit, size: int) -> bool:
        """Drop whole groups from the front until `unit` fits; False: drop it as well."""
        self.dropped_groups += 1
        while self._units and (
            len(self._units) >= self.max_units or self._bytes + size > self.max_bytes
        ):
            self._drop_front()
            while self._has_video and self._units and not _starts_group(self._units[0]):
                self._drop_front()
        fits = size <= self.max_bytes and self.max_units > 0
        if unit.parameters.codec.medium is Medium.VIDEO:
            fits = fits and (bool(self._units) or unit.key)
            self._skipping = not fits
        elif self._has_video and not self._units:
            self._skipping = True
        return fits

    def _drop_front(self) -> None:
        self._bytes -= len(self._units.popleft().data)
        self.dropped_units += 1

    def _pop(self) -> AccessUnit | None:
        if not self._units:
            return None
        unit = self._units.popleft()
        self._bytes -= len(unit.data)
        return unit

    def get_nowait(self) -> AccessUnit | None:
        """The oldest unit, or None when there is none."""
        with self._condition:
            return self._pop()

    async def get(self) -> AccessUnit | None:
        """The oldest unit, as soon as there is one; None once closed and empty."""
        while True:
            unit = self.get_nowait()
            if unit is not None or self._closed:
                return unit
            if self._waiter is None:
                self._waiter = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiter)

    def get_blocking(self, timeout: float) -> AccessUnit | None:
        """The oldest unit; None after `timeout` seconds, or once closed and empty."""
        with self._condition:
            self._wait(timeout)
            return self._pop()

    def get_all_blocking(self, timeout: float) -> list[AccessUnit]:
        """All that wait, at least one unless `timeout` seconds passed or it is closed.

        A thread that takes in batches wakes less often.
        """
        with self._condition:
            self._wait(timeout)
            units = list(self._units)
            self._units.clear()
            self._bytes = 0
            return units

    def _wait(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not self._units and not self._closed:
            left = deadline - time.monotonic()
            if left <= 0 or not self._condition.wait(left):
                return

    def close(self) -> None:
        """Take no more; readers get what is left, then None."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def _starts_group(unit: AccessUnit) -> bool:
    return unit.key and unit.parameters.codec.medium is Medium.VIDEO
