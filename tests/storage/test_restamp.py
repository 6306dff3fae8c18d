"""Footage that was stamped by a wrong clock: moved to where it belongs, or refused, whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.storage_media import SECOND, START_NS, encode_video
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import Rig, camera, rig, wait_for
from tests.support.virtual_clock import VirtualClock

from vms.bus import subjects
from vms.bus.memory import MemoryBus
from vms.bus.port import Delivery
from vms.common.errors import ParseError, StorageError
from vms.common.model.camera import StreamState, StreamStatus
from vms.common.model.evidence import Hold, HoldKind
from vms.common.model.media import AccessUnit
from vms.common.model.messages import Alarm
from vms.common.model.segment import SegmentRow
from vms.common.wallclock import BUILT_NS, WallClock
from vms.format import index as indexes
from vms.format.index_rebuild import Rebuilder
from vms.format.mkv_reader import MkvReader
from vms.ingest.feed import Feed
from vms.storage.service import StorageService
from vms.storage.wallclock import restamp, restamp_file

HOUR = 3600 * SECOND
ALL = (0, 1 << 62)


async def recorded(storage: Rig, runs: int = 2) -> list[SegmentRow]:
    """That many files, ten seconds apart, whose camera is a second behind."""
    for number in range(runs):
        storage.send(
            make_units(
                *encode_video(), run=f"run{number}", start_ns=START_NS + number * 10 * SECOND,
                capture_offset_ns=-SECOND,
            )
        )  # fmt: skip
    await storage.stop()
    return await storage.catalog.segments.spans("front", "main", *ALL)


def place(storage: Rig) -> Callable[[SegmentRow], Path]:
    return lambda row: storage.root / row.path


async def test_rows_and_index_are_moved_and_the_pictures_are_not(tmp_path: Path) -> None:
    async with rig(tmp_path) as storage:
        rows = await recorded(storage)
        before = [(storage.root / row.path).read_bytes() for row in rows]
        catalog = storage.catalog
        await restamp(place(storage), catalog.segments, catalog.holds, rows, -HOUR)
        moved = await catalog.segments.spans("front", "main", *ALL)
        assert [r.start_ns for r in moved] == [r.start_ns - HOUR for r in rows]
        assert [r.end_ns for r in moved] == [r.end_ns - HOUR for r in rows]
        assert [r.clock_offset_ns for r in moved] == [HOUR - SECOND] * 2
        for old, row, data in zip(rows, moved, before, strict=True):
            path = storage.root / row.path
            assert path.read_bytes() == data
            index = indexes.parse(path.with_name(path.stem + ".index.jsonl").read_bytes())
            assert indexes.check(index) == row.digest != old.digest
            assert [(s.shift_ns, s.was) for s in index.shifts] == [(-HOUR, old.digest)]
            assert index.groups[0].wall_ns == index.header.start_ns == row.start_ns
            assert index.end is not None
            assert index.end.end_ns == row.end_ns
            # What the recording itself notes, moved by what the index says, is the index.
            reader = Rebuilder(MkvReader())
            reader.feed(data)
            notes = reader.finish()
            assert [g.wall_ns + index.shifted_ns for g in notes.groups] == [
                g.wall_ns for g in index.groups
            ]


async def test_a_kill_between_index_and_row_is_gone_on_from(tmp_path: Path) -> None:
    async with rig(tmp_path) as storage:
        (row,) = await recorded(storage, 1)
        moved = restamp_file(storage.root / row.path, row, HOUR)
        # The row never came to be written; the same is asked for again.
        again = restamp_file(storage.root / row.path, row, HOUR)
        assert again == moved
        assert moved.start_ns == row.start_ns + HOUR
        # And a move back is another one.
        back = restamp_file(storage.root / row.path, moved, -HOUR)
        assert (back.start_ns, back.end_ns) == (row.start_ns, row.end_ns)


async def test_files_that_follow_may_touch(tmp_path: Path) -> None:
    """The end of a file is an estimate: by how much pictures come late it reaches over."""
    async with rig(tmp_path) as storage:
        first, second = await recorded(storage)
        by = first.end_ns - second.start_ns - 30_000_000
        segments, holds = storage.catalog.segments, storage.catalog.holds
        (moved,) = await restamp(
            lambda row: storage.root / row.path, segments, holds, [second], by
        )  # fmt: skip
        assert moved.start_ns == first.end_ns - 30_000_000
        with pytest.raises(StorageError, match="would come to lie over"):
            await restamp(
                lambda row: storage.root / row.path, segments, holds, [moved], -300_000_000
            )  # fmt: skip


async def test_nothing_is_moved_over_other_footage(tmp_path: Path) -> None:
    async with rig(tmp_path) as storage:
        first, second = await recorded(storage)
        segments, holds = storage.catalog.segments, storage.catalog.holds
        with pytest.raises(StorageError, match="would come to lie over"):
            await restamp(place(storage), segments, holds, [second], -10 * SECOND)
        assert await segments.spans("front", "main", *ALL) == [first, second]
        both = await restamp(place(storage), segments, holds, [first, second], 10 * SECOND)
        assert len(both) == 2


async def test_footage_that_is_held_stays_where_it_is_held(tmp_path: Path) -> None:
    async with rig(tmp_path) as storage:
        (row,) = await recorded(storage, 1)
        hold = Hold(
            "h", "front", HoldKind.LOCK, row.start_ns, row.end_ns, "theft", "u", "Ana", START_NS
        )
        await storage.catalog.holds.add(hold)
        segments, holds = storage.catalog.segments, storage.catalog.holds
        with pytest.raises(StorageError, match=r"held .*theft"):
            await restamp(place(storage), segments, holds, [row], HOUR)
        await holds.release("h", START_NS, "Ana")
        await restamp(place(storage), segments, holds, [row], HOUR)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-HOUR, HOUR), min_size=1, max_size=4), st.data())
def test_any_flipped_byte_of_a_moved_index_is_noticed(
    shifts: list[int], data: st.DataObject
) -> None:
    header = indexes.IndexHeader(
        "a" * 32, "front", "main", "r", encode_video()[0].codec, 160, 96, START_NS
    )
    group = indexes.Group(START_NS, None, 0, 100, 50, 10, 0, 40, "0" * 64)
    end = indexes.IndexEnd(START_NS + SECOND, 1000, 150, 10, 1)
    moves = [indexes.Shift(by, "1" * 64) for by in shifts]
    index = indexes.SegmentIndex(header, [group], end, shifts=moves)
    text = indexes.encode(index)
    read = indexes.parse(text)
    assert read == index
    assert indexes.check(read) == indexes.last_link(index)
    place = data.draw(st.integers(0, len(text) - 2))
    bad = bytearray(text)
    bad[place] ^= 1 << data.draw(st.integers(0, 6))
    try:
        other = indexes.parse(bytes(bad))
        link = indexes.check(other)
    except ParseError:
        return
    assert other == index or link != indexes.last_link(index)


# -- the whole way: a feed, a recorder, and a clock that is set ----------------------


class Ticking(VirtualClock):
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


class Line:
    """A camera's units through the real feed onto the bus."""

    def __init__(self, storage: Rig, clock: Ticking, wall: WallClock) -> None:
        self.feed = Feed("front", "main", storage.bus.publish, wall, 5.0)
        self.clock = clock
        self.wall = wall
        self.sent: list[AccessUnit] = []
        self._parameters, self._packets = encode_video(pictures=25, gop=25)
        self._ticks = 0
        self.feed.start([self._parameters])

    async def seconds(self, count: int) -> None:
        for _ in range(count):
            for pts, key, data in self._packets:
                self.feed.unit(0, self._parameters, data, self._ticks + pts, key, False, None)
                self.clock.pass_(0.04)
            self._ticks += 90_000
            self.wall.check()
            await asyncio.sleep(0.03)


