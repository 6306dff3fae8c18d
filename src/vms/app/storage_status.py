"""What `vms storage status` shows: the same figures as the storage page, without a running
system. A disk that does not answer is said after a few seconds, and waited for no longer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any

from vms.bus.memory import MemoryBus
from vms.catalog.port import Catalog
from vms.common.clock import SystemClock
from vms.common.errors import StorageError
from vms.storage.alarms import Alarms
from vms.storage.identities import Identities
from vms.storage.overview import Overview
from vms.storage.settings import StorageSettings
from vms.storage.volume import Volume
from vms.storage.volumes import Volumes

_LIMIT_S = 3.0


async def look(volumes: Volumes, catalog: Catalog, settings: StorageSettings) -> Mapping[str, Any]:
    """As `Overview.body` gives it. Raises CatalogError."""
    clock = SystemClock()
    known = await Identities(catalog.settings, volumes, clock).known()
    for volume in volumes:
        volume.identity = known.get(volume.name, "")
    silent = await asyncio.to_thread(_look_at_all, list(volumes))
    for volume in volumes:
        volume.look_no_more()
    overview = Overview(
        volumes, catalog, Alarms(MemoryBus(), clock), list, clock, settings.retention_days
    )
    found = await overview.body({})
    for shown in found["volumes"]:
        if shown["name"] in silent:
            shown |= {"state": "failed", "problem": f"does not answer within {_LIMIT_S:.0f} s"}
    return found


def _look_at_all(volumes: list[Volume]) -> set[str]:
    """Look at each, in threads of their own; the names of those that do not answer in time."""
    threads = {
        volume.name: threading.Thread(target=_look, args=(volume,), daemon=True)
        for volume in volumes
    }
    deadline = time.monotonic() + _LIMIT_S
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    return {name for name, thread in threads.items() if thread.is_alive()}


def _look(volume: Volume) -> None:
    try:
        volume.check(now=True)
    except StorageError:
        # What is wrong stands in `volume.seen`.
        return
