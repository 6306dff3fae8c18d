"""What looks after recordings once they are written: deleting, moving, foreseeing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from vms.catalog.port import Catalog
from vms.common.clock import Clock
from vms.storage.forecast import Forecaster
from vms.storage.mover import Mover
from vms.storage.removal import Gone, Remover, nothing
from vms.storage.retention import Retention
from vms.storage.retention_room import RoomAlarms
from vms.storage.settings import StorageSettings
from vms.storage.volume import Volume
from vms.storage.volumes import Volumes


class Keeping:
    """The parts share one `remover`: nothing else deletes or moves recordings."""

    def __init__(
        self,
        volumes: Volumes,
        catalog: Catalog,
        alarms: RoomAlarms,
        clock: Clock,
        settings: StorageSettings,
        gone: Gone = nothing,
    ) -> None:
        """`gone` hears, in a thread, of recordings that were deleted."""
        self.remover = Remover(volumes, catalog.segments, clock, gone)
        self.retention = Retention(volumes, catalog, self.remover, alarms, clock, settings)
        self.mover = Mover(
            volumes, catalog.segments, self.remover, clock, settings,
            self.retention.runs_low, self.retention.ask,
        )  # fmt: skip
        self.forecaster = Forecaster(
            volumes, catalog, alarms, clock, settings, self.retention.headroom
        )

    def parts(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        """What is to be run, each until cancelled."""
        return [
            ("storage-retention", self.retention.run),
            ("storage-mover", self.mover.run),
            ("storage-forecast", self.forecaster.run),
        ]

    async def settle(self, volume: Volume) -> None:
        """Finish what was being deleted or moved on a volume; to be called before files there
        are looked for that have no row. Raises CatalogError, StorageError."""
        try:
            await self.remover.recover(volume)
        except OSError as error:
            raise volume.error("fails", error) from error
