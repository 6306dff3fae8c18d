"""Chromium plays what this room sends, by WebRTC and by MSE."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from fastapi.responses import FileResponse
from tests.support.browser import chromium, needs_chromium
from tests.support.stream_server import Live, live_server
from tests.support.stream_units import Camera, encode

pytestmark = [pytest.mark.browser, needs_chromium]
PAGE = Path(__file__).with_name("live_page.html")
STREAM = "/api/v1/cameras/front/streams/main"


@pytest.fixture
async def live(tmp_path):
    async with live_server(tmp_path) as server:
        server.app.get("/")(lambda: FileResponse(PAGE))
        yield server


async def shown(page: Any, count: int) -> list[float]:
    """Brightness of the first `count` pictures that the page showed."""
    await page.wait_for_function(f"shown.length >= {count} || window.ended")
    assert await page.evaluate("window.ended || null") is None
    return await page.evaluate("shown")


def steps(brightness: list[float]) -> list[float]:
    return [b - a for a, b in itertools.pairwise(brightness)]


async def play(live: Live, script: str, clip: Any, count: int, picture: Path) -> tuple[Any, Any]:
    camera = Camera(live.bus, clip)
    camera.publish(10)
    playing = asyncio.create_task(camera.play())
    try:
        async with chromium() as browser:
            page = await browser.new_page()
            await page.goto(live.url)
            await page.evaluate(script)
            seen = await shown(page, count)
            await page.screenshot(path=picture)
            stats = await page.evaluate("window.peer ? stats() : ({mime, resets, dropped})")
            return seen, stats
    finally:
        playing.cancel()


@pytest.mark.parametrize(("profile", "query"), [("baseline", ""), ("high", "?max_delay_ms=0")])
async def test_webrtc_plays(live, tmp_path, profile, query):
    clip = encode(size=(640, 480), profile=profile)
    script = f"whep('{STREAM}/whep{query}', '{live.token}')"
    seen, stats = await play(live, script, clip, 40, tmp_path / "webrtc.png")
    assert stats["width"] == 640
    assert stats["lost"] == 0
    # A busy machine may hold the decoder up; a stream that stands freezes again and again.
    assert stats["freeze"] <= 2
    moved = [step for step in steps(seen) if abs(step) > 1]
    assert len(moved) > 25


async def test_mse_plays(live, tmp_path):
    clip = encode(size=(640, 480), profile="high")
    url = f"{live.url}{STREAM}/mse".replace("http", "ws", 1)
    seen, about = await play(live, f"mse('{url}', '{live.token}')", clip, 40, tmp_path / "mse.png")
    assert about["mime"].startswith('video/mp4; codecs="avc1.64')
    assert about["dropped"] == about["resets"] == 0
    moved = [step for step in steps(seen) if abs(step) > 1]
    assert len(moved) > 25
