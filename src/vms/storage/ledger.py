"""Keeps the gaps and the days of all streams in the catalog, over restarts too.

Gaps are written as they open, change and end; what was expected and missed of each day
every minute and after midnight, with a mark up to where each stream is counted. A process
that begins goes on from the marks: what is not in files since then was missed because
nothing ran. Killed between the two writes of a minute, that minute counts twice.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import structlog

from vms.common.clock import Clock
from vms.common.errors import CatalogError
from vms.common.model.camera import Camera, StreamConfig
from vms.common.model.evidence import Gap, GapCause, LedgerDay
from vms.common.model.segment import SegmentRow
from vms.common.secret import Secret
from vms.common.wallclock import Step, WallClock
from vms.storage import metrics
from vms.storage.clock_shift import CountLog, put_right
from vms.storage.gaps import NOT_RUNNING, StreamGaps, by_day
from vms.storage.modes import expected_spans
from vms.storage.notes_shift import GapRows as Movable

log = structlog.get_logger(__name__)

MARK = "storage.ledger"
_EVERY_NS = 60_000_000_000
_DAY_NS = 86_400_000_000_000
_LONGEST_NS = 400 * _DAY_NS
_MOST_GAPS = 20_000

Key = tuple[str, str]


class GapRows(Movable, Protocol):
    """What is needed of the catalog's gaps."""

    async def open(self) -> list[Gap]: ...

    async def ledger_add(self, days: Iterable[LedgerDay]) -> None: ...


class Spans(Protocol):
    async def spans(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int
    ) -> list[SegmentRow]: ...


class Marks(Protocol):
    async def get(self, key: str) -> Secret | None: ...

    async def put(self, key: str, value: Secret) -> None: ...


class LedgerCatalog(Protocol):
    @property
    def gaps(self) -> GapRows: ...

    @property
    def segments(self) -> Spans: ...

    @property
    def settings(self) -> Marks: ...


class Growing(Protocol):
    async def open_segments(self) -> list[SegmentRow]: ...


class NewestCatalog(Protocol):
    @property
    def segments(self) -> Growing: ...

    @property
    def settings(self) -> Marks: ...


class _Day:
    __slots__ = ("by_cause", "expected", "missed")

    def __init__(self) -> None:
        self.expected = 0
        self.missed = 0
        self.by_cause: dict[str, int] = {}


