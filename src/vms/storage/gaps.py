"""What should have been recorded of a stream and was not, span by span. Pure: no clock.

A stream is expected to be recorded, or not (switched off, outside its schedule, waiting
for an event: no gap). Within what is expected, time between pictures in files of
`limit_ns` (two seconds; more for streams of few pictures) or longer is a gap. Shorter
ones are not noted. What was expected and missed is counted by days of UTC as it passes,
so that the sums are right in the middle of a gap too.

Facts come late: pictures wait for the disk. The caller says up to when it knows all
(`horizon_ns`); footage that comes later still takes back what was counted as missed.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from vms.common.model.evidence import Gap, GapCause
from vms.storage.cover import MISSED_NS, Span

_SETTLES_NS = 30_000_000_000
"""A gap's cause may still be found to be another one for so long: a camera that stalls
turns out to be unreachable. After that another cause begins another gap."""
_GRACE_NS = 10_000_000_000
_NEAR_NS = 3_000_000_000
_DAY_NS = 86_400_000_000_000

NO_PICTURE = (GapCause.CAMERA, "no picture came")
NOT_RUNNING = (GapCause.PROCESS, "the process was not running")

PutGap = Callable[[Gap], None]
Count = Callable[[int, int, GapCause | None], None]
"""(from, until, None: expected, else missed by this cause); from > until takes back."""


def by_day(start_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
    """(day since 1970, nanoseconds of it) for each UTC day of the span."""
    while start_ns < end_ns:
        day = start_ns // _DAY_NS
        stop = min(end_ns, (day + 1) * _DAY_NS)
        yield day, stop - start_ns
        start_ns = stop


@dataclass(slots=True)
class _Open:
    id: str
    start_ns: int
    counted_ns: int
    cause: GapCause
    detail: str
    follows: bool = False
    """Whether it is the rest of a gap whose cause changed."""


class StreamGaps:
    """The account of one stream. Times only go forward; see `advance`."""

    def __init__(self, camera: str, stream: str, put: PutGap, count: Count) -> None:
        """`put` gets each gap as it opens, changes and ends; one that ends where it began
        was none."""
        self.camera = camera
        self.stream = stream
        self._put = put
        self._count = count
        self._changes: deque[tuple[int, bool]] = deque()
        self._expected = False
        self._wanted = False
        self._counted_ns = 0
        self._anchor_ns = 0
        self._gap: _Open | None = None
        self._trouble: tuple[int, GapCause, str] | None = None
        self._usual = NO_PICTURE
        self.limit_ns = MISSED_NS

    @property
    def gap(self) -> _Open | None:
        """The gap that lasts."""
        return self._gap

    @property
    def counted_ns(self) -> int:
        """Up to when all is counted."""
        return self._counted_ns

    def expect(self, at_ns: int, expected: bool) -> None:
        """From then on the stream should be recorded, or need not be."""
        if expected is not self._wanted:
            self._wanted = expected
            last = self._changes[-1][0] if self._changes else self._counted_ns
            self._changes.append((max(at_ns, last), expected))

    def trouble(self, at_ns: int, cause: GapCause, detail: str) -> None:
        """What keeps the stream from being recorded now; said again while it lasts."""
        self._trouble = (at_ns, cause, detail)
        gap = self._gap
        if gap is None or (gap.cause is cause and gap.detail == detail):
            return
        if gap.cause is cause:
            gap.detail = detail
            self._tell(gap, None)
        elif at_ns - gap.start_ns <= _SETTLES_NS and gap.detail != NOT_RUNNING[1]:
            self._recount(gap.start_ns, gap.counted_ns, gap.cause, cause)
            gap.cause, gap.detail = cause, detail
            self._tell(gap, None)
        else:
            at = max(gap.counted_ns, min(at_ns, self._counted_ns))
            self._end(gap, at)
            self._gap = self._begin(at, cause, detail, follows=True)

    def advance(self, horizon_ns: int, covers: Iterable[Span] = ()) -> None:
        """Account for all up to `horizon_ns`. `covers`: what is in files, by start."""
        for start, end in covers:
            self._turn(start)
            self._cover(start, end)
        self._turn(horizon_ns)
        self._look(horizon_ns)

    def shift(self, old_ns: int, new_ns: int) -> None:
        """The wall clock stepped from `old_ns` to `new_ns`: no time passed between them."""
        gap = self._gap
        if gap is not None:
            self._look(old_ns)
            self._end(gap, max(old_ns, gap.start_ns))
            self._gap = self._begin(new_ns, gap.cause, gap.detail)
        elif self._expected:
            self._look(old_ns)
        by = new_ns - old_ns
        self._counted_ns = new_ns
        # Until the next key picture footage still has the times of before.
        self._anchor_ns = new_ns if gap is not None else self._anchor_ns + by + _GRACE_NS
        self._changes = deque((at + by, expected) for at, expected in self._changes)
        if self._trouble is not None:
            self._trouble = (self._trouble[0] + by, *self._trouble[1:])

    def resume(
        self,
        counted_ns: int,
        left: Gap | None,
        expected: Iterable[Span],
        covers: Iterable[Span],
        now_ns: int,
    ) -> None:
        """Go on after a process that had counted up to `counted_ns` and ended after that.

        `left`: the gap that it left open; `expected` and `covers`: what should be in files
        since then and what is, in order. What is missing is the dead process' doing.
        """
        self._counted_ns = self._anchor_ns = counted_ns
        self._usual = NOT_RUNNING
        if left is not None:
            known = _Open(left.id, left.start_ns, counted_ns, left.cause, left.detail, True)
            self._end(known, max(counted_ns, left.start_ns))
        for start, end in expected:
            self.expect(start, True)
            if end < now_ns:
                self.expect(end, False)
        self.advance(now_ns, covers)
        self._usual = NO_PICTURE

    def _turn(self, until_ns: int) -> None:
        """Apply changes of what is expected, up to then."""
        while self._changes and self._changes[0][0] <= until_ns:
            at, expected = self._changes.popleft()
            if expected:
                self._expected = True
                self._counted_ns = max(self._counted_ns, at)
                self._anchor_ns = max(self._anchor_ns, at)
                continue
            self._look(at)
            if self._gap is not None:
                self._end(self._gap, at)
            self._anchor_ns = max(self._anchor_ns, at)
            self._expected = False

    def _cover(self, start_ns: int, end_ns: int) -> None:
        gap = self._gap
        if gap is not None:
            if end_ns > gap.start_ns:
                self._end(gap, max(start_ns, gap.start_ns))
        elif self._expected and start_ns - self._anchor_ns >= self.limit_ns:
            cause, detail = self._why(self._anchor_ns, start_ns)
            gap = self._begin(self._anchor_ns, cause, detail)
            self._end(gap, start_ns)
        self._anchor_ns = max(self._anchor_ns, end_ns)

    def _look(self, now_ns: int) -> None:
        """Count up to now; a silence that grows too long becomes a gap."""
        if now_ns > self._counted_ns:
            if self._expected:
                self._count(self._counted_ns, now_ns, None)
            self._counted_ns = now_ns
        if not self._expected:
            return
        gap = self._gap
        if gap is None and now_ns - self._anchor_ns >= self.limit_ns:
            cause, detail = self._why(self._anchor_ns, now_ns)
            gap = self._gap = self._begin(self._anchor_ns, cause, detail)
        if gap is not None and now_ns > gap.counted_ns:
            self._count(gap.counted_ns, now_ns, gap.cause)
            gap.counted_ns = now_ns

    def _why(self, start_ns: int, end_ns: int) -> tuple[GapCause, str]:
        trouble = self._trouble
        if trouble is not None and start_ns - _NEAR_NS <= trouble[0] <= end_ns + _NEAR_NS:
            return trouble[1], trouble[2]
        return self._usual

    def _begin(self, start_ns: int, cause: GapCause, detail: str, follows: bool = False) -> _Open:
        gap = _Open(uuid.uuid4().hex, start_ns, start_ns, cause, detail, follows)
        self._tell(gap, None)
        return gap

    def _end(self, gap: _Open, at_ns: int) -> None:
        if at_ns - gap.start_ns < MISSED_NS and not gap.follows:
            at_ns = gap.start_ns
        self._count(gap.counted_ns, at_ns, gap.cause)
        self._gap = None
        self._tell(gap, at_ns)

    def _recount(self, start_ns: int, end_ns: int, old: GapCause, new: GapCause) -> None:
        self._count(end_ns, start_ns, old)
        self._count(start_ns, end_ns, new)

    def _tell(self, gap: _Open, end_ns: int | None) -> None:
        self._put(
            Gap(gap.id, self.camera, self.stream, gap.start_ns, end_ns, gap.cause, gap.detail)
        )