async def run_on(
    folder: Path, start_ns: int, floor_ns: int, steps: list[tuple[int, float]]
) -> tuple[list[SegmentRow], list[Alarm], list[tuple[int, int | None]]]:
    """Record; after each (seconds, step) the machine's clock is set by `step` seconds.

    The rows, alarms and gaps at the end.
    """
    clock = Ticking(start_ns)
    wall = WallClock(clock, floor_ns)
    alarms: list[Alarm] = []
    async with rig(folder, [camera()], start_wait_s=0) as storage:
        await storage.stop()

        def hear(delivery: Delivery) -> None:
            assert isinstance(delivery.message, Alarm)
            alarms.append(delivery.message)

        await storage.bus.subscribe(subjects.ALARMS_ALL, hear)
        storage.service = StorageService(storage.bus, storage.catalog, storage.settings, wall)
        await storage.start()
        line = Line(storage, clock, wall)
        for seconds, step in steps:
            await line.seconds(seconds)
            clock.step(step)
        await line.seconds(6)
        wanted = {run for run, _ in wall.shifts("front", "main")}
        done = storage.service.recorder.clocks._done
        await wait_for(lambda: {run for _, run, _ in done} >= wanted)
        await storage.stop()
        rows = await storage.catalog.segments.spans("front", "main", *ALL)
        assert sum(row.frames for row in rows) == 25 * (6 + sum(s for s, _ in steps))
        for row in rows:
            path = storage.root / row.path
            index = indexes.parse(path.with_name(path.stem + ".index.jsonl").read_bytes())
            assert indexes.check(index) == row.digest
            assert index.header.start_ns == row.start_ns
        gaps = await storage.catalog.gaps.spans("front", "main", *ALL)
        found = [(g.start_ns, g.end_ns) for g in gaps if g.end_ns != g.start_ns]
        return rows, alarms, found


