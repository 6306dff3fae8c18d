"""Lets many cameras connect a few at a time, so that a start is not a storm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ConnectGate:
    """At most `at_once` in each of two lanes, and `per_second` in all.

    Streams that could not be reached the last time wait in a lane of their own: a dead
    switch with fifty cameras behind it does not hold up those that are alive.
    """

    def __init__(self, at_once: int, per_second: float) -> None:
        self._lanes = {False: asyncio.Semaphore(at_once), True: asyncio.Semaphore(at_once)}
        self._spacing = 1.0 / per_second
        self._next = 0.0

    @asynccontextmanager
    async def turn(self, failed_before: bool) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        async with self._lanes[failed_before]:
            start = max(self._next, loop.time())
            self._next = start + self._spacing
            await asyncio.sleep(start - loop.time())
            yield
