"""A small system for tests of the web client: a few light cameras, and a page that is signed in."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.support.browser import chromium
from tests.support.loop_thread import LoopThread
from tests.support.plant import good_cameras, wait_status
from tests.support.system import System
from tests.support.web_page import sign_in

from vms.simulator.server import Simulator

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "locale": "pt-BR"}
_GO = """path => {
  history.pushState(null, '', path);
  dispatchEvent(new PopStateEvent('popstate'));
}"""


@contextlib.contextmanager
def small_system(data: Path, names: Sequence[str]) -> Iterator[System]:
    """A `vms run` with those simulated cameras online and recorded."""
    with LoopThread() as loop, System(data, "--no-demo").wait_ready() as system:
        client = system.client()
        good_cameras(loop, loop.enter(Simulator()), client, names)
        for name in names:
            wait_status(client, name, "online")
        yield system


@contextlib.asynccontextmanager
async def signed_in(
    system: System, options: dict[str, Any] = DESK, name: str = "admin", password: str = ""
) -> AsyncIterator[tuple[Any, list[str]]]:
    """A page at the live view, and the errors that its own code makes or its policy refuses."""
    async with chromium(**options) as context:
        page = await context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))

        def heard(said: Any) -> None:
            if "Content Security Policy" in said.text:
                errors.append(said.text)

        page.on("console", heard)
        await sign_in(page, system.url, password or system.password, name)
        yield page, errors


async def go(page: Any, path: str) -> None:
    """Move within the client, as its links do: nothing is loaded anew."""
    await page.evaluate(_GO, path)


async def fits_width(page: Any) -> bool:
    """Whether the page itself does not scroll sideways."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
