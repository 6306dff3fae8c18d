"""Cameras that misbehave on command."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

from tests.support.simulator_client import Packet, RtspClient, playing, until

from vms.common.model.media import Codec
from vms.format import h264, rtcp
from vms.simulator.camera import Behaviour
from vms.simulator.server import Simulator
from vms.simulator.sources import Loop

SMALL = Loop(320, 180, 25, 200_000, seconds=1, gop=5)
OTHER = Loop(192, 128, 25, 200_000, seconds=1, gop=5)


def sequence_steps(packets: list[Packet]) -> set[int]:
    return {(b.header.sequence - a.header.sequence) & 0xFFFF for a, b in pairwise(packets)}


async def test_dropped_packets_leave_gaps_in_the_numbers(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL).faults.drop = 0.3
    async with playing(simulator.url("front")) as client:
        packets = await client.received(40)
    assert max(sequence_steps(packets)) > 1


async def test_swapped_and_repeated_packets(simulator: Simulator) -> None:
    camera = simulator.add_camera("front", SMALL)
    camera.faults.swap = 0.3
    async with playing(simulator.url("front")) as client:
        packets = await client.received(40)
    assert 0xFFFF in sequence_steps(packets)
    camera.faults.swap, camera.faults.repeat = 0.0, 0.5
    async with playing(simulator.url("front")) as client:
        packets = await client.received(40)
    assert sequence_steps(packets) == {0, 1}


async def test_stall_keeps_the_connection(simulator: Simulator) -> None:
    camera = simulator.add_camera("front", SMALL, audio=Codec.PCMU)
    async with playing(simulator.url("front"), tracks=2) as client:
        await client.received(5)
        camera.faults.stall = True
        await asyncio.sleep(0.1)
        held = len(client.packets[0]), len(client.packets[2])
        await asyncio.sleep(0.3)
        assert (len(client.packets[0]), len(client.packets[2])) == held
        assert (await client.ask("GET_PARAMETER")).status == 200
        camera.faults.stall = False
        await client.received(held[0] + 5)


async def test_jumps_of_rtp_time_and_of_the_clock(simulator: Simulator) -> None:
    camera = simulator.add_camera("front", SMALL, behaviour=Behaviour(report_interval=0.1))
    async with playing(simulator.url("front")) as client:
        await client.received(20)
        camera.faults.rtp_jump, camera.faults.clock_jump = -5.0, 3600.0
        count = len(client.packets[0])
        await client.received(count + 20)
        times = [packet.header.timestamp for packet in client.packets[0]]
        reports = [r for r in client.reports[1] if isinstance(r, rtcp.SenderReport)]
    steps = [((b - a + 2**31) % 2**32) - 2**31 for a, b in pairwise(times)]
    assert min(steps) == 3600 - 5 * 90_000
    assert reports[-1].ntp_ns - reports[0].ntp_ns > 3500e9


async def test_numbers_near_their_wrap(simulator: Simulator) -> None:
    nearly = Behaviour(rtp_start=(65_530, 2**32 - 9_000))
    simulator.add_camera("front", SMALL, behaviour=nearly)
    async with playing(simulator.url("front")) as client:
        packets = await client.received(20)
    assert packets[0].header.sequence == 65_530
    assert sequence_steps(packets) == {1}
    assert packets[0].header.timestamp > 2**32 - 90_000
    assert packets[-1].header.timestamp < 2**31


async def test_foreign_sender(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL).faults.foreign_ssrc = True
    async with playing(simulator.url("front")) as client:
        packets = await client.received(20)
    assert len({packet.header.ssrc for packet in packets}) == 2


async def test_no_key_picture(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL).faults.no_key = True
    async with playing(simulator.url("front")) as client:
        packets = await client.received(30)
    kinds = {packet.payload[0] & 31 for packet in packets}
    assert kinds <= {h264.SLICE, h264.SEI, 28}


async def test_delay(simulator: Simulator) -> None:
    camera = simulator.add_camera("front", SMALL, behaviour=Behaviour(report_interval=60))
    camera.faults.delay = 0.3
    started = time.monotonic()
    async with playing(simulator.url("front")) as client:
        packets = await client.received(1)
        report = client.reports[1][0]
    assert packets[0].at - started > 0.3
    assert isinstance(report, rtcp.SenderReport)
    late = report.rtp_time + (packets[0].at - started) * 90_000 - packets[0].header.timestamp
    assert late % 2**32 > 0.25 * 90_000


async def test_another_size_in_the_same_session(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL)
    async with playing(simulator.url("front")) as client:
        await client.received(10)
        await simulator.switch("front", "main", OTHER)
        count = len(client.packets[0])
        await client.received(count + 20)
        packets = client.packets[0]
        assert client.session
    sizes = []
    for packet in packets:
        if packet.payload[0] & 31 == 24:
            length = int.from_bytes(packet.payload[1:3], "big")
            sps = h264.parse_sps(packet.payload[3 : 3 + length])
            sizes.append((sps.width, sps.height))
    assert sizes[0] == (320, 180)
    assert sizes[-1] == (192, 128)
    numbers = [stamp.number for packet in packets if (stamp := packet.stamp()) is not None]
    assert numbers == sorted(set(numbers))
    assert len({packet.header.ssrc for packet in packets}) == 1
    assert sequence_steps(packets) == {1}
    pictures = sorted({(p.header.timestamp - packets[0].header.timestamp) for p in packets})
    assert max(b - a for a, b in pairwise(pictures)) < 90_000


async def test_audio_can_be_muted(simulator: Simulator) -> None:
    camera = simulator.add_camera("front", SMALL, audio=Codec.AAC)
    async with playing(simulator.url("front"), tracks=2) as client:
        await client.received(3, channel=2)
        camera.faults.mute_audio = True
        await asyncio.sleep(0.1)
        held = len(client.packets[2])
        await asyncio.sleep(0.3)
        assert len(client.packets[2]) == held
        await client.received(len(client.packets[0]) + 3)


async def test_death_of_all_and_return(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL)
    port = simulator.port
    async with playing(simulator.url("front")) as client:
        first = (await client.stamps(3))[-1].number
        await simulator.die()
        await asyncio.wait_for(client.closed.wait(), 10)
    try:
        await asyncio.open_connection(simulator.host, port)
    except ConnectionRefusedError:
        pass
    else:
        raise AssertionError("it still listens")
    await simulator.come_back()
    assert simulator.port == port
    async with playing(simulator.url("front")) as client:
        assert (await client.stamps(1))[0].number > first


async def test_death_of_one_camera(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL)
    simulator.add_camera("back", SMALL)
    async with playing(simulator.url("front")) as front, playing(simulator.url("back")) as back:
        await simulator.die("front")
        await asyncio.wait_for(front.closed.wait(), 10)
        async with RtspClient(simulator.url("front")) as client:
            task = asyncio.create_task(client.ask("DESCRIBE"))
            await asyncio.wait_for(client.closed.wait(), 10)
            task.cancel()
        await back.received(len(back.packets[0]) + 3)
        await simulator.come_back("front")
    async with playing(simulator.url("front")) as front:
        await front.received(3)


async def test_cut_connections(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL)
    async with playing(simulator.url("front")) as client:
        await until(lambda: simulator.sending("front") == 1)
        assert simulator.drop_connections("front") == 1
        await asyncio.wait_for(client.closed.wait(), 10)
    assert simulator.drop_connections() == 0


async def test_slow_to_answer(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL, behaviour=Behaviour(answer_delay=0.3))
    async with RtspClient(simulator.url("front")) as client:
        started = time.monotonic()
        await client.ask("DESCRIBE")
        assert time.monotonic() - started > 0.29
