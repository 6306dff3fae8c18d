"""What is sent can be played by FFmpeg, and every picture is there."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import pytest
from tests.support.simulator_client import playing
from tests.support.simulator_decode import play

from vms.common.model.media import Codec
from vms.common.stamp import Stamp
from vms.simulator.camera import SHA256, Behaviour
from vms.simulator.server import Simulator
from vms.simulator.sources import File, Loop, Scene, programme

SCENE = Scene(320, 180, 25, 300_000)
LOOP = Loop(320, 180, 25, 300_000, seconds=1)


def steps(stamps: list[Stamp | None]) -> list[int]:
    assert None not in stamps
    return [b.number - a.number for a, b in pairwise(s for s in stamps if s is not None)]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("audio", [Codec.AAC, Codec.PCMU, Codec.PCMA])
async def test_live_scene(simulator: Simulator, codec: Codec, audio: Codec, transport: str) -> None:
    simulator.add_camera("front", replace(SCENE, codec=codec), audio=audio)
    played = await asyncio.to_thread(play, simulator.url("front"), transport, 20)
    assert played.codec == {Codec.H264: "h264", Codec.H265: "hevc"}[codec]
    assert played.size == (320, 180)
    assert set(steps(played.stamps)) == {1}
    assert played.audio == {"aac": "aac", "pcmu": "pcm_mulaw", "pcma": "pcm_alaw"}[audio]
    assert played.audio_frames > 3


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("b_frames", [0, 2])
async def test_loop(simulator: Simulator, codec: Codec, b_frames: int) -> None:
    simulator.add_camera("front", replace(LOOP, codec=codec, b_frames=b_frames))
    played = await asyncio.to_thread(play, simulator.url("front"), "tcp", 35)
    assert set(steps(played.stamps)) <= {1, -24}
    assert steps(played.stamps).count(-24) in (1, 2)


async def test_password_in_the_address(simulator: Simulator) -> None:
    behaviour = Behaviour(schemes=(SHA256, "md5"))
    simulator.add_camera("front", LOOP, "admin", "s/cret@", behaviour=behaviour)
    url = simulator.url("front", credentials=True)
    played = await asyncio.to_thread(play, url, "tcp", 5)
    assert len(played.stamps) >= 5


async def test_main_and_sub_show_the_same_time(simulator: Simulator) -> None:
    simulator.add_camera("front", SCENE, sub=Scene(192, 108, 12.5, 100_000))
    main, sub = await asyncio.gather(
        asyncio.to_thread(play, simulator.url("front"), "tcp", 15),
        asyncio.to_thread(play, simulator.url("front", "sub"), "tcp", 10),
    )
    assert main.size == (320, 180)
    assert sub.size == (192, 108)
    first, second = main.stamps[-1], sub.stamps[-1]
    assert first is not None
    assert second is not None
    assert abs(first.wall_ms - second.wall_ms) < 2000


async def test_cameras_with_the_same_scene_share_an_encoder(simulator: Simulator) -> None:
    simulator.add_camera("one", SCENE)
    simulator.add_camera("two", SCENE, offset=0.1)
    async with playing(simulator.url("one")) as one, playing(simulator.url("two")) as two:
        await one.stamps(15)
        await two.stamps(10)
    sent = {p.stamp().number: p for p in one.packets[0] if p.stamp() is not None}
    late = {p.stamp().number: p for p in two.packets[0] if p.stamp() is not None}
    both = sorted(sent.keys() & late.keys())
    assert len(both) > 5
    assert all(late[n].at - sent[n].at > 0.05 for n in both)


async def test_file_with_b_frames(simulator: Simulator, tmp_path: Path) -> None:
    path = _write_clip(tmp_path / "clip.mp4")
    simulator.add_camera("front", File(path))
    played = await asyncio.to_thread(play, simulator.url("front"), "tcp", 40)
    assert played.size == (320, 180)
    assert len(played.stamps) >= 40
    made = programme(File(path))
    assert len(made.items) == 30
    assert made.delay_ns > 0
    assert abs(made.duration_ns - 1_200_000_000) < 50_000_000


def _write_clip(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"bf": "2", "g": "15", "preset": "veryfast"}
        for index in range(30):
            frame = av.VideoFrame(320, 180, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([index * 8]) * plane.buffer_size)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


async def test_phases_spread_the_sends(simulator: Simulator) -> None:
    for index in range(8):
        simulator.add_camera(f"cam{index}", LOOP)
    await simulator.prepare()
    phases = []
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(playing(simulator.url(f"cam{index}")))
            for index in range(8)
        ]
        for client in clients:
            stamps = await client.stamps(20)
            # A picture may be late, never early: the least tells when it was due.
            due = min(stamp.sent_ns - stamp.number * 40_000_000 for stamp in stamps)
            phases.append(due % 40_000_000)
    phases.sort()
    gaps = [b - a for a, b in pairwise([*phases, phases[0] + 40_000_000])]
    assert max(gaps) < 20_000_000
