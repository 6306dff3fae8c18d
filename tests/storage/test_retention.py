"""Retention's parts by themselves, and on real files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from soak.retention_world import Bell
from tests.storage.test_removal import agree, make, prepared
from tests.support.catalog_open import HOUR, SECOND, opened, segment
from tests.support.virtual_clock import VirtualClock

from vms.catalog.open import SqlCatalog
from vms.common.model.evidence import Event, Gap, GapCause, Hold, HoldKind, RetentionRule
from vms.storage import preview
from vms.storage.keeping import Keeping
from vms.storage.removal import forget_previews
from vms.storage.retention_clock import Today
from vms.storage.retention_plan import DAY_NS, Held, Promise, freed, overlaps, promise_of, to_free
from vms.storage.retention_room import Rate, wanted_bytes
from vms.storage.settings import StorageSettings
from vms.storage.volume import Volume, index_path
from vms.storage.volume_state import Look, VolumeState
from vms.storage.volumes import Volumes

NOW = 1_790_000_000 * SECOND


def hold(start: int, end: int, camera: str = "front", key: str = "h") -> Hold:
    return Hold(f"{key}{start}-{end}", camera, HoldKind.LOCK, start, end, "", "u", "U", 0)


_spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda s: (s[0], s[0] + s[1])),
    max_size=8,
)


@given(_spans, st.integers(0, 60), st.integers(1, 12))
def test_held_is_what_any_hold_overlaps(
    spans: list[tuple[int, int]], start: int, length: int
) -> None:
    row = segment(start_ns=start, duration_ns=length)
    expected = any(s < start + length and e > start for s, e in spans)
    held = Held([hold(*span) for span in spans] + [hold(0, 99, "other")])
    assert (row in held) is expected


@given(_spans, st.integers(0, 60), st.integers(1, 12))
def test_overlaps_finds_what_looking_at_each_does(
    spans: list[tuple[int, int]], start: int, length: int
) -> None:
    apart: list[tuple[int, int]] = []
    for span in sorted(spans):
        if not apart or span[0] > apart[-1][1]:
            apart.append(span)
    expected = any(s < start + length and e > start for s, e in apart)
    assert overlaps(apart, start, start + length) is expected


def test_a_hold_that_ends_or_shrinks_frees_its_span() -> None:
    holds = {one.id: one for one in (hold(0, 10), hold(20, 30), hold(40, 50))}
    first, second, third = holds
    now = {first: replace(holds[first], end_ns=5), third: replace(holds[third], end_ns=90)}
    assert freed(holds, now) == [("front", 0, 10), ("front", 20, 30)]
    assert second not in now


def test_the_cameras_own_rule_replaces_that_of_all() -> None:
    rules = {
        "*": RetentionRule("*", 10, max_bytes=100),
        "own": RetentionRule("own", None, share=0.5, max_bytes=900),
        "kinds": RetentionRule("kinds", 2, event_days={"person": 9, "motion": 1, "*": 4}),
    }
    assert promise_of("any", {}, 30, 1000) == Promise(30 * DAY_NS, {}, None)
    assert promise_of("any", rules, 30, 1000) == Promise(10 * DAY_NS, {}, 100)
    own = promise_of("own", rules, 30, 1000)
    assert (own.keep_ns, own.most_bytes, own.terms()) == (None, 500, ())
    kinds = promise_of("kinds", rules, 30, 1000)
    assert kinds.terms() == (2 * DAY_NS, 4 * DAY_NS, 9 * DAY_NS)
    assert kinds.kinds_for(4 * DAY_NS) is None
    assert kinds.kinds_for(9 * DAY_NS) == ("person",)


def test_only_as_much_is_freed_as_is_wanted() -> None:
    rows = [segment(n, start_ns=n * HOUR) for n in range(5)]
    held = Held([hold(HOUR + 1, HOUR + 2)])
    assert to_free(rows, 1500, held) == [rows[0], rows[2]]
    assert to_free(rows, 0, held) == []
    assert len(to_free(rows, 1 << 40, held)) == 4


def test_room_grows_with_the_rate_and_is_bounded() -> None:
    rate, gb = Rate(), 1 << 30
    total = 1000 * gb
    assert rate.headroom(total) == total // 256
    free, at = 500 * gb, 0
    for _ in range(120):
        rate.look(free, at)
        at += SECOND
        free -= 200 << 20
        rate.freed(50 << 20)
        free += 50 << 20
    assert rate.per_second == pytest.approx(200 << 20, rel=0.2)
    assert rate.headroom(total) == pytest.approx(60 * rate.per_second, rel=0.01)
    assert rate.headroom(10 * gb) == 10 * gb // 16


def test_what_the_disk_does_not_count_yet_is_not_freed_twice() -> None:
    rate = Rate()
    rate.look(0, 0)
    rate.not_seen(700, SECOND)
    rate.look(0, 2 * SECOND)
    assert rate.unseen() == 700
    rate.look(0, 20 * SECOND)
    assert rate.unseen() == 0


def test_a_volumes_own_bound_counts_as_the_floor_does(tmp_path: Path) -> None:
    volume = Volume(tmp_path, 100, max_bytes=1600)
    volume.seen = Look(VolumeState.OK, "", 25600, 0)
    rate = Rate()
    assert wanted_bytes(volume, 10_000, 1000, rate, 0) < 0
    assert wanted_bytes(volume, 10_000, 1600, rate, 0) == 100
    assert wanted_bytes(volume, 150, 1000, rate, 0) == 50
    assert wanted_bytes(volume, 150, 1000, rate, 500) == 550


def test_a_clock_that_leaps_ahead_is_believed_after_an_hour() -> None:
    clock = VirtualClock(NOW)
    today = Today(clock)
    assert today.now_ns(None) == NOW
    clock.step(3600 * 24 * 400)
    clock.pass_(60)
    assert today.now_ns(None) == NOW + 60 * SECOND
    clock.pass_(3500)
    assert today.now_ns(None) == NOW + 3560 * SECOND
    clock.pass_(200)
    assert today.now_ns(None) == clock.now_ns()
    clock.step(-86_400)
    assert today.now_ns(None) == clock.now_ns()


def test_a_leap_that_is_taken_back_deletes_nothing() -> None:
    clock = VirtualClock(NOW)
    today = Today(clock)
    today.now_ns(None)
    clock.step(1e9)
    assert today.now_ns(None) == NOW
    clock.step(-1e9)
    clock.pass_(7200)
    assert today.now_ns(None) == NOW + 7200 * SECOND


def test_a_start_long_after_the_newest_footage_waits_an_hour() -> None:
    clock = VirtualClock(NOW)
    today = Today(clock)
    newest = NOW - 50 * DAY_NS
    assert today.now_ns(newest) == newest
    clock.pass_(3601)
    assert today.now_ns(newest) == clock.now_ns()


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[SqlCatalog]:
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path) as catalog:
        yield catalog


def keeping(tmp_path: Path, catalog: SqlCatalog, volumes: Volumes, now: int) -> Keeping:
    given = StorageSettings(retention_days=30)
    gone = forget_previews(tmp_path)
    return Keeping(volumes, catalog, Bell(), VirtualClock(now), given, gone)


async def test_real_files_their_indexes_and_previews_go_and_locks_stay(
    tmp_path: Path, catalog: SqlCatalog
) -> None:
    volumes = prepared(tmp_path, "main")
    rows = [make(volumes.main.root, n) for n in range(6)]
    await catalog.segments.add_many(rows)
    # The footage of the first four is older than 30 days.
    now = rows[3].end_ns + 30 * DAY_NS
    await catalog.holds.add(hold(HOUR + 5, HOUR + 6))
    await catalog.events.put(Event("e", "front", "motion", 5 * HOUR // 2, 5 * HOUR // 2, "t"))
    await catalog.retention.put(RetentionRule("front", 30, event_days={"motion": 60}))
    sheets = tmp_path / preview.FOLDER / "front"
    sheets.mkdir(parents=True)
    for minute in range(0, 360, 10):
        (sheets / f"{minute * 60_000}.full.jpg").write_bytes(b"jpeg")
    made = keeping(tmp_path, catalog, volumes, now)
    await made.retention.tick()
    left = await catalog.segments.known_paths("main")
    assert left == {rows[n].path for n in (1, 2, 4, 5)}
    await agree(catalog, volumes)
    minutes = {int(path.name.partition(".")[0]) // 60_000 for path in sheets.iterdir()}
    assert 0 not in minutes
    assert 190 not in minutes
    assert {90, 290, 350} <= minutes
    (lock,) = await catalog.holds.list()
    await catalog.holds.release(lock.id, now, "somebody")
    await made.retention.tick()
    assert not index_path(volumes.main.path(rows[1].path)).exists()
    assert await catalog.segments.known_paths("main") == {rows[n].path for n in (2, 4, 5)}


async def test_old_events_and_gaps_go_and_those_with_footage_stay(
    tmp_path: Path, catalog: SqlCatalog
) -> None:
    volumes = prepared(tmp_path, "main")
    row = make(volumes.main.root, 5)
    await catalog.segments.add(row)
    await catalog.holds.add(hold(row.start_ns, row.end_ns))
    for n in range(10):
        at = n * HOUR
        await catalog.events.put(Event(f"e{n}", "front", "motion", at, at + 9, "t"))
        await catalog.gaps.put(Gap(f"g{n}", "front", "main", at, at + 9, GapCause.CAMERA, ""))
    made = keeping(tmp_path, catalog, volumes, 31 * DAY_NS)
    await made.retention.tidy()
    kept = [f"e{n}" for n in range(5, 10)]
    assert [e.id for e in await catalog.events.spans("front", 0, DAY_NS)] == kept
    assert len(await catalog.gaps.spans("front", None, 0, DAY_NS)) == 5


async def test_rules_that_change_are_followed_at_once(tmp_path: Path, catalog: SqlCatalog) -> None:
    volumes = prepared(tmp_path, "main")
    rows = [make(volumes.main.root, n) for n in range(6)]
    await catalog.segments.add_many(rows)
    made = keeping(tmp_path, catalog, volumes, rows[3].end_ns + 2 * DAY_NS)
    await made.retention.tick()
    assert len(await catalog.segments.known_paths("main")) == 6
    await catalog.retention.put(RetentionRule("front", 2))
    await made.retention.tick()
    assert await catalog.segments.known_paths("main") == {rows[4].path, rows[5].path}


async def test_a_volume_that_comes_back_loses_what_became_due(
    tmp_path: Path, catalog: SqlCatalog
) -> None:
    volumes = prepared(tmp_path, "main", "second")
    rows = [make(volumes.named("second").root, n, "second") for n in range(2)]
    await catalog.segments.add_many(rows)
    second, clock = volumes.named("second"), VirtualClock(31 * DAY_NS)
    seen = second.seen
    second.seen = Look(VolumeState.MISSING, "unmounted", seen.total, seen.free)
    made = Keeping(volumes, catalog, Bell(), clock, StorageSettings())
    await made.retention.tick()
    clock.pass_(7200)
    assert len(await catalog.segments.known_paths("second")) == 2
    second.seen = seen
    await made.retention.tick()
    await agree(catalog, volumes)
    assert await catalog.segments.known_paths("second") == set()


async def test_many_rows_do_not_hold_up_the_loop(tmp_path: Path, catalog: SqlCatalog) -> None:
    """Others have their turn while thousands of kept rows are walked."""
    volumes = prepared(tmp_path, "main")
    many = [segment(n, start_ns=n * HOUR) for n in range(4000)]
    await catalog.segments.add_many(many)
    await catalog.holds.add(hold(0, 4000 * HOUR))
    made = Keeping(volumes, catalog, Bell(), VirtualClock(900 * DAY_NS), StorageSettings())
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    await made.retention.tick()
    task.cancel()
    assert turns > 100
    assert len(await catalog.segments.known_paths("main")) == 4000
