"""Ingest in one process, the rest in another: over Unix sockets and over a real NATS server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.support.stamps import count
from tests.support.bus_servers import NatsServer
from tests.support.system import System, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(params=["unix", "nats"])
def bus_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "unix":
        yield f"unix://{tmp_path}/bus.sock"
        return
    server = NatsServer(tmp_path / "nats")
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def test_cameras_are_recorded_across_processes(tmp_path: Path, bus_url: str) -> None:
    data = tmp_path / "data"
    with (
        System(data, "--bus", bus_url, roles=("storage", "stream", "api")) as serving,
        System(data, "--bus", bus_url, roles=("ingest",)) as pulling,
    ):
        serving.wait_ready()
        client = serving.client()

        def online() -> bool:
            states = client.get("/api/v1/states").raise_for_status().json()
            return sum(state["status"] == "online" for state in states) == 8

        wait_for(online, 60, "eight streams online")
        time.sleep(8)
        picture = client.get("/api/v1/cameras/gate/streams/main/snapshot.jpg")
        assert picture.status_code == 200
        assert picture.content[:2] == b"\xff\xd8"
        assert pulling.stop() < 5
        time.sleep(1)
        assert serving.stop() < 5
    for camera in ("gate", "parking", "shop", "yard"):
        found = count(sorted((data / "recordings" / "cameras" / camera).rglob("*.mkv")))
        assert found.pictures > 60
        assert (found.missing, found.repeated) == (0, 0), camera
