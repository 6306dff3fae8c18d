"""A disk made of numbers, and the engine of retention on it with a real catalog.

Only the wire is played: `removal.Disk`, where files are names with sizes, and the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support.virtual_clock import VirtualClock

from vms.catalog.open import SqlCatalog
from vms.common.errors import StorageError
from vms.storage.removal import Disk, Remover
from vms.storage.retention import Retention
from vms.storage.settings import StorageSettings
from vms.storage.volume import Volume
from vms.storage.volume_state import Look, VolumeState
from vms.storage.volumes import Volumes


class Killed(BaseException):
    """The process ends here."""


class PlayedDisk(Disk):
    """Sizes by volume and path, and one journal a volume. May be killed at its nth step."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, int]] = {}
        self.size: dict[str, int] = {}
        self.other: dict[str, int] = {}
        self.journal: dict[str, dict[str, str]] = {}
        self.kill_after: int | None = None
        self.steps = 0

    def _step(self) -> None:
        self.steps += 1
        if self.kill_after is not None:
            self.kill_after -= 1
            if self.kill_after < 0:
                raise Killed

    def prepare(self, volume: Volume) -> None:
        pass

    def note(self, volume: Volume, entries: Mapping[str, str]) -> None:
        self._step()
        self.journal[volume.name] = dict(entries)

    def noted(self, volume: Volume) -> dict[str, str]:
        return dict(self.journal.get(volume.name, {}))

    def is_of(self, volume: Volume, segment_id: str, path: str) -> bool:
        return path in self.files[volume.name]

    def unlink(self, volume: Volume, paths: Iterable[str]) -> None:
        for path in paths:
            self._step()
            self.files[volume.name].pop(path, None)

    def tidy(self, volume: Volume, folders: Iterable[Path]) -> None:
        pass

    def free(self, volume: Volume) -> int:
        name = volume.name
        return self.size[name] - self.other[name] - sum(self.files[name].values())


class Bell:
    """Alarms, as they are asked for."""

    def __init__(self) -> None:
        self.active: dict[tuple[str, str], str] = {}
        self.raised = 0

    def raise_(self, kind: str, subject: str, text: str) -> None:
        self.raised += (kind, subject) not in self.active
        self.active[kind, subject] = text

    def clear(self, kind: str, subject: str) -> None:
        self.active.pop((kind, subject), None)


class Engine:
    """Retention as it runs, on volumes of `sizes` bytes with `floors`."""

    def __init__(
        self,
        catalog: SqlCatalog,
        clock: VirtualClock,
        sizes: Mapping[str, int],
        floors: Mapping[str, int],
    ) -> None:
        self.catalog = catalog
        self.clock = clock
        self.disk = PlayedDisk()
        self.bell = Bell()
        self.kills = 0
        self.volumes = Volumes([Volume(Path("/played") / n, floors[n], n) for n in sizes])
        for name, size in sizes.items():
            self.disk.files[name] = {}
            self.disk.size[name] = size
            self.disk.other[name] = 0
            self.away(name, False)
        self._begin()

    def _begin(self) -> None:
        segments = self.catalog.segments
        self.remover = Remover(self.volumes, segments, self.clock, disk=self.disk)
        self.retention = Retention(
            self.volumes, self.catalog, self.remover, self.bell, self.clock, StorageSettings()
        )

    def away(self, name: str, is_away: bool) -> None:
        state = VolumeState.MISSING if is_away else VolumeState.OK
        problem = "unmounted" if is_away else ""
        self.volumes.named(name).seen = Look(state, problem, self.disk.size[name], 0)

    async def tick(self, kill_after: int | None = None) -> None:
        """Once through; with `kill_after`, killed at that step of the disk, begun anew and
        once through again."""
        self.disk.kill_after = kill_after
        try:
            await self.retention.tick()
        except (Killed, StorageError):
            self.kills += 1
        killed = self.disk.kill_after is not None and self.disk.kill_after < 0
        self.disk.kill_after = None
        if killed:
            rates = self.retention.rates
            self._begin()
            # How fast it was written before is no matter of what is left, but of how much
            # room is asked for, which the model is to know.
            self.retention.rates = rates
            await self.retention.tick()
        await asyncio.sleep(0)
