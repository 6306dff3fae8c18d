"""Durable messages kept in memory: a bounded log, read by named groups.

Each group gets each message at least once, in order, to one of its readers; one that
failed comes again after a growing wait while others go on. A new group starts with the
oldest message still kept. What falls out of the log before a group took it is counted.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from vms.bus import metrics
from vms.bus.patterns import check_pattern, matches

log = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_ENTRIES = 10_000
MAX_BYTES = 64 * 1024 * 1024
_FIRST_WAIT = 0.2
_LONGEST_WAIT = 30.0


@dataclass(slots=True)
class Entry(Generic[T]):
    """One kept message. `size` in bytes counts against the bound of the log."""

    number: int
    subject: str
    item: T
    size: int = 0


class Group(Generic[T]):
    """What one named group has yet to take."""

    def __init__(self, name: str, pattern: str) -> None:
        self.name = name
        self.pattern = check_pattern(pattern)
        self.lost = 0
        self._ready: deque[Entry[T]] = deque()
        self._taken: dict[int, Entry[T]] = {}
        self._attempts: dict[int, int] = {}
        self._later: list[tuple[float, int, Entry[T]]] = []

    def __len__(self) -> int:
        """Messages not yet acknowledged."""
        return len(self._ready) + len(self._taken) + len(self._later)

    def offer(self, entry: Entry[T]) -> None:
        if matches(self.pattern, entry.subject):
            self._ready.append(entry)

    def take(self, now: float) -> tuple[Entry[T], int] | None:
        """The next message and which attempt this is, from 1; None when there is none."""
        if self._later and self._later[0][0] <= now:
            entry = heapq.heappop(self._later)[2]
        elif self._ready:
            entry = self._ready.popleft()
        else:
            return None
        attempt = self._attempts.get(entry.number, 0) + 1
        self._attempts[entry.number] = attempt
        self._taken[entry.number] = entry
        return entry, attempt

    def next_due(self) -> float | None:
        """When a message that failed is due again, by the clock given to `failed`."""
        return self._later[0][0] if self._later else None

    def done(self, number: int) -> None:
        self._taken.pop(number, None)
        self._attempts.pop(number, None)

    def failed(self, number: int, now: float) -> None:
        """Give the message again after a wait that doubles with each attempt."""
        entry = self._taken.pop(number, None)
        if entry is None:
            return
        tries = min(self._attempts.get(number, 1), 16)
        wait = min(_FIRST_WAIT * 2 ** (tries - 1), _LONGEST_WAIT)
        heapq.heappush(self._later, (now + wait, number, entry))

    def give_back(self, number: int) -> None:
        """The reader went away: the message is the next one again."""
        entry = self._taken.pop(number, None)
        if entry is not None:
            self._ready.appendleft(entry)

    def forget(self, oldest: int) -> int:
        """Drop what is older than `oldest` and not being worked on; how many."""
        before = len(self)
        while self._ready and self._ready[0].number < oldest:
            self._attempts.pop(self._ready.popleft().number, None)
        kept = [later for later in self._later if later[1] >= oldest]
        if len(kept) != len(self._later):
            heapq.heapify(kept)
            self._later = kept
        return before - len(self)


class DurableLog(Generic[T]):
    """The newest messages, at most `max_entries` and `max_bytes`, and the groups."""

    def __init__(
        self, adapter: str, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES
    ) -> None:
        self._adapter = adapter
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: deque[Entry[T]] = deque()
        self._bytes = 0
        self._number = 0
        self._groups: dict[tuple[str, str], Group[T]] = {}
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    @property
    def groups(self) -> list[Group[T]]:
        return list(self._groups.values())

    def append(self, subject: str, item: T, size: int = 0, identity: bytes = b"") -> bool:
        """Keep `item`; False where one of the same `identity` was kept before."""
        if identity:
            if identity in self._seen:
                return False
            self._seen[identity] = None
            if len(self._seen) > self._max_entries:
                self._seen.popitem(last=False)
        self._number += 1
        entry = Entry(self._number, subject, item, size)
        self._entries.append(entry)
        self._bytes += size
        for group in self._groups.values():
            group.offer(entry)
        self._trim()
        return True

    def group(self, name: str, pattern: str) -> Group[T]:
        """The group of that name and pattern, made where it is new."""
        group = self._groups.get((name, pattern))
        if group is None:
            group = Group(name, pattern)
            for entry in self._entries:
                group.offer(entry)
            self._groups[name, pattern] = group
        return group

    def _trim(self) -> None:
        dropped = 0
        while len(self._entries) > 1 and (
            len(self._entries) > self._max_entries or self._bytes > self._max_bytes
        ):
            self._bytes -= self._entries.popleft().size
            dropped += 1
        if not dropped:
            return
        oldest = self._entries[0].number
        for group in self._groups.values():
            lost = group.forget(oldest)
            if lost:
                group.lost += lost
                metrics.dropped.labels(self._adapter, "full").inc(lost)
                if group.lost == lost or group.lost % 1000 < lost:
                    log.warning(
                        "durable messages lost: a group does not keep up",
                        group=group.name,
                        pattern=group.pattern,
                        lost=group.lost,
                    )
