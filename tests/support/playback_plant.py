"""Nine cheap cameras whose pictures carry stamps, a system that records them, and its page."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.support.loop_thread import LoopThread
from tests.support.plant import add_camera, now_ms
from tests.support.system import System, wait_for
from tests.support.web_page import sign_in

from vms.simulator.server import Simulator
from vms.simulator.sources import Scene

# Equal scenes share one encoder, so that nine cameras cost little more than one.
FPS = 15.0
VIEW = Scene(width=320, height=180, fps=FPS, bitrate=150_000, gop=30, view="yard")
NAMES = tuple(f"c{number}" for number in range(1, 10))
GAPPED = NAMES[-1]
"""The camera that was away for a while."""

_STAMP_JS = Path(__file__).resolve().parents[2] / "bench" / "support" / "stamp.js"
# All pictures are taken first and read after: reading one takes as long as a picture lasts.
_READ = """() => {
  const at = performance.now();
  window.glasses ??= [];
  const tiles = [...document.querySelectorAll('[data-playback]')];
  const taken = tiles.map((tile, index) => {
    const video = tile.querySelector('video');
    if (!video || video.readyState < 2 || !video.videoWidth) return null;
    const glass = (glasses[index] ??= document.createElement('canvas'));
    if (glass.width !== video.videoWidth) glass.width = video.videoWidth;
    glass.height = Math.round(glass.width / 32);
    glass.getContext('2d', { willReadFrequently: true }).drawImage(video, 0, 0);
    glass.videoWidth = glass.width;
    return glass;
  });
  return tiles.map((tile, index) => {
    const stamp = taken[index] && readStamp(taken[index]);
    return [tile.dataset.playback, tile.dataset.state, at, stamp && stamp.number,
      stamp && stamp.wallMs];
  });
}"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one picture of the page shows at an instant of the page's own clock."""

    camera: str
    state: str
    at_ms: float
    number: int | None
    wall_ms: int | None


@dataclass(frozen=True, slots=True)
class Plant:
    system: System
    client: httpx.Client
    simulator: Simulator
    loop: LoopThread

    def spans(self, camera: str) -> list[tuple[int, int]]:
        """What is recorded of a camera, epoch milliseconds."""
        now = now_ms()
        answer = self.client.get(
            f"/api/v1/cameras/{camera}/recordings",
            params={"start": now - 3_600_000, "end": now, "stream": "main"},
        )
        return [(span["start"], span["end"]) for span in answer.raise_for_status().json()["spans"]]

    def recorded_ms(self, camera: str) -> int:
        return sum(end - start for start, end in self.spans(camera))


@contextmanager
def recorded(data: Path, seconds: float) -> Iterator[Plant]:
    """Nine cameras with that much footage each, the last one with a gap in it."""
    with LoopThread() as loop:
        simulator = loop.enter(Simulator())
        with System(data, "--no-demo").wait_ready() as system:
            client = system.client()
            for name in NAMES:
                simulator.add_camera(name, VIEW)
                add_camera(client, name, simulator.url(name))
            loop.call(simulator.prepare())
            plant = Plant(system, client, simulator, loop)
            _cut(plant, seconds)
            yield plant


def _cut(plant: Plant, seconds: float) -> None:
    """Record for that long; the last camera answers nothing for a part of it."""

    def has(camera: str, wanted: float) -> Callable[[], bool]:
        return lambda: plant.recorded_ms(camera) > wanted * 1000

    wait_for(has(GAPPED, seconds / 3), 60, "the first footage")
    plant.loop.call(plant.simulator.die(GAPPED))
    time.sleep(4)
    plant.simulator.camera(GAPPED).dead = False
    for name in NAMES[:-1]:
        wait_for(has(name, seconds), 90, f"{seconds:.0f} s of {name}")

    def goes_on() -> bool:
        spans = plant.spans(GAPPED)
        return len(spans) > 1 and spans[-1][1] - spans[-1][0] > 6000

    wait_for(goes_on, 90, "footage after the gap")


async def open_playback(
    context: Any, plant: Plant, cameras: Sequence[str], at_ms: int, state: str = "playing"
) -> Any:
    """A page that plays these cameras from there on."""
    page = await context.new_page()
    await sign_in(page, plant.system.url, plant.system.password)
    await page.evaluate(_STAMP_JS.read_text())
    rest = f"with={','.join(cameras[1:])}&" if len(cameras) > 1 else ""
    await go(page, f"/playback/{cameras[0]}?{rest}at={at_ms}")
    await until(page, lambda seen: len(seen) == len(cameras), "a picture for each camera")
    await until(page, lambda seen: all(one.state == state for one in seen), f"all {state}")
    return page


async def go(page: Any, path: str) -> None:
    """Another page of the client, without loading it anew."""
    await page.evaluate(
        "path => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')) }",
        path,
    )


async def look(page: Any) -> list[Seen]:
    """All pictures of the page at one instant."""
    return [Seen(*row) for row in await page.evaluate(_READ)]


async def until(
    page: Any, right: Callable[[list[Seen]], bool], what: str, limit: float = 20.0
) -> list[Seen]:
    """The first look for which `right` holds; fails after `limit` seconds."""
    deadline = time.monotonic() + limit
    seen: list[Seen] = []
    while time.monotonic() < deadline:
        seen = await look(page)
        if right(seen):
            return seen
        await asyncio.sleep(0.05)
    raise AssertionError(f"waited {limit:.0f} s in vain for {what}: {seen}")


async def readable(page: Any) -> Seen:
    """The first picture once its stamp can be read."""
    seen = await until(page, lambda all_: all_[0].number is not None, "a stamp")
    return seen[0]


def apart_ms(seen: Sequence[Seen]) -> float:
    """How far the stamps of all pictures lie apart; infinite where one cannot be read."""
    times = [one.wall_ms for one in seen]
    known = [time for time in times if time is not None]
    return max(known) - min(known) if known and len(known) == len(times) else math.inf
