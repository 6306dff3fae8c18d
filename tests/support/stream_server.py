"""The stream room behind a real HTTP server with real sign-in, fed from a memory bus."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI
from tests.support.catalog_open import camera as catalog_camera

from vms.api import problems
from vms.app import http
from vms.app.settings import HttpSettings
from vms.auth.services import AuthServices, open_auth
from vms.auth.settings import AuthSettings
from vms.bus.memory import MemoryBus
from vms.catalog.open import SqlCatalog, open_catalog
from vms.catalog.port import Role, User
from vms.common.clock import SystemClock
from vms.common.secret import Secret
from vms.stream.routes import router
from vms.stream.service import StreamService
from vms.stream.settings import StreamSettings, WebRtcSettings

PASSWORD = "correct horse battery"
LOCAL = StreamSettings(webrtc=WebRtcSettings(host="127.0.0.1", port=0))


@dataclass
class Live:
    """`token` is an administrator's; `http` sends it."""

    service: StreamService
    bus: MemoryBus
    catalog: SqlCatalog
    auth: AuthServices
    app: FastAPI
    url: str
    token: str
    http: httpx.AsyncClient

    async def sign_in(self, name: str) -> str:
        issued = await self.auth.signin.login(name, Secret(PASSWORD), "127.0.0.1")
        return issued.access_token

    async def add_user(self, name: str, role: Role, *cameras: str) -> str:
        """Adds the user and gives its token."""
        hashed = await self.auth.passwords.hash(Secret(PASSWORD))
        await self.catalog.users.add(User(name, name, role, hashed))
        if cameras:
            await self.catalog.grants.replace(name, cameras)
        return await self.sign_in(name)


@contextlib.asynccontextmanager
async def live_server(directory: Path, settings: StreamSettings = LOCAL) -> AsyncIterator[Live]:
    """A server on a free port of loopback; the catalog knows the camera `front`."""
    catalog = await open_catalog(f"sqlite:///{directory / 'vms.db'}", directory)
    cheap = AuthSettings(hash_memory_kib=64, hash_passes=1)
    auth = await open_auth(catalog, SystemClock(), cheap)
    await catalog.cameras.add(catalog_camera("front"))
    bus = MemoryBus()
    service = StreamService(bus, settings)
    app = FastAPI()
    app.state.vms = auth
    problems.install(app)
    app.include_router(router(service))
    at_free_port = HttpSettings(port=0)
    listener = http.listen(at_free_port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    tasks = [
        asyncio.create_task(service.run()),
        asyncio.create_task(http.serve(app, listener, at_free_port)),
    ]
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        live = Live(service, bus, catalog, auth, app, url, "", client)
        live.token = await live.add_user("boss", Role.ADMINISTRATOR)
        client.headers["Authorization"] = f"Bearer {live.token}"
        async with asyncio.timeout(10):
            await service.ready.wait()
        try:
            yield live
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            listener.close()
            service.snapshots.close()
            auth.passwords.close()
            await bus.close()
            await catalog.close()
