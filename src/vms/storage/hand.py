"""A thread that does the slow work of one volume, so that a dead disk holds up only that."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from vms.common.errors import StorageError

Found = TypeVar("Found")
_Job = tuple[Callable[[], object], "asyncio.Future[object]", asyncio.AbstractEventLoop]


class Hand:
    """One piece of work at a time. Its thread is a daemon: it never holds up the end of the
    process, as a thread of an executor does."""

    def __init__(self, name: str, limit_s: float = 30.0) -> None:
        self._name = name
        self._limit = limit_s
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._busy: asyncio.Future[object] | None = None

    @property
    def busy(self) -> bool:
        """Whether the disk still holds the last piece of work."""
        return self._busy is not None and not self._busy.done()

    async def do(self, work: Callable[[], Found]) -> Found:
        """What `work` gives. Raises what it raises; StorageError where the disk holds the
        thread for longer than the limit, or still holds it from before."""
        if self.busy:
            raise StorageError(f"volume {self._name} still holds what was asked of it before")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()
        self._busy = future
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name=f"storage-hand-{self._name}", daemon=True
            )
            self._thread.start()
        self._jobs.put((work, future, loop))
        done, _ = await asyncio.wait([future], timeout=self._limit)
        if not done:
            # Its outcome is nobody's any more.
            future.add_done_callback(lambda late: late.exception())
            raise StorageError(f"volume {self._name} did not answer within {self._limit:.0f} s")
        return future.result()  # type: ignore[return-value]

    def _run(self) -> None:
        while True:
            work, future, loop = self._jobs.get()
            try:
                found, error = work(), None
            except BaseException as raised:
                found, error = None, raised
            with contextlib.suppress(RuntimeError):
                # The loop may be closed: nobody waits then.
                loop.call_soon_threadsafe(_settle, future, found, error)


def _settle(future: asyncio.Future[object], found: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(found)
