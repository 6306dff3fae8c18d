"""Threads that read: few at once, and a disk that stands still takes them from nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from tests.support.storage_rig import wait_for

from vms.storage.readers import Readers


@pytest.fixture
def let_go() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


async def test_no_more_than_a_few_work_at_once() -> None:
    readers = Readers("test", 2, 8, held_s=30.0)
    lock, now, most = threading.Lock(), 0, 0

    def work(number: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.01)
        with lock:
            now -= 1
        return number

    assert await asyncio.gather(*(readers.run(work, n) for n in range(20))) == list(range(20))
    assert most == 2
    readers.close()


async def test_what_a_dead_disk_holds_keeps_nobody_else_waiting(let_go: threading.Event) -> None:
    readers = Readers("test", 2, 4, held_s=0.05)
    held = [asyncio.create_task(readers.run(let_go.wait, 30.0)) for _ in range(4)]
    async with asyncio.timeout(10.0):
        assert await readers.run(lambda: "read") == "read"
    # One who asked for what the disk holds has left; its thread is still held.
    held[0].cancel()
    async with asyncio.timeout(10.0):
        assert await readers.run(lambda: "read") == "read"
    assert not any(task.done() for task in held[1:])
    let_go.set()
    assert await asyncio.gather(*held[1:]) == [True] * 3
    # All places are free again, and no more than there were.
    await wait_for(lambda: readers._gate._value == 2)
    readers.close()


async def test_errors_come_through_and_cost_no_place() -> None:
    readers = Readers("test", 1, 1)

    def fail() -> None:
        raise ValueError("no")

    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            await readers.run(fail)
    readers.close()
    with pytest.raises(RuntimeError):
        await readers.run(fail)
    readers.spawn(fail)
    await wait_for(lambda: readers._gate._value == 1)
