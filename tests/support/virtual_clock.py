"""A machine's clocks that go only when a test says so."""

from __future__ import annotations

import asyncio


class VirtualClock:
    """`pass_` lets time go by; `set_` steps the wall clock alone, as NTP or a person does."""

    def __init__(self, now_ns: int, monotonic_ns: int = 5_000_000_000) -> None:
        self.wall = now_ns
        self.monotonic = monotonic_ns

    def now_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.monotonic

    def pass_(self, seconds: float) -> None:
        by = round(seconds * 1e9)
        self.wall += by
        self.monotonic += by

    def step(self, seconds: float) -> None:
        self.wall += round(seconds * 1e9)

    async def sleep(self, seconds: float) -> None:
        self.pass_(seconds)
        await asyncio.sleep(0)
