"""What every catalog does, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.catalog_open import HOUR, SECOND, camera, segment

from vms.catalog.open import SqlCatalog
from vms.catalog.port import ALL_CAMERAS, RefreshToken, Role, Session, Standing, User
from vms.common.errors import Conflict, InvalidIdentifier, NotFound
from vms.common.model.camera import Mask, RecordingMode, StreamConfig
from vms.common.model.schedule import Schedule, Slot
from vms.common.secret import Secret

ANNA = User("u1", "Anna", Role.VIEWER, "hash", True, 5)
BOB = User("u2", "bob", Role.OPERATOR, "hash")


async def test_a_camera_comes_back_as_it_was_added(catalog: SqlCatalog) -> None:
    await catalog.cameras.add(camera())
    assert await catalog.cameras.get("front") == camera()
    assert await catalog.cameras.list() == (camera(),)
    assert await catalog.cameras.exists("front")
    assert not await catalog.cameras.exists("back")


async def test_what_a_camera_hides_and_when_it_records_comes_back(catalog: SqlCatalog) -> None:
    schedule = Schedule(
        "Europe/Lisbon",
        (
            Slot(0, 480, 1080, RecordingMode.CONTINUOUS),
            Slot(7, 0, 1440, RecordingMode.EVENT),
        ),
        ("2026-12-25",),
    )
    main = StreamConfig(
        "main", "rtsp://10.0.0.1/", recording=RecordingMode.SCHEDULE, schedule=schedule,
        audio=False, pre_roll_s=7.5, post_roll_s=60,
    )  # fmt: skip
    masks = (Mask(((0.0, 0.0), (0.5, 0.25), (1.0, 1.0)), "window"),)
    await catalog.cameras.add(camera(streams=(main,), masks=masks, onvif="192.168.1.20"))
    assert await catalog.cameras.get("front") == camera(
        streams=(main,), masks=masks, onvif="192.168.1.20"
    )
    assert await catalog.cameras.masks("front") == masks
    with pytest.raises(NotFound):
        await catalog.cameras.masks("back")


async def test_cameras_are_listed_by_id_with_their_own_streams(catalog: SqlCatalog) -> None:
    only = (StreamConfig("main", "rtsp://10.0.0.2/"),)
    await catalog.cameras.add(camera("yard", streams=only))
    await catalog.cameras.add(camera("door"))
    assert [c.id for c in await catalog.cameras.list()] == ["door", "yard"]
    assert (await catalog.cameras.list())[1].streams == only


async def test_a_second_camera_of_one_id_is_a_conflict(catalog: SqlCatalog) -> None:
    await catalog.cameras.add(camera())
    with pytest.raises(Conflict, match="'front'"):
        await catalog.cameras.add(camera())


async def test_a_camera_of_a_wild_id_is_refused(catalog: SqlCatalog) -> None:
    with pytest.raises(InvalidIdentifier):
        await catalog.cameras.add(camera("../etc"))


async def test_two_streams_of_one_name_are_refused(catalog: SqlCatalog) -> None:
    twice = (StreamConfig("main", "rtsp://a/"), StreamConfig("main", "rtsp://b/"))
    with pytest.raises(Conflict, match="two streams"):
        await catalog.cameras.add(camera(streams=twice))
    assert await catalog.cameras.list() == ()


async def test_updating_a_camera_replaces_its_streams_and_password(catalog: SqlCatalog) -> None:
    await catalog.cameras.add(camera())
    changed = camera(password="other", streams=(StreamConfig("sub", "rtsp://x/"),), enabled=False)
    await catalog.cameras.update(changed)
    assert await catalog.cameras.get("front") == changed


async def test_cameras_that_are_not_there_are_not_found(catalog: SqlCatalog) -> None:
    for work in (
        catalog.cameras.get("none"),
        catalog.cameras.update(camera("none")),
        catalog.cameras.remove("none"),
    ):
        with pytest.raises(NotFound, match="'none'"):
            await work


async def test_removing_a_camera_takes_its_grants_and_leaves_its_footage(
    catalog: SqlCatalog,
) -> None:
    await catalog.cameras.add(camera())
    await catalog.users.add(ANNA)
    await catalog.grants.replace(ANNA.id, ["front"])
    await catalog.segments.add(segment())
    await catalog.cameras.remove("front")
    assert await catalog.grants.of(ANNA.id) == frozenset()
    assert await catalog.segments.spans("front", None, 0, HOUR) == [segment()]


async def test_a_segment_comes_back_as_it_was_added(catalog: SqlCatalog) -> None:
    now = 1_900_000_000 * SECOND + 123_456_789
    row = segment(start_ns=now, closed=False)
    await catalog.segments.add(row)
    assert await catalog.segments.get(row.id) == row
    with pytest.raises(Conflict, match=row.path):
        await catalog.segments.add(row)
    with pytest.raises(Conflict, match=row.path):
        await catalog.segments.add(replace(row, id="another"))
    assert await catalog.segments.open_segments() == [row]


async def test_segments_grow_and_close(catalog: SqlCatalog) -> None:
    rows = [segment(n, f"cam{n}", closed=False, duration_ns=1) for n in range(20)]
    await catalog.segments.add_many(rows)
    grown = [replace(row, end_ns=9, size=2000, frames=50, key_frames=2) for row in rows]
    await catalog.segments.extend_many(grown)
    assert await catalog.segments.open_segments() == sorted(grown, key=lambda row: row.camera)
    await catalog.segments.close(grown[0])
    assert await catalog.segments.get(grown[0].id) == replace(grown[0], closed=True)
    assert len(await catalog.segments.open_segments()) == 19
    await catalog.segments.extend_many([segment(99, "gone")])
    await catalog.segments.extend_many([])
    whole = replace(grown[1], path="moved.mkv", closed=True)
    await catalog.segments.update(whole)
    assert await catalog.segments.get(whole.id) == whole
    with pytest.raises(NotFound):
        await catalog.segments.update(segment(99, "gone"))


async def test_spans_hold_what_overlaps_and_nothing_else(catalog: SqlCatalog) -> None:
    rows = [segment(n, start_ns=n * HOUR) for n in range(5)]
    await catalog.segments.add_many(rows)
    await catalog.segments.add(segment(0, stream="sub", start_ns=HOUR))
    await catalog.segments.add(segment(0, camera="back", start_ns=HOUR))
    spans = catalog.segments.spans
    assert await spans("front", "main", HOUR, 3 * HOUR) == rows[1:3]
    assert await spans("front", "main", HOUR - 1, 3 * HOUR + 1) == rows[0:4]
    assert await spans("front", "main", HOUR + 5, HOUR + 6) == rows[1:2]
    assert [s.stream for s in await spans("front", None, HOUR, HOUR + 1)] == ["main", "sub"]
    assert await spans("front", "main", 9 * HOUR, 10 * HOUR) == []
    assert await spans("nobody", None, 0, 10 * HOUR) == []


async def test_closing_a_segment_writes_its_digest_and_its_clock(catalog: SqlCatalog) -> None:
    row = replace(segment(closed=False), mode="event", volume="two")
    await catalog.segments.add(row)
    closed = replace(row, digest="ab" * 32, clock_offset_ns=-5, clock_drift_ppb=40_000)
    await catalog.segments.close(closed)
    assert await catalog.segments.get(row.id) == replace(closed, closed=True)


async def test_segments_of_volumes_are_counted_listed_and_moved(catalog: SqlCatalog) -> None:
    rows = [segment(n, start_ns=n * HOUR) for n in range(4)]
    await catalog.segments.add_many(rows)
    await catalog.segments.add(segment(9, "Back", start_ns=9 * HOUR, closed=False))
    await catalog.segments.move(rows[0].id, "archive", rows[1].path)
    assert (await catalog.segments.get(rows[0].id)).volume == "archive"
    assert await catalog.segments.of_volume("main", 2) == rows[1:3]
    assert await catalog.segments.of_volume("main", 9, before_ns=2 * HOUR) == rows[1:2]
    assert [(u.camera, u.volume, u.segments, u.size) for u in await catalog.segments.usage()] == [
        ("Back", "main", 1, 1000),
        ("front", "archive", 1, 1000),
        ("front", "main", 3, 3000),
    ]
    paths = catalog.segments.known_paths
    assert await paths("main", "cameras/front/") == {row.path for row in rows[1:]}
    assert len(await paths("main")) == 4
    assert await paths("archive", "cameras/f%") == set()
    assert await paths("main", "cameras/back") == set()
    with pytest.raises(Conflict):
        await catalog.segments.move(rows[2].id, "archive", rows[1].path)
    with pytest.raises(NotFound):
        await catalog.segments.move("gone", "main", "x")


async def test_the_segment_at_a_time_and_the_next_one(catalog: SqlCatalog) -> None:
    first, second = segment(1, duration_ns=HOUR), segment(2, start_ns=2 * HOUR)
    await catalog.segments.add_many([first, second])
    assert await catalog.segments.at("front", "main", 0) == first
    assert await catalog.segments.at("front", "main", HOUR - 1) == first
    assert await catalog.segments.at("front", "main", HOUR) is None
    assert await catalog.segments.at("front", "sub", 0) is None
    assert await catalog.segments.after("front", "main", HOUR) == second
    assert await catalog.segments.after("front", "main", 2 * HOUR) == second
    assert await catalog.segments.after("front", "main", 2 * HOUR + 1) is None


async def test_where_two_segments_overlap_the_later_one_is_meant(catalog: SqlCatalog) -> None:
    first, second = segment(1), segment(2, start_ns=HOUR // 2)
    await catalog.segments.add_many([first, second])
    assert await catalog.segments.at("front", "main", HOUR - 1) == second


async def test_days_are_those_of_the_zone(catalog: SqlCatalog) -> None:
    midnight = int(datetime(2026, 3, 9, tzinfo=UTC).timestamp()) * SECOND
    await catalog.segments.add(segment(1, start_ns=midnight - HOUR // 2))
    day = 24 * HOUR
    days = catalog.segments.days
    whole = ("front", "main", midnight - 3 * day, midnight + 3 * day)
    assert await days(*whole, UTC) == [date(2026, 3, 8), date(2026, 3, 9)]
    assert await days(*whole, ZoneInfo("America/Sao_Paulo")) == [date(2026, 3, 8)]
    assert await days("front", "main", midnight, midnight + day, UTC) == [date(2026, 3, 9)]
    assert await days("front", None, midnight - day, midnight, UTC) == [date(2026, 3, 8)]


async def test_totals_and_the_oldest(catalog: SqlCatalog) -> None:
    assert (await catalog.segments.totals()).segments == 0
    rows = [segment(n, start_ns=n * HOUR) for n in range(4)]
    await catalog.segments.add_many(reversed(rows))
    await catalog.segments.add(segment(0, "back", start_ns=7, closed=False))
    totals = await catalog.segments.totals("front")
    assert (totals.segments, totals.size) == (4, 4000)
    assert (totals.oldest_ns, totals.newest_ns) == (0, 4 * HOUR)
    assert await catalog.segments.oldest(2) == rows[:2]
    assert await catalog.segments.oldest(9, "back") == []
    await catalog.segments.remove(rows[0].id)
    await catalog.segments.remove_many(["not-there", rows[1].id])
    assert await catalog.segments.oldest(1) == rows[2:3]
    with pytest.raises(NotFound):
        await catalog.segments.remove(rows[0].id)
    with pytest.raises(NotFound):
        await catalog.segments.get(rows[0].id)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    starts=st.lists(st.integers(0, 200), unique=True, max_size=12),
    length=st.integers(1, 40),
    window=st.tuples(st.integers(0, 240), st.integers(1, 60)),
)
async def test_spans_equal_a_search_by_hand(
    catalog: SqlCatalog, starts: list[int], length: int, window: tuple[int, int]
) -> None:
    await catalog.segments.remove_many([f"front-main-{n}" for n in range(12)])
    rows = [
        segment(n, start_ns=start, duration_ns=length) for n, start in enumerate(sorted(starts))
    ]
    await catalog.segments.add_many(rows)
    start, end = window[0], window[0] + window[1]
    expected = [row for row in rows if row.start_ns < end and row.end_ns > start]
    assert await catalog.segments.spans("front", "main", start, end) == expected


async def test_users_are_found_by_name_whatever_its_case(catalog: SqlCatalog) -> None:
    await catalog.users.add(ANNA)
    await catalog.users.add(BOB)
    assert await catalog.users.by_name("ANNA") == ANNA
    assert await catalog.users.get("u2") == BOB
    assert await catalog.users.list() == (ANNA, BOB)
    with pytest.raises(Conflict, match="already"):
        await catalog.users.add(replace(BOB, id="u3", name="BOB"))
    with pytest.raises(Conflict, match="already"):
        await catalog.users.update(replace(BOB, name="anna"))
    await catalog.users.update(replace(BOB, name="Bob", enabled=False))
    assert not (await catalog.users.by_name("bob")).enabled


async def test_users_that_are_not_there_are_not_found(catalog: SqlCatalog) -> None:
    for work in (
        catalog.users.get("x"),
        catalog.users.by_name("x"),
        catalog.users.update(ANNA),
        catalog.users.remove("x"),
        catalog.grants.replace("x", []),
    ):
        with pytest.raises(NotFound):
            await work


async def test_grants_name_cameras_that_are_there(catalog: SqlCatalog) -> None:
    await catalog.users.add(ANNA)
    await catalog.cameras.add(camera())
    await catalog.grants.replace(ANNA.id, ["front", "front", ALL_CAMERAS])
    assert await catalog.grants.of(ANNA.id) == {"front", ALL_CAMERAS}
    with pytest.raises(NotFound, match="'back'"):
        await catalog.grants.replace(ANNA.id, ["back"])
    assert await catalog.grants.of(ANNA.id) == {"front", ALL_CAMERAS}
    await catalog.grants.replace(ANNA.id, [])
    assert await catalog.grants.of(ANNA.id) == frozenset()


async def _signed_in(catalog: SqlCatalog, number: int = 1) -> Session:
    session = Session(f"s{number}", ANNA.id, number, 1000, "10.1.1.1", "browser")
    await catalog.sessions.open(session, RefreshToken(f"d{number}", session.id, 1, 500))
    return session


async def test_a_refresh_token_is_used_once_even_at_the_same_moment(catalog: SqlCatalog) -> None:
    await catalog.users.add(ANNA)
    session = await _signed_in(catalog)
    assert await catalog.sessions.get("s1") == session
    won = await asyncio.gather(
        *(
            catalog.sessions.rotate("d1", 7, RefreshToken(f"next{n}", "s1", 7, 500))
            for n in range(8)
        )
    )
    assert sum(won) == 1
    assert (await catalog.sessions.token("d1")).used_ns == 7
    assert (await catalog.sessions.token(f"next{won.index(True)}")).used_ns is None
    with pytest.raises(NotFound):
        await catalog.sessions.token(f"next{won.index(False)}")


async def test_sessions_are_revoked_and_pruned(catalog: SqlCatalog) -> None:
    await catalog.users.add(ANNA)
    for number in (1, 2, 3):
        await _signed_in(catalog, number)
    assert [s.id for s in await catalog.sessions.of(ANNA.id)] == ["s3", "s2", "s1"]
    await catalog.sessions.revoke("s1", 50)
    await catalog.sessions.revoke_of(ANNA.id, 60, keep="s3")
    revoked = {s.id: s.revoked_ns for s in await catalog.sessions.of(ANNA.id)}
    assert revoked == {"s1": 50, "s2": 60, "s3": None}
    assert await catalog.sessions.prune(55) == 1
    with pytest.raises(NotFound):
        await catalog.sessions.get("s1")
    with pytest.raises(NotFound):
        await catalog.sessions.token("d1")
    await catalog.users.remove(ANNA.id)
    with pytest.raises(NotFound):
        await catalog.sessions.get("s3")


async def test_the_standing_of_many_sessions_is_read_at_once(catalog: SqlCatalog) -> None:
    await catalog.users.add(ANNA)
    await catalog.cameras.add(camera())
    await catalog.grants.replace(ANNA.id, ["front"])
    sessions = [await _signed_in(catalog, number) for number in (1, 2)]
    many = [f"absent{number}" for number in range(1200)]
    found = await catalog.sessions.standing(["s1", *many, "s2", "s1"])
    assert found == {s.id: Standing(s, ANNA, frozenset({"front"})) for s in sessions}
    assert await catalog.sessions.standing([]) == {}


async def test_settings_keep_the_first_of_many_that_ask_at_once(catalog: SqlCatalog) -> None:
    assert await catalog.settings.get("key") is None
    kept = await asyncio.gather(
        *(catalog.settings.put_new("key", Secret(f"v{n}")) for n in range(8))
    )
    assert len(set(kept)) == 1
    await catalog.settings.put("key", Secret("new"))
    assert await catalog.settings.get("key") == Secret("new")


async def test_readers_and_writers_do_not_disturb_each_other(catalog: SqlCatalog) -> None:
    rows = [segment(n, f"cam{n}", closed=False, duration_ns=1) for n in range(30)]
    await catalog.segments.add_many(rows)

    async def write(turn: int) -> None:
        for step in range(5):
            grown = [replace(row, end_ns=turn * 10 + step + 2) for row in rows]
            await catalog.segments.extend_many(grown)

    async def read() -> None:
        for _ in range(15):
            found = await catalog.segments.open_segments()
            # A transaction is seen whole or not at all.
            assert len({row.end_ns for row in found}) == 1

    await asyncio.gather(*(write(turn) for turn in range(4)), *(read() for _ in range(4)))
    await catalog.check()


async def test_stretches_are_what_spans_gives_of_a_stream(catalog: SqlCatalog) -> None:
    rows = [segment(n, start_ns=n * HOUR) for n in range(5)]
    rows.append(replace(segment(9, start_ns=7 * HOUR), mode="event"))
    await catalog.segments.add_many([*rows, segment(0, stream="sub"), segment(0, "back")])
    found = await catalog.segments.stretches("front", "main", HOUR + 1, 8 * HOUR)
    spans = await catalog.segments.spans("front", "main", HOUR + 1, 8 * HOUR)
    assert found == [(row.start_ns, row.end_ns, row.mode) for row in spans]
    assert found[-1] == (7 * HOUR, 8 * HOUR, "event")
    assert len(found) == 5
