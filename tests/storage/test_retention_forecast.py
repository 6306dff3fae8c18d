"""How long promises will hold, against a day by day reckoning."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from soak.retention_world import Bell
from tests.support.catalog_open import opened, segment
from tests.support.virtual_clock import VirtualClock

from vms.catalog.port_evidence import CameraUsage
from vms.common.model.evidence import Hold, HoldKind, RetentionRule
from vms.storage.alarms import RETENTION
from vms.storage.forecast import SUBJECT, Flow, Forecaster, foresee, per_day
from vms.storage.retention_plan import DAY_NS
from vms.storage.settings import StorageSettings
from vms.storage.volume import Volume
from vms.storage.volume_state import Look, VolumeState
from vms.storage.volumes import Volumes

_flows = st.lists(
    st.tuples(st.integers(1, 50), st.integers(1, 60), st.integers(0, 60)).map(
        lambda f: Flow(float(f[0]), float(f[1]), float(min(f[1], f[2])))
    ),
    min_size=1,
    max_size=6,
)


def reckoned(flows: list[Flow], free: float) -> float | None:
    """By steps of a hundredth of a day: each grows until it is as old as promised."""
    for step in range(70 * 100):
        at = step / 100
        free -= sum(f.per_day for f in flows if f.promised and f.days + at < f.promised) / 100
        if free < -1e-6:
            return at
    return None


@given(_flows, st.integers(0, 4000))
def test_days_left_are_those_of_the_slow_reckoning(flows: list[Flow], free: int) -> None:
    expected = reckoned(flows, free)
    found = foresee(flows, float(free)).days_left
    if expected is None or found is None:
        # Where the room is just enough, the steps may be a hair off.
        needed = sum(f.per_day * (f.wanted - f.days) for f in flows)
        assert expected == found or abs(needed - free) < 60
    else:
        assert found == pytest.approx(expected, abs=0.03)


@given(_flows, st.integers(0, 8000))
def test_the_depth_fills_the_room(flows: list[Flow], free: int) -> None:
    depth = foresee(flows, float(free)).depth
    room = free + sum(f.per_day * f.days for f in flows)
    taken = sum(f.per_day * min(f.wanted, depth) for f in flows)
    if math.isinf(depth):
        assert taken <= room + 1e-6
    else:
        assert taken == pytest.approx(room, rel=1e-6, abs=1e-6)


def test_what_is_kept_until_room_is_needed_gives_way() -> None:
    firm, loose = Flow(10, 30, 10), Flow(10, None, 30)
    assert foresee([firm], 100).days_left == pytest.approx(10)
    assert foresee([firm, loose], 100).days_left is None
    assert foresee([Flow(10, 30, 30)], 0).days_left is None
    assert foresee([], 0).days_left is None


def usage(camera: str, size: int, oldest_ns: int) -> CameraUsage:
    return CameraUsage(camera, "main", "main", 1, size, oldest_ns, oldest_ns)


def test_rates_are_of_the_time_that_was_measured() -> None:
    now = 100 * DAY_NS
    found = per_day([usage("new", 600, now - DAY_NS // 4), usage("old", 600, 0)], now, DAY_NS)
    assert found == {"new": 2400.0, "old": 600.0}


async def test_a_warning_comes_before_the_promise_breaks(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path) as catalog:
        now = 100 * DAY_NS
        clock, bell = VirtualClock(now), Bell()
        volume = Volume(tmp_path, 1000)
        volumes = Volumes([volume])
        # 24,000 bytes a day for 10 days so far.
        hour = DAY_NS // 24
        rows = [segment(n, start_ns=now - (n + 1) * hour) for n in range(240)]
        await catalog.segments.add_many(rows)
        made = Forecaster(volumes, catalog, bell, clock, StorageSettings(warn_days=3))
        volume.seen = Look(VolumeState.OK, "", 10**6, 24_000 * 25 + 1000)
        found = await made.look()
        assert found.days_left is None
        assert made.outlook("front").days == 30.0
        assert made.outlook("front").warning == ""
        assert bell.active == {}
        volume.seen = Look(VolumeState.OK, "", 10**6, 24_000 * 2 + 1000)
        found = await made.look()
        assert found.days_left == pytest.approx(2.0)
        assert made.outlook("front").days == pytest.approx(12.0)
        assert "30 days are promised" in made.outlook("front").warning
        assert "in 2.0 days" in bell.active[RETENTION, SUBJECT]
        await catalog.retention.put(RetentionRule("front", 11))
        await made.look()
        assert bell.active == {}
        await catalog.retention.put(RetentionRule("front", 11, max_bytes=24_000 * 5))
        await made.look()
        assert made.outlook("front").days == pytest.approx(5.0)
        assert "its ceiling" in made.outlook("front").warning
        assert made.outlook("nobody").days is None


async def test_what_is_held_beyond_its_time_is_named(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path) as catalog:
        now = 100 * DAY_NS
        bell, volume = Bell(), Volume(tmp_path, 0)
        old = [segment(n, start_ns=n * DAY_NS) for n in range(3)]
        new = segment(9, start_ns=now - DAY_NS // 24)
        large = [replace(row, size=5 << 20) for row in (*old, new)]
        await catalog.segments.add_many(large)
        lock = Hold("h", "front", HoldKind.LOCK, 0, 2 * DAY_NS, "", "u", "U", 0)
        await catalog.holds.add(lock)
        volume.seen = Look(VolumeState.OK, "", 10**9, 1 << 20)
        clock = VirtualClock(now)
        made = Forecaster(Volumes([volume]), catalog, bell, clock, StorageSettings())
        await made.look()
        assert made._flows["front"].held == 10 << 20
