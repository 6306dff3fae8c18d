"""The local bus needs one broker among the processes of a machine.

Whoever holds the lock beside the socket hosts it; the others wait for the lock, so that
another takes over within a second when the host dies.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from vms.bus.local import LocalBroker
from vms.common.errors import BusError
from vms.common.lifecycle import keep_running, stop_task

log = structlog.get_logger(__name__)

_RETRY = 0.5


@asynccontextmanager
async def host_broker(url: str) -> AsyncIterator[None]:
    """Take part in hosting the broker of `url` (`unix:///path`) until the block ends."""
    path = Path(url.removeprefix("unix://"))
    first_try = asyncio.Event()
    task = asyncio.create_task(keep_running("broker", lambda: _host(path, first_try)))
    try:
        try:
            await asyncio.wait_for(first_try.wait(), 5.0)
        except TimeoutError:
            raise BusError(f"the local bus at {path} cannot be hosted; see the log") from None
        yield
    finally:
        await stop_task(task)


async def _host(path: Path, first_try: asyncio.Event) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        while not _take(lock.fileno()):
            first_try.set()
            await asyncio.sleep(_RETRY)
        broker = LocalBroker(path)
        await broker.start()
        log.info("hosting the local bus", path=str(path))
        first_try.set()
        try:
            await asyncio.Event().wait()
        finally:
            await broker.close()


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
