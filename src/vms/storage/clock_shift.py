"""What was noted by a wrong clock, put right once that is set: events, gaps, the ledger.

Footage is moved file by file (`wallclock`). What is said about it follows here: at once what
is still in memory, and the rows of the catalog as soon as that answers. See
docs/design/time.md. All of it belongs to the event loop's thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from vms.common.errors import CatalogError
from vms.common.model.evidence import Gap, GapCause
from vms.common.wallclock import Step
from vms.storage.gaps import NOT_RUNNING
from vms.storage.notes_shift import EventRows, GapRows, move_events

log = structlog.get_logger(__name__)

_MOST = 50_000
Key = tuple[str, str]
Counted = tuple[Key, GapCause | None, int, int]
"""Stream, cause (None: expected), from, until; from > until was taken back."""


class CountLog:
    """What was counted since the clock's present anchor was made; bounded."""

    def __init__(self) -> None:
        self._spans: dict[tuple[Key, GapCause | None], list[list[int]]] = {}
        self._size = 0

    def note(self, key: Key, cause: GapCause | None, start_ns: int, end_ns: int) -> None:
        spans = self._spans.setdefault((key, cause), [])
        if spans and spans[-1][1] == start_ns:
            spans[-1][1] = end_ns
        elif self._size < _MOST:
            self._size += 1
            spans.append([start_ns, end_ns])

    def within(self, start_ns: int, end_ns: int) -> Iterator[Counted]:
        """What of it lies in the span."""
        for (key, cause), spans in self._spans.items():
            for a, b in spans:
                first, last = (min(max(t, start_ns), end_ns) for t in (a, b))
                if first != last:
                    yield key, cause, first, last

    def clear(self) -> None:
        self._spans.clear()
        self._size = 0


def put_right(gap: Gap, step: Step, first: bool) -> list[Gap]:
    """The gap as it is to be after the step; empty where nothing changes, two where it began
    ahead of the wrong clock. `first`: nothing ran in this process before the wrong clock."""
    began, by, end = step.began_ns, step.new_ns - step.old_ns, gap.end_ns
    if end is None or gap.start_ns > step.old_ns:
        return []
    if gap.start_ns >= began:
        return [replace(gap, start_ns=gap.start_ns + by, end_ns=end + by)]
    # The process that was not running began earlier than it seemed.
    stop = began + by if first and by < 0 and gap.detail == NOT_RUNNING[1] else began
    if end <= stop:
        return []
    whole = replace(gap, end_ns=max(gap.start_ns, stop))
    if end <= began:
        return [whole]
    rest = replace(gap, id=_rest_id(gap.id, by), start_ns=began + by, end_ns=end + by)
    return [whole, rest]


def _rest_id(gap_id: str, by: int) -> str:
    """The same for the same, so that doing it twice makes no third gap."""
    return hashlib.blake2b(f"{gap_id}/{by}".encode(), digest_size=16).hexdigest()


class Noted(Protocol):
    """Who has some of it in memory: the desk of events, the ledger."""

    def shift(self, step: Step) -> Iterable[str]:
        """Put right what is in memory; the ids of it, moved or not."""
        ...


class ShiftCatalog(Protocol):
    @property
    def events(self) -> EventRows: ...

    @property
    def gaps(self) -> GapRows: ...


@dataclass(slots=True)
class _Job:
    step: Step
    cameras: set[str]
    events: set[str]
    gaps: set[str]
    first: bool


class ClockShift:
    """`stepped` at each step of the clock, `settle` now and then."""

    def __init__(self, catalog: ShiftCatalog, events: Noted, gaps: Noted) -> None:
        self._catalog = catalog
        self._events = events
        self._gaps = gaps
        self._jobs: list[_Job] = []
        self._first = True
        self._problem = ""

    def stepped(self, step: Step, cameras: Iterable[str]) -> None:
        """Put right what is in memory, and note what is to be done in the catalog."""
        events, gaps = set(self._events.shift(step)), set(self._gaps.shift(step))
        if step.shifted:
            self._jobs.append(_Job(step, set(cameras), events, gaps, self._first))
        self._first = False

    async def settle(self, now_ns: int) -> None:
        """Put the catalog's rows right; what fails is tried again."""
        while self._jobs:
            job = self._jobs[0]
            if job.step.new_ns < job.step.old_ns and now_ns >= job.step.began_ns:
                log.error("events and gaps of a wrong clock stay: the catalog was away too long")
            else:
                try:
                    await self._do(job)
                except CatalogError as error:
                    if str(error) != self._problem:
                        self._problem = str(error)
                        log.error("events and gaps are not put right yet", error=self._problem)
                    return
            self._problem = ""
            self._jobs.pop(0)

    async def _do(self, job: _Job) -> None:
        step = job.step
        by = step.new_ns - step.old_ns
        moved = 0
        while job.cameras:
            camera = next(iter(job.cameras))
            moved += await self._put_right(camera, job)
            moved += await move_events(
                self._catalog.events, camera, step.began_ns, step.old_ns + 1, by,
                spared=frozenset(job.events),
            )  # fmt: skip
            job.cameras.discard(camera)
        if moved:
            log.warning(
                "events and gaps moved to where they belong: the clock was wrong", rows=moved,
                seconds=round(by / 1e9, 3),
            )  # fmt: skip

    async def _put_right(self, camera: str, job: _Job) -> int:
        step, gaps = job.step, self._catalog.gaps
        first = min(step.began_ns, step.began_ns + step.new_ns - step.old_ns)
        found = await gaps.spans(camera, None, first - 1, step.old_ns + 1, _MOST)
        right = {
            gap.id: made
            for gap in found
            if gap.id not in job.gaps and (made := put_right(gap, step, job.first))
        }
        if right:
            await gaps.put_many([gap for made in right.values() for gap in made])
            # Events of the camera may fail yet: then these are not to be moved once more.
            job.gaps |= {gap.id for made in right.values() for gap in made}
        return len(right)
