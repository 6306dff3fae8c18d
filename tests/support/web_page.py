"""The web client in Chromium: signing in, and reading stamps out of what it shows."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

import av
import numpy as np

from vms.common.stamp import Stamp, read_stamp

_GRAB_CANVAS = """selector => {
  const canvas = document.querySelector(selector);
  if (!canvas || canvas.hidden || !canvas.width) return null;
  return canvas.toDataURL('image/png').split(',')[1];
}"""
_GRAB = """selector => {
  const video = document.querySelector(selector);
  if (!video || video.readyState < 2 || !video.videoWidth) return null;
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = Math.ceil(video.videoHeight / 8);
  const pen = canvas.getContext('2d');
  pen.drawImage(video, 0, 0);
  return canvas.toDataURL('image/png').split(',')[1];
}"""


async def sign_in(page: Any, url: str, password: str, name: str = "admin") -> None:
    await page.goto(url)
    await page.fill("[name=username]", name)
    await page.fill("[name=password]", password)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".shell")


async def stamp_in(page: Any, selector: str) -> Stamp | None:
    """The stamp of the picture that the <video> at `selector` shows now."""
    return _read(await page.evaluate(_GRAB, selector))


async def stamp_on(page: Any, selector: str) -> Stamp | None:
    """The stamp of the picture that is painted on the <canvas> at `selector`."""
    return _read(await page.evaluate(_GRAB_CANVAS, selector))


def _read(encoded: str | None) -> Stamp | None:
    if not encoded:
        return None
    decoder = av.CodecContext.create("png", "r")
    packet = av.Packet(base64.b64decode(encoded))
    frame = (decoder.decode(packet) + decoder.decode(None))[0]
    luma = np.ascontiguousarray(frame.to_ndarray(format="gray"), np.uint8)
    return read_stamp(luma)


async def stamp_within(page: Any, selector: str, limit: float = 5.0, *, beyond: int = -1) -> Stamp:
    """The first stamp of a number beyond that which can be read; fails after `limit` seconds."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        stamp = await stamp_in(page, selector)
        if stamp is not None and stamp.number > beyond:
            return stamp
        await asyncio.sleep(0.1)
    raise AssertionError(f"no stamp beyond {beyond} can be read in {selector}")
