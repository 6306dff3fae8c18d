"""A process that records until it is killed: `python -m tests.support.storage_victim <folder>`.

Prints how many units have been written, a line each time that grows.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from tests.support.storage_media import encode_video, units
from tests.support.storage_rig import rig

from vms.common.model.media import Codec


async def main(folder: Path, codec: Codec, gop: int) -> None:
    parameters, packets = encode_video(codec, pictures=50, gop=gop)
    async with rig(folder, start_wait_s=0) as storage:
        told = 0
        for turn in range(10_000):
            # Twenty times as fast as life.
            for unit in units(
                parameters, packets, pts_from=turn * 180_000, start_ns=time.time_ns()
            ):
                storage.send([unit])
                await asyncio.sleep(0.002)
                written = storage.service.recorder.states()[0].written_units
                if written > told:
                    told = written
                    print(told, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Codec(sys.argv[2]), int(sys.argv[3])))
