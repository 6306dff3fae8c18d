"""Takes the pictures of this folder anew: `.venv/bin/python docs/images/shoot.py`.

Starts the whole system with its simulated cameras, lets it record for some minutes, and
looks at it in Chromium.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.support.browser import chromium  # noqa: E402
from tests.support.system import System  # noqa: E402
from tests.support.web_page import sign_in  # noqa: E402

DESK = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "locale": "pt-BR",
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}
MOST_BYTES = 570_000
MOVING = "[data-state=playing] >> nth=3"


def save(png: bytes, name: str) -> None:
    """Write `png` with colours rounded as coarsely as its size needs: film grain packs badly."""
    decoder = av.CodecContext.create("png", "r")
    frame = (decoder.decode(av.Packet(png)) + decoder.decode(None))[0]
    pixels = frame.to_ndarray(format="rgb24").astype(np.uint16)
    for step in range(1, 17):
        rounded = ((pixels + step // 2) // step * step).clip(0, 255).astype(np.uint8)
        data = encode(rounded)
        if len(data) <= MOST_BYTES:
            break
    (HERE / name).write_bytes(data)
    print(f"{name}: {frame.width}x{frame.height}, {len(data) // 1024} KiB, step {step}")


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG of `pixels` (height x width x RGB)."""
    frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "rgb24"
    encoder.time_base = Fraction(1, 1)
    encoder.options = {"pred": "mixed", "compression_level": "9"}
    return b"".join(bytes(part) for part in (*encoder.encode(frame), *encoder.encode(None)))


async def shoot(system: System) -> None:
    async with chromium(**DESK) as context:
        page = await context.new_page()
        await sign_in(page, system.url, system.password)
        await page.wait_for_selector(MOVING)
        await asyncio.sleep(4)
        save(await page.screenshot(), "live.png")
        await page.goto(f"{system.url}/playback/yard")
        await page.wait_for_selector("[data-playback][data-state=playing]")
        for name in ("gate", "parking"):
            await _compare(page, name)
        await page.keyboard.press("ArrowLeft")
        await asyncio.sleep(3)
        save(await page.screenshot(), "playback.png")
        await _evidence(page, system)
    async with chromium(**PHONE) as context:
        page = await context.new_page()
        await sign_in(page, system.url, system.password)
        await page.wait_for_selector(MOVING)
        await asyncio.sleep(4)
        save(await page.screenshot(), "phone.png")


async def _evidence(page: Any, system: System) -> None:
    prepare(system)
    for path, ready, name in (
        ("/evidence", "[data-export][data-state=done]", "evidence.png"),
        ("/storage", "tr[data-camera]", "storage.png"),
    ):
        await page.goto(system.url + path)
        await page.wait_for_selector(ready, timeout=60_000)
        await asyncio.sleep(2)
        save(await page.screenshot(), name)


def prepare(system: System) -> None:
    """A lock, and a case of two cameras, so that there is evidence to see."""
    client = system.client()
    end = int(time.time() * 1000) - 5000
    about = {"cameras": ["gate", "parking"], "start": end - 60_000, "end": end}
    lock = {"kind": "lock", "reason": "Gate forced open, case 4711"}
    client.post("/api/v1/holds", json=about | lock).raise_for_status()
    case = {"format": "case", "reason": "Case 4711, for the police"}
    client.post("/api/v1/exports", json=about | case).raise_for_status()


async def _compare(page: Any, camera: str) -> None:
    await page.locator(".playback-bar select").last.select_option(camera)


async def main(minutes: float) -> None:
    with tempfile.TemporaryDirectory() as folder, System(Path(folder) / "data") as system:
        system.wait_ready()
        await asyncio.sleep(minutes * 60)
        await shoot(system)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
