"""Camera picture to browser picture: the stamp in the scene, read back in Chromium.

The claim: p50 under 100 ms over WebRTC on loopback, and the share that is ours (an access
unit in, its datagrams out) under 5 ms at p99. The picture's way includes the simulated
camera's encoder and the browser's jitter buffer and decoder; the web client is the real one.
"""

from __future__ import annotations

import contextlib
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright
from tests.support.browser import FLAGS, executable
from tests.support.system import System, wait_for

from bench import harness
from bench.harness import Claim, child, percentile, read_line

SCRIPT = (Path(__file__).parent / "support" / "stamp.js").read_text("utf-8")
_BUCKET = re.compile(r'vms_stream_server_delay_seconds_bucket\{kind="webrtc",le="([^"]+)"\} (\S+)')


def main() -> None:
    options = harness.arguments(
        __doc__ or "", seconds=(float, 30.0, "how long each way is watched")
    )
    if options.quick:
        options.seconds = 5.0
    with tempfile.TemporaryDirectory(prefix="vms-glass-") as name, running(Path(name)) as system:
        delays = {way: watch(system, way, options.seconds) for way in ("webrtc", "mse")}
        share = own_share(system.client())
    for way, found in delays.items():
        print(
            f"{way:>7}: p50 {percentile(found, 0.5):.0f} ms, p95 {percentile(found, 0.95):.0f} ms, "
            f"max {max(found):.0f} ms over {len(found)} pictures"
        )
    middle = percentile(delays["webrtc"], 0.5)
    harness.finish(
        [
            Claim("ours", f"server in to server out p99 under {share * 1e3:g} ms", share <= 0.005),
            Claim(
                "glass",
                f"camera to browser p50 {middle:.0f} ms, p95 "
                f"{percentile(delays['webrtc'], 0.95):.0f} ms over WebRTC",
                middle < 100,
            ),
        ]
    )


@contextlib.contextmanager
def running(folder: Path) -> Iterator[System]:
    """The whole system with one live camera of 1280x720 at 25 pictures a second."""
    command = [sys.executable, "-m", "bench.support.live_camera"]
    with child(command, stdout=subprocess.PIPE) as camera:
        url = read_line(camera, "ready", 60)
        with System(folder / "data", "--no-demo").wait_ready() as system:
            client = system.client()
            body = {"name": "Glass", "streams": [{"name": "main", "url": url}]}
            client.post("/api/v1/cameras", json=body).raise_for_status()
            wait_for(lambda: _online(client), 20, "the camera online")
            yield system


@contextlib.contextmanager
def browser(system: System, way: str) -> Iterator[Page]:
    """The client, signed in; a browser without WebRTC takes MSE."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        try:
            page = chromium.new_page(viewport={"width": 1440, "height": 900})
            if way != "webrtc":
                page.add_init_script("delete window.RTCPeerConnection")
            page.goto(system.url)
            page.fill("[name=username]", "admin")
            page.fill("[name=password]", system.password)
            page.keyboard.press("Enter")
            yield page
        finally:
            chromium.close()


def watch(system: System, way: str, seconds: float) -> list[float]:
    """Delays in milliseconds of every picture shown over `seconds`, after three to settle."""
    with browser(system, way) as page:
        tile = f"[data-camera=glass][data-transport={way}][data-state=playing]"
        page.wait_for_selector(tile, timeout=20_000)
        page.evaluate(SCRIPT)
        page.evaluate("glass(document.querySelector('[data-camera=glass] video'))")
        time.sleep(3.0)
        page.evaluate("glassSamples.length = 0")
        time.sleep(seconds)
        samples = page.evaluate("glassSamples")
    if len(samples) < seconds * 10:
        raise RuntimeError(f"{way}: only {len(samples)} pictures read in {seconds:.0f} s")
    return [sample["delay"] for sample in samples]


def own_share(client: httpx.Client) -> float:
    """The bound in seconds under which 99 % of pictures passed through the server."""
    buckets = [
        (math.inf if bound == "+Inf" else float(bound), float(value))
        for bound, value in _BUCKET.findall(client.get("/metrics").raise_for_status().text)
    ]
    if not buckets or not buckets[-1][1]:
        raise RuntimeError("the server measured no picture on its way to a viewer")
    return next(bound for bound, seen in buckets if seen >= 0.99 * buckets[-1][1])


def _online(client: httpx.Client) -> bool:
    states = client.get("/api/v1/states").raise_for_status().json()
    return any(state["status"] == "online" for state in states)


if __name__ == "__main__":
    main()
