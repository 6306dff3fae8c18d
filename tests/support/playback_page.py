"""The playback page in Chromium, and what the stamps of its pictures say."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.system import System
from tests.support.web_page import sign_in, stamp_on
from tests.support.web_rig import go

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


async def open_playback(
    context: Any, system: System, cameras: Sequence[str], at_ms: int, state: str = "playing"
) -> Any:
    """A page that plays these cameras from there on."""
    page = await context.new_page()
    await sign_in(page, system.url, system.password)
    await page.evaluate(_STAMP_JS.read_text())
    rest = f"with={','.join(cameras[1:])}&" if len(cameras) > 1 else ""
    await go(page, f"/playback/{cameras[0]}?{rest}at={at_ms}")
    await until(page, lambda seen: len(seen) == len(cameras), "a picture for each camera")
    await until(page, lambda seen: all(one.state == state for one in seen), f"all {state}")
    return page


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


class Line:
    """The timeline of a page: where moments lie on it."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._canvas = page.locator(".timeline-canvas")

    async def place(self, ms: float, row: int = 0) -> tuple[float, float]:
        box = await self._canvas.bounding_box()
        start, end = await self.view()
        return box["x"] + (ms - start) / (end - start) * box["width"], box["y"] + 42 + 34 * row

    async def view(self) -> tuple[int, int]:
        start = await self._canvas.get_attribute("data-view-start")
        end = await self._canvas.get_attribute("data-view-end")
        return int(start), int(end)


async def small_picture_near(page: Any, wanted: float) -> None:
    """Wait until the small picture above the timeline is one of about that moment."""
    for _ in range(100):
        stamp = await stamp_on(page, ".hint-picture")
        if stamp is not None and wanted - 22_000 < stamp.wall_ms < wanted + 12_000:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"no small picture near {wanted} was shown; the last was {stamp}")


async def settled(page: Any) -> int:
    """The number of the picture once it stands."""
    before: int | None = None
    for _ in range(100):
        found = (await readable(page)).number
        if found == before and found is not None:
            return found
        before = found
        await asyncio.sleep(0.15)
    raise AssertionError("the picture does not stand")


async def step(page: Any, key: str, by: int, times: int) -> None:
    """Press a key so often; each time the picture's number changes by exactly `by`."""
    at = await settled(page)
    for _ in range(times):
        await page.keyboard.press(key)
        wanted = at + by
        await until(page, _other_than(at), "a step")
        assert (await look(page))[0].number == wanted
        at = wanted


def _other_than(number: int) -> Callable[[list[Seen]], bool]:
    return lambda seen: seen[0].number not in (None, number)
