"""Retention against the plain model, over made-up lives of small systems. The long life of a
larger one is `python -m soak.retention`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from soak.retention_model import Rule
from soak.retention_play import Plan, Play
from tests.support.catalog_open import opened

from vms.catalog.open import SqlCatalog
from vms.storage.alarms import LOCKS, RETENTION

_MB = 1_000_000


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[SqlCatalog]:
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path) as catalog:
        yield catalog


async def emptied(catalog: SqlCatalog) -> None:
    """As new: each life has its own numbers, so that only what is listed must go."""
    rows = [await catalog.segments.page(10_000), await catalog.segments.open_segments()]
    await catalog.segments.remove_many(row.id for some in rows for row in some)
    for camera in await catalog.cameras.list():
        await catalog.cameras.remove(camera.id)
        await catalog.events.remove_before(camera.id, 1 << 62)
    for event in await catalog.events.open():
        await catalog.events.put(type(event)(event.id, "none", "motion", 0, 1, "over"))
    async with catalog._database.write() as connection:
        await connection.exec_driver_sql("DELETE FROM holds")
        await connection.exec_driver_sql("DELETE FROM events")


_days = st.sampled_from([None, 0.05, 0.25, 0.5, 1.0])
_kinds = st.dictionaries(
    st.sampled_from(["motion", "person", "*"]), st.sampled_from([0.1, 0.75, 1.5]), max_size=2
)
_rules = st.builds(
    Rule,
    days=_days,
    max_bytes=st.none() | st.integers(1, 12).map(lambda n: n * 50 * _MB),
    share=st.none() | st.floats(0.01, 1.0),
    event_days=_kinds,
)


@settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 1 << 20),
    rules=st.dictionaries(st.sampled_from(["*", "cam00", "cam01", "cam02"]), _rules),
    later=st.dictionaries(st.sampled_from(["*", "cam00", "cam01"]), _rules),
    sizes=st.tuples(st.integers(4, 40), st.integers(4, 40)),
    locks=st.sampled_from([0.0, 3.0, 20.0]),
    kills=st.sampled_from([0.0, 0.3]),
    away=st.booleans(),
)
async def test_what_is_left_is_what_the_model_says(
    catalog: SqlCatalog,
    seed: int,
    rules: dict[str, Rule],
    later: dict[str, Rule],
    sizes: tuple[int, int],
    locks: float,
    kills: float,
    away: bool,
) -> None:
    await emptied(catalog)
    plan = Plan(
        cameras=3,
        hours=26,
        size=60 * _MB,
        volumes={"main": sizes[0] * 60 * _MB, "second": sizes[1] * 60 * _MB},
        floor=90 * _MB,
        events_an_hour=1.0,
        locks_a_day=locks,
        kills=kills,
        rules=rules,
        changes={18: later},
        others={10: ("main", 120 * _MB), 14: ("main", 0)},
        away={20: ("second", True), 24: ("second", False)} if away else {},
    )
    play = Play(catalog, plan, seed)
    await play.begin()
    for _ in range(plan.hours):
        await play.hour()
        assert play.figures.differences == []


async def test_alarms_where_only_held_footage_is_left(catalog: SqlCatalog) -> None:
    plan = Plan(
        cameras=2, hours=0, size=60 * _MB, volumes={"main": 600 * _MB}, floor=60 * _MB,
        events_an_hour=0, locks_a_day=0, kills=0, rules={"*": Rule(30)},
    )  # fmt: skip
    play = Play(catalog, plan, 1)
    await play.begin()
    for _ in range(8):
        await play.hour()
    bell = play.engine.bell
    assert (RETENTION, "main") in bell.active
    assert "no room for what is promised" in bell.active[RETENTION, "main"]
    assert (LOCKS, "main") not in bell.active
    plan.locks_a_day = 2000
    await play.hour()
    plan.locks_a_day = 0
    held = set(play.engine.disk.files["main"])
    play.engine.disk.other["main"] = play.model.stores["main"].other = 300 * _MB
    await play.engine.tick()
    assert "release holds" in bell.active[LOCKS, "main"]
    assert set(play.engine.disk.files["main"]) <= held
    for hold in await catalog.holds.list():
        await catalog.holds.release(hold.id, play.clock.now_ns(), "somebody")
    await play.engine.tick()
    assert (LOCKS, "main") not in bell.active
    assert play.engine.disk.free(play.engine.volumes.main) >= 60 * _MB
