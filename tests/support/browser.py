"""Chromium for tests: headless, without its own traffic; skips where there is none.

from tests.support.browser import chromium, needs_chromium

@needs_chromium
@pytest.mark.browser
async def test_page():
    async with chromium() as browser:
        page = await browser.new_page()
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest

# Playwright brings its own Node, which asks for a library that small systems lack; the
# Node that built the web client is there.
if _node := shutil.which("node"):
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", _node)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


def executable() -> str:
    """Where Chromium is: `$VMS_TEST_CHROMIUM`, or on the path; empty where nowhere."""
    named = os.environ.get("VMS_TEST_CHROMIUM")
    if named:
        return named
    return shutil.which("chromium") or shutil.which("chromium-browser") or ""


needs_chromium = pytest.mark.skipif(
    not executable(), reason="no Chromium here: apt-get install chromium, or VMS_TEST_CHROMIUM"
)


@contextlib.asynccontextmanager
async def chromium(**options: Any) -> AsyncIterator[Any]:
    """A playwright BrowserContext of a fresh profile. `options` go to `new_context`."""
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=executable(), headless=True, args=FLAGS, timeout=20_000
        )
        try:
            context = await browser.new_context(**options)
            context.set_default_timeout(15_000)
            yield context
        finally:
            await browser.close()
