"""A day's line of time out of a million rows, and a start with that many.

The claims: with a million recordings of 100 cameras in the catalog (SQLite), and gaps and
events as a large system has them, a random day of a random camera comes over HTTP on loopback
in less than 50 ms, for 99 of 100; and `vms run` records within 10 s of its start. It is the
whole system that answers, and it records four cameras meanwhile. Those are simulated in a
process of their own which is ready before, as cameras are: nothing is drawn or encoded by
the system that is measured. Its start with the empty catalog is measured in the same run.

The peer beside it is a stand-in made here, no product: one directory of files a camera, named
by their time, which is listed and whose names are parsed for the day, as systems without a
catalog do. It is called in the process, without HTTP, with the directory in the cache; it
finds when files begin, and knows no ends, gaps or events.

The million rows name a volume that is not attached, for their files are not there. `--quick`
has fewer rows, and says how many.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from bench import harness
from bench.harness import Claim, percentile
from bench.support import million
from vms.catalog.open import open_catalog
from vms.common.model.camera import Camera, RecordingMode, StreamConfig

TIMELINE_MS, START_S = 50.0, 10.0
MILLION, QUICK_ROWS = 1_000_000, 300_000
RECORDED = 4
_VMS = Path(sys.executable).with_name("vms")
_CAMERAS = (sys.executable, "-m", "bench.support.cameras", str(RECORDED))
_DAY_MS = 86_400_000
_STEP_MS = 60_000
_LIMIT = 60.0


def main() -> None:
    options = harness.arguments(
        __doc__ or "",
        cameras=(int, 100, "how many cameras"),
        rows=(int, MILLION, "how many recordings"),
        days=(int, 2000, "how many days are asked for"),
        starts=(int, 3, "how often it is started with all rows"),
        folder=(str, ".", "where the catalog is made: a real disk"),
    )
    if options.quick:
        options.rows, options.days, options.starts = min(options.rows, QUICK_ROWS), 400, 1
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=options.folder) as name:
        measure(Path(name).resolve(), options.cameras, options.rows, options.days, options.starts)


def measure(folder: Path, cameras: int, rows: int, days: int, starts: int) -> None:
    with harness.child(_CAMERAS, stdout=subprocess.PIPE) as simulated:
        port = int(harness.read_line(simulated, "ready "))
        measure_with(folder, port, cameras, rows, days, starts)


def measure_with(folder: Path, port: int, cameras: int, rows: int, days: int, starts: int) -> None:
    data = folder / "data"
    add_cameras(data, cameras, port)
    with running(data) as system:
        password, empty = system.password, system.recording_after(system.password)
    hours = rows * million.GONE // (million.GONE - 1) // cameras + 1
    first_ns = (time.time_ns() // million.HOUR - hours) * million.HOUR
    began = time.monotonic()
    counts = million.fill(data / "vms.db", cameras, hours, first_ns)
    size = (data / "vms.db").stat().st_size
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"{told}: {size / 1e6:.0f} MB, made in {time.monotonic() - began:.0f} s", flush=True)
    wanted = [*places(cameras, hours, first_ns // 1_000_000, days)]
    took: list[float] = []
    began_after: list[float] = []
    for number in range(starts):
        with running(data) as system:
            began_after.append(system.recording_after(password))
            if number == starts - 1:
                took = system.timelines(password, wanted)
    peer = scans(folder / "files", hours, first_ns, [day for _, day in wanted])
    report(counts["segments"], cameras, took, began_after, empty, peer)


def add_cameras(data: Path, count: int, port: int) -> None:
    """Those of the simulator at `port`, and `count` that are switched off: the million's."""

    async def add() -> None:
        catalog = await open_catalog(f"sqlite:///{data / 'vms.db'}", data)
        try:
            for number in range(count):
                name = million.camera_id(number)
                stream = StreamConfig("main", "rtsp://192.0.2.1/main")
                await catalog.cameras.add(Camera(name, name, (stream,), enabled=False))
            for number in range(RECORDED):
                name = f"cam-{number}"
                url = f"rtsp://127.0.0.1:{port}/{name}/main"
                stream = StreamConfig("main", url, recording=RecordingMode.CONTINUOUS)
                await catalog.cameras.add(Camera(name, name, (stream,)))
        finally:
            await catalog.close()

    asyncio.run(add())


