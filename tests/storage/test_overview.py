"""What people are shown of storage: figures that are right, and never waited for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.storage_media import encode_video, units

from vms.bus.memory import MemoryBus
from vms.bus.port import Delivery
from vms.catalog.port_evidence import CameraUsage
from vms.common.clock import SystemClock
from vms.common.errors import CatalogError
from vms.common.model.evidence import RetentionRule
from vms.storage import overview
from vms.storage.alarms import FULL, Alarms
from vms.storage.inbox import Inbox, Lane
from vms.storage.overview import Outlook, Overview, bytes_per_day
from vms.storage.recorder_ports import RecordingState
from vms.storage.volume import Volume
from vms.storage.volume_state import Tier
from vms.storage.volumes import Volumes

DAY = 86_400_000_000_000
HOUR = DAY // 24
NOW = 1_795_000_000_000_000_000


class Rows:
    """A catalog as it says; `wait` is what it waits for, `error` what it raises."""

    def __init__(self, usage: Sequence[CameraUsage] = ()) -> None:
        self.found = list(usage)
        self.rules: dict[str, RetentionRule] = {}
        self.wait: asyncio.Event | None = None
        self.error: CatalogError | None = None
        self.asked = 0
        self.segments = self
        self.retention = self

    async def usage(self, since_ns: int | None = None) -> list[CameraUsage]:
        self.asked += 1
        if self.wait is not None:
            await self.wait.wait()
        if self.error is not None:
            raise self.error
        return [one for one in self.found if since_ns is None or one.newest_ns >= since_ns]

    async def list(self) -> dict[str, RetentionRule]:
        return self.rules


class Clock(SystemClock):
    ahead = 0

    def now_ns(self) -> int:
        return NOW

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.ahead


def made(
    folder: Path, rows: Rows, states: Callable[[], list[RecordingState]] = list
) -> tuple[Overview, Clock, Alarms]:
    clock = Clock()
    alarms = Alarms(MemoryBus(), clock)
    one, old = Volume(folder / "one", 5), Volume(folder / "old", 7, "old", Tier.ARCHIVE)
    for volume in (one, old):
        volume.prepare()
    return Overview(Volumes([one, old]), rows, alarms, states, clock, 30.0), clock, alarms


def state(camera: str, recording: bool = True) -> RecordingState:
    return RecordingState(camera, "main", recording, "", "", "", 0, 0, 0)


USAGE = [
    CameraUsage("front", "main", "main", 2, 100, NOW - HOUR, NOW),
    CameraUsage("front", "main", "old", 5, 900, NOW - 9 * DAY, NOW - 2 * DAY),
    CameraUsage("gone", "sub", "old", 1, 50, NOW - 9 * DAY, NOW - 8 * DAY),
]


async def test_volumes_streams_promises_and_alarms(tmp_path: Path) -> None:
    rows = Rows(USAGE)
    rows.rules = {"front": RetentionRule("front", 7.5), "*": RetentionRule("*", None)}
    shown, _, alarms = made(tmp_path, rows, lambda: [state("front"), state("new", False)])
    shown.outlook = lambda camera: Outlook(3.0, "soon") if camera == "front" else Outlook()
    alarms.raise_(FULL, "main", "no room")
    body = await shown.body({})
    assert [(v["name"], v["used"], v["floor"], v["tier"], v["state"]) for v in body["volumes"]] == [
        ("main", 100, 5, "fast", "ok"), ("old", 950, 7, "archive", "ok")
    ]  # fmt: skip
    front, gone, new = body["cameras"]
    assert front["streams"] == [
        {
            "stream": "main", "bytes": 1000, "bytes_per_day": 2400,
            "oldest": (NOW - 9 * DAY) // 10**6, "newest": NOW // 10**6, "mode": "continuous",
            "recording": True, "reason": "",
        }
    ]  # fmt: skip
    assert (front["promised_days"], front["forecast_days"], front["warning"]) == (7.5, 3.0, "soon")
    assert (gone["camera"], gone["promised_days"]) == ("gone", None)
    assert (gone["streams"][0]["mode"], gone["streams"][0]["recording"]) == ("off", False)
    assert (new["camera"], new["streams"][0]["oldest"]) == ("new", None)
    assert [(a["kind"], a["since"]) for a in body["alarms"]] == [("full", NOW // 10**6)]


async def test_a_slow_catalog_is_not_waited_for_and_not_asked_twice_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "_PATIENCE_S", 0.05)
    rows = Rows(USAGE)
    shown, clock, _ = made(tmp_path, rows)
    assert (await shown.body({}))["volumes"][0]["used"] == 100
    clock.ahead = 31 * 10**9
    rows.wait, rows.asked = asyncio.Event(), 0
    rows.found = [replace(USAGE[0], size=777)]
    for _ in range(5):
        began = time.monotonic()
        assert (await shown.body({}))["volumes"][0]["used"] == 100
        assert time.monotonic() - began < 5.0
    assert rows.asked == 1
    rows.wait.set()
    await asyncio.sleep(0.02)
    assert (await shown.body({}))["volumes"][0]["used"] == 777
    # Kept for a while, however often it is asked for.
    asked = rows.asked
    await shown.body({})
    assert rows.asked == asked
    rows.error = CatalogError("away")
    clock.ahead *= 2
    assert (await shown.body({}))["volumes"][0]["used"] == 777


async def test_where_nothing_was_ever_counted_it_is_said(tmp_path: Path) -> None:
    rows = Rows()
    rows.error = CatalogError("away")
    shown, _, _ = made(tmp_path, rows)
    with pytest.raises(CatalogError):
        await shown.body({})
    rows.error = None
    assert (await shown.body({}))["cameras"] == []


@given(st.lists(st.tuples(st.integers(0, 2 * DAY), st.integers(0, 10**15)), max_size=20))
def test_a_rate_is_never_infinite_nor_less_than_what_came(rows: list[tuple[int, int]]) -> None:
    usage = [
        CameraUsage("front", "main", f"v{n}", 1, size, NOW - age, NOW)
        for n, (age, size) in enumerate(rows)
    ]
    found = bytes_per_day(usage, NOW).get(("front", "main"), 0)
    total = sum(size for _, size in rows)
    assert total <= found <= 1440 * total


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 60))
def test_what_waits_for_a_dead_disk_goes_on_whole_from_a_key_picture(
    keys: list[bool], room: int
) -> None:
    parameters, packets = encode_video(pictures=60)
    waiting = [
        replace(unit, key=key) for unit, key in zip(units(parameters, packets), keys, strict=False)
    ]
    size = sum(len(unit.data) for unit in waiting)
    inbox, other = Inbox(1 << 30), Inbox(1 << 30)
    old, new = Lane(inbox, 1 << 30, 1000), Lane(other, 1 << 30, max(room, 1))
    for unit in waiting:
        old.sink(Delivery("", unit))
    lost = old.hand_over(new)
    first = next((n for n, key in enumerate(keys) if key), len(waiting))
    assert lost == first
    assert list(new.units) == waiting[first : first + len(new.units)]
    assert len(new.units) + new.lost + lost == len(waiting)
    assert (old.waiting, inbox.put - inbox.taken, old.take()) == (0, 0, [])
    assert new.waiting == other.put - other.taken <= size
