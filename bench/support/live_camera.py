"""One simulated camera with a live scene, in a process of its own; prints `ready URL`."""

from __future__ import annotations

import asyncio
import signal

import uvloop

from vms.simulator.server import Simulator
from vms.simulator.sources import Scene


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Simulator() as simulator:
        simulator.add_camera("glass", Scene(width=1280, height=720, fps=25))
        await simulator.prepare()
        print(f"ready {simulator.url('glass')}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(main())
