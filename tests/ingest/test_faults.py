"""Cameras that misbehave: noticed, named, survived, and no other camera feels it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from prometheus_client import REGISTRY
from tests.support.ingest_rig import QUICK, SMALL, camera, ingesting, number_left, sent_number
from tests.support.ingest_tls import self_signed

from vms.common.model.camera import Camera, StreamConfig, StreamStatus, Transport
from vms.common.model.media import Codec
from vms.common.secret import Secret
from vms.ingest.settings import TlsVerify
from vms.simulator.camera import Behaviour
from vms.simulator.server import Simulator


async def test_stall_is_noticed_within_five_seconds_and_heals(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    simulator.add_camera("yard", SMALL)
    both = [camera(name, simulator.url(name)) for name in ("door", "yard")]
    async with ingesting(*both) as rig:
        await rig.units_of("door", 30)
        simulator.faults("door").stall = True
        began = time.monotonic()
        state = await rig.status("door", StreamStatus.STALLED, 6)
        assert time.monotonic() - began < 5
        assert "no picture for" in state.reason
        assert state.fault == "camera"
        assert rig.state("yard").status is StreamStatus.ONLINE
        simulator.faults("door").stall = False
        healed = await rig.status("door", StreamStatus.ONLINE)
        assert healed.run == state.run
        assert healed.fault == ""
        assert healed.reconnects == 0


async def test_long_stall_reconnects(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    settings = QUICK.model_copy(update={"stall_timeout": 0.5, "stall_grace": 0.2})
    async with ingesting(camera("door", simulator.url("door")), settings=settings) as rig:
        await rig.units_of("door", 10)
        run = rig.state("door").run
        simulator.faults("door").stall = True
        state = await rig.status("door", StreamStatus.OFFLINE, 5)
        assert "sent no picture for" in state.reason
        simulator.faults("door").stall = False
        again = await rig.status("door", StreamStatus.ONLINE, 8)
        assert again.run != run
        assert again.reconnects >= 1


async def test_wrong_password_is_held_after_three(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL, "admin", "right")
    wrong = camera("door", simulator.url("door"), username="admin", password="hunter2")
    async with ingesting(wrong) as rig:
        state = await rig.status("door", StreamStatus.HELD)
        assert "user name or password" in state.reason
        assert "3 times" in state.reason
        assert state.fault == "settings"
        assert all("hunter2" not in repr(each) for each in rig.states)
        assert state.reconnects == 2
        await asyncio.sleep(0.6)
        assert rig.state("door").reconnects == 2
        await rig.configure(
            [camera("door", simulator.url("door"), username="admin", password="right")]
        )
        await rig.status("door", StreamStatus.ONLINE)


async def test_streams_of_a_camera_share_its_refusals(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL, "admin", "right", sub=replace(SMALL, view="gate"))
    both = (
        StreamConfig("main", simulator.url("door")),
        StreamConfig("sub", simulator.url("door", "sub")),
    )
    wrong = Camera("door", "Door", both, "admin", Secret("hunter2"))
    async with ingesting(wrong) as rig:
        await rig.until(
            lambda: {s.stream for s in rig.states if s.status == "held"} == {"main", "sub"}
        )
        refused = sum(1 for s in rig.states if s.status == "offline" and s.reconnects == 0)
        tries = {s.stream: s.reconnects + 1 for s in rig.states if s.status == "held"}
    assert sum(tries.values()) <= 4, (tries, refused)


async def test_reconnects_after_the_camera_restarted(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    async with ingesting(camera("door", simulator.url("door"))) as rig:
        await rig.units_of("door", 5)
        await simulator.die()
        await rig.status("door", StreamStatus.OFFLINE)
        await asyncio.sleep(0.5)
        await simulator.come_back()
        state = await rig.status("door", StreamStatus.ONLINE)
        runs = {unit.run for unit in rig.of("door")}
        assert len(runs) == 2
        assert state.reconnects >= 1
        last = [unit for unit in rig.of("door") if unit.run == state.run]
        assert last[0].number == 0
        assert last[0].pts < 90_000


async def test_lost_packets_flag_units_until_the_next_key(simulator: Simulator) -> None:
    big = replace(SMALL, width=640, height=360, bitrate=2_000_000)
    simulator.add_camera("door", big)
    one = camera("door", simulator.url("door"), Transport.UDP)
    async with ingesting(one) as rig:
        await rig.units_of("door", 12)
        simulator.faults("door").drop = 0.1
        await rig.until(lambda: any(unit.damaged for unit in rig.of("door")))
        simulator.faults("door").drop = 0.0
        await rig.until(lambda: rig.of("door")[-1].key and not rig.of("door")[-1].damaged)
        await rig.until(lambda: rig.state("door").packets_lost > 0)
        units = rig.of("door")
    clean, last = True, number_left(units[0])
    for unit in units[1:]:
        number = number_left(unit)
        if number is None or last is None or number != last + 1:
            clean = False
        if unit.key and not unit.damaged:
            clean = True
        assert unit.damaged or clean, unit.number
        last = number
    labels = {"camera": "door", "stream": "main"}
    assert REGISTRY.get_sample_value("vms_ingest_packets_lost_total", labels) is None


async def test_udp_packets_out_of_order_lose_nothing(simulator: Simulator) -> None:
    simulator.add_camera("door", replace(SMALL, width=640, height=360, bitrate=2_000_000))
    simulator.faults("door").swap = 0.2
    simulator.faults("door").repeat = 0.1
    one = camera("door", simulator.url("door"), Transport.UDP)
    async with ingesting(one) as rig:
        units = await rig.units_of("door", 50)
        assert rig.state("door").packets_lost == 0
    numbers = [sent_number(unit) for unit in units]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert not any(unit.damaged for unit in units)


async def test_foreign_sender_is_refused_and_counted(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    async with ingesting(camera("door", simulator.url("door"))) as rig:
        await rig.units_of("door", 5)
        simulator.faults("door").foreign_ssrc = True
        units = await rig.units_of("door", 40)
        labels = {"camera": "door", "stream": "main"}

        def refused() -> float:
            name = "vms_ingest_packets_refused_total"
            return REGISTRY.get_sample_value(name, labels) or 0

        await rig.until(refused)
    numbers = [sent_number(unit) for unit in units]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert not any(unit.damaged for unit in units)


async def test_time_jump_begins_a_run_and_drops_nothing(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    async with ingesting(camera("door", simulator.url("door"))) as rig:
        for jump in (9800.0, -37600.0, 0.0):
            have = len(rig.of("door"))
            await rig.units_of("door", have + 15)
            simulator.faults("door").rtp_jump = jump
        units = await rig.units_of("door", have + 40)
        assert rig.state("door").reconnects == 0
    # The group in which time jumps goes on; each new Run begins with a key picture.
    runs = len({unit.run for unit in units})
    assert 2 <= runs <= 4
    numbers = [sent_number(unit) for unit in units]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    odd = 0
    for before, unit in pairwise(units):
        if unit.run == before.run:
            assert unit.number == before.number + 1
            assert before.pts < unit.pts < before.pts + 90_000
            odd += unit.pts != before.pts + 3600
        else:
            assert unit.number == 0
            assert unit.key
            assert unit.pts < 900
    assert odd <= 3, "only where it jumped is time taken from the arrival"


async def test_missing_key_frames_are_named(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    simulator.faults("door").no_key = True
    settings = QUICK.model_copy(update={"key_frame_notice": 0.5})
    async with ingesting(camera("door", simulator.url("door")), settings=settings) as rig:
        await rig.until(lambda: rig.states and "no key frame" in rig.state("door").reason)
        assert rig.state("door").status is StreamStatus.ONLINE
        assert not any(unit.key for unit in rig.of("door"))
        simulator.faults("door").no_key = False
        await rig.until(lambda: rig.state("door").reason == "")


async def test_new_picture_size_replaces_parameters(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    async with ingesting(camera("door", simulator.url("door"))) as rig:
        await rig.units_of("door", 10)
        await simulator.switch("door", "main", replace(SMALL, width=640, height=360))
        await rig.until(lambda: rig.of("door")[-1].parameters.width == 640)
        await rig.until(lambda: rig.state("door").tracks[0].width == 640)
        units = rig.of("door")
        first = next(unit for unit in units if unit.parameters.width == 640)
        assert first.key
        assert rig.state("door").reconnects == 0


async def test_full_camera_says_so(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL, behaviour=Behaviour(max_sessions=0))
    async with ingesting(camera("door", simulator.url("door"))) as rig:
        state = await rig.status("door", StreamStatus.OFFLINE)
        assert "close other viewers" in state.reason
        assert state.fault == "camera"


async def test_camera_without_udp_says_so(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL, behaviour=Behaviour(udp=False))
    one = camera("door", simulator.url("door"), Transport.UDP)
    async with ingesting(one) as rig:
        state = await rig.status("door", StreamStatus.OFFLINE)
        assert "TCP" in state.reason


async def test_tls_by_default_by_pin_and_in_full(tmp_path: Path) -> None:
    context, authority, fingerprint = self_signed(tmp_path)
    async with Simulator(tls=context) as simulator:
        simulator.add_camera("door", SMALL, audio=Codec.PCMA)
        door = camera("door", simulator.url("door"))
        assert door.streams[0].url.startswith("rtsps://")
        async with ingesting(door) as rig:
            await rig.units_of("door", 5)

        pinned = QUICK.model_copy(update={"tls_pins": {"127.0.0.1": fingerprint}})
        async with ingesting(door, settings=pinned) as rig:
            await rig.units_of("door", 5)
        other = QUICK.model_copy(update={"tls_pins": {"127.0.0.1": "0" * 64}})
        async with ingesting(door, settings=other) as rig:
            state = await rig.status("door", StreamStatus.OFFLINE)
            assert "other than the one in ingest.tls_pins" in state.reason

        full = QUICK.model_copy(update={"tls_verify": TlsVerify.FULL})
        async with ingesting(door, settings=full) as rig:
            state = await rig.status("door", StreamStatus.OFFLINE)
            assert "not trusted" in state.reason
        trusting = full.model_copy(update={"tls_ca_file": authority})
        async with ingesting(door, settings=trusting) as rig:
            await rig.units_of("door", 5)


async def test_plain_server_where_tls_is_asked(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    url = simulator.url("door").replace("rtsp://", "rtsps://")
    async with ingesting(camera("door", url)) as rig:
        state = await rig.status("door", StreamStatus.OFFLINE)
        assert "TLS" in state.reason, state.reason
