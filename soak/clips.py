"""Clips as cameras for ten minutes, recorded whole: counted picture by picture.

`python -m soak.clips --minutes 10 --bus memory CLIP...`: each clip is played round and round
as an RTSP camera by the simulator, which numbers every picture it sends; the system records
it in one process (`--bus memory`) or in two over Unix sockets or a real NATS server. At the
end every number must be in the recordings once. Without clips, generated loops are played.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from bench.harness import child, hardware, read_line
from bench.support.stamps import Count, count
from tests.support.bus_servers import NatsServer
from tests.support.system import System, wait_for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--bus", choices=("memory", "unix", "nats"), default="memory")
    options = parser.parse_args()
    command = [sys.executable, "-m", "soak.clip_cameras", *map(str, options.clips)]
    with tempfile.TemporaryDirectory(prefix="vms-soak-") as name:
        folder = Path(name)
        with child(command, stdout=subprocess.PIPE) as cameras:
            urls = read_line(cameras, "ready", 60).split()
            with running(folder, options.bus) as client:
                record(client, urls, options.minutes * 60)
        sys.exit(report(folder, urls, options))


@contextlib.contextmanager
def running(folder: Path, bus: str) -> Iterator[httpx.Client]:
    """The system in one process, or in two over a bus; gives a client that is signed in."""
    data = folder / "data"
    with contextlib.ExitStack() as stack:
        if bus == "memory":
            system = stack.enter_context(System(data, "--no-demo"))
        else:
            url = f"unix://{folder}/bus.sock"
            if bus == "nats":
                server = NatsServer(folder / "nats")
                server.start()
                stack.callback(server.stop)
                url = server.url
            serving = ("storage", "stream", "api")
            system = stack.enter_context(System(data, "--no-demo", "--bus", url, roles=serving))
            stack.enter_context(System(data, "--no-demo", "--bus", url, roles=("ingest",)))
        yield system.wait_ready().client()


def record(client: httpx.Client, urls: list[str], seconds: float) -> None:
    for index, url in enumerate(urls):
        stream = {"name": "main", "url": url, "recording": "continuous"}
        body = {"name": f"Clip {index}", "streams": [stream]}
        client.post("/api/v1/cameras", json=body).raise_for_status()
    time.sleep(seconds)
    # The sign-in is ten minutes old by now; what is left to do needs none.
    wait_for(lambda: client.get("/api/v1/health").status_code == 200, 10, "a healthy system")


def report(folder: Path, urls: list[str], options: argparse.Namespace) -> int:
    print(f"{options.minutes:g} minutes, bus {options.bus}; {hardware()}")
    bad = 0
    for index, url in enumerate(urls):
        place = folder / "data" / "recordings" / "cameras" / f"clip-{index}"
        found: Count = count(sorted(place.rglob("*.mkv")))
        whole = found.pictures > 0 and found.missing == 0 and found.repeated == 0
        bad += not whole
        print(
            f"{'ok  ' if whole else 'FAIL'}  {url.rsplit('/', 2)[-2]}: {found.pictures} pictures "
            f"recorded, {found.missing} missing, {found.repeated} twice, {found.files} files"
        )
    return 1 if bad else 0


if __name__ == "__main__":
    main()
