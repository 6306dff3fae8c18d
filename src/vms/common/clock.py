"""Time, injected: wall time that does not jump, and a monotonic count."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """`now_ns` is UTC in nanoseconds, `monotonic_ns` counts from an unknown origin."""

    def now_ns(self) -> int: ...

    def monotonic_ns(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clocks. Wall time as the kernel has it, jumps included."""

    now_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class AnchoredClock:
    """Wall time that never steps: anchored once, then carried on by the monotonic clock.

    One is made per Run, so that a step of the system clock moves no picture within it.
    """

    __slots__ = ("_monotonic_ns", "_offset")

    def __init__(self, clock: Clock) -> None:
        self._monotonic_ns = clock.monotonic_ns
        self._offset = clock.now_ns() - clock.monotonic_ns()

    def now_ns(self) -> int:
        return self._monotonic_ns() + self._offset
