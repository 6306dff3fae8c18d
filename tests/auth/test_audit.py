"""The audit trail: views joined, a catalog that is away, what is lost, what must be written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.catalog_open import opened
from tests.support.virtual_clock import VirtualClock

from vms.auth.audit import LOST_ACTION, AuditTrail, Named
from vms.auth.sittings import MAX_PARTS, MAX_SITTINGS
from vms.catalog.open import SqlCatalog
from vms.catalog.port_evidence import AuditNote
from vms.common.errors import CatalogError
from vms.common.model.evidence import FIRST_PREVIOUS, AuditEntry

S = 1_000_000_000
START = 1_790_000_000 * S
VERA = Named("vera", "u1")


class Rows:
    """The catalog's audit rows, which a test may take away."""

    def __init__(self, catalog: SqlCatalog) -> None:
        self.catalog = catalog
        self.away = False

    async def append_many(self, notes: Iterable[AuditNote]) -> list[AuditEntry]:
        if self.away:
            raise CatalogError("the catalog is away")
        return await self.catalog.audit.append_many(notes)


@pytest_asyncio.fixture
async def rows(tmp_path: Path) -> AsyncIterator[Rows]:
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path) as catalog:
        yield Rows(catalog)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def trail(rows: Rows, clock: VirtualClock) -> AuditTrail:
    return AuditTrail(rows, clock, most=50)  # type: ignore[arg-type]


async def written(rows: Rows, trail: AuditTrail) -> list[AuditEntry]:
    assert await trail.flush()
    return [*await rows.catalog.audit.since(0)]


async def test_entries_stand_in_the_catalog_in_their_order(rows: Rows, trail: AuditTrail) -> None:
    trail.note(VERA, "10.0.0.7", "camera.added", "front", name="Front door")
    trail.note(Named("nobody"), "10.0.0.8", "sign-in-refused")
    first, second = await written(rows, trail)
    assert (first.user_id, first.user_name, first.address) == ("u1", "vera", "10.0.0.7")
    assert (first.action, first.camera, first.at_ns) == ("camera.added", "front", START)
    assert first.detail == {"name": "Front door"}
    assert first.is_whole(FIRST_PREVIOUS)
    assert second.is_whole(first.digest)


async def test_scrubbing_is_one_entry_and_its_end_tells_the_whole_span(
    rows: Rows, trail: AuditTrail, clock: VirtualClock
) -> None:
    for n in range(200):
        trail.note(VERA, "a", "playback", "front", n * S, (n + 10) * S, stream="main")
        clock.pass_(0.5)
        trail.tick()
    assert [e.action for e in await written(rows, trail)] == ["playback"]
    clock.pass_(301)
    trail.tick()
    begun, ended = await written(rows, trail)
    assert (begun.start_ns, begun.end_ns) == (0, 10 * S)
    assert ended.action == "view-ended"
    assert (ended.start_ns, ended.end_ns) == (0, 209 * S)
    assert ended.detail == {
        "stream": "main", "view": "playback", "views": 200,
        "from": START // 10**6, "to": START // 10**6 + 99_500,
    }  # fmt: skip


async def test_a_view_that_goes_on_is_told_every_five_minutes(
    rows: Rows, trail: AuditTrail, clock: VirtualClock
) -> None:
    for n in range(15):
        trail.note(VERA, "a", "playback", "front", n * 60 * S, (n + 1) * 60 * S)
        clock.pass_(60)
        trail.tick()
    entries = await written(rows, trail)
    assert [e.action for e in entries] == ["playback"] * 4
    assert [e.end_ns for e in entries] == [60 * S, 300 * S, 600 * S, 900 * S]


async def test_one_look_is_one_entry(rows: Rows, trail: AuditTrail, clock: VirtualClock) -> None:
    trail.note(VERA, "a", "snapshot", "front", S, S)
    clock.pass_(1000)
    trail.tick()
    assert [e.action for e in await written(rows, trail)] == ["snapshot"]


async def test_views_of_different_people_cameras_and_kinds_stay_apart(
    rows: Rows, trail: AuditTrail
) -> None:
    for who in (VERA, Named("olga", "u2")):
        for camera in ("front", "back"):
            for action in ("playback", "preview"):
                for unmasked in ({}, {"unmasked": True}):
                    for _ in range(3):
                        trail.note(who, "a", action, camera, 0, S, **unmasked)
    assert len(await written(rows, trail)) == 16


