"""The API as a real server on a free port, with people and cameras in its catalog."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import websockets
from fastapi import APIRouter, FastAPI
from tests.support.catalog_open import camera, opened
from websockets.asyncio.client import ClientConnection

from vms.api import service
from vms.api.app import create_app
from vms.api.services import ApiServices
from vms.api.settings import ApiSettings
from vms.auth.services import open_auth
from vms.auth.settings import AuthSettings
from vms.auth.users import create_user
from vms.bus.memory import MemoryBus
from vms.catalog.port import Role, User
from vms.common.clock import SystemClock
from vms.common.secret import Secret

PASSWORD = "correct horse battery"
CHEAP = AuthSettings(hash_memory_kib=64, hash_passes=1)


class ShiftedClock(SystemClock):
    """The machine's clocks, put forward by as many seconds as a test wants."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now_ns(self) -> int:
        return super().now_ns() + int(self.ahead * 1e9)

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + int(self.ahead * 1e9)


@dataclass
class Api:
    services: ApiServices
    bus: MemoryBus
    clock: ShiftedClock
    app: FastAPI
    base: str
    people: dict[str, User] = field(default_factory=dict)

    async def person(self, name: str, role: Role, cameras: Sequence[str] = ()) -> User:
        self.people[name] = await create_user(
            self.services.catalog,
            name,
            Secret(PASSWORD),
            role,
            cameras,
            self.services.auth.passwords,
        )
        return self.people[name]

    @contextlib.asynccontextmanager
    async def client(self, name: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A browser of its own, signed in as `name`."""
        async with httpx.AsyncClient(base_url=self.base, timeout=10) as client:
            if name is not None:
                client.headers["Authorization"] = f"Bearer {await self.sign_in(client, name)}"
            yield client

    async def sign_in(self, client: httpx.AsyncClient, name: str) -> str:
        answer = await client.post(
            "/api/v1/auth/login", json={"username": name, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    @contextlib.asynccontextmanager
    async def socket(
        self, token: str | None, path: str = "/api/v1/events", **options: Any
    ) -> AsyncIterator[ClientConnection]:
        url = self.base.replace("http", "ws", 1) + path
        async with websockets.connect(url, **options) as connection:
            if token is not None:
                await connection.send(json.dumps({"token": token}))
            yield connection


@contextlib.contextmanager
def free_port() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        yield listening


@contextlib.asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """`app` behind uvicorn, as the system runs it; gives the address."""
    with free_port() as listening:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=1 << 16,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
        task = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, 5)


@contextlib.asynccontextmanager
async def running_api(
    directory: Path,
    routers: Sequence[APIRouter] = (),
    web_dir: Path | None = None,
    catalog_url: str | None = None,
    auth: AuthSettings = CHEAP,
    settings: ApiSettings | None = None,
) -> AsyncIterator[Api]:
    """Cameras 'front' and 'back'; users admin, olga (operator, all cameras), vera (viewer of
    front) and nora (viewer of nothing), all of one password."""
    clock, bus = ShiftedClock(), MemoryBus()
    async with opened(catalog_url or f"sqlite:///{directory}/vms.db", directory) as catalog:
        services = ApiServices(
            catalog=catalog,
            bus=bus,
            auth=await open_auth(catalog, clock, auth),
            clock=clock,
            version="0.0.test",
            roles=("api",),
            volumes=(directory,),
            settings=settings or ApiSettings(),
        )
        app = create_app(services, routers, web_dir)
        house = asyncio.create_task(service.run(services))
        audit = asyncio.create_task(services.auth.audit.run())
        try:
            async with serving(app) as base:
                api = Api(services, bus, clock, app, base)
                await catalog.cameras.add(camera("front"))
                await catalog.cameras.add(camera("back"))
                await api.person("admin", Role.ADMINISTRATOR)
                await api.person("olga", Role.OPERATOR, ["*"])
                await api.person("vera", Role.VIEWER, ["front"])
                await api.person("nora", Role.VIEWER)
                yield api
        finally:
            for task in (house, audit):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            services.auth.passwords.close()
            await bus.close()
