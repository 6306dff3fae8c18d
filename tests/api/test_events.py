from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from tests.support.api_server import CHEAP, Api, running_api
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from vms.api.settings import ApiSettings
from vms.bus import subjects
from vms.common.model.camera import StreamState, StreamStatus
from vms.common.model.messages import ConfigChanged

ONLINE = StreamState("front", "main", StreamStatus.ONLINE, 1_790_000_000_000_000_000)


@pytest.fixture
async def token(api: Api, anybody: httpx.AsyncClient) -> str:
    return await api.sign_in(anybody, "vera")


async def _next(socket: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(await asyncio.wait_for(socket.recv(), 10)))


async def _code(socket: ClientConnection, limit: float = 3) -> int | None:
    """The code with which the server closes the socket."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(limit):
            while True:
                await socket.recv()
    return socket.close_code


async def test_the_states_of_now_come_first_and_changes_after_them(api: Api, token: str) -> None:
    async with api.socket(token) as socket:
        first = await _next(socket)
        assert first["type"] == "states"
        assert {s["camera"] for s in first["states"]} == {"front"}
        api.bus.publish(subjects.state("back", "main"), replace(ONLINE, camera="back"))
        api.bus.publish(subjects.state("front", "main"), ONLINE)
        told = await _next(socket)
        assert [(s["camera"], s["status"]) for s in told["states"]] == [("front", "online")]
        api.bus.publish(subjects.state("front", "main"), ONLINE)
        api.bus.publish(subjects.config("camera", "back"), ConfigChanged("camera", "back"))
        assert await _next(socket) == {"type": "config_changed", "kind": "camera"}


async def test_silence_of_ingest_is_told(api: Api, token: str) -> None:
    api.bus.publish(subjects.state("front", "main"), ONLINE)
    async with api.socket(token) as socket:
        await _next(socket)
        api.services.board.age()
        api.clock.ahead += 11
        api.services.board.age()
        told = await _next(socket)
        assert [s["status"] for s in told["states"]] == ["offline"]


async def test_a_slow_reader_gets_the_newest_state_and_holds_one_for_each_stream(
    api: Api,
) -> None:
    with api.services.board.watch() as watcher:
        for bitrate in range(1000):
            for camera in ("a", "b"):
                state = replace(ONLINE, camera=camera, bitrate=bitrate)
                api.bus.publish(subjects.state(camera, "main"), state)
            api.bus.publish(subjects.config("camera", str(bitrate)), ConfigChanged("camera", "x"))
        states, changes = watcher.take()
    assert [(s.camera, s.bitrate) for s in states] == [("a", 999), ("b", 999)]
    assert changes == [ConfigChanged("camera", "x")]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('{"token": "nonsense"}', 4401),
        ("hello", 4400),
        ('{"token": 5}', 4400),
        ("[]", 4400),
        ("[" * 8000, 4400),
        (b"\x00\x01", 4400),
        ('{"token": "' + "x" * 9000 + '"}', 4400),
    ],
)
async def test_a_bad_first_message_closes_it(api: Api, message: str | bytes, code: int) -> None:
    async with api.socket(None) as socket:
        await socket.send(message)
        assert await _code(socket) == code


async def test_no_message_closes_it(tmp_path: Path) -> None:
    hasty = CHEAP.model_copy(update={"socket_seconds": 0.2})
    async with running_api(tmp_path, auth=hasty) as api, api.socket(None) as socket:
        assert await _code(socket) == 4408


async def test_pages_of_other_origins_are_refused(api: Api, token: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with api.socket(token, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403
    async with api.socket(token, origin=api.base) as socket:
        assert (await _next(socket))["type"] == "states"


async def test_it_closes_within_a_second_or_two_of_signing_out(
    api: Api, anybody: httpx.AsyncClient, token: str
) -> None:
    async with api.socket(token) as socket:
        await _next(socket)
        await anybody.post("/api/v1/auth/logout")
        assert await _code(socket) == 4401


async def test_it_closes_when_the_user_is_disabled(
    api: Api, admin: httpx.AsyncClient, token: str
) -> None:
    async with api.socket(token) as socket:
        await _next(socket)
        path = f"/api/v1/users/{api.people['vera'].id}"
        assert (await admin.patch(path, json={"enabled": False})).status_code == 200
        assert await _code(socket) == 4401


async def test_a_grant_withdrawn_stops_the_states_of_that_camera(
    api: Api, admin: httpx.AsyncClient, token: str
) -> None:
    async with api.socket(token) as socket:
        await _next(socket)
        path = f"/api/v1/users/{api.people['vera'].id}/grants"
        assert (await admin.put(path, json={"cameras": ["back"]})).status_code == 200
        await asyncio.sleep(1.2)
        for camera in ("front", "back"):
            api.bus.publish(subjects.state(camera, "main"), replace(ONLINE, camera=camera))
        assert [s["camera"] for s in (await _next(socket))["states"]] == ["back"]


async def test_it_closes_when_the_token_expires_unless_a_fresh_one_comes(
    tmp_path: Path,
) -> None:
    short = CHEAP.model_copy(update={"access_seconds": 10})
    async with running_api(tmp_path, auth=short) as api, api.client() as client:
        old = await api.sign_in(client, "vera")
        async with api.socket(old) as socket, api.socket(old) as renewed:
            await _next(socket)
            await _next(renewed)
            api.clock.ahead += 8
            fresh = (await client.post("/api/v1/auth/refresh")).json()["access_token"]
            await renewed.send(json.dumps({"token": fresh}))
            api.clock.ahead += 3
            assert await _code(socket) == 4401
            api.bus.publish(subjects.state("front", "main"), ONLINE)
            assert (await _next(renewed))["states"][0]["status"] == "online"


async def test_a_token_of_another_user_is_no_renewal(
    api: Api, anybody: httpx.AsyncClient, token: str
) -> None:
    other = await api.sign_in(anybody, "admin")
    async with api.socket(token) as socket:
        await _next(socket)
        await socket.send(json.dumps({"token": other}))
        assert await _code(socket) == 4401


async def test_the_number_of_sockets_is_bounded_and_given_back(tmp_path: Path) -> None:
    few = ApiSettings(sockets_per_user=2)
    async with running_api(tmp_path, settings=few) as api, api.client() as client:
        token = await api.sign_in(client, "vera")
        async with api.socket(token) as one, api.socket(token) as two:
            await _next(one)
            await _next(two)
            async with api.socket(token) as three:
                assert await _code(three) == 1013
        async with asyncio.timeout(3):
            while api.services.board.watchers:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with api.socket(token) as again:
            assert (await _next(again))["type"] == "states"