async def test_places_far_apart_are_not_told_as_one_long_view(
    rows: Rows, trail: AuditTrail, clock: VirtualClock
) -> None:
    for n in range(40):
        trail.note(VERA, "a", "playback", "front", n * 3600 * S, (n * 3600 + 5) * S)
    clock.pass_(301)
    trail.tick()
    ended = (await written(rows, trail))[-1]
    assert (ended.start_ns, ended.end_ns) == (0, (39 * 3600 + 5) * S)
    parts = ended.detail["parts"]
    assert len(parts) == MAX_PARTS
    assert all(a < b for a, b in parts)
    assert parts == sorted(parts)
    trail.note(VERA, "a", "playback", "back", 0, S)
    trail.note(VERA, "a", "playback", "back", 3600 * S, 3601 * S)
    clock.pass_(301)
    trail.tick()
    ended = (await written(rows, trail))[-1]
    assert ended.detail["parts"] == [[0, 1000], [3_600_000, 3_601_000]]


async def test_a_live_view_is_told_from_its_begin_to_its_end(
    rows: Rows, trail: AuditTrail, clock: VirtualClock
) -> None:
    with trail.watching(VERA, "a", "front", stream="main"):
        with trail.watching(VERA, "a", "front", stream="main"):
            clock.pass_(400)
            trail.tick()
        clock.pass_(900)
        trail.tick()
    clock.pass_(299)
    trail.tick()
    assert [e.action for e in await written(rows, trail)] == ["live"] * 3
    clock.pass_(2)
    trail.tick()
    ended = (await written(rows, trail))[-1]
    assert ended.action == "view-ended"
    assert ended.detail["view"] == "live"
    assert (ended.start_ns, ended.end_ns) == (START, START + 1300 * S)


async def test_more_views_at_once_than_there_is_room_for_end_the_oldest(
    rows: Rows, clock: VirtualClock
) -> None:
    trail = AuditTrail(rows, clock)  # type: ignore[arg-type]
    for _ in range(2):
        trail.note(VERA, "a", "playback", "front", 0, S)
    for n in range(MAX_SITTINGS):
        trail.note(VERA, f"address-{n}", "playback", "front", 0, S)
    entries = await written_all(rows, trail)
    assert len(entries) == MAX_SITTINGS + 2
    assert [e.address for e in entries if e.action == "view-ended"] == ["a"]


async def written_all(rows: Rows, trail: AuditTrail) -> list[AuditEntry]:
    assert await trail.flush()
    return [*await rows.catalog.audit.since(0, 10_000)]


async def test_a_catalog_that_is_away_refuses_no_view_and_loses_nothing(
    rows: Rows, trail: AuditTrail
) -> None:
    rows.away = True
    for n in range(10):
        trail.note(VERA, "a", "user.changed", n=n)
        assert not await trail.flush()
    with pytest.raises(CatalogError):
        await trail.note_now(VERA, "a", "export.requested", "front", 0, S)
    rows.away = False
    assert [e.detail["n"] for e in await written(rows, trail)] == [*range(10)]


async def test_what_is_lost_is_counted_and_stands_in_the_trail(
    rows: Rows, trail: AuditTrail
) -> None:
    rows.away = True
    for n in range(57):
        trail.note(VERA, "a", "user.changed", n=n)
    assert not await trail.flush()
    rows.away = False
    entries = await written(rows, trail)
    assert [e.detail.get("n") for e in entries] == [*range(50), None]
    assert entries[-1].action == LOST_ACTION
    assert entries[-1].detail == {"entries": 7}
    assert len(await written(rows, trail)) == 51


async def test_hostile_words_are_written_as_they_can_be(rows: Rows, trail: AuditTrail) -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    for detail in ("\ud800", {1: object()}, float("nan"), "x" * 100_000, deep):
        trail.note(Named("a\x00\ud800\n" + "b" * 500), "c" * 500, "sign-in-refused", x=detail)
    await trail.note_now(Named("\udfff"), "\x00", "export.requested", "\ud800", 0, 1 << 70)
    entries = await written(rows, trail)
    assert len(entries) == 6
    previous = FIRST_PREVIOUS
    for entry in entries:
        assert entry.is_whole(previous)
        previous = entry.digest
        assert "\x00" not in entry.user_name + entry.address
        assert len(entry.user_name) <= 100


async def test_what_waits_is_written_at_the_end(rows: Rows, trail: AuditTrail) -> None:
    running = asyncio.create_task(trail.run())
    await asyncio.sleep(0)
    trail.note(VERA, "a", "playback", "front", 0, S)
    trail.note(VERA, "a", "playback", "front", S, 2 * S)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    entries = await rows.catalog.audit.since(0)
    assert [e.action for e in entries] == ["playback", "view-ended"]
