"""Finds footage that is older than what was promised for it, each file looked at once a term.

A term is an age at which footage may be due: the camera's own, and one for each longer time
that events keep theirs. For each there is a place up to which all files were looked at; what
an event keeps longer is left to that event's term, what a hold keeps is looked at again once
the hold is over. So a sweep costs what has become due since the last, however much there is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vms.common.model.segment import MAX_SEGMENT_NS, SegmentRow
from vms.storage.retention_plan import Held, Kept, Promise, Rolls, Span, due_ns

_PAGE = 200
_FIRST_PAGE = 10
"""Mostly little has become due since the last time."""
_LATE_NS = 2 * MAX_SEGMENT_NS
"""A file may be closed, and so be found, this long after one that began later."""
_AGAIN_NS = 3_600_000_000_000
_FIRST = (-1, "")


class AgeSegments(Protocol):
    async def page(
        self,
        limit: int,
        after: tuple[int, str] = (-1, ""),
        camera: str | None = None,
        volume: str | None = None,
    ) -> list[SegmentRow]: ...


class AgeEvents(Protocol):
    async def kept(
        self, camera: str, kinds: Iterable[str] | None, start_ns: int, end_ns: int
    ) -> list[tuple[int, int]]: ...


@dataclass(frozen=True, slots=True)
class View:
    """What is so while one sweep lasts."""

    now_ns: int
    held: Held
    promise: Callable[[str], Promise]
    rolls: Callable[[str], Rolls]


@dataclass(slots=True)
class _Place:
    after: tuple[int, str] = _FIRST
    wake_ns: int = 0


Remove = Callable[[Sequence[SegmentRow]], Awaitable[object]]


class AgeSweep:
    """Belongs to the event loop's thread. All methods raise CatalogError."""

    def __init__(self, segments: AgeSegments, events: AgeEvents, remove: Remove) -> None:
        self._segments = segments
        self._events = events
        self._remove = remove
        self._places: dict[tuple[str, int], _Place] = {}

    def look_again(self) -> None:
        """Begin anew: rules changed, or files came to the catalog that are old already."""
        self._places.clear()

    async def run(self, view: View, cameras: Iterable[str], go_on: Callable[[], bool]) -> bool:
        """Remove what is due; False where `go_on` said no before all was looked at."""
        for camera in cameras:
            for term in view.promise(camera).terms():
                place = self._places.setdefault((camera, term), _Place())
                if place.wake_ns <= view.now_ns and not await self._walk(
                    view, camera, term, place, go_on
                ):
                    return False
        return True

    async def examine(self, view: View, camera: str, start_ns: int, end_ns: int) -> None:
        """Remove what is due of a span that was held."""
        after = (start_ns - MAX_SEGMENT_NS, "")
        while True:
            rows = await self._segments.page(_PAGE, after, camera=camera)
            within = [row for row in rows if row.end_ns > start_ns and row.start_ns < end_ns]
            await self._remove_due(view, camera, within)
            if len(rows) < _PAGE or rows[-1].start_ns >= end_ns:
                return
            after = (rows[-1].start_ns, rows[-1].id)

    async def _walk(
        self, view: View, camera: str, term: int, place: _Place, go_on: Callable[[], bool]
    ) -> bool:
        """Look at all behind the place that has the term's age, and move the place on."""
        now, after = view.now_ns, place.after
        wake = now + max(1, min(term, _AGAIN_NS))
        passing = True
        limit = _FIRST_PAGE
        while go_on():
            rows = await self._segments.page(limit, after, camera=camera)
            await self._remove_due(view, camera, [r for r in rows if r.end_ns + term <= now])
            for row in rows:
                if row.end_ns + term > now:
                    wake = min(wake, row.end_ns + term)
                    passing = False
                if passing and row.start_ns + _LATE_NS < now:
                    place.after = (row.start_ns, row.id)
            if len(rows) < limit or rows[-1].start_ns + term > now:
                place.wake_ns = wake
                return True
            limit = _PAGE
            after = (rows[-1].start_ns, rows[-1].id)
        return False

    async def _remove_due(self, view: View, camera: str, rows: Sequence[SegmentRow]) -> None:
        if not rows:
            return
        promise = view.promise(camera)
        kept = Kept(view.rolls(camera), {})
        spans: dict[int, Sequence[Span]] = {}
        for term in promise.terms()[1:]:
            spans[term] = await self._events.kept(
                camera, promise.kinds_for(term), *kept.window(rows)
            )
        kept = Kept(kept.rolls, spans)
        due = [
            row
            for row in rows
            if row not in view.held
            and (at := due_ns(row, promise, kept)) is not None
            and at <= view.now_ns
        ]
        if due:
            await self._remove(due)
