"""Faults of cameras, and what comes and goes: seen, said, got over, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest
import websockets
from bench.support.stamps import numbers_in
from tests.support.loop_thread import LoopThread
from tests.support.plant import (
    SMALL,
    add_camera,
    counted,
    good_cameras,
    metric,
    now_ms,
    recordings,
    state,
    wait_status,
)
from tests.support.stream_offers import CHROMIUM, FINGERPRINT
from tests.support.system import System, wait_for

from vms.common.model.media import Codec
from vms.simulator.camera import Behaviour
from vms.simulator.server import Simulator
from vms.simulator.sources import Loop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

API = "/api/v1"
LARGER = Loop(width=640, height=360, fps=25.0, bitrate=400_000, seconds=1.0, gop=25)
NAMES = ("steady", "mortal", "staller", "jumper", "changer", "stranger", "wrapper", "talker")


class Plant:
    """A system and simulated cameras that will misbehave."""

    def __init__(self, loop: LoopThread, data: Path, system: System) -> None:
        self.loop, self.data, self.system = loop, data, system
        self.client = system.client()
        self.simulator = loop.enter(Simulator())
        good_cameras(loop, self.simulator, self.client, NAMES[:6])
        wrapping = Behaviour(rtp_start=(65_000, 2**32 - 90_000))
        self.simulator.add_camera("wrapper", SMALL, behaviour=wrapping)
        self.simulator.add_camera("talker", SMALL, audio=Codec.AAC)
        for name in NAMES[6:]:
            add_camera(self.client, name, self.simulator.url(name))
        for name in NAMES:
            wait_status(self.client, name, "online")

    def open_files(self) -> int:
        """But for the catalog's, whose pools grow up to their bound."""
        folder = Path(f"/proc/{self.system.process.pid}/fd")
        count = 0
        for one in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                count += "/vms.db" not in os.readlink(one)
        return count


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    data = tmp_path_factory.mktemp("faults") / "data"
    with LoopThread() as loop, System(data, "--no-demo") as system:
        yield Plant(loop, data, system.wait_ready())


# -- cameras --------------------------------------------------------------------------


def test_cameras_that_fail_in_every_way_at_once(plant: Plant) -> None:
    client, simulator, loop = plant.client, plant.simulator, plant.loop
    simulator.faults("stranger").foreign_ssrc = True
    simulator.faults("jumper").rtp_jump = -9800.0
    loop.call(simulator.switch("changer", "main", LARGER))
    loop.call(simulator.die("mortal"))
    simulator.faults("staller").stall = True
    began = time.monotonic()
    wait_status(client, "mortal", "offline", 5)
    stalled = wait_for(
        lambda: state(client, "staller")["status"] in ("stalled", "offline"), 6, "a stall noticed"
    )
    assert stalled
    assert time.monotonic() - began < 5.0
    simulator.faults("staller").stall = False
    loop.call(simulator.come_back("mortal"))
    back = time.monotonic()
    for name in ("mortal", "staller"):
        wait_status(client, name, "online", 10)
    assert time.monotonic() - back < 5.0
    simulator.faults("jumper").rtp_jump = 37_600.0
    tracks = wait_for(
        lambda: [t for t in state(client, "changer")["tracks"] if t["width"] == 640], 10, "640"
    )
    assert tracks[0]["height"] == 360
    loop.call(simulator.switch("changer", "main", SMALL))
    wait_for(lambda: state(client, "changer")["tracks"][0]["width"] == 320, 10, "320 again")
    for name in NAMES:
        now = state(client, name)
        assert now["status"] == "online", now
        assert not now["reconnects"] or name in ("mortal", "staller"), now
        picture = client.get(f"{API}/cameras/{name}/streams/main/snapshot.jpg")
        assert picture.status_code == 200
        assert picture.content[:2] == b"\xff\xd8"
    spans = client.get(
        f"{API}/cameras/talker/recordings", params={"start": now_ms() - 600_000, "end": now_ms()}
    ).json()["spans"]
    assert len(spans) == 1


# -- leaks ----------------------------------------------------------------------------


def test_what_comes_and_goes_leaves_nothing_behind(plant: Plant) -> None:
    client = plant.client
    time.sleep(1)
    before = plant.open_files(), metric(client, "vms_event_loop_tasks")
    for number in range(100):
        add_camera(client, "Guest", plant.simulator.url("steady"), id="guest")
        if number % 20 == 0:
            wait_status(client, "guest", "online")
        assert client.delete(f"{API}/cameras/guest").status_code == 204
    plant.loop.call(_come_and_go(plant), 60)
    offer = CHROMIUM.replace("FINGERPRINT", FINGERPRINT)
    path, kind = f"{API}/cameras/steady/streams/main/whep", {"content-type": "application/sdp"}
    for _ in range(200):
        answer = client.post(path, content=offer, headers=kind)
        assert answer.status_code == 201
        assert client.delete(answer.headers["location"]).status_code == 204

    def settled() -> bool:
        now = plant.open_files(), metric(client, "vms_event_loop_tasks")
        return (
            now[0] <= before[0] + 3
            and now[1] <= before[1] + 1
            and metric(client, "vms_stream_hubs") == len(NAMES)
            and metric(client, "vms_stream_viewers") == 0
            and metric(client, "vms_api_event_sockets") == 0
        )

    wait_for(settled, 15, f"files and tasks to be {before} again")
    assert 'camera="guest"' not in client.get("/metrics").text


async def _come_and_go(plant: Plant) -> None:
    address = plant.system.url.replace("http", "ws") + API
    token = json.dumps({"token": plant.client.headers["authorization"].split()[1]})

    async def one(path: str, polite: bool) -> None:
        async with asyncio.timeout(20):
            socket = await websockets.connect(address + path, max_queue=None)
            await socket.send(token)
            await socket.recv()
            if polite:
                await socket.close()
            socket.transport.abort()
            await socket.wait_closed()

    for number in range(20):
        paths = ("/events", "/cameras/steady/streams/main/mse")
        await asyncio.gather(*(one(path, number % 2 == 0) for path in paths for _ in range(5)))


def test_faults_cost_no_more_than_they_must(plant: Plant) -> None:
    """Last of those on this system: it ends it."""
    assert plant.system.stop(signal.SIGTERM) < 5.0
    assert plant.system.process.returncode == 0
    text = plant.system.log.read_text()
    assert "Traceback" not in text
    for name in ("steady", "stranger", "wrapper", "talker"):
        found = counted(plant.data, name)
        assert (found.missing, found.repeated) == (0, 0), (name, found)
    # A camera that changes its picture goes on with the next key picture, and a jump of its
    # clock begins a Run, which is recorded from a key picture on: only there may be gaps.
    for name in ("jumper", "changer"):
        # By their pictures: of two files of one second, the names do not tell which came first.
        files = sorted(numbers_in(file) for file in recordings(plant.data, name))
        assert all(found == list(range(found[0], found[-1] + 1)) for found in files)
        assert all(0 < later[0] - found[-1] <= 26 for found, later in pairwise(files))
    sizes = set()
    for file in recordings(plant.data, "changer"):
        with av.open(str(file)) as container:
            sizes.add(container.streams.video[0].width)
            assert sum(packet.size > 0 for packet in container.demux(video=0)) > 0
    assert sizes == {320, 640}
    for name in NAMES:
        for file in recordings(plant.data, name):
            with av.open(str(file)) as container:
                assert container.duration, f"{file} was not closed"
