from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.bus_servers import LocalSite, MemorySite, NatsServer, NatsSite, Site


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server shared by the tests that do not stop it; subjects keep them apart."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that the test may stop."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["memory", "local", "nats"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    made: Site
    if request.param == "memory":
        made = MemorySite()
    elif request.param == "local":
        made = local = LocalSite(tmp_path)
        await local.start()
    else:
        made = NatsSite(request.getfixturevalue("nats_server"))
    yield made
    await made.close()


@pytest.fixture(params=["local", "nats"])
async def breakable_site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """A transport of its own, whose broker may be stopped and started again."""
    made: Site
    if request.param == "local":
        made = local = LocalSite(tmp_path)
        await local.start()
    else:
        made = NatsSite(request.getfixturevalue("own_nats_server"))
    yield made
    await made.close()


@pytest.fixture
def word() -> str:
    """A word for subjects of this test alone."""
    return f"t{uuid.uuid4().hex[:12]}"