def places(cameras: int, hours: int, first_ms: int, count: int) -> Iterator[tuple[str, int]]:
    """(camera, first millisecond of the day), by chance."""
    chance = random.Random(7)
    for _ in range(count):
        day = chance.randrange(hours // 24 - 1)
        yield million.camera_id(chance.randrange(cameras)), first_ms + day * _DAY_MS


class Running:
    """A `vms run`, from the moment its process was started."""

    def __init__(self, process: subprocess.Popen[str], started: float) -> None:
        self.started = started
        self.password = ""
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"password: (\S+)", line):
                self.password = found[1]
            if found := re.search(r"http://(\S+)", line):
                address = urlsplit(f"//{found[1]}")
                break
        else:
            raise RuntimeError("vms run ended before it was ready; see run.log")
        self._http = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        self._headers: dict[str, str] = {}

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        headers = self._headers | {"Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body)
        self._http.request(method, f"/api/v1{path}", sent, headers)
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def sign_in(self, password: str) -> None:
        body = {"username": "admin", "password": password}
        token = self._ask("POST", "/auth/login", body)["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    def recording_after(self, password: str) -> float:
        """Seconds from the start of the process to the first row of a new recording."""
        self.sign_in(password)
        cameras = [one["id"] for one in self._ask("GET", "/cameras") if one["enabled"]]
        deadline = time.monotonic() + _LIMIT
        began_ms = int((time.time() - (time.monotonic() - self.started)) * 1000)
        query = urlencode({"start": began_ms, "end": began_ms + _DAY_MS})
        while time.monotonic() < deadline:
            for camera in cameras:
                if self._ask("GET", f"/cameras/{camera}/timeline?{query}")["spans"]:
                    return time.monotonic() - self.started
            time.sleep(0.05)
        raise TimeoutError(f"nothing is recorded after {_LIMIT:.0f} s")

    def timelines(self, password: str, wanted: Sequence[tuple[str, int]]) -> list[float]:
        """Milliseconds that each day took, whole."""
        self.sign_in(password)
        took = []
        for camera, day in wanted:
            query = urlencode({"start": day, "end": day + _DAY_MS, "step": _STEP_MS})
            began = time.perf_counter()
            found = self._ask("GET", f"/cameras/{camera}/timeline?{query}")
            took.append(1000 * (time.perf_counter() - began))
            if not found["spans"] or not found["events"]:
                raise RuntimeError(f"{camera} has nothing on {day}")
        return took


@contextmanager
def running(data: Path) -> Iterator[Running]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VMS_")}
    clean |= {
        "VMS_STREAM__WEBRTC__PORT": "0", "VMS_STORAGE__RETENTION_DAYS": "36500",
        "VMS_DEMO__ENABLED": "false",
    }  # fmt: skip
    command = [str(_VMS), "run", "--data-dir", str(data), "--port", "0"]
    with (data.parent / "run.log").open("a") as log:
        started = time.monotonic()
        with harness.child(command, stdout=subprocess.PIPE, stderr=log, env=clean) as process:
            try:
                yield Running(process, started)
            except BaseException:
                log.flush()
                print((data.parent / "run.log").read_text()[-3000:], file=sys.stderr)
                raise


def scans(folder: Path, hours: int, first_ns: int, days_ms: Sequence[int]) -> list[float]:
    """Milliseconds that listing a camera's files and parsing their names takes for each day."""
    folder.mkdir()
    for hour in range(hours):
        at = datetime.fromtimestamp(first_ns / 1e9 + hour * 3600, UTC)
        (folder / f"{at:%Y-%m-%d_%H-%M-%S-%f}.mp4").touch()
    took = []
    for day_ms in days_ms[:50]:
        began = time.perf_counter()
        first, last = day_ms / 1000, (day_ms + _DAY_MS) / 1000
        found = []
        for entry in os.scandir(folder):
            at = datetime.strptime(entry.name[:-4], "%Y-%m-%d_%H-%M-%S-%f").replace(tzinfo=UTC)
            if first <= at.timestamp() < last:
                found.append(at)
        found.sort()
        took.append(1000 * (time.perf_counter() - began))
        assert len(found) == 24, len(found)
    return took


def report(
    rows: int, cameras: int, took: list[float], starts: list[float], empty: float,
    peer: list[float],
) -> None:  # fmt: skip
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    print(
        f"  ours: {len(took)} days of {cameras} cameras over HTTP: p50 {p50:.1f} ms, "
        f"p99 {p99:.1f} ms, max {max(took):.1f} ms"
    )
    print(
        f"  peer (one camera's directory listed and parsed, no HTTP): p50 "
        f"{percentile(peer, 0.5):.1f} ms, p99 {percentile(peer, 0.99):.1f} ms"
    )
    print(f"start to recording: {empty:.1f} s with an empty catalog, then", end=" ")
    print(", ".join(f"{seconds:.1f} s" for seconds in starts))
    worst = max(starts)
    fewer = "" if rows >= MILLION else " (not the million of the claim)"
    harness.finish(
        [
            Claim(
                "timeline",
                f"a day out of {rows} recordings{fewer} in p50 {p50:.1f} ms, p99 {p99:.1f} ms",
                p99 < TIMELINE_MS,
            ),
            Claim("start", f"records {worst:.1f} s after its start with them", worst < START_S),
        ]
    )


if __name__ == "__main__":
    main()
