from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio
from tests.support.api_server import Api, running_api


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with running_api(tmp_path) as running:
        yield running


@pytest_asyncio.fixture
async def admin(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client("admin") as client:
        yield client


@pytest_asyncio.fixture
async def vera(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client("vera") as client:
        yield client


@pytest_asyncio.fixture
async def anybody(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client() as client:
        yield client