def apart(rows: list[SegmentRow]) -> bool:
    ordered = sorted(rows, key=lambda row: row.start_ns)
    return all(b.start_ns >= a.end_ns for a, b in pairwise(ordered))


NOW = BUILT_NS + 50 * 24 * HOUR


async def test_footage_of_a_boot_in_1970_is_put_right(tmp_path: Path) -> None:
    early, late = 1000 * SECOND, NOW + 5 * HOUR
    steps = [(6, (late - early) / SECOND - 6)]
    rows, alarms, gaps = await run_on(tmp_path, early, NOW, steps)
    assert apart(rows)
    # Six seconds were recorded before the clock was set to `late`.
    assert rows[0].start_ns == pytest.approx(late - 6 * SECOND, abs=SECOND)
    assert rows[-1].end_ns == pytest.approx(late + 6 * SECOND, abs=SECOND)
    assert [(a.kind, a.active) for a in alarms] == [("clock", True), ("clock", False)]
    assert gaps == []


@pytest.mark.parametrize("step", [3600, -3600, 0.3, -0.3, -2])
async def test_a_clock_that_is_set_costs_no_picture_and_no_moment_comes_twice(
    tmp_path: Path, step: float
) -> None:
    rows, _, gaps = await run_on(tmp_path, NOW, BUILT_NS, [(6, step)])
    assert apart(rows)
    assert gaps == []


async def test_ahead_and_back_again(tmp_path: Path) -> None:
    rows, _, gaps = await run_on(tmp_path, NOW, BUILT_NS, [(5, 3600), (5, -3600), (5, 7)])
    assert apart(rows)
    assert gaps == []


async def test_a_camera_whose_clock_is_wrong_is_said_once(tmp_path: Path) -> None:
    heard: list[Alarm] = []
    async with rig(tmp_path, [camera("front", "main", "sub")]) as storage:
        assert isinstance(storage.bus, MemoryBus)

        def hear(delivery: Delivery) -> None:
            assert isinstance(delivery.message, Alarm)
            heard.append(delivery.message)

        await storage.bus.subscribe(subjects.ALARMS_ALL, hear)

        def say(offset: int) -> None:
            for stream in ("main", "sub"):
                state = StreamState(
                    "front", stream, StreamStatus.ONLINE, START_NS, clock_offset_ns=offset
                )
                storage.bus.publish(subjects.state("front", stream), state)

        say(-7 * SECOND)
        await wait_for(lambda: heard)
        assert "7 s behind ours" in heard[0].text
        say(SECOND // 10)
        await wait_for(lambda: len(heard) > 1)
        assert [(a.subject, a.active) for a in heard] == [("front", True), ("front", False)]
