"""Whether this process can do its work: each part is really used, and may take two seconds."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import Awaitable
from pathlib import Path

from vms.api.models import CheckModel, VolumeModel
from vms.api.service import ping_subject
from vms.api.services import ApiServices
from vms.bus import subjects
from vms.common.errors import NoResponder, VmsError
from vms.common.model.messages import Command
from vms.common.secret import redact

_LIMIT = 2.0
_KEPT_SECONDS = 1.0


class HealthChecks:
    """Results are kept for a second, so that asking often costs nothing."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._lock = asyncio.Lock()
        self._checks: list[CheckModel] = []
        self._volumes: list[VolumeModel] = []
        self._until = 0.0
        self._measuring: dict[Path, asyncio.Task[tuple[int, int, bool]]] = {}

    async def checks(self) -> list[CheckModel]:
        async with self._lock:
            if time.monotonic() >= self._until:
                await self._look()
                self._until = time.monotonic() + _KEPT_SECONDS
        return self._checks

    async def recording(self) -> CheckModel:
        """Whether the storage role, in whatever process, records what it should."""
        return await _check("recording", self._ask_storage())

    async def volumes(self) -> list[VolumeModel]:
        await self.checks()
        return self._volumes

    async def _look(self) -> None:
        services = self._services
        paths = services.volumes
        catalog, bus, *volumes = await asyncio.gather(
            _check("catalog", services.catalog.check()),
            _check("bus", self._ping()),
            *(self._volume(path) for path in paths),
        )
        found = [volume for volume in volumes if isinstance(volume, VolumeModel)]
        self._volumes = found
        self._checks = [check for check in (catalog, bus) if isinstance(check, CheckModel)] + [
            CheckModel(name=f"volume {v.path}", ok=v.ok, detail=v.detail, elapsed_ms=0.0)
            for v in found
        ]

    async def _ping(self) -> None:
        nonce = secrets.token_hex(4)
        subject = ping_subject(self._services.node)
        reply = await self._services.bus.request(
            subject, Command("ping", {"nonce": nonce}), timeout=_LIMIT
        )
        if reply.body.get("nonce") != nonce:
            raise VmsError("the bus gave back something else than was sent")

    async def _volume(self, path: Path) -> VolumeModel:
        """A disk that stands still holds one thread, however often it is asked for."""
        task = self._measuring.get(path)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(_measure, path))
            self._measuring[path] = task
        done, _ = await asyncio.wait([task], timeout=_LIMIT)
        if not done:
            return _broken(path, f"no answer within {_LIMIT:.0f} s; is it a network disk?")
        self._measuring.pop(path, None)
        try:
            total, free, writable = task.result()
        except OSError as error:
            return _broken(path, error.strerror or str(error))
        detail = "" if writable else "this user may not write to it"
        return VolumeModel(path=str(path), ok=writable, detail=detail, total=total, free=free)

    async def _ask_storage(self) -> None:
        """Raises VmsError with what keeps anything from being recorded."""
        try:
            reply = await self._services.bus.request(
                subjects.STORAGE_COMMANDS, Command("status"), timeout=_LIMIT
            )
        except NoResponder as error:
            raise VmsError("no storage role runs, so nothing is recorded; start it") from error
        if problem := reply.error or str(reply.body.get("problem", "")):
            raise VmsError(problem)


async def _check(name: str, work: Awaitable[None]) -> CheckModel:
    began = time.perf_counter()
    detail = ""
    try:
        async with asyncio.timeout(_LIMIT):
            await work
    except TimeoutError:
        detail = f"no answer within {_LIMIT:.0f} s"
    except VmsError as error:
        detail = redact(str(error)) or type(error).__name__
    elapsed = (time.perf_counter() - began) * 1000
    return CheckModel(name=name, ok=not detail, detail=detail, elapsed_ms=round(elapsed, 2))


def _measure(path: Path) -> tuple[int, int, bool]:
    usage = shutil.disk_usage(path)
    return usage.total, usage.free, os.access(path, os.W_OK | os.X_OK)


def _broken(path: Path, detail: str) -> VolumeModel:
    return VolumeModel(path=str(path), ok=False, detail=detail, total=0, free=0)
