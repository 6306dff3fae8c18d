"""Events and gaps that were noted by a wrong clock go with the footage that is moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from vms.common.model.evidence import Event, Gap

_PAGE = 10_000
_MOST = 200_000


class EventRows(Protocol):
    async def spans(
        self,
        camera: str,
        start_ns: int,
        end_ns: int,
        kinds: Iterable[str] | None = None,
        limit: int = _PAGE,
    ) -> list[Event]: ...

    async def put_many(self, events: Iterable[Event]) -> None: ...


class GapRows(Protocol):
    async def spans(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int, limit: int = _PAGE
    ) -> list[Gap]: ...

    async def put_many(self, gaps: Iterable[Gap]) -> None: ...


async def move_events(
    rows: EventRows,
    camera: str,
    start_ns: int,
    end_ns: int,
    by_ns: int,
    *,
    spared: frozenset[str] = frozenset(),
    dry_run: bool = False,
) -> int:
    """Add `by_ns` to the times of the camera's events that began in [start_ns, end_ns) and are
    over, but for those of the ids `spared`; how many. Raises CatalogError: none was moved."""
    found = await rows.spans(camera, start_ns, end_ns, None, _MOST)
    moved = [
        replace(event, start_ns=event.start_ns + by_ns, end_ns=event.end_ns + by_ns)
        for event in found
        if start_ns <= event.start_ns < end_ns
        and event.end_ns is not None
        and event.id not in spared
    ]
    if moved and not dry_run:
        await rows.put_many(moved)
    return len(moved)


async def move_gaps(
    rows: GapRows,
    camera: str,
    start_ns: int,
    end_ns: int,
    by_ns: int,
    *,
    stream: str | None = None,
    spared: frozenset[str] = frozenset(),
    dry_run: bool = False,
) -> int:
    """The same for gaps."""
    found = await rows.spans(camera, stream, start_ns, end_ns, _MOST)
    moved = [
        replace(gap, start_ns=gap.start_ns + by_ns, end_ns=gap.end_ns + by_ns)
        for gap in found
        if start_ns <= gap.start_ns < end_ns and gap.end_ns is not None and gap.id not in spared
    ]
    if moved and not dry_run:
        await rows.put_many(moved)
    return len(moved)
