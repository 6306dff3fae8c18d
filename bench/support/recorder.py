"""Ours: receive and record, and nothing else, as one process or a part of it.

`python -m bench.support.recorder FOLDER [--roles ingest,storage] [--bus URL] [--delays]
URL...` prints `ready` once all streams are online. With `--delays` it measures each picture
from the moment that is stamped into it, when the camera gave it to the network, to the
return of the system call that put it into the recording; on SIGTERM it prints them as
`delays [ms, ...]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from collections.abc import Sequence
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
from vms.common.model.media import Codec
from vms.common.sei_stamp import STAMP_UUID, unpack_sei_stamp
from vms.format.sei import find_user_data
from vms.ingest import service as ingest
from vms.ingest.settings import IngestSettings
from vms.storage import service as storage
from vms.storage.settings import StorageSettings

_SEI_WITHIN = 400


def watch_writes() -> list[float]:
    """Measure every picture that goes into a file; milliseconds."""
    delays: list[float] = []
    write = os.writev

    def measured(descriptor: int, parts: Sequence[bytes]) -> int:
        done = write(descriptor, parts)
        now = time.time_ns()
        for part in parts:
            if part.find(STAMP_UUID, 0, _SEI_WITHIN) < 0:
                continue
            payload = find_user_data(part, Codec.H264, STAMP_UUID)
            if payload is not None and (stamp := unpack_sei_stamp(payload)):
                delays.append((now - stamp.sent_ns) / 1e6)
        return done

    os.writev = measured  # type: ignore[assignment]
    return delays


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("urls", nargs="+")
    parser.add_argument("--roles", default="ingest,storage")
    parser.add_argument("--bus", default="memory://")
    parser.add_argument("--delays", action="store_true")
    options = parser.parse_args()
    delays = watch_writes() if options.delays else []
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    bus = await open_bus(BusSettings(url=options.bus))
    folder: Path = options.folder
    catalog = await open_catalog(f"sqlite:///{folder / 'vms.db'}", folder)
    known = {camera.id for camera in await catalog.cameras.list()}
    online: set[str] = set()
    ready = asyncio.Event()

    def note(delivery: Delivery) -> None:
        state = delivery.message
        if isinstance(state, StreamState) and state.status is StreamStatus.ONLINE:
            online.add(state.camera)
            if len(online) == len(options.urls):
                ready.set()

    await bus.subscribe(subjects.STATE_ALL, note)
    for index, url in enumerate(options.urls):
        if f"cam-{index}" not in known:
            stream = StreamConfig("main", url, recording=RecordingMode.CONTINUOUS)
            await catalog.cameras.add(Camera(f"cam-{index}", f"cam-{index}", (stream,)))
    clock = SystemClock()
    tasks = []
    if "storage" in options.roles:
        settings = StorageSettings(root=folder / "recordings")
        tasks.append(asyncio.create_task(storage.run(bus, catalog, settings, clock)))
    if "ingest" in options.roles:
        pull = ingest.run(bus, catalog.cameras.list, IngestSettings(), clock)
        tasks.append(asyncio.create_task(pull))
    print("started", flush=True)
    await asyncio.wait_for(ready.wait(), 90)
    print("ready", flush=True)
    delays.clear()
    await stop.wait()
    seen = list(delays)
    for task in reversed(tasks):
        await stop_task(task, 15)
    await catalog.close()
    await bus.close()
    if options.delays:
        print("delays", json.dumps([round(delay, 3) for delay in seen]), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
