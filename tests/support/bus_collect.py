"""What a test's readers got, and waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vms.bus.port import Delivery
from vms.common.model.media import AccessUnit


class Collector:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)

    @property
    def numbers(self) -> list[int]:
        return [d.message.number for d in self.deliveries if isinstance(d.message, AccessUnit)]

    @property
    def subjects(self) -> list[str]:
        return [d.subject for d in self.deliveries]

    async def wait(self, count: int, limit: float = 5.0) -> None:
        await eventually(lambda: len(self.deliveries) >= count, limit)


async def eventually(true: Callable[[], bool], limit: float = 5.0) -> None:
    """Wait until `true()`; fails after `limit` seconds."""
    async with asyncio.timeout(limit):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
