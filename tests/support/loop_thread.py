"""An event loop in a thread of its own: async helpers for tests that drive whole processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Self, TypeVar

Result = TypeVar("Result")


class LoopThread:
    """Servers that a test talks to from the outside live here."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            self.call(self._stack.aclose())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()

    def call(self, work: Coroutine[Any, Any, Result], limit: float = 30.0) -> Result:
        """Run `work` there and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(limit)

    def enter(self, context: AbstractAsyncContextManager[Result]) -> Result:
        """Enter `context` there; it is left when the thread ends."""
        return self.call(self._stack.enter_async_context(context))
