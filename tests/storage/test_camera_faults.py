"""Cameras whose time, parameters and sound misbehave: how many pictures that costs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import av
import pytest
from tests.support import camera_faults
from tests.support.camera_faults import Scenario, play
from tests.support.storage_media import START_NS
from tests.support.storage_rig import camera, rig
from tests.support.virtual_clock import VirtualClock

from vms.common.model.media import AccessUnit
from vms.ingest.feed import Feed
from vms.storage.settings import StorageSettings
from vms.storage.sieve import Budget, Orders
from vms.storage.stream_recorder import StreamRecorder, Watcher
from vms.storage.volume import Volume


def contents(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


async def recorded(folder: Path, scenario: Scenario) -> tuple[list[bytes], list[Path]]:
    """The pictures of all files, by the rows; each file must open by itself."""
    clock = VirtualClock(START_NS)
    async with rig(folder, [camera()], start_wait_s=0.2) as storage:
        feed = Feed("front", "main", storage.bus.publish, clock, 5.0)
        feed.start(scenario.tracks)
        since, units = 0.0, scenario.units
        for at in range(0, len(units), 200):
            since = play(feed, units[at : at + 200], clock.pass_, since)
            await asyncio.sleep(0)
        await storage.stop()
        rows = await storage.rows()
        assert all(b.start_ns >= a.end_ns for a, b in pairwise(rows))
        paths = [storage.root / row.path for row in rows]
        return [data for path in paths for data in contents(path)], paths


def lost(scenario: Scenario, found: Iterable[bytes]) -> int:
    """Pictures that were sent and are in no file; some of them may look the same."""
    return (Counter(scenario.pictures) - Counter(found)).total()


@pytest.mark.parametrize("by_s", [-9800, 37_600])
async def test_a_jump_of_the_cameras_time(tmp_path: Path, by_s: float) -> None:
    """The group goes on in its file; a new Run begins with the next key picture."""
    scenario = camera_faults.ticks_jump(by_s)
    found, paths = await recorded(tmp_path, scenario)
    assert lost(scenario, found) == 0
    assert len(paths) == 2


@pytest.mark.parametrize("by_s", [-9800, 37_600])
async def test_a_stray_picture_of_another_time(tmp_path: Path, by_s: float) -> None:
    scenario = camera_faults.stray(by_s)
    found, _ = await recorded(tmp_path, scenario)
    assert lost(scenario, found) <= 1


async def test_equal_times_lose_nothing(tmp_path: Path) -> None:
    scenario = camera_faults.equal_times()
    found, paths = await recorded(tmp_path, scenario)
    assert lost(scenario, found) == 0
    assert len(paths) == 1


async def test_b_frames_lose_nothing(tmp_path: Path) -> None:
    scenario = camera_faults.video(6, b_frames=2)
    found, _ = await recorded(tmp_path, scenario)
    assert lost(scenario, found) == 0


async def test_parameters_that_change_ten_times_lose_nothing(tmp_path: Path) -> None:
    scenario = camera_faults.parameters_flap(10)
    found, paths = await recorded(tmp_path, scenario)
    assert lost(scenario, found) == 0
    assert len(paths) == 10


async def test_a_minute_without_a_key_picture_loses_nothing(tmp_path: Path) -> None:
    scenario = camera_faults.no_key()
    found, _ = await recorded(tmp_path, scenario)
    assert lost(scenario, found) == 0


@pytest.mark.parametrize("kind", ["comes", "goes", "swapped"])
async def test_sound_that_changes_costs_no_picture(tmp_path: Path, kind: str) -> None:
    scenario = camera_faults.sound(kind)
    found, _ = await recorded(tmp_path, scenario)
    assert lost(scenario, found) == 0


def test_a_minute_without_a_key_picture_fills_no_memory_in_event_mode(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "root", 0)
    volume.prepare()
    budget = Budget(64 * 1024)
    recorder = StreamRecorder(
        "front", "main", volume, StorageSettings(start_wait_s=0), Watcher(), budget=budget
    )
    recorder.orders = Orders(False, pre_ns=5_000_000_000)
    clock = VirtualClock(START_NS)

    def publish(_: str, unit: object) -> None:
        assert isinstance(unit, AccessUnit)
        recorder.write([unit])
        assert budget.used <= budget.max_bytes

    feed = Feed("front", "main", publish, clock, 5.0)
    scenario = camera_faults.no_key()
    feed.start(scenario.tracks)
    play(feed, scenario.units, clock.pass_, 0.0)
    assert recorder.written_units == 0
    recorder.close()
    assert recorder.sieve.dropped > 0
