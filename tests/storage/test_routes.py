"""Playback over HTTP, as a client sees it, with real sign-in."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import av
import httpx
import pytest
from starlette.types import Message
from tests.support.api_server import Api, running_api
from tests.support.storage_media import SECOND, START_NS, encode_video
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import rig

from vms.storage.playback import Playback
from vms.storage.routes import PlaybackResponse, router
from vms.storage.settings import StorageSettings

START_MS = START_NS // 1_000_000
URL = "/api/v1/cameras/front/playback"
STILL = "/api/v1/cameras/front/snapshot.jpg"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with rig(tmp_path / "recorded") as storage:
        storage.send(make_units(*encode_video()))
        storage.send(make_units(*encode_video(), run="2", start_ns=START_NS + 60 * SECOND))
        await storage.stop()
        rows = await storage.rows()
    late = SimpleNamespace(segments=None)
    settings = StorageSettings(root=storage.root, playback_responses=2, playback_max_seconds=600)
    playback = Playback(late, settings)
    async with running_api(tmp_path, [router(playback)]) as running:
        late.segments = running.services.catalog.segments
        await late.segments.add_many(rows)
        yield running
    assert playback.active == 0
    playback.close()


@pytest.fixture
async def vera(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client("vera") as client:
        yield client


async def test_footage_comes_as_fragmented_mp4(vera: httpx.AsyncClient) -> None:
    answer = await vera.get(URL, params={"start": START_MS + 500, "duration": 1})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["x-codecs"].startswith("avc1.")
    assert answer.headers["x-start-ms"] == str(START_MS + 400)
    assert answer.headers["x-end-ms"] == str(START_MS + 1600)
    assert answer.content[4:8] == b"ftyp"
    with av.open(io.BytesIO(answer.content)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30


async def test_where_nothing_is_recorded_it_says_where_it_goes_on(
    vera: httpx.AsyncClient,
) -> None:
    for url, name in ((URL, "start"), (STILL, "at")):
        answer = await vera.get(url, params={name: START_MS + 20_000})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["next_start"] == START_MS + 60_000
        answer = await vera.get(url, params={name: START_MS + 90_000})
        assert answer.json()["next_start"] is None


async def test_stills(vera: httpx.AsyncClient) -> None:
    answer = await vera.get(STILL, params={"at": START_MS + 500, "width": 80})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-at-ms"] == str(START_MS + 400)
    assert answer.content[:2] == b"\xff\xd8"


@pytest.mark.parametrize("url", [URL, STILL])
async def test_only_those_who_may_see_the_camera(api: Api, url: str) -> None:
    params = {"start": START_MS, "at": START_MS}
    for name, path, status in (
        (None, url, 401),
        ("nora", url, 404),
        ("vera", url.replace("front", "back"), 404),
        ("vera", url.replace("front", "nothere"), 404),
        ("olga", url, 200),
        ("admin", url, 200),
    ):
        async with api.client(name) as client:
            answer = await client.get(path, params=params)
            assert answer.status_code == status, (name, path)


@pytest.mark.parametrize(
    "params",
    [
        {}, {"start": -1}, {"start": 1 << 50}, {"start": 1, "duration": 0},
        {"start": 1, "duration": 601}, {"start": 1, "duration": "nan"},
        {"start": 1, "stream": "../x"},
    ],
)  # fmt: skip
async def test_wrong_questions_are_refused(vera: httpx.AsyncClient, params: dict[str, str]) -> None:
    assert (await vera.get(URL, params=params)).status_code == 422


async def test_a_reader_that_stands_still_is_let_go(api: Api) -> None:
    """It holds one of few places; bytes lie in its socket unread."""
    answer = PlaybackResponse(
        SimpleNamespace(release=lambda answer: None, stream=_endless, settings=_IMPATIENT),  # type: ignore[arg-type]
        SimpleNamespace(mime="video/mp4", start_ns=0, end_ns=0, codecs=""),  # type: ignore[arg-type]
        ExitStack(),
    )
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 4:
            await asyncio.Event().wait()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async with asyncio.timeout(3):
        await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    assert len(sent) == 4


_IMPATIENT = StorageSettings(playback_idle_seconds=1)


async def _endless(answer: object) -> AsyncIterator[bytes]:
    while True:
        yield b"chunk"


async def test_places_come_back_when_readers_leave(api: Api, vera: httpx.AsyncClient) -> None:
    """Also of those who leave after the first bytes, or before."""
    params = {"start": START_MS, "duration": 5}
    for _ in range(6):
        async with vera.stream("GET", URL, params=params) as answer:
            assert answer.status_code == 200
            async for _ in answer.aiter_raw(10):
                break
    host, port = api.base.removeprefix("http://").split(":")
    token = vera.headers["Authorization"]
    for _ in range(6):
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"GET {URL}?start={START_MS} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        writer.transport.abort()
    for _ in range(50):
        answer = await vera.get(URL, params=params)
        if answer.status_code == 200:
            break
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        await asyncio.sleep(0.05)
    assert answer.status_code == 200
