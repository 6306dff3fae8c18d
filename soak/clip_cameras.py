"""Clips (or two generated loops) as simulated cameras; prints `ready URL...`."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path

import uvloop

from vms.common.model.media import Codec
from vms.simulator.server import Simulator
from vms.simulator.sources import File, Loop, Source


def sources() -> dict[str, Source]:
    clips = [Path(name) for name in sys.argv[1:]]
    if clips:
        return {re.sub(r"[^a-z0-9]+", "-", clip.stem.lower()): File(clip) for clip in clips}
    return {
        "loop-h264": Loop(width=1280, height=720, bitrate=2_000_000),
        "loop-h265": Loop(width=1280, height=720, bitrate=2_000_000, codec=Codec.H265),
    }


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Simulator() as simulator:
        for name, source in sources().items():
            simulator.add_camera(name, source)
        await simulator.prepare()
        print("ready", *(simulator.url(camera.id) for camera in simulator.cameras), flush=True)
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(main())
