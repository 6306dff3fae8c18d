"""Ingest in one process, the rest in another: over Unix sockets with SQLite, and over a real
NATS server with a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bench.support.stamps import count
from tests.support.bus_servers import NatsServer
from tests.support.postgres import find_binaries, postgres_server
from tests.support.system import System, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Site:
    bus_url: str
    environment: dict[str, str]


@pytest.fixture(params=["unix", "nats"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param == "unix":
        yield Site(f"unix://{tmp_path}/bus.sock", {})
        return
    if find_binaries() is None:
        pytest.skip("no PostgreSQL here")
    server = NatsServer(tmp_path / "nats")
    with postgres_server() as database:
        server.start()
        try:
            yield Site(server.url, {"VMS_CATALOG__URL": database.url()})
        finally:
            server.stop()


def test_cameras_are_recorded_across_processes(tmp_path: Path, site: Site) -> None:
    data = tmp_path / "data"
    serving_roles = ("storage", "stream", "api")
    bus = ("--bus", site.bus_url)
    with (
        System(data, *bus, roles=serving_roles, environment=site.environment) as serving,
        System(data, *bus, roles=("ingest",), environment=site.environment) as pulling,
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
