"""Room on the volumes: how much is to stay free, and the oldest footage that makes it.

Deleting begins above the floor, by what a minute of writing takes, so that recording never
comes to the floor while anything can go. See docs/design/retention.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vms.common.model.segment import SegmentRow
from vms.storage.retention_age import AgeSegments, View
from vms.storage.retention_plan import to_free
from vms.storage.volume import Volume

_PAGE = 100
_FIRST = (-1, "")
_MINUTE_NS = 60_000_000_000
_UNSEEN_NS = 5_000_000_000
_LEAST_PART, _MOST_PART = 256, 16

Remove = Callable[[Sequence[SegmentRow]], Awaitable[list[SegmentRow]]]


class Rate:
    """How fast a volume is written to, and how much room that asks for."""

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None
        self._per_ns = 0.0
        self._freed = 0
        self._unseen: list[tuple[int, int]] = []

    def freed(self, size: int) -> None:
        """So much was deleted."""
        self._freed += size

    def look(self, free: int, at_ns: int) -> None:
        """So much is free, at a time of the monotonic clock. Averages over about a minute."""
        if self._seen is not None and at_ns > self._seen[1]:
            took = at_ns - self._seen[1]
            written = max(0, self._seen[0] + self._freed - free)
            part = min(1.0, took / _MINUTE_NS)
            self._per_ns += (written / took - self._per_ns) * part
        self._seen, self._freed = (free, at_ns), 0
        self._unseen = [one for one in self._unseen if at_ns - one[0] < _UNSEEN_NS]

    def not_seen(self, size: int, at_ns: int) -> None:
        """So much was deleted that the file system does not count as free yet."""
        if size > 0:
            self._unseen.append((at_ns, size))

    def unseen(self) -> int:
        """Bytes that are to be free any moment, and need not be made free again."""
        return sum(size for _, size in self._unseen)

    @property
    def per_second(self) -> float:
        return self._per_ns * 1e9

    def headroom(self, total: int) -> int:
        """Bytes above the floor at which deleting begins, on a volume of `total` bytes."""
        minute = int(self._per_ns * _MINUTE_NS)
        return min(max(minute, total // _LEAST_PART), total // _MOST_PART)


@dataclass(frozen=True, slots=True)
class Freed:
    """What making room came to. `held`: footage that could not go stood in the way."""

    rows: list[SegmentRow]
    missing: int
    held: bool


class Walker:
    """Frees room from the oldest on, and remembers what it need not look at again."""

    def __init__(self, segments: AgeSegments, remove: Remove) -> None:
        self._segments = segments
        self._remove = remove
        self._behind: dict[tuple[str, str], tuple[int, str]] = {}

    def look_again(self) -> None:
        """Holds changed, or old files came to the catalog."""
        self._behind.clear()

    async def free(
        self,
        view: View,
        wanted: int,
        usable: Callable[[str], bool],
        camera: str | None = None,
        volume: str | None = None,
    ) -> Freed:
        """Delete the oldest that nothing holds, of a camera or a volume, until `wanted` bytes
        are free. Raises CatalogError."""
        key = (camera or "", volume or "")
        after = self._behind.get(key, _FIRST)
        gone: list[SegmentRow] = []
        held = after != _FIRST
        leading = True
        while wanted > 0:
            rows = await self._segments.page(_PAGE, after, camera=camera, volume=volume)
            chosen = to_free((row for row in rows if usable(row.volume)), wanted, view.held)
            done = await self._remove(chosen) if chosen else []
            gone += done
            wanted -= sum(row.size for row in done)
            for row in rows:
                held |= row in view.held
                leading = leading and row in view.held
                if leading:
                    self._behind[key] = (row.start_ns, row.id)
            if len(rows) < _PAGE:
                break
            after = (rows[-1].start_ns, rows[-1].id)
        return Freed(gone, max(0, wanted), held)


class RoomAlarms(Protocol):
    def raise_(self, kind: str, subject: str, text: str) -> None: ...

    def clear(self, kind: str, subject: str) -> None: ...


def wanted_bytes(volume: Volume, free: int, used: int, rate: Rate, asked: int) -> int:
    """How much is to be deleted on a volume: `free` and `used` by recordings, in bytes;
    `asked`: room that somebody else is waiting for."""
    total = volume.seen.total
    above = rate.headroom(total) + asked
    wanted = volume.floor + above - free
    if volume.max_bytes is not None:
        most = volume.max_bytes
        wanted = max(wanted, used + min(above, most // _MOST_PART + asked) - most)
    return wanted
