from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.catalog_open import opened
from tests.support.postgres import PostgresServer, postgres_server

from vms.catalog.open import SqlCatalog


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/vms.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url()


@pytest_asyncio.fixture
async def catalog(catalog_url: str, tmp_path: Path) -> AsyncIterator[SqlCatalog]:
    async with opened(catalog_url, tmp_path) as found:
        yield found
