"""Who watched live stands in the audit trail, from the begin to the end of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.support.stream_offers import CHROMIUM
from tests.support.stream_server import Live, live_server
from tests.support.stream_units import Camera, encode
from websockets.asyncio.client import connect

from vms.common.model.evidence import AuditEntry

ONE = "/api/v1/cameras/front/streams/main"


@pytest_asyncio.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path) as server:
        Camera(server.bus, encode()).publish(1)
        yield server


async def noted(live: Live) -> list[AuditEntry]:
    """Everything of the camera; views that go on are ended by it."""
    trail = live.auth.audit
    await trail._last_words()
    return [entry for entry in await live.catalog.audit.since(0) if entry.camera == "front"]


async def until_left(live: Live) -> None:
    async with asyncio.timeout(5):
        while any(sitting.lasting for sitting in live.auth.audit._sittings._open.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_webrtc_is_noted_from_its_begin_to_its_end(live: Live) -> None:
    headers = {"Content-Type": "application/sdp"}
    answer = await live.http.post(f"{ONE}/whep", content=CHROMIUM, headers=headers)
    assert answer.status_code == 201
    assert await live.auth.audit.flush()
    (begun,) = [e for e in await live.catalog.audit.since(0) if e.action == "live"]
    assert (begun.user_name, begun.address, begun.camera) == ("boss", "127.0.0.1", "front")
    assert begun.detail == {"stream": "main"}
    assert (await live.http.delete(answer.headers["location"])).status_code == 204
    await until_left(live)
    entries = await noted(live)
    assert [entry.action for entry in entries] == ["live", "view-ended"]
    assert entries[1].start_ns == begun.start_ns
    assert entries[1].end_ns is not None
    assert entries[1].end_ns > entries[1].start_ns


async def test_mse_is_noted_from_its_begin_to_its_end(live: Live) -> None:
    url = live.url.replace("http", "ws", 1) + f"{ONE}/mse"
    async with connect(url, open_timeout=5) as connection:
        await connection.send(json.dumps({"token": live.token}))
        await connection.recv()
    await until_left(live)
    assert [entry.action for entry in await noted(live)] == ["live", "view-ended"]


async def test_a_snapshot_is_noted_and_what_was_refused_is_not(live: Live) -> None:
    assert (await live.http.get(f"{ONE}/snapshot.jpg")).status_code == 200
    refused = await live.http.get(f"{ONE}/snapshot.jpg", headers={"Authorization": ""})
    assert refused.status_code == 401
    (entry,) = await noted(live)
    assert entry.action == "snapshot"
    assert entry.detail == {"stream": "main", "live": True}