class Ledger:
    """All methods belong to the event loop's thread."""

    def __init__(self, catalog: LedgerCatalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._streams: dict[Key, StreamGaps] = {}
        self._gaps: dict[str, Gap] = {}
        self._days: dict[tuple[str, str, int], _Day] = {}
        self._marks: dict[str, int] = {}
        self._written_ns = 0
        self._down: dict[Key, Gap] = {}
        self._problem = ""
        self._wall = clock if isinstance(clock, WallClock) else None
        self._log = CountLog()
        self._resumed: dict[Key, tuple[StreamConfig, int]] = {}
        self._first = True
        self.died_ns = 0
        """When the process before this one counted last; 0: there was none."""

    async def resume(self, cameras: Sequence[Camera]) -> None:
        """Account for the time in which nothing ran. Raises CatalogError.

        To be called once, before anything is recorded.
        """
        now = self._clock.now_ns()
        self._marks = await self._read_marks()
        self.died_ns = max(self._marks.values(), default=0)
        left = {(gap.camera, gap.stream): gap for gap in await self._catalog.gaps.open()}
        for camera in cameras:
            for stream in camera.streams:
                key = (camera.id, stream.name)
                mark = self._marks.get("/".join(key))
                gap = left.pop(key, None)
                if mark is not None and camera.enabled and now - _LONGEST_NS < mark < now:
                    await self._resume_one(key, stream, mark, gap, now)
                elif gap is not None:
                    self._close(gap, now)
        for gap in left.values():
            self._close(gap, self.died_ns)

    async def _resume_one(
        self, key: Key, stream: StreamConfig, mark: int, gap: Gap | None, now: int
    ) -> None:
        self._resumed[key] = (stream, mark)
        rows = await self._catalog.segments.spans(*key, mark, now)
        covers = [(row.start_ns, row.end_ns) for row in rows]
        self.of(key).resume(mark, gap, expected_spans(stream, mark, now), covers, now)

    def of(self, key: Key) -> StreamGaps:
        """The account of a stream; begun where there is none."""
        account = self._streams.get(key)
        if account is None:
            account = self._streams[key] = StreamGaps(*key, self._put, self._counter(key))
        return account

    def leave(self, key: Key, now_ns: int) -> None:
        """The stream is no longer one of ours: nothing more is expected of it."""
        account = self._streams.pop(key, None)
        if account is not None:
            account.expect(now_ns, False)
            account.advance(now_ns)
        self._marks.pop("/".join(key), None)

    def shift(self, step: Step) -> set[str]:
        """The wall clock stepped: no time passed between the two ends of it, and where the old
        one was wrong all that was noted by it moves. The ids of the gaps in memory."""
        for account in self._streams.values():
            account.shift(step.old_ns, step.new_ns)
        if step.shifted:
            fresh = {account.gap.id for account in self._streams.values() if account.gap}
            for gap in [g for g in self._gaps.values() if g.id not in fresh]:
                for right in put_right(gap, step, self._first):
                    self._put(right)
            by = step.new_ns - step.old_ns
            for key, cause, start, end in [*self._log.within(step.began_ns, step.old_ns)]:
                count = self._counter(key)
                count(end, start, cause)
                count(start + by, end + by, cause)
            if self._first:
                self._begin_elsewhen(step.began_ns, by)
        self._first = False
        self._log.clear()
        return set(self._gaps)

    def _begin_elsewhen(self, began_ns: int, by: int) -> None:
        """This process did not begin at `began_ns`, as the clock said, but `by` later: how long
        nothing ran is not what was counted at its start."""
        if abs(by) > _LONGEST_NS:
            return
        for key, (stream, mark) in self._resumed.items():
            count, cause = self._counter(key), NOT_RUNNING[0]
            first, last = sorted((began_ns, began_ns + by))
            for start, end in expected_spans(stream, max(first, mark), max(last, mark)):
                ends = (start, end) if by > 0 else (end, start)
                count(*ends, None)
                count(*ends, cause)
                if by > 0:
                    self._keep(Gap(uuid.uuid4().hex, *key, start, end, *NOT_RUNNING))

    def mended(self, row: SegmentRow) -> None:
        """A file that a dead process left open turned out to reach further than its row."""
        gap = self._down.get((row.camera, row.stream))
        if gap is None or not row.start_ns <= gap.start_ns < row.end_ns:
            return
        end = row.end_ns if gap.end_ns is None else min(row.end_ns, gap.end_ns)
        account = self._streams.get((row.camera, row.stream))
        if account is not None and account.gap is not None and account.gap.id == gap.id:
            account.advance(gap.start_ns, [(gap.start_ns, end)])
            return
        self._counter((row.camera, row.stream))(end, gap.start_ns, gap.cause)
        self._put(Gap(gap.id, gap.camera, gap.stream, end, gap.end_ns, gap.cause, gap.detail))

    async def flush(self, final: bool = False) -> None:
        """Write what changed. What fails is kept and told again."""
        if self._wall is not None and self._wall.proven:
            self._log.clear()
        try:
            await self._write_gaps()
            now = self._clock.now_ns()
            due = now - self._written_ns >= _EVERY_NS or now // _DAY_NS != (
                self._written_ns // _DAY_NS
            )
            if final or due or now < self._written_ns:
                await self._write_days()
                self._written_ns = now
            self._problem = ""
        except CatalogError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.error("gaps are not kept, trying again", error=self._problem)

    async def _write_gaps(self) -> None:
        gaps = [*self._gaps.values()]
        if gaps:
            await self._catalog.gaps.put_many(gaps)
            for gap in gaps:
                if self._gaps.get(gap.id) is gap:
                    del self._gaps[gap.id]

    async def _write_days(self) -> None:
        days, self._days = self._days, {}
        marks = self._marks | {
            "/".join(key): account.counted_ns for key, account in self._streams.items()
        }
        try:
            await self._catalog.gaps.ledger_add(
                [
                    LedgerDay(camera, stream, _name(day), d.expected, d.missed, d.by_cause)
                    for (camera, stream, day), d in sorted(days.items(), key=lambda item: item[0])
                ]
            )
        except CatalogError:
            self._take_back(days)
            raise
        self._marks = marks
        await self._catalog.settings.put(MARK, Secret(json.dumps(marks)))

    def _take_back(self, days: dict[tuple[str, str, int], _Day]) -> None:
        for key, day in days.items():
            kept = self._days.setdefault(key, _Day())
            kept.expected += day.expected
            kept.missed += day.missed
            for cause, missed in day.by_cause.items():
                kept.by_cause[cause] = kept.by_cause.get(cause, 0) + missed

    async def _read_marks(self) -> dict[str, int]:
        return await read_marks(self._catalog.settings)

    def _close(self, gap: Gap, at_ns: int) -> None:
        """A gap of a stream that nobody expects any more."""
        end = max(gap.start_ns, at_ns)
        self._put(Gap(gap.id, gap.camera, gap.stream, gap.start_ns, end, gap.cause, gap.detail))

    def _put(self, gap: Gap) -> None:
        if gap.detail == NOT_RUNNING[1]:
            self._down[gap.camera, gap.stream] = gap
        self._keep(gap)

    def _keep(self, gap: Gap) -> None:
        if gap.id not in self._gaps and len(self._gaps) >= _MOST_GAPS:
            metrics.GAPS_LOST.inc()
            return
        self._gaps[gap.id] = gap
        if gap.end_ns is not None and gap.end_ns > gap.start_ns:
            metrics.GAPS.labels(gap.camera, gap.stream, gap.cause.value).inc()

    def _counter(self, key: Key) -> Callable[[int, int, GapCause | None], None]:
        def count(start_ns: int, end_ns: int, cause: GapCause | None) -> None:
            if self._wall is not None:
                self._log.note(key, cause, start_ns, end_ns)
            sign = 1 if end_ns >= start_ns else -1
            first, last = min(start_ns, end_ns), max(start_ns, end_ns)
            for number, part in by_day(first, last):
                day = self._days.setdefault((*key, number), _Day())
                if cause is None:
                    day.expected += sign * part
                else:
                    day.missed += sign * part
                    day.by_cause[cause.value] = day.by_cause.get(cause.value, 0) + sign * part
            metrics.account(key, sign * (last - first), cause.value if cause else "")

        return count


async def read_marks(marks: Marks) -> dict[str, int]:
    """Up to when each stream ("camera/stream") was counted. Raises CatalogError."""
    kept = await marks.get(MARK)
    try:
        found = json.loads(kept.reveal()) if kept is not None else {}
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, int)}


async def newest_ns(catalog: NewestCatalog) -> int:
    """The end of the newest footage, as far as is known at once; 0: there is none.

    By what a process that died was writing, and how far it had counted. Raises CatalogError.
    """
    growing = await catalog.segments.open_segments()
    counted = await read_marks(catalog.settings)
    return max([*(row.end_ns for row in growing), *counted.values()], default=0)


def _name(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")
