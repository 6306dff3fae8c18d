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
END_WITHIN_S = 4.8
"""A process told to stop is gone after that, whatever a dead disk or database holds."""


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
        end_soon()


def end_soon() -> None:
    """From now on this process has `END_WITHIN_S` seconds; it may end by itself before."""
    if any(isinstance(thread, _Guard) for thread in threading.enumerate()):
        return
    _Guard().start()


class _Guard(threading.Timer):
    def __init__(self) -> None:
        super().__init__(END_WITHIN_S, _end_now)
        self.daemon = True


def _end_now() -> None:
    log.error("something holds the end of the process, it is ended now")
    logs.drain()
    os._exit(1)
