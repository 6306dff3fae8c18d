"""Cameras that behave: every picture arrives once, in order, with its times."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import pytest
from tests.support.ingest_rig import QUICK, SMALL, camera, ingesting, sent_number

from vms.common.model.camera import RecordingMode, StreamStatus, Transport
from vms.common.model.media import Codec
from vms.simulator.camera import Behaviour
from vms.simulator.server import Simulator

H265 = replace(SMALL, codec=Codec.H265)


@pytest.mark.parametrize("transport", list(Transport))
@pytest.mark.parametrize("source", [SMALL, H265], ids=["h264", "h265"])
async def test_every_picture_arrives_once(
    simulator: Simulator, transport: Transport, source: object
) -> None:
    simulator.add_camera("door", source, audio=Codec.AAC)
    async with ingesting(camera("door", simulator.url("door"), transport)) as rig:
        units = await rig.units_of("door", 40)
        sound = await rig.units_of("door", 10, track=1)
        state = await rig.status("door", StreamStatus.ONLINE)

    numbers = [sent_number(unit) for unit in units]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert [unit.number for unit in units] == list(range(len(units)))
    assert {unit.run for unit in (*units, *sound)} == {state.run}
    assert units[0].parameters.width == 320
    assert units[0].parameters.codec is source.codec
    assert {unit.parameters.codec for unit in sound} == {Codec.AAC}
    assert any(unit.key for unit in units)
    assert not any(unit.damaged for unit in (*units, *sound))
    steps = {later.pts - earlier.pts for earlier, later in pairwise(units)}
    assert steps == {3600}
    assert all(abs(unit.arrival_ns - time.time_ns()) < 20e9 for unit in units)
    assert state.packets_lost == 0
    assert [track.codec for track in state.tracks] == [source.codec, Codec.AAC]


@pytest.mark.parametrize(
    "schemes", [("basic",), ("md5",), ("sha-256",), ("sha-256", "md5", "basic")]
)
async def test_passwords(simulator: Simulator, schemes: tuple[str, ...]) -> None:
    simulator.add_camera("door", SMALL, "admin", "päss:w@rd", behaviour=Behaviour(schemes=schemes))
    one = camera("door", simulator.url("door"), username="admin", password="päss:w@rd")
    async with ingesting(one) as rig:
        await rig.units_of("door", 3)


async def test_times_wrap_and_clock_is_mapped(simulator: Simulator) -> None:
    nearly = Behaviour(rtp_start=(0xFFF0, 0xFFFF_FF00), report_interval=0.1)
    simulator.add_camera("door", SMALL, behaviour=nearly)
    simulator.faults("door").clock_jump = -3.0
    async with ingesting(camera("door", simulator.url("door"))) as rig:
        await rig.until(lambda: any(unit.capture_ns for unit in rig.of("door")))
        units = await rig.units_of("door", 30)
        await rig.until(lambda: rig.state("door").clock_offset_ns is not None)
        state = rig.state("door")
    assert len({unit.run for unit in units}) == 1
    assert {b.pts - a.pts for a, b in pairwise(units)} == {3600}
    late = [unit.arrival_ns - unit.capture_ns for unit in units if unit.capture_ns]
    assert all(2.8e9 < each < 3.4e9 for each in late)
    assert -3.3e9 < state.clock_offset_ns < -2.9e9


@pytest.mark.parametrize("get_parameter", [True, False])
async def test_session_is_kept_alive(simulator: Simulator, get_parameter: bool) -> None:
    only = frozenset({"get_parameter"} if get_parameter else {"options"})
    simulator.add_camera(
        "door",
        SMALL,
        "admin",
        "secret",
        behaviour=Behaviour(session_timeout=3.0, keep_alive=only, get_parameter=get_parameter),
    )
    one = camera("door", simulator.url("door"), Transport.UDP, "admin", "secret")
    async with ingesting(one) as rig:
        await rig.units_of("door", 100)
        assert rig.state("door").reconnects == 0


async def test_leaves_with_teardown(simulator: Simulator) -> None:
    door = simulator.add_camera("door", SMALL)
    async with ingesting(camera("door", simulator.url("door"), Transport.UDP)) as rig:
        await rig.units_of("door", 3)
        assert simulator.sessions_of(door) == 1
        await rig.configure([])
        await rig.status("door", StreamStatus.DISABLED)
        assert simulator.sessions_of(door) == 0


async def test_only_changed_streams_restart(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    simulator.add_camera("yard", SMALL)
    door = camera("door", simulator.url("door"))
    yard = camera("yard", simulator.url("yard"))
    async with ingesting(door, yard) as rig:
        await rig.units_of("door", 3)
        await rig.units_of("yard", 3)
        run = rig.state("door").run
        recorded = replace(door.streams[0], recording=RecordingMode.CONTINUOUS)
        await rig.configure(
            [replace(door, name="Front", streams=(recorded,)), replace(yard, enabled=False)]
        )
        state = await rig.status("yard", StreamStatus.DISABLED)
        assert state.reason == "switched off"
        before = len(rig.of("door"))
        await rig.units_of("door", before + 10)
        assert {unit.run for unit in rig.of("door")} == {run}
        await rig.configure([door, yard])
        await rig.status("yard", StreamStatus.ONLINE)


async def test_audio_can_be_left_out(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL, audio=Codec.PCMU)
    settings = QUICK.model_copy(update={"audio": False})
    async with ingesting(camera("door", simulator.url("door")), settings=settings) as rig:
        await rig.units_of("door", 10)
        assert not rig.of("door", 1)


async def test_b_frames_keep_their_presentation_times(simulator: Simulator) -> None:
    simulator.add_camera("door", replace(SMALL, b_frames=2))
    async with ingesting(camera("door", simulator.url("door"))) as rig:
        units = await rig.units_of("door", 40)
    times = [unit.pts for unit in units]
    assert times != sorted(times)
    assert len({unit.run for unit in units}) == 1
    start = next(index for index, unit in enumerate(units) if unit.key)
    ordered = sorted(times[start : start + 20])[2:-4]
    assert {b - a for a, b in pairwise(ordered)} == {3600}
