"""Modes, events and gaps with the real recorder, files and catalog; time goes as told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import pytest
from tests.support.storage_media import SECOND, encode_video, g711, merged
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import Rig, rig, wait_for
from tests.support.virtual_clock import VirtualClock

from vms.bus import subjects
from vms.common.model.camera import (
    Camera,
    RecordingMode,
    StreamConfig,
    StreamState,
    StreamStatus,
    TrackInfo,
)
from vms.common.model.evidence import GapCause
from vms.common.model.media import AccessUnit
from vms.common.model.messages import ConfigChanged, Trigger
from vms.storage.modes import NO_SOURCE
from vms.storage.service import StorageService

NOON = 1_790_078_400 * SECOND
"""2026-09-22 12:00:00 UTC."""


class Ticking(VirtualClock):
    """Sleepers wake soon, whatever time it is said to be."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


def one(mode: RecordingMode, **settings: object) -> Camera:
    stream = StreamConfig("main", "rtsp://127.0.0.1/main", recording=mode, **settings)  # type: ignore[arg-type]
    return Camera("front", "Front", (stream,))


class Plant:
    """One camera on a recorder whose clock the test moves."""

    def __init__(self, storage: Rig, clock: Ticking) -> None:
        self.storage = storage
        self.clock = clock
        self.service = storage.service
        self._packets = encode_video(pictures=25, gop=25)
        self._sent = 0
        self.sent: list[AccessUnit] = []

    @property
    def state(self) -> str:
        return self.service.recorder.states()[0].reason

    def second(self, run: str = "run1", audio: bool = False) -> None:
        """A second of video, which comes as time goes by."""
        start = self.clock.now_ns()
        parameters, packets = self._packets
        units = make_units(
            parameters, packets, run=run, start_ns=start, first_number=self._sent * 25,
            pts_from=(start - NOON) * 90 // 1_000_000,
        )  # fmt: skip
        if audio:
            sound = make_units(
                *g711(seconds=1), run=run, track=1, start_ns=start,
                pts_from=(start - NOON) * 8 // 1_000_000, first_number=self._sent * 50,
            )  # fmt: skip
            units = merged(units, sound)
        self._sent += 1
        self.sent += [unit for unit in units if unit.track == 0]
        self.storage.send(units)
        self.clock.pass_(1)

    async def seconds(self, count: int, **more: object) -> None:
        for _ in range(count):
            self.second(**more)  # type: ignore[arg-type]
            await asyncio.sleep(0.03)

    def online(self) -> None:
        state = StreamState(
            "front", "main", StreamStatus.ONLINE, self.clock.now_ns(), run="run1",
            tracks=(TrackInfo("h264"),),
        )  # fmt: skip
        self.storage.bus.publish(subjects.state("front", "main"), state)

    def trigger(self, active: bool, name: str = "e1", source: str = "onvif") -> None:
        said = Trigger("front", "motion", source, self.clock.now_ns(), active, name)
        self.storage.bus.publish(subjects.events(source, "front"), said)

    async def written(self) -> list[list[AccessUnit]]:
        """What each file holds, by its rows, after the end."""
        await self.storage.stop()
        found = []
        for row in await self.storage.catalog.segments.spans("front", None, 0, 1 << 62):
            found.append([u for u in self.sent if row.start_ns <= u.arrival_ns < row.end_ns])
            assert len(found[-1]) == row.frames, row
        return found


async def plant(folder: Path, camera: Camera, made: Callable[[Plant], object]) -> None:
    """Run `made` with a plant of this camera."""
    clock = Ticking(NOON)
    async with rig(folder, [camera], start_wait_s=0) as storage:
        await storage.stop()
        storage.service = StorageService(storage.bus, storage.catalog, storage.settings, clock)
        await storage.start()
        own = Plant(storage, clock)
        own.online()
        result = made(own)
        assert asyncio.iscoroutine(result)
        await result


async def test_event_mode_records_all_until_somebody_tells_of_events(tmp_path: Path) -> None:
    async def run(p: Plant) -> None:
        await p.seconds(3)
        assert p.state == NO_SOURCE
        await wait_for(lambda: p.service.recorder.states()[0].recording)
        p.trigger(False, "")
        await wait_for(lambda: p.state == "waiting for an event")
        await p.seconds(8)
        await wait_for(lambda: not p.service.recorder.states()[0].recording)
        assert not p.service.recorder.states()[0].expected
        p.trigger(True)
        await p.seconds(4)
        p.trigger(False)
        await p.seconds(10)
        first, second = await p.written()
        modes = [r.mode for r in await p.storage.catalog.segments.spans("front", None, 0, 1 << 62)]
        assert modes == ["continuous", "event"]
        # Eleven seconds had gone by when it began: two of pre-roll, four of it, three after.
        assert first[0].arrival_ns == NOON
        assert second[0].key
        began = (second[0].arrival_ns - NOON) / SECOND
        ended = (second[-1].arrival_ns - NOON) / SECOND
        assert 8 <= began <= 9
        assert 17.9 <= ended <= 19
        (event,) = await p.storage.catalog.events.spans("front", 0, 1 << 62)
        assert (event.start_ns, event.end_ns) == (NOON + 11 * SECOND, NOON + 15 * SECOND)

    await plant(tmp_path, one(RecordingMode.EVENT, pre_roll_s=2, post_roll_s=3), run)


