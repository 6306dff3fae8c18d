"""A real NATS server, and buses of every kind, for tests."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sysconfig
import time
from pathlib import Path
from typing import Protocol

from vms.bus.local import LocalBroker, LocalBus
from vms.bus.memory import MemoryBus
from vms.bus.nats import NatsBus
from vms.bus.port import Bus


class NatsServer:
    """`nats-server` on a free port of 127.0.0.1, with JetStream in `folder`."""

    def __init__(self, folder: Path, max_payload: str = "10MB", extra: str = "") -> None:
        self._folder = folder
        self._max_payload = max_payload
        self._extra = extra
        self._process: subprocess.Popen[bytes] | None = None
        self.port = -1

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        binary = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
        assert binary, "nats-server is missing: install requirements-dev.lock"
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "nats.conf"
        config.write_text(
            f'host: "127.0.0.1"\nport: {self.port}\nmax_payload: {self._max_payload}\n'
            f'jetstream {{ store_dir: "{self._folder}/js" }}\n'
            f'ports_file_dir: "{self._folder}"\n{self._extra}\n'
        )
        log = (self._folder / "nats.log").open("ab")
        self._process = subprocess.Popen([binary, "-c", config], stdout=log, stderr=log)
        log.close()
        ports = self._folder / f"nats-server_{self._process.pid}.ports"
        deadline = time.monotonic() + 10
        while not ports.exists() or not ports.read_text().strip():
            alive = self._process.poll() is None
            assert alive, (self._folder / "nats.log").read_text()
            assert time.monotonic() < deadline, (self._folder / "nats.log").read_text()
            time.sleep(0.01)
        address = json.loads(ports.read_text())["nats"][0]
        self.port = int(address.rpartition(":")[2])

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        process, self._process = self._process, None
        if process is not None:
            os.kill(process.pid, how)
            process.wait(10)


class Site(Protocol):
    """One transport; each `bus()` is what another process would have."""

    async def bus(self) -> Bus: ...

    async def restart(self) -> None: ...

    async def close(self) -> None: ...


class MemorySite:
    name = "memory"

    def __init__(self) -> None:
        self._bus = MemoryBus()

    async def bus(self) -> Bus:
        return self._bus

    async def restart(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        await self._bus.close()


class LocalSite:
    name = "local"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bus.sock"
        self.broker = LocalBroker(self.path)
        self._buses: list[LocalBus] = []

    async def start(self) -> None:
        await self.broker.start()

    async def bus(self) -> Bus:
        bus = LocalBus(self.path)
        await bus.start()
        self._buses.append(bus)
        return bus

    async def restart(self) -> None:
        await self.broker.close()
        await asyncio.sleep(0.05)
        self.broker = LocalBroker(self.path)
        await self.broker.start()

    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()
        await self.broker.close()


class NatsSite:
    name = "nats"

    def __init__(self, server: NatsServer) -> None:
        self.server = server
        self._buses: list[NatsBus] = []

    async def bus(self) -> Bus:
        bus = await NatsBus.connect(self.server.url)
        self._buses.append(bus)
        return bus

    async def restart(self) -> None:
        await asyncio.to_thread(self.server.stop)
        await asyncio.sleep(0.05)
        await asyncio.to_thread(self.server.start)

    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()
