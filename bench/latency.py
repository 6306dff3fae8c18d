"""From the packet leaving the camera to the access unit in the recorder's file.

The claim: p50 under 2 ms and p99 under 10 ms at 50 cameras of 1080p25 at 4 Mbit/s, memory
bus. The same over a real NATS server, ingest and recorder in processes of their own, is
reported. The simulator stamps each picture with the time at which it was sent; the recorder's
process notes when the system call that wrote it returned.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.bus_servers import NatsServer

from bench import harness
from bench.harness import Claim, child, median, percentile, read_line

RECORDER = (sys.executable, "-m", "bench.support.recorder")


def main() -> None:
    options = harness.arguments(
        __doc__ or "",
        cameras=(int, 50, "how many cameras"),
        seconds=(float, 10.0, "how long each measurement lasts"),
        repeat=(int, 3, "how often"),
    )
    if options.quick:
        options.seconds, options.repeat = 5.0, 1
    command = [sys.executable, "-m", "bench.support.cameras", str(options.cameras)]
    found: dict[str, list[tuple[float, float]]] = {"memory": [], "nats": []}
    with child(command, stdout=subprocess.PIPE) as cameras:
        port = int(read_line(cameras, "ready", 120))
        urls = [f"rtsp://127.0.0.1:{port}/cam-{i}/main" for i in range(options.cameras)]
        for _ in range(options.repeat):
            for bus, results in found.items():
                delays = measure(bus, urls, options.seconds)
                expected = 25 * options.cameras * options.seconds
                if len(delays) < 0.8 * expected:
                    raise RuntimeError(f"{bus}: {len(delays)} of {expected:.0f} pictures seen")
                results.append((percentile(delays, 0.5), percentile(delays, 0.99)))
    middle = {bus: median([p50 for p50, _ in results]) for bus, results in found.items()}
    tail = {bus: median([p99 for _, p99 in results]) for bus, results in found.items()}
    print(f"   nats: p50 {middle['nats']:.2f} ms, p99 {tail['nats']:.2f} ms (two processes)")
    harness.finish(
        [
            Claim(
                "latency",
                f"camera to file p50 {middle['memory']:.2f} ms, p99 {tail['memory']:.2f} ms at "
                f"{options.cameras} cameras (NATS {middle['nats']:.2f} and {tail['nats']:.2f} ms)",
                middle["memory"] < 2 and tail["memory"] < 10,
            )
        ]
    )


def measure(bus: str, urls: list[str], seconds: float) -> list[float]:
    """Delays of all pictures written during `seconds`, after three to settle."""
    with tempfile.TemporaryDirectory(prefix="vms-latency-") as name:
        place = running_nats if bus == "nats" else running_memory
        with place(Path(name), urls) as recorder:
            time.sleep(seconds)
            recorder.terminate()
            return [float(delay) for delay in json.loads(read_line(recorder, "delays", 40))]


@contextlib.contextmanager
def running_memory(folder: Path, urls: list[str]) -> Iterator[subprocess.Popen[str]]:
    command = [*RECORDER, str(folder), "--delays", *urls]
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as recorder:
        read_line(recorder, "ready", 90)
        time.sleep(3)
        yield recorder


@contextlib.contextmanager
def running_nats(folder: Path, urls: list[str]) -> Iterator[subprocess.Popen[str]]:
    server = NatsServer(folder / "nats")
    server.start()
    part = [*RECORDER, str(folder), "--bus", server.url]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        with child([*part, "--roles", "storage", "--delays", *urls], **quiet) as recorder:
            read_line(recorder, "started", 90)
            with child([*part, "--roles", "ingest", *urls], **quiet):
                read_line(recorder, "ready", 90)
                time.sleep(3)
                yield recorder
    finally:
        server.stop()


if __name__ == "__main__":
    main()
