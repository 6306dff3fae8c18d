"""What the operating system lets this process have."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Coroutine
from typing import Any

import structlog

from vms.telemetry import logs

log = structlog.get_logger(__name__)

_WANTED = 65_536
_LAST_RESORT_S = 3.0


def raise_file_limit() -> int:
    """Allow this process as many open files as it may have, 65536 at most; gives how many.

    Each camera, client and recording is an open file, and shells allow but 1024 unasked.
    """
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if most == resource.RLIM_INFINITY else min(_WANTED, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        return wanted
    return allowed


async def ended_in_time(work: Coroutine[Any, Any, None]) -> None:
    """Do `work`; once it is over this process ends, even if a thread hangs in a dead disk."""
    try:
        await work
    finally:
        guard = threading.Timer(_LAST_RESORT_S, _end_now)
        guard.daemon = True
        guard.start()


def _end_now() -> None:
    log.error("something holds the end of the process, it is ended now")
    logs.drain()
    os._exit(1)
