"""The storage role: records what is to be recorded, and looks after what is recorded.

Recording begins as soon as the cameras are known and waits for nothing else. All other parts
(`_parts`) run beside it, each on its own: one that fails is started again and takes nothing
with it. A volume that cannot be used is said and tried again; the others are recorded to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import structlog

from vms.bus import subjects
from vms.bus.port import Bus
from vms.catalog.port import Catalog
from vms.common.clock import Clock
from vms.common.errors import CatalogError, VmsError
from vms.common.lifecycle import keep_running, stop_task
from vms.common.model.messages import Command, Reply
from vms.common.model.segment import SegmentRow
from vms.storage.alarms import CATALOG, Alarms
from vms.storage.health import VolumeAlarms
from vms.storage.identities import Identities
from vms.storage.keeping import Keeping
from vms.storage.mender import Mender
from vms.storage.overview import Overview
from vms.storage.recorder import Recorder, RecordingState
from vms.storage.removal import Gone, nothing
from vms.storage.settings import StorageSettings
from vms.storage.volumes import Volumes

log = structlog.get_logger(__name__)

_RETRY_S = 5.0
_FIRST_LOOK_S = 1.0
"""How long recording waits for the first look at all volumes, so that none is taken for dead."""

Part = tuple[str, Callable[[], Awaitable[None]]]
Asked = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
T = TypeVar("T")


async def run(bus: Bus, catalog: Catalog, settings: StorageSettings, clock: Clock) -> None:
    """Record until cancelled, then close all files. `settings.root` must be set."""
    await StorageService(bus, catalog, settings, clock).run()


class StorageService:
    """The volumes, the recorder that writes to them, and what looks after the recordings."""

    def __init__(
        self,
        bus: Bus,
        catalog: Catalog,
        settings: StorageSettings,
        clock: Clock,
        root: Path | None = None,
        volumes: Volumes | None = None,
        gone: Gone = nothing,
    ) -> None:
        """`volumes`: those of the settings, where somebody else reads from them too. `gone`
        hears, in a thread, of recordings that were deleted.

        Raises StorageError where neither `root` nor `settings.root` is given.
        """
        self.volumes = volumes or Volumes.of_settings(settings, root)
        self._bus = bus
        self._catalog = catalog
        self._clock = clock
        self._settings = settings
        self._waiting = ""
        self._started = False
        self._left: list[SegmentRow] = []
        self.alarms = Alarms(bus, clock)
        self.recorder = Recorder(bus, catalog, self.volumes, settings, clock, self.alarms)
        self.identities = Identities(catalog.settings, self.volumes, clock)
        self.keeping = Keeping(self.volumes, catalog, self.alarms, clock, settings, gone)
        self.mender = Mender(
            self.volumes, catalog, self.recorder.rows, clock,
            settle=self.keeping.settle, is_going=self.keeping.remover.has_touched,
        )  # fmt: skip
        self.overview = Overview(
            self.volumes, catalog, self.alarms, self.states, clock, settings.retention_days
        )
        self.overview.outlook = self.keeping.forecaster.outlook
        self.alarms.watch(self._look_at_catalog)
        self.recorder.on_trouble = VolumeAlarms(self.volumes, self.alarms, clock).trouble
        self.commands: dict[str, Asked] = {
            "status": self._status,
            "storage": self.overview.body,
        }
        """What may be asked for by STORAGE_COMMANDS."""

    def _parts(self) -> list[Part]:
        """What runs beside the recorder, each until cancelled."""
        return [
            ("storage-mender", lambda: self.mender.run(self._left, self.recorder.broken)),
            ("storage-volumes", self.identities.run),
            ("storage-alarms", self.alarms.run),
            *self.keeping.parts(),
        ]

    def states(self) -> list[RecordingState]:
        """How each stream's recording stands."""
        return self.recorder.states()

    @property
    def problem(self) -> str:
        """What keeps streams from being recorded, as a sentence; empty where nothing does."""
        if not self._started:
            return self._waiting
        return self.volumes.problem() or self._disk_problem()

    async def run(self) -> None:
        """Until cancelled, then close all files."""
        serving = await self._bus.serve(subjects.STORAGE_COMMANDS, self._answer)
        tasks: list[asyncio.Task[None]] = []
        try:
            known = await self._patiently(self.identities.known)
            # Asked before this process opens files of its own.
            self._left = await self._patiently(self._catalog.segments.open_segments)
            self.volumes.start(known, self.identities.note)
            await asyncio.to_thread(self.volumes.wait_looked, _FIRST_LOOK_S)
            await self.recorder.start()
            self._started = True
            tasks = [
                asyncio.create_task(keep_running(name, body), name=name)
                for name, body in self._parts()
            ]
            await asyncio.Event().wait()
        finally:
            await asyncio.gather(*(stop_task(task, 1.0) for task in tasks))
            await serving.close()
            await self.recorder.stop()
            self.volumes.stop()

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What the catalog says, as soon as it says something."""
        while True:
            try:
                found = await ask()
            except CatalogError as error:
                self._waiting = f"nothing is recorded before the catalog can be read: {error}"
                log.error("the catalog cannot be read, trying again", error=str(error))
                await self._clock.sleep(_RETRY_S)
            else:
                self._waiting = ""
                return found

    async def _answer(self, command: Command) -> Reply:
        asked = self.commands.get(command.kind)
        if asked is None:
            known = ", ".join(sorted(self.commands))
            return Reply(error=f"storage knows no command {command.kind[:40]!r}; it knows {known}")
        try:
            return Reply(await asked(command.body))
        except VmsError as error:
            return Reply(error=str(error))

    async def _status(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "volume": str(self.volumes.main.root),
            "problem": self.problem,
            "streams": [asdict(state) for state in self.states()],
        }

    def _look_at_catalog(self) -> None:
        problem = self.recorder.rows.problem
        text = f"recording goes on, and is found once the catalog answers again: {problem}"
        self.alarms.hold(CATALOG, {"catalog": text} if problem else {})

    def _disk_problem(self) -> str:
        """What the volumes refuse, as the streams that are to be recorded found it."""
        stopped = [state for state in self.states() if state.problem]
        if not stopped:
            return ""
        count = len(stopped)
        what = f"{count} streams are" if count > 1 else f"{stopped[0].camera} is"
        return f"{what} not recorded: {stopped[0].problem}"