async def test_two_events_within_the_post_roll_share_a_file(tmp_path: Path) -> None:
    async def run(p: Plant) -> None:
        p.trigger(False, "")
        await wait_for(lambda: p.state == "waiting for an event")
        await p.seconds(5)
        for number in range(2):
            p.trigger(True, f"e{number}")
            await p.seconds(2)
            p.trigger(False, f"e{number}")
            await p.seconds(2)
        await p.seconds(6)
        (only,) = await p.written()
        assert only[-1].arrival_ns - only[0].arrival_ns >= 9 * SECOND

    await plant(tmp_path, one(RecordingMode.EVENT, pre_roll_s=2, post_roll_s=3), run)


async def test_a_change_of_mode_needs_no_restart_and_leaves_no_gap(tmp_path: Path) -> None:
    async def run(p: Plant) -> None:
        p.trigger(False, "")
        await wait_for(lambda: p.state == "waiting for an event")
        await p.seconds(6)
        await p.storage.catalog.cameras.update(one(RecordingMode.CONTINUOUS))
        p.storage.bus.publish(subjects.config("camera", "front"), ConfigChanged("camera", "front"))
        await wait_for(lambda: p.service.recorder.states()[0].mode == "continuous")
        await p.seconds(4)
        files = await p.written()
        found = [unit.number for units in files for unit in units]
        assert found == list(range(found[0], 250))
        assert found[0] <= 75, "what waited when the mode changed is there too"

    await plant(tmp_path, one(RecordingMode.EVENT, pre_roll_s=2), run)


@pytest.mark.parametrize("audio", [True, False])
async def test_sound_is_recorded_or_not(tmp_path: Path, audio: bool) -> None:
    async def run(p: Plant) -> None:
        await p.seconds(3, audio=True)
        await p.written()
        # The first file begins before anything is known of sound.
        row = (await p.storage.catalog.segments.spans("front", None, 0, 1 << 62))[-1]
        with av.open(str(p.storage.root / row.path)) as container:
            assert bool(container.streams.audio) is audio

    await plant(tmp_path, one(RecordingMode.CONTINUOUS, audio=audio), run)


async def test_gaps_are_kept_with_their_causes_over_a_restart(tmp_path: Path) -> None:
    async def run(p: Plant) -> None:
        gaps = p.storage.catalog.gaps
        await p.seconds(5)
        lost = StreamState(
            "front", "main", StreamStatus.OFFLINE, p.clock.now_ns(), "no route", fault="network"
        )
        p.storage.bus.publish(subjects.state("front", "main"), lost)
        for _ in range(40):
            p.clock.pass_(0.25)
            await asyncio.sleep(0.02)
        async with asyncio.timeout(5):
            while not (found := await gaps.spans("front", None, 0, 1 << 62)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert [(g.end_ns, g.cause, g.detail) for g in found] == [
            (None, GapCause.NETWORK, "no route")
        ]
        p.online()
        await p.seconds(4)
        stopped = p.clock.now_ns()
        await p.storage.stop()
        p.clock.pass_(600)
        service = StorageService(p.storage.bus, p.storage.catalog, p.storage.settings, p.clock)
        p.storage.service = p.service = service
        await p.storage.start()
        p.online()
        await p.seconds(6, run="run2")
        await p.storage.stop()
        first, second = await gaps.spans("front", None, 0, 1 << 62)
        assert first.cause is GapCause.NETWORK
        assert (first.start_ns - NOON) / SECOND == pytest.approx(5, abs=0.1)
        assert first.end_ns == NOON + 15 * SECOND
        assert second.cause is GapCause.PROCESS
        assert second.start_ns == pytest.approx(stopped, abs=SECOND // 5)
        assert second.end_ns == stopped + 600 * SECOND
        (day,) = await gaps.ledger("front", "2026-09-22", "2026-09-22")
        assert day.expected_ns == pytest.approx(p.clock.now_ns() - NOON, abs=SECOND // 5)
        assert day.by_cause["process"] == pytest.approx(600 * SECOND, abs=SECOND // 5)
        assert day.by_cause["network"] == pytest.approx(10 * SECOND, abs=SECOND // 5)
        assert day.missed_ns == sum(day.by_cause.values())

    await plant(tmp_path, one(RecordingMode.CONTINUOUS), run)


async def test_a_camera_that_is_switched_off_has_no_gap(tmp_path: Path) -> None:
    async def run(p: Plant) -> None:
        await p.seconds(4)
        await p.storage.catalog.cameras.update(
            replace(one(RecordingMode.CONTINUOUS), enabled=False)
        )
        p.storage.bus.publish(subjects.config("camera", "front"), ConfigChanged("camera", "front"))
        await wait_for(lambda: not p.service.recorder.states())
        p.clock.pass_(500)
        await p.storage.stop()
        assert await p.storage.catalog.gaps.spans("front", None, 0, 1 << 62) == []

    await plant(tmp_path, one(RecordingMode.CONTINUOUS), run)
