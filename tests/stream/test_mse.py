"""Fragmented MP4 over a real WebSocket, decoded; slow viewers; changes of the stream."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import av
import pytest
from tests.support.stream_peer import playing
from tests.support.stream_server import LOCAL, Live, live_server
from tests.support.stream_units import Camera, encode
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from vms.bus import subjects
from vms.catalog.port import Role
from vms.common.model.media import AccessUnit, Codec, CodecParameters
from vms.format import aac
from vms.stream import metrics
from vms.stream.hub import Hub
from vms.stream.mse import MseChannel, MseViewer

PATH = "/api/v1/cameras/front/streams/main/mse"


@pytest.fixture
async def live(tmp_path):
    async with live_server(tmp_path) as server:
        yield server


@contextlib.asynccontextmanager
async def socket(live: Live, token: str | None = None, path: str = PATH) -> AsyncIterator[Any]:
    url = live.url.replace("http", "ws", 1) + path
    async with connect(url, max_size=1 << 24, open_timeout=5) as connection:
        await connection.send(json.dumps({"token": token or live.token}))
        yield connection


async def receive(connection: ClientConnection, count: int) -> tuple[list[Any], list[bytes]]:
    """Notices (JSON) and parts (bytes) until `count` parts came."""
    notices: list[Any] = []
    parts: list[bytes] = []
    async with asyncio.timeout(10):
        while len(parts) < count:
            message = await connection.recv()
            if isinstance(message, bytes):
                parts.append(message)
            else:
                notices.append(json.loads(message))
    return notices, parts


def decode(parts: list[bytes]) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(b"".join(parts))) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
async def test_the_kept_group_and_live_fragments_decode(live, codec):
    camera = Camera(live.bus, encode(codec))
    camera.publish(30)
    async with playing(camera), socket(live) as connection:
        notices, parts = await receive(connection, 1 + 20)
    name = "avc1.42C014" if codec is Codec.H264 else "hvc1.1.6.L60.90"
    assert notices[0]["mime"].startswith(f'video/mp4; codecs="{name[:6]}')
    assert (notices[0]["width"], notices[0]["height"]) == (320, 240)
    frames = decode(parts)
    assert len(frames) == 20
    numbers = [round((f.to_ndarray()[:240].mean() - 17.5) / 4) for f in frames]
    assert numbers == list(range(25, 45))
    assert {b.pts - a.pts for a, b in itertools.pairwise(frames)} == {3600}


async def test_pictures_in_another_order_are_shown_in_theirs(live):
    camera = Camera(live.bus, encode(profile="high", b_frames=2))
    camera.publish(30)
    async with playing(camera), socket(live) as connection:
        _, parts = await receive(connection, 1 + 20)
    frames = decode(parts)
    numbers = [round((f.to_ndarray()[:240].mean() - 17.5) / 4) for f in frames]
    # The last few were cut off in the middle of their reordering.
    assert numbers[:17] == list(range(25, 42))


async def test_sound_goes_with_the_picture(live):
    from tests.format.test_fmp4 import encode_audio

    config, sounds = encode_audio("aac", 16_000)
    parameters = aac.parameters(config)
    camera = Camera(live.bus, encode())

    def sound(number: int) -> None:
        pts, data = sounds[number]
        unit = camera.unit()
        camera.number -= 1
        live.bus.publish(
            subjects.media("front", "main"),
            replace(unit, track=1, parameters=parameters, data=data, pts=pts, key=True),
        )

    camera.publish(1)
    sound(0)
    async with socket(live) as connection:
        await receive(connection, 3)
        for number in range(1, 15):
            camera.publish(1)
            sound(number)
        notices, parts = await receive(connection, 28)
    assert notices == []
    async with socket(live) as connection:
        notices, parts = await receive(connection, 1 + 30)
    assert "mp4a.40.2" in notices[0]["mime"]
    with av.open(io.BytesIO(b"".join(parts))) as container:
        kinds = [packet.stream.type for packet in container.demux() if packet.size]
    assert kinds.count("video") == kinds.count("audio") == 15


async def test_new_parameters_begin_again(live):
    camera = Camera(live.bus, encode())
    camera.publish(5)
    async with socket(live) as connection:
        await receive(connection, 6)
        larger = Camera(live.bus, encode(size=(640, 480)), run="r2")
        larger.publish(3)
        notices, parts = await receive(connection, 4)
    assert notices[0]["reset"] is True
    assert (notices[0]["width"], notices[0]["height"]) == (640, 480)
    assert [frame.width for frame in decode(parts)] == [640, 640, 640]


async def test_damaged_pictures_are_left_out(live):
    camera = Camera(live.bus, encode())
    camera.publish(5)
    async with socket(live) as connection:
        await receive(connection, 6)
        camera.damage_next = True
        camera.publish(2)
        _, parts = await receive(connection, 1)
        assert camera.units[6].data in parts[0]


async def test_a_viewer_that_reads_nothing_costs_the_others_nothing(live):
    small = LOCAL.model_copy(update={"mse_queue_bytes": 1 << 17, "mse_queue_units": 20})
    live.service.mse._settings = small
    camera = Camera(live.bus, encode(size=(640, 480), kilobits=3000))
    camera.publish(1)
    dropped = metrics.dropped.labels("mse")
    before = dropped._value.get()
    async with socket(live) as slow, socket(live) as quick:
        slow_first = await receive(slow, 2)
        assert slow_first
        await receive(quick, 2)
        slow.transport.pause_reading()
        async with playing(camera, rate=400):
            notices, parts = await receive(quick, 400)
            async with asyncio.timeout(5):
                while dropped._value.get() == before:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        assert notices == []
        assert len(parts) == 400
        slow.transport.resume_reading()
        camera.number = 25
        camera.publish(1)
        async with asyncio.timeout(5):
            while True:
                message = await slow.recv()
                if isinstance(message, str):
                    break
        assert json.loads(message)["dropped"] > 0
        after = await slow.recv()
        assert any(unit.key and unit.data in after for unit in camera.units)


async def close_code(connection: ClientConnection) -> int | None:
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.recv()
    return connection.close_code


async def test_who_may_not_watch_is_closed_with_a_code(live):
    Camera(live.bus, encode()).publish(3)
    viewer = await live.add_user("guest", Role.VIEWER)
    async with socket(live, "nonsense") as connection:
        assert await close_code(connection) == 4401
    async with socket(live, viewer) as connection:
        assert await close_code(connection) in (4403, 4404)
    async with socket(live, path=PATH.replace("main", "other")) as connection:
        assert await close_code(connection) == 4503
    await live.catalog.grants.replace("guest", ["front"])
    live.auth.access.forget()
    async with socket(live, viewer) as connection:
        await receive(connection, 2)
        await live.catalog.grants.replace("guest", [])
        assert await close_code(connection) == 4403
    assert live.service.mse.viewers == 0


async def test_viewers_are_bounded_and_end_with_the_stream(live):
    Camera(live.bus, encode()).publish(3)
    live.service.mse._settings = LOCAL.model_copy(update={"mse_max_viewers": 1})
    async with socket(live) as one:
        await receive(one, 2)
        async with socket(live) as other:
            assert await close_code(other) == 4429
        live.service.hubs.close()
        assert await close_code(one) == 4503


def test_g711_is_left_out():
    parameters, units = encode()
    hub = Hub("c", "main", 1 << 20)
    sound = CodecParameters(Codec.PCMU, 8000, channels=1)
    hub.put(AccessUnit("c", "main", 0, "r", 0, parameters, units[0].data, 0, 1, key=True))
    hub.put(AccessUnit("c", "main", 1, "r", 0, sound, bytes(160), 0, 1, key=True))
    channel = MseChannel(hub, lambda _: None)
    viewer = MseViewer(1 << 20, 100)
    channel.add(viewer)
    assert 'codecs="avc1.42C014"' in json.loads(str(viewer._first[0]))["mime"]
    assert len(viewer._first) == 3
