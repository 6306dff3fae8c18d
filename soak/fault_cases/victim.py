# ruff: noqa: E402
"""Records stamped pictures of several cameras until it is killed.

`python -m soak.fault_cases.victim DATA RUN CAMERAS [CATALOG_URL]`: the storage role alone,
fed in the same process: 25 pictures a second and camera in real time. Prints `recording` once
pictures of each camera were taken by its file, with the nanoseconds that others had the
processor meanwhile; for each picture, after it was handed over, `CAMERA NUMBER SENT_NS`; for
each alarm `alarm KIND`. The environment may hold more settings of storage (`FAULT_SETTINGS`,
JSON), bytes to add to each picture (`FAULT_FILLER`), and after how many pictures a new Run
begins (`FAULT_RUN_PICTURES`); the pictures are in the file `FAULT_MEDIA` (see `drive`), so that
no encoder is loaded here. SIGTERM ends it in good order.
"""

from __future__ import annotations

import gc

# As `vms run` does, which this stands for.
gc.disable()

import asyncio
import contextlib
import json
import os
import pickle
import signal
import sys
import time
from pathlib import Path

import structlog

from vms.bus import subjects
from vms.bus.memory import MemoryBus
from vms.bus.port import Delivery
from vms.catalog.open import open_catalog
from vms.common.clock import SystemClock
from vms.common.model.camera import Camera, RecordingMode, StreamConfig
from vms.common.model.media import AccessUnit, Codec
from vms.common.model.messages import Alarm
from vms.common.sei_stamp import STAMP_UUID, pack_sei_stamp
from vms.format.annexb import to_length_prefixed
from vms.format.sei import build_stamp_sei
from vms.storage.service import StorageService
from vms.storage.settings import StorageSettings

FPS = 25
GOP = 25
_PERIOD = 1 / FPS


async def main(data: Path, run: str, count: int, url: str) -> None:
    catalog = await open_catalog(url or f"sqlite:///{data / 'vms.db'}", data)
    names = [f"cam{number}" for number in range(count)]
    for name in names:
        if not await catalog.cameras.exists(name):
            stream = StreamConfig(
                "main", f"rtsp://127.0.0.1/{name}", recording=RecordingMode.CONTINUOUS
            )
            await catalog.cameras.add(Camera(name, name, (stream,)))
    bus = MemoryBus()
    given = {"min_free_bytes": 0} | json.loads(os.environ.get("FAULT_SETTINGS", "{}"))
    settings = StorageSettings(root=data / "recordings", start_wait_s=0, **given)
    await bus.subscribe(subjects.ALARMS_ALL, _tell_alarm)
    service = StorageService(bus, catalog, settings, SystemClock())
    task = asyncio.create_task(service.run())
    while len(service.states()) < count:
        if task.done():
            await task
        await asyncio.sleep(0.01)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    feeder = asyncio.create_task(feed(bus, names, run))
    told = False
    while not task.done():
        await asyncio.sleep(0.02)
        if not told and all(state.written_units for state in service.states()):
            told = True
            print(f"recording {waited_ns()}", flush=True)
            gc.freeze()
            gc.enable()
    feeder.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await catalog.close()


def waited_ns() -> int:
    """How long this process was ready to run while others had the processor."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _tell_alarm(delivery: Delivery) -> None:
    if isinstance(delivery.message, Alarm) and delivery.message.active:
        print(f"alarm {delivery.message.kind}", flush=True)


async def feed(bus: MemoryBus, names: list[str], run: str) -> None:
    """Each camera sends at a phase of its own."""
    parameters, packets = pickle.loads(Path(os.environ["FAULT_MEDIA"]).read_bytes())
    filler = int(os.environ.get("FAULT_FILLER", "0"))
    more = to_length_prefixed([b"\x0c" + b"\xff" * filler]) if filler else b""
    each = int(os.environ.get("FAULT_RUN_PICTURES", "0"))
    began = time.monotonic()
    number = 0
    while True:
        for place, name in enumerate(names):
            due = began + (number + place / len(names)) * _PERIOD
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            pts, key, data = packets[number % len(packets)]
            turn = number // len(packets) * len(packets) * parameters.clock_rate // FPS
            now = time.time_ns()
            sei = build_stamp_sei(Codec.H264, STAMP_UUID, pack_sei_stamp(number, now))
            part = f"-{number // each}" if each else ""
            unit = AccessUnit(
                camera=name, stream="main", track=0, run=f"{run}-{name}{part}", number=number,
                parameters=parameters, data=to_length_prefixed([sei]) + data + more, pts=turn + pts,
                arrival_ns=now, capture_ns=None, key=key,
            )  # fmt: skip
            bus.publish(subjects.media(name, "main"), unit)
            print(f"{name} {number} {now}", flush=True)
        number += 1


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), [*sys.argv, ""][4]))
