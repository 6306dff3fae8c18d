"""The API with playback over an archive, as a process of its own.

`python -m bench.support.seek_server FOLDER` prints `ready ADDRESS TOKEN` and serves until its
standard input ends.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from types import SimpleNamespace

import uvloop
from tests.support.api_server import running_api
from tests.support.catalog_open import camera

from vms.storage.playback import Playback
from vms.storage.routes import router
from vms.storage.settings import StorageSettings


async def main(folder: Path) -> None:
    late = SimpleNamespace(segments=None)
    playback = Playback(late, StorageSettings(root=folder / "recordings"))
    async with running_api(folder, [router(playback)]) as api:
        late.segments = api.services.catalog.segments
        for number in range(int(sys.argv[2])):
            await api.services.catalog.cameras.add(camera(f"cam-{number}"))
        async with api.client("olga") as client:
            token = client.headers["Authorization"].removeprefix("Bearer ")
        gc.freeze()  # as a node does once it has started
        print(f"ready {api.base} {token}", flush=True)
        await asyncio.to_thread(sys.stdin.read)
    playback.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1])))
