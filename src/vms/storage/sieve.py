"""Which groups of pictures of a stream are written. Thread side.

A stream that is recorded for events keeps its newest groups of pictures in memory, whole,
so that a file can begin before the event did. A group is written where it overlaps one of
the windows that the event loop sets (`Orders`); it waits until it is too old for any
window that may still come. What waits is bounded in seconds, in bytes for each stream and
in bytes for all streams of a writing thread; beyond that the oldest groups go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from vms.common.model.media import AccessUnit, Medium

_NEWS_LATE_NS = 2_000_000_000
"""How much longer than the pre-roll groups wait: news of an event takes time to come."""

_FAR_NS = 1 << 62

Window = tuple[int, int]
"""What is to be written: from, until, UTC nanoseconds of arrival."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a stream's recorder is to do. Made by the event loop, read by the writing thread.

    `always`: all is written, and what waits since `since_ns`; else what overlaps a window.
    """

    always: bool = True
    since_ns: int = 0
    windows: tuple[Window, ...] = ()
    pre_ns: int = 0
    audio: bool = True

    def wants(self, first_ns: int, last_ns: int) -> bool:
        """Whether pictures that came from `first_ns` up to `last_ns` are to be written."""
        if self.always:
            return last_ns >= self.since_ns
        return any(start <= last_ns and first_ns < end for start, end in self.windows)


CONTINUOUS = Orders()


@dataclass(slots=True)
class Budget:
    """Bytes that may wait in all sieves of one writing thread."""

    max_bytes: int
    used: int = 0


@dataclass(slots=True)
class _Group:
    """A key picture and what came behind it; `written` ones pass and keep nothing."""

    first_ns: int
    last_ns: int
    written: bool
    size: int = 0
    units: list[AccessUnit] = field(default_factory=list)


class Sieve:
    """`sift` and `drop` belong to the writing thread."""

    __slots__ = ("_budget", "_groups", "_last", "_max_bytes", "dropped", "passing", "used")

    def __init__(self, max_bytes: int, budget: Budget) -> None:
        self.used = 0
        """Bytes that wait."""
        self.dropped = 0
        """Units that had to go before their time, for lack of room."""
        self.passing = True
        """Whether the newest group is written."""
        self._max_bytes = max_bytes
        self._budget = budget
        self._groups: deque[_Group] = deque()
        self._last: Orders | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing waits and all passes."""
        return self.passing and not self._groups

    def sift(self, units: Sequence[AccessUnit], orders: Orders) -> Iterator[AccessUnit | None]:
        """The units to be written, in order. None: the file ends here."""
        if orders is not self._last:
            self._last = orders
            yield from self._release(orders)
        for unit in units:
            if unit.key and unit.parameters.codec.medium is Medium.VIDEO:
                wanted = orders.wants(unit.arrival_ns, unit.arrival_ns)
                if self.passing and not wanted:
                    yield None
                self.passing = wanted
                if wanted:
                    # Older groups that nobody asked for: no window reaches behind this file.
                    self.drop()
                else:
                    self._end_group(unit.arrival_ns)
                    self._groups.append(_Group(unit.arrival_ns, unit.arrival_ns, False))
                    self._trim(unit.arrival_ns - orders.pre_ns - _NEWS_LATE_NS)
            if self.passing:
                yield unit
            else:
                self._keep(unit)

    def _release(self, orders: Orders) -> Iterator[AccessUnit | None]:
        """What waits and is wanted by new orders."""
        groups = self._groups
        if not groups:
            return
        kept: deque[_Group] = deque()
        for group in list(groups):
            last = _FAR_NS if group is groups[-1] else group.last_ns
            if orders.wants(group.first_ns, last):
                # What is older than a written group would not be in order behind it.
                kept.clear()
                yield from group.units
                group.written = True
            else:
                kept.append(group)
        if groups[-1].written:
            self.passing = True
        elif len(kept) < len(groups):
            yield None
        self._groups = kept
        self._account()

    def _end_group(self, at_ns: int) -> None:
        """The newest group lasts until then, whenever its last picture came."""
        if self._groups:
            self._groups[-1].last_ns = max(self._groups[-1].last_ns, at_ns - 1)

    def _keep(self, unit: AccessUnit) -> None:
        groups = self._groups
        if not groups:
            return
        group, size = groups[-1], len(unit.data)
        group.last_ns = max(group.last_ns, unit.arrival_ns)
        group.units.append(unit)
        group.size += size
        self.used += size
        self._budget.used += size
        while groups and (
            self.used > self._max_bytes or self._budget.used > self._budget.max_bytes
        ):
            self.dropped += len(groups[0].units)
            self._forget()

    def _trim(self, before_ns: int) -> None:
        while self._groups and self._groups[0].last_ns < before_ns:
            self._forget()

    def _forget(self) -> None:
        group = self._groups.popleft()
        self.used -= group.size
        self._budget.used -= group.size

    def _account(self) -> None:
        left = sum(group.size for group in self._groups)
        self._budget.used += left - self.used
        self.used = left

    def drop(self) -> None:
        """Forget all that waits."""
        while self._groups:
            self._forget()
