"""A running system with good cameras, and what one can see of it from outside."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from bench.support.stamps import Count, count, numbers_in
from tests.support.loop_thread import LoopThread
from tests.support.system import System, wait_for

from vms.simulator.server import Simulator
from vms.simulator.sources import Loop

SMALL = Loop(width=320, height=180, fps=25.0, bitrate=250_000, seconds=1.0, gop=25)


def add_camera(client: httpx.Client, name: str, url: str, **more: Any) -> str:
    """Add a camera with one recorded stream; its id."""
    stream = {"name": "main", "url": url, "recording": "continuous"}
    answer = client.post("/api/v1/cameras", json={"name": name, "streams": [stream], **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def good_cameras(
    loop: LoopThread, simulator: Simulator, client: httpx.Client, names: Sequence[str]
) -> None:
    """Simulated cameras that cost next to nothing, in the simulator and in the catalog."""
    for name in names:
        simulator.add_camera(name, SMALL)
        add_camera(client, name, simulator.url(name))
    loop.call(simulator.prepare())


def state(client: httpx.Client, camera: str, stream: str = "main") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/v1/cameras/{camera}").raise_for_status().json()
    return dict(found["state"][stream])


def wait_status(
    client: httpx.Client, camera: str, status: str, limit: float = 20.0, reason: str = ""
) -> dict[str, Any]:
    """Wait until the state of `camera` is `status` and its reason holds `reason`."""
    seen: dict[str, Any] = {}

    def reached() -> dict[str, Any] | None:
        seen.update(state(client, camera))
        return seen if seen["status"] == status and reason in seen["reason"] else None

    try:
        return wait_for(reached, limit, f"{camera} to be {status} ({reason})")
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {seen}") from None


def metric(client: httpx.Client, name: str, labels: str = "") -> float:
    """The value of a metric, 0 where there is none."""
    text = client.get("/metrics").raise_for_status().text
    prefix = re.escape(name + labels)
    return sum(float(value) for value in re.findall(rf"^{prefix}(?:\{{.*\}})? (\S+)$", text, re.M))


def resident_mb(system: System) -> float:
    pages = Path(f"/proc/{system.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096 / 1e6


def recordings(data: Path, camera: str) -> list[Path]:
    return sorted((data / "recordings" / "cameras" / camera).rglob("*.mkv"))


def counted(data: Path, camera: str) -> Count:
    """Pictures in all recordings of a camera, by their stamps."""
    return count(recordings(data, camera))


def numbers(data: Path, camera: str) -> list[int]:
    return [number for path in recordings(data, camera) for number in numbers_in(path)]


def now_ms() -> int:
    return int(time.time() * 1000)
