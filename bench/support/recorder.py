"""Ours: receive and record, and nothing else, in one process on the memory bus.

`python -m bench.support.recorder FOLDER URL...` prints `ready` once all are online; on
SIGTERM it closes its files and prints `delays` with the percentiles it saw.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from vms.bus import subjects
from vms.bus.connect import open_bus
from vms.bus.port import Delivery
from vms.bus.settings import BusSettings
from vms.catalog.open import open_catalog
from vms.common.clock import SystemClock
from vms.common.lifecycle import stop_task
from vms.common.model.camera import Camera, RecordingMode, StreamConfig, StreamState, StreamStatus
from vms.ingest import service as ingest
from vms.ingest.settings import IngestSettings
from vms.storage import service as storage
from vms.storage.settings import StorageSettings


async def main() -> None:
    folder, urls = Path(sys.argv[1]), sys.argv[2:]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    bus = await open_bus(BusSettings())
    catalog = await open_catalog(f"sqlite:///{folder / 'vms.db'}", folder)
    for index, url in enumerate(urls):
        stream = StreamConfig("main", url, recording=RecordingMode.CONTINUOUS)
        await catalog.cameras.add(Camera(f"cam-{index}", f"cam-{index}", (stream,)))
    online: set[str] = set()
    ready = asyncio.Event()

    def note(delivery: Delivery) -> None:
        state = delivery.message
        if isinstance(state, StreamState) and state.status is StreamStatus.ONLINE:
            online.add(state.camera)
            if len(online) == len(urls):
                ready.set()

    await bus.subscribe(subjects.STATE_ALL, note)
    clock = SystemClock()
    settings = StorageSettings(root=folder / "recordings")
    recording = asyncio.create_task(storage.run(bus, catalog, settings, clock))
    pulling = asyncio.create_task(ingest.run(bus, catalog.cameras.list, IngestSettings(), clock))
    await asyncio.wait_for(ready.wait(), 60)
    print("ready", flush=True)
    await stop.wait()
    await stop_task(pulling)
    await stop_task(recording, 15)
    await catalog.close()
    await bus.close()


if __name__ == "__main__":
    uvloop.run(main())
