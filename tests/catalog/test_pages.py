"""Walking through recordings by pages, and removing what is old by batches."""

from __future__ import annotations

from dataclasses import replace

from tests.support.catalog_open import HOUR, segment

from vms.catalog.open import SqlCatalog
from vms.common.model.evidence import Event, Gap, GapCause
from vms.common.model.segment import SegmentRow


async def test_pages_give_each_closed_segment_once_and_in_order(catalog: SqlCatalog) -> None:
    rows = [
        replace(segment(n, camera, start_ns=n // 3 * HOUR), volume=volume)
        for camera in ("front", "back")
        for volume, n in [("main", n) for n in range(9)] + [("old", n) for n in range(9, 14)]
    ]
    growing = segment(99, start_ns=HOUR, closed=False)
    await catalog.segments.add_many([*rows, growing])

    async def walk(**of: str) -> list[SegmentRow]:
        found: list[SegmentRow] = []
        after = (-1, "")
        while page := await catalog.segments.page(2, after, **of):
            found += page
            after = (page[-1].start_ns, page[-1].id)
        return found

    ordered = sorted(rows, key=lambda row: (row.start_ns, row.id))
    assert await walk() == ordered
    assert await walk(camera="back") == [row for row in ordered if row.camera == "back"]
    assert await walk(volume="old") == [row for row in ordered if row.volume == "old"]
    assert await walk(camera="front", volume="none") == []


async def test_usage_since_a_time_counts_what_began_later(catalog: SqlCatalog) -> None:
    await catalog.segments.add_many([segment(n, start_ns=n * HOUR) for n in range(4)])
    (found,) = await catalog.segments.usage(2 * HOUR)
    assert (found.segments, found.size, found.oldest_ns) == (2, 2000, 2 * HOUR)
    assert await catalog.segments.usage(9 * HOUR) == []


async def test_old_events_and_gaps_go_by_batches_the_oldest_first(catalog: SqlCatalog) -> None:
    def gap(n: int) -> Gap:
        return Gap(f"g{n}", "front", "main", n, n + 1, GapCause.CAMERA, "")

    lasting = replace(gap(0), id="lasting", end_ns=None)
    await catalog.gaps.put_many([lasting, *(gap(n) for n in range(5))])
    await catalog.events.put_many(
        Event(f"e{n}", "front", "motion", n, n + 1, "t") for n in range(5)
    )
    assert await catalog.gaps.remove_before("front", 4, limit=3) == 3
    assert await catalog.events.remove_before("front", 4, limit=3) == 3
    assert await catalog.gaps.remove_before("back", 9) == 0
    assert [g.id for g in await catalog.gaps.spans("front", None, 0, 99)] == ["lasting", "g3", "g4"]
    assert [e.id for e in await catalog.events.spans("front", 0, 99)] == ["e3", "e4"]
    assert await catalog.gaps.remove_before("front", 99) == 2
    assert await catalog.gaps.spans("front", None, 0, 99) == [lasting]
