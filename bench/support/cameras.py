"""Simulated cameras in a process of their own: `python -m bench.support.cameras N`.

Prints `ready PORT` when they can be asked; their addresses are rtsp://127.0.0.1:PORT/cam-I/main.
"""

from __future__ import annotations

import argparse
import asyncio
import signal

import uvloop

from vms.common.model.media import Codec
from vms.simulator.server import Simulator
from vms.simulator.sources import Loop


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--bitrate", type=int, default=4_000_000)
    options = parser.parse_args()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    loop = Loop(codec=Codec(options.codec), bitrate=options.bitrate)
    async with Simulator() as simulator:
        for index in range(options.count):
            simulator.add_camera(f"cam-{index}", loop)
        await simulator.prepare()
        print(f"ready {simulator.port}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(main())
