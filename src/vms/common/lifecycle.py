"""Tasks that do not die silently."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from vms.common.errors import VmsError
from vms.common.retry import Backoff
from vms.common.secret import redact

log = structlog.get_logger(__name__)

_HEALTHY_AFTER = 10.0


async def keep_running(
    name: str, body: Callable[[], Awaitable[None]], backoff: Backoff | None = None
) -> None:
    """Run `body` for ever: the undying outer loop around a disposable inner one.

    A body that raises is logged and started again after a growing wait; one that
    returns ends the loop; cancellation passes through.
    """
    waits = backoff or Backoff()
    while True:
        started = time.monotonic()
        try:
            await body()
            return
        except Exception as error:
            if time.monotonic() - started > _HEALTHY_AFTER:
                waits.reset()
            delay = waits.next()
            log.error(
                "part failed, starting again",
                part=name,
                error=redact(f"{type(error).__name__}: {error}"),
                delay_s=round(delay, 2),
                exc_info=not isinstance(error, VmsError),
            )
            await asyncio.sleep(delay)


async def stop_task(task: asyncio.Task[Any] | None, limit: float = 5.0) -> None:
    """Cancel `task` and wait for its end, at most `limit` seconds."""
    if task is None or task.done():
        return
    task.cancel()
    await asyncio.wait([task], timeout=limit)
