"""The threads that read recordings: few work at once, and a disk that stands still takes none
of them from the readers of the others for long.

What a thread does for longer than a moment is no longer counted among the few: it waits for
its disk. Threads beyond the few are made only then, up to a bound.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

_HELD_S = 3.0

T = TypeVar("T")


class Readers:
    """`close` it. `run` belongs to an event loop's thread."""

    def __init__(self, name: str, at_once: int, most: int, held_s: float = _HELD_S) -> None:
        """`at_once` threads work; up to `most` beside them may wait for disks."""
        self._pool = ThreadPoolExecutor(at_once + most, name)
        self._gate = asyncio.Semaphore(at_once)
        self._held_s = held_s

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """What `work` gives. Raises what it raises."""
        loop = asyncio.get_running_loop()
        await self._gate.acquire()
        let_go = _Once(self._gate.release)
        try:
            future = self._pool.submit(work, *args)
        except BaseException:
            let_go()
            raise
        timer = loop.call_later(self._held_s, let_go)

        def ended(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):
                # The loop may be closed: nobody waits then.
                loop.call_soon_threadsafe(_end, timer, let_go)

        future.add_done_callback(ended)
        return await asyncio.wrap_future(future)

    def spawn(self, work: Callable[[], Any]) -> None:
        """Have it done, and wait for nothing."""
        with contextlib.suppress(RuntimeError):  # raised once they have been closed
            self._pool.submit(work)


class _Once:
    def __init__(self, action: Callable[[], None]) -> None:
        self._action: Callable[[], None] | None = action

    def __call__(self) -> None:
        action, self._action = self._action, None
        if action is not None:
            action()


def _end(timer: asyncio.TimerHandle, let_go: _Once) -> None:
    timer.cancel()
    let_go()
