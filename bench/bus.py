"""What a message costs on each bus: CPU, and time from publisher to reader.

Access units of 20 KB at a steady rate from one process to one in another (for memory: in
the same). `python bench/bus.py [--rate 1250] [--seconds 3] [--readers 1] [--loop uvloop]`
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.bus_servers import NatsServer

from vms.bus.connect import open_bus
from vms.bus.port import Bus, Delivery
from vms.bus.settings import BusSettings
from vms.common.model.media import AccessUnit, Codec, CodecParameters
from vms.telemetry.logs import configure

SIZE = 20_000
CAMERAS = 50
PARAMETERS = CodecParameters(
    Codec.H264, 90000, (bytes(range(30)), bytes(range(6))), 1920, 1080, 25.0
)


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Readings:
    """What one reader saw."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.missed = 0

    def __call__(self, delivery: Delivery) -> None:
        unit = delivery.message
        assert isinstance(unit, AccessUnit)
        self.delays.append((time.time_ns() - unit.arrival_ns) / 1e6)
        self.missed += delivery.missed


async def publish(bus: Bus | None, rate: int, seconds: float) -> tuple[int, float]:
    """Publish steadily; count, and CPU seconds used. Without a bus: what pacing costs."""
    data = os.urandom(SIZE)
    total = int(rate * seconds)
    started, cpu = time.perf_counter(), cpu_seconds()
    for index in range(total):
        camera = index % CAMERAS
        number = index // CAMERAS
        due = started + index / rate
        if due > time.perf_counter():
            await asyncio.sleep(due - time.perf_counter())
        unit = AccessUnit(
            f"camera-{camera}", "main", 0, "run", number, PARAMETERS, data,
            number * 3600, time.time_ns(), None, number % 50 == 0,
        )  # fmt: skip
        if bus is not None:
            bus.publish(f"vms.media.camera-{camera}.main", unit)
    await asyncio.sleep(0.2)
    return total, cpu_seconds() - cpu


async def read(url: str) -> None:
    """The body of a reader process: reads until its input ends, then reports."""
    bus = await open_bus(BusSettings(url=url, broker="external"))
    readings = Readings()
    await bus.subscribe("vms.media.>", readings)
    cpu = cpu_seconds()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    used = cpu_seconds() - cpu
    print(json.dumps({"cpu": used, "delays": readings.delays, "missed": readings.missed}))
    await bus.close()


async def broker(path: str) -> None:
    from vms.bus.local import LocalBroker

    async with LocalBroker(path):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def child(*arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, __file__, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "ready" in process.stdout.readline()
    return process


async def measure(name: str, args: argparse.Namespace, folder: Path) -> None:
    helpers: list[subprocess.Popen[str]] = []
    server: NatsServer | None = None
    url, server_pid = "memory://", 0
    loop = ["--loop", args.loop]
    if name == "local":
        url = f"unix://{folder}/bus.sock"
        helpers.append(child("--broker", f"{folder}/bus.sock", *loop))
        server_pid = helpers[0].pid
    elif name == "nats":
        server = NatsServer(folder / "nats")
        server.start()
        assert server._process is not None
        url, server_pid = server.url, server._process.pid
    bus = await open_bus(BusSettings(url=url, broker="external"))
    reports = []
    before = cpu_of(server_pid) if server_pid else 0.0
    if name == "memory":
        here = [Readings() for _ in range(args.readers)]
        for readings in here:
            await bus.subscribe("vms.media.>", readings)
        total, used = await publish(bus, args.rate, args.seconds)
        reports = [{"cpu": 0.0, "delays": r.delays, "missed": r.missed} for r in here]
    else:
        readers = [child("--read", url, *loop) for _ in range(args.readers)]
        total, used = await publish(bus, args.rate, args.seconds)
        reports = [json.loads(r.communicate("")[0].splitlines()[-1]) for r in readers]
    between = (cpu_of(server_pid) if server_pid else 0.0) - before
    await bus.close()
    for helper in helpers:
        helper.communicate("")
    if server is not None:
        server.stop()
    _, pacing = await publish(None, args.rate, 1.0)
    used -= pacing * args.seconds
    delays = sorted(delay for report in reports for delay in report["delays"])
    reader_us = statistics.mean(r["cpu"] for r in reports) / total * 1e6
    print(
        f"{name:8} publisher {used / total * 1e6:6.1f} us  between {between / total * 1e6:6.1f} us"
        f"  reader {reader_us:6.1f} us  p50 {delays[len(delays) // 2]:.3f} ms"
        f"  p99 {delays[len(delays) * 99 // 100]:.3f} ms  got {len(delays)}/{total * len(reports)}"
        f"  missed {sum(r['missed'] for r in reports)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=1250)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--only", choices=["memory", "local", "nats"])
    parser.add_argument("--read", help=argparse.SUPPRESS)
    parser.add_argument("--broker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    configure("warning")
    factory = None
    if args.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        if args.read:
            runner.run(read(args.read))
        elif args.broker:
            runner.run(broker(args.broker))
        else:
            with tempfile.TemporaryDirectory() as folder:
                for name in [args.only] if args.only else ["memory", "local", "nats"]:
                    runner.run(measure(name, args, Path(folder)))


if __name__ == "__main__":
    main()
