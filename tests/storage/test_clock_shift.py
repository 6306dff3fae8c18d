"""Events, gaps and days of the ledger that a wrong clock noted go with the footage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.storage.test_restamp import ALL, HOUR, NOW, Line, Ticking
from tests.support.storage_media import SECOND
from tests.support.storage_rig import Rig, camera, rig, wait_for

from vms.bus import subjects
from vms.common.errors import CatalogError
from vms.common.model.evidence import Event, Gap, GapCause
from vms.common.model.messages import Trigger
from vms.common.wallclock import Step, WallClock
from vms.storage.clock_shift import ClockShift, CountLog, put_right
from vms.storage.gaps import NOT_RUNNING
from vms.storage.service import StorageService

TIMES = st.integers(0, 1000)


@given(TIMES, TIMES, TIMES, TIMES, st.integers(-500, 500), st.booleans())
def test_a_gap_is_as_long_after_a_step_and_only_what_the_wrong_clock_noted_moves(
    start: int, length: int, began: int, lasted: int, by: int, first: bool
) -> None:
    gap = Gap("g", "front", "main", start, start + length, GapCause.CAMERA, "no route")
    step = Step(began + lasted, began + lasted + by, True, began)
    made = put_right(gap, step, first) or [gap]
    assert sum(g.end_ns - g.start_ns for g in made if g.end_ns is not None) == length
    assert made[0].id == "g"
    assert len({g.id for g in made}) == len(made)
    for g in made:
        assert g.end_ns is not None
        assert g.end_ns <= began or g.start_ns >= began + by or start > step.old_ns
    # Done twice, as after a failure between the two, it makes no third one.
    assert put_right(gap, step, first) in ([], made)


@given(st.lists(st.tuples(TIMES, TIMES), max_size=20), TIMES, TIMES)
def test_counts_are_kept_to_the_nanosecond_joined_or_not(
    spans: list[tuple[int, int]], a: int, b: int
) -> None:
    log, key = CountLog(), ("front", "main")
    for start, end in spans:
        log.note(key, None, start, end)
    first, last = sorted((a, b))
    found = sum(end - start for _, _, start, end in log.within(first, last))
    clip = [tuple(min(max(t, first), last) for t in span) for span in spans]
    assert found == sum(end - start for start, end in clip)
    log.clear()
    assert list(log.within(0, 1000)) == []


class Stack:
    """The storage service by a clock that is set, and a camera."""

    def __init__(self, storage: Rig, start_ns: int, floor_ns: int) -> None:
        self.storage = storage
        self.clock = Ticking(start_ns)
        self.wall = WallClock(self.clock, floor_ns)
        storage.service = StorageService(storage.bus, storage.catalog, storage.settings, self.wall)

    async def start(self) -> None:
        await self.storage.start()
        await wait_for(lambda: self.storage.service.recorder._resumed)
        self.line = Line(self.storage, self.clock, self.wall)

    def say(self, active: bool) -> None:
        at = self.wall.now_ns()
        trigger = Trigger("front", "motion", "test", at, active, "e1")
        self.storage.bus.publish(subjects.events("test", "front"), trigger)


async def days(storage: Rig) -> tuple[float, float]:
    """Seconds expected and missed, of all days."""
    found = await storage.catalog.gaps.ledger("front", "2026-01-01", "2027-12-31")
    return (
        sum(day.expected_ns for day in found) / SECOND,
        sum(day.missed_ns for day in found) / SECOND,
    )


async def died(storage: Rig) -> int:
    """Record five seconds from NOW, as a process that then ends; when it counted last."""
    before = Stack(storage, NOW, NOW - HOUR)
    await before.start()
    await before.line.seconds(5)
    await storage.stop()
    expected, missed = await days(storage)
    assert expected == pytest.approx(5, abs=1.5)
    assert missed < 1
    return before.wall.now_ns()


@pytest.mark.parametrize("by", [2 * HOUR, -20 * 60 * SECOND])
async def test_a_process_that_begins_with_a_wrong_clock(tmp_path: Path, by: int) -> None:
    async with rig(tmp_path, [camera()], start_wait_s=0) as storage:
        await storage.stop()
        end = await died(storage)
        # Nothing runs for an hour; or for two hours and an hour, by a clock that says 1970.
        wrong = end + HOUR if by < 0 else 1000 * SECOND
        after = Stack(storage, wrong, end)
        seemed = after.wall.now_ns()
        await after.start()
        await after.line.seconds(4)
        after.say(True)
        await after.line.seconds(3)
        after.say(False)
        after.clock.pass_(6)
        after.line._ticks += 6 * 90_000
        await after.line.seconds(4)
        began = seemed + by
        after.clock.step(
            (began - seemed) / SECOND
            if by < 0
            else (began + 17 * SECOND - after.clock.now_ns()) / SECOND
        )
        await after.line.seconds(8)
        await wait_for(lambda: not storage.service.recorder.notes._jobs)
        await storage.stop()
        (event,) = await storage.catalog.events.spans("front", *ALL)
        assert event.start_ns == pytest.approx(began + 4 * SECOND, abs=2 * SECOND)
        assert event.end_ns == pytest.approx(began + 7 * SECOND, abs=2 * SECOND)
        gaps = [
            gap
            for gap in await storage.catalog.gaps.spans("front", "main", *ALL)
            if gap.end_ns != gap.start_ns
        ]
        down = sorted((gap.start_ns, gap.end_ns) for gap in gaps if gap.detail == NOT_RUNNING[1])
        assert down[0][0] == pytest.approx(end, abs=4 * SECOND)
        assert down[-1][1] == pytest.approx(began, abs=2 * SECOND)
        other = [gap for gap in gaps if gap.detail != NOT_RUNNING[1]]
        assert len(other) == 1
        assert other[0].start_ns == pytest.approx(began + 7 * SECOND, abs=2 * SECOND)
        assert other[0].end_ns == pytest.approx(began + 13 * SECOND, abs=2 * SECOND)
        expected, missed = await days(storage)
        assert expected == pytest.approx((began - NOW) / SECOND + 25, abs=4)
        assert missed == pytest.approx((began - end) / SECOND + 6, abs=4)


class Away:
    """A catalog whose gaps fail as often as told."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.rows: dict[str, Any] = {}
        self.events = self.gaps = self

    async def spans(self, *args: Any, **_: Any) -> list[Any]:
        kind = Gap if len(args) == 5 and not isinstance(args[1], int) else Event
        return [row for row in self.rows.values() if isinstance(row, kind)]

    async def put_many(self, rows: Any) -> None:
        self.times -= 1
        if self.times >= 0:
            raise CatalogError("away")
        self.rows.update((row.id, row) for row in rows)


class Nobody:
    def shift(self, _: Step) -> list[str]:
        return ["in memory"]


async def test_rows_wait_for_a_catalog_that_is_away_and_move_once(tmp_path: Path) -> None:
    for times in range(4):
        away = Away(times)
        gap = Gap("g", "front", "main", 50, 60, GapCause.CAMERA, "")
        event = Event("e", "front", "motion", 50, 60, "test")
        for row in (gap, event, replace(event, id="in memory")):
            away.rows[row.id] = row
        notes = ClockShift(away, Nobody(), Nobody())
        notes.stepped(Step(100, 130, True, 20), ["front"])
        for _ in range(times + 1):
            await notes.settle(1000)
        assert not notes._jobs
        assert (away.rows["g"].start_ns, away.rows["e"].start_ns) == (80, 80)
        assert away.rows["in memory"].start_ns == 50
        notes.stepped(Step(200, 230, False, 130), ["front"])
        assert not notes._jobs
