"""What every catalog does with events, gaps, holds, rules and exports, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.catalog_open import HOUR

from vms.catalog import events as events_module
from vms.catalog.open import SqlCatalog
from vms.common.errors import Conflict, NotFound
from vms.common.model.evidence import (
    Event,
    ExportJob,
    ExportState,
    Gap,
    GapCause,
    Hold,
    HoldKind,
    LedgerDay,
    RetentionRule,
)


def event(
    number: int, start: int, end: int | None, kind: str = "motion", camera: str = "front"
) -> Event:
    return Event(f"{camera}-{kind}-{number}", camera, kind, start, end, "onvif", "", 0.5)


def gap(number: int, start: int, end: int | None, stream: str = "main") -> Gap:
    return Gap(f"{stream}-{number}", "front", stream, start, end, GapCause.NETWORK, "no route")


def hold(hold_id: str, start: int, end: int, **changes: object) -> Hold:
    made = Hold(hold_id, "front", HoldKind.LOCK, start, end, "theft", "u1", "Anna", 5)
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_marks_are_events_of_a_kind_by_steps(catalog: SqlCatalog) -> None:
    await catalog.events.put_many(
        [event(n, n * 10, n * 10 + 5) for n in range(100)]
        + [event(200 + n, n * 100, n * 100 + 50, "person") for n in range(10)]
        + [replace(event(900, 999, 1005), label="gate"), event(901, 5, None, "input")]
        + [event(902, -2 * HOUR, 50, "long"), event(903, 0, 900, camera="back")]
    )
    found = await catalog.events.marks("front", 0, 1000, 100)
    by_kind = {kind: [m for m in found if m.kind == kind] for kind in {m.kind for m in found}}
    assert [(m.start_ns, m.end_ns, m.count) for m in by_kind["motion"][:2]] == [
        (0, 95, 10), (100, 195, 10),
    ]  # fmt: skip
    last = by_kind["motion"][-1]
    assert (last.start_ns, last.end_ns, last.count, last.label) == (900, 1005, 11, "")
    assert [m.count for m in by_kind["person"]] == [1] * 10
    assert [(m.id, m.end_ns) for m in by_kind["input"]] == [("front-input-901", None)]
    assert [(m.start_ns, m.end_ns) for m in by_kind["long"]] == [(-2 * HOUR, 50)]
    assert len(found) == 22
    assert await catalog.events.marks("front", 0, 1000, 100, limit=3) == found[:3]
    only = await catalog.events.marks("front", 990, 1000, 1, kinds=["motion"])
    assert [(m.id, m.label) for m in only] == [
        ("front-motion-99", ""), ("front-motion-900", "gate"),
    ]  # fmt: skip


async def test_an_event_opens_grows_and_ends(catalog: SqlCatalog) -> None:
    opened = event(1, 100, None)
    await catalog.events.put(opened)
    assert await catalog.events.get(opened.id) == opened
    assert await catalog.events.open() == [opened]
    assert await catalog.events.open("back") == []
    ended = replace(opened, end_ns=200, label="gate", score=0.75)
    await catalog.events.put_many([ended, event(2, 50, None, camera="back")])
    assert await catalog.events.get(opened.id) == ended
    assert [e.camera for e in await catalog.events.open()] == ["back"]
    with pytest.raises(NotFound, match="none"):
        await catalog.events.get("none")


async def test_events_are_found_by_span_and_kind_however_long_they_last(
    catalog: SqlCatalog,
) -> None:
    long = event(1, 0, 90 * HOUR, "alarm")
    lasting = event(2, HOUR, None, "input")
    short = event(3, 80 * HOUR, 80 * HOUR + 5)
    await catalog.events.put_many([short, long, lasting, event(4, 0, 5), event(5, 81 * HOUR, None)])
    spans = catalog.events.spans
    window = (80 * HOUR, 81 * HOUR)
    assert await spans("front", *window) == [long, lasting, short]
    assert await spans("front", *window, kinds=["motion", "alarm"]) == [long, short]
    assert await spans("front", *window, limit=2) == [long, lasting]
    assert await spans("front", *window, limit=1) == [long]
    assert await spans("front", *window, kinds=[]) == []
    assert await spans("back", *window) == []
    assert await spans("front", 5, HOUR) == [long]


async def test_events_before_a_time_go_and_those_that_last_stay(catalog: SqlCatalog) -> None:
    stay = [event(1, 0, None), event(2, 0, 11)]
    await catalog.events.put_many([*stay, event(3, 0, 10), event(4, 2, 4)])
    assert await catalog.events.remove_before("front", 10) == 2
    assert await catalog.events.spans("front", 0, 100) == stay


Spans = list[tuple[int, int | None]]
_spans = st.lists(st.tuples(st.integers(0, 60), st.none() | st.integers(1, 40)), max_size=14).map(
    lambda pairs: [(start, None if n is None else start + n) for start, n in pairs]
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_spans, st.integers(0, 60), st.integers(1, 40))
async def test_searches_equal_those_by_hand(
    catalog: SqlCatalog, spans: Spans, start: int, length: int
) -> None:
    scale, end = HOUR // 10, start + length
    await catalog.events.put_many([event(n, 0, 0) for n in range(14)])
    await catalog.events.remove_before("front", 1000 * HOUR)
    for left in await catalog.events.open():
        await catalog.events.put(replace(left, end_ns=left.start_ns))
    await catalog.events.remove_before("front", 1000 * HOUR)
    rows = [event(n, s * scale, e and e * scale) for n, (s, e) in enumerate(spans)]
    await catalog.events.put_many(rows)
    expected = {
        row.id
        for row in rows
        if row.start_ns < end * scale and (row.end_ns is None or row.end_ns > start * scale)
    }
    found = await catalog.events.spans("front", start * scale, end * scale)
    assert {row.id for row in found} == expected
    assert [row.start_ns for row in found] == sorted(row.start_ns for row in found)
    tenths = {
        tenth
        for s, e in spans
        for tenth in range(max(s, start), min(end, 10_000 if e is None else e))
    }
    # By pages of two, so that their seams are crossed.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events_module, "MAX_SPANS", 2)
        kept = await catalog.events.kept("front", None, start * scale, end * scale)
    assert {t for a, b in kept for t in range(a // scale, b // scale)} == tenths
    assert all(a < b for a, b in kept)
    assert all(first[1] < second[0] for first, second in pairwise(kept))


async def test_gaps_open_change_and_end(catalog: SqlCatalog) -> None:
    first = gap(1, 10, None)
    await catalog.gaps.put(first)
    assert await catalog.gaps.open() == [first]
    ended = replace(first, end_ns=30 * HOUR, cause=GapCause.DISK, detail="disk full")
    await catalog.gaps.put_many([ended, gap(2, 20, 40, "sub")])
    assert await catalog.gaps.open() == []
    assert await catalog.gaps.spans("front", None, 0, HOUR) == [ended, gap(2, 20, 40, "sub")]
    assert await catalog.gaps.spans("front", "main", 29 * HOUR, 40 * HOUR) == [ended]
    assert await catalog.gaps.spans("front", "main", 30 * HOUR, 40 * HOUR) == []


async def test_the_ledger_adds_up_whoever_writes(catalog: SqlCatalog) -> None:
    day = LedgerDay("front", "main", "2026-11-24", 100, 30, {"disk": 20, "camera": 10})
    other = LedgerDay("back", "main", "2026-11-25", 7, 0)
    await asyncio.gather(*(catalog.gaps.ledger_add([day, other]) for _ in range(5)))
    await catalog.gaps.ledger_add([replace(day, expected_ns=0, missed_ns=-50, by_cause={})])
    await catalog.gaps.ledger_add([])
    front = LedgerDay("front", "main", "2026-11-24", 500, 100, {"disk": 100, "camera": 50})
    back = LedgerDay("back", "main", "2026-11-25", 35, 0)
    assert await catalog.gaps.ledger(None, "2026-11-01", "2026-11-30") == [back, front]
    assert await catalog.gaps.ledger("front", "2026-11-24", "2026-11-24") == [front]
    assert await catalog.gaps.ledger(None, "2026-11-26", "2026-12-30") == []


async def test_holds_are_added_together_or_not_at_all(catalog: SqlCatalog) -> None:
    await catalog.holds.add(hold("a", 0, 10))
    with pytest.raises(Conflict):
        await catalog.holds.add_many([hold("b", 0, 10), hold("a", 5, 6)])
    assert await catalog.holds.list() == (hold("a", 0, 10),)
    await catalog.holds.add_many([])
    with pytest.raises(NotFound):
        await catalog.holds.get("b")


async def test_holds_are_in_force_until_released_or_past(catalog: SqlCatalog) -> None:
    kept = hold("a", 0, 10)
    ending = hold("b", 20, 30, until_ns=100, kind=HoldKind.BOOKMARK)
    other = hold("c", 0, 1000, camera="back")
    await catalog.holds.add_many([ending, kept, other])
    listed = catalog.holds.list
    assert await listed("front") == (kept, ending)
    assert await listed("front", active_at_ns=99) == (kept, ending)
    assert await listed("front", active_at_ns=100) == (kept,)
    assert await listed(kind=HoldKind.BOOKMARK) == (ending,)
    assert await catalog.holds.spans("front", 10, 25) == (ending,)
    released = await catalog.holds.release("a", 50, "Bob")
    assert released == replace(kept, released_ns=50, released_by="Bob")
    assert await catalog.holds.release("a", 60, "Eve") == released
    assert await listed("front", active_at_ns=99) == (ending,)
    assert [h.in_force(99) for h in await listed("front")] == [False, True]
    await catalog.holds.update(replace(ending, reason="x", until_ns=None, end_ns=31, start_ns=0))
    assert await catalog.holds.get("b") == replace(ending, reason="x", until_ns=None, end_ns=31)
    for work in (catalog.holds.release("none", 1, ""), catalog.holds.update(hold("none", 0, 1))):
        with pytest.raises(NotFound):
            await work


async def test_rules_of_retention_are_put_and_removed(catalog: SqlCatalog) -> None:
    default = RetentionRule("*", 30.0)
    front = RetentionRule("front", None, 2**40, 0.25, {"person": 90, "*": 60.5})
    await catalog.retention.put(RetentionRule("*", 7))
    for rule in (front, default):
        await catalog.retention.put(rule)
    assert await catalog.retention.list() == {"*": default, "front": front}
    await catalog.retention.remove("front")
    assert await catalog.retention.list() == {"*": default}
    with pytest.raises(NotFound):
        await catalog.retention.remove("front")


async def test_exports_are_queued_run_and_listed(catalog: SqlCatalog) -> None:
    def job(number: int, owner: str = "u1") -> ExportJob:
        spec = {"cameras": ["front"], "reason": "Diebstahl §1", "burn": {"time": True}}
        return ExportJob(f"x{number}", owner, "Anna", number, ExportState.QUEUED, spec)

    jobs = [job(1), job(2, "u2"), job(3)]
    for each in jobs:
        await catalog.exports.add(each)
    with pytest.raises(Conflict):
        await catalog.exports.add(jobs[0])
    done = replace(
        jobs[0], state=ExportState.DONE, progress=1.0, result={"files": [1]}, size=2**40,
        expires_ns=9,
    )  # fmt: skip
    await catalog.exports.update(done)
    await catalog.exports.update(replace(jobs[2], state=ExportState.RUNNING))
    assert await catalog.exports.get("x1") == done
    assert [each.id for each in await catalog.exports.pending()] == ["x2", "x3"]
    assert [each.id for each in await catalog.exports.list()] == ["x3", "x2", "x1"]
    assert [each.id for each in await catalog.exports.list("u1", limit=1)] == ["x3"]
    await catalog.exports.remove("x1")
    for work in (
        catalog.exports.get("x1"),
        catalog.exports.update(done),
        catalog.exports.remove("x1"),
    ):
        with pytest.raises(NotFound):
            await work
