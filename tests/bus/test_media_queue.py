from __future__ import annotations

import asyncio
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.bus_units import audio, video

from vms.bus.media_queue import MediaQueue
from vms.bus.port import Delivery
from vms.common.model.media import AccessUnit, Medium
from vms.common.model.messages import ConfigChanged


def gops(count: int, length: int, size: int = 100) -> list[AccessUnit]:
    return [video(n, key=n % length == 0, size=size) for n in range(count * length)]


def drain(queue: MediaQueue) -> list[int]:
    numbers = []
    while (unit := queue.get_nowait()) is not None:
        numbers.append(unit.number)
    return numbers


def test_a_reader_in_time_gets_all() -> None:
    queue = MediaQueue(max_units=100)
    for unit in gops(4, 25):
        queue.put(unit)
    assert len(queue) == 100
    assert queue.size_bytes == 10_000
    assert drain(queue) == list(range(100))
    assert queue.size_bytes == 0
    assert queue.dropped_units == 0


def test_a_slow_reader_loses_the_oldest_groups_whole() -> None:
    queue = MediaQueue(max_units=30)
    for unit in gops(5, 10):
        queue.put(unit)
    assert drain(queue) == list(range(20, 50))
    assert queue.dropped_units == 20
    assert queue.dropped_groups == 2


def test_bytes_are_bounded_as_well() -> None:
    queue = MediaQueue(max_bytes=1_050)
    for unit in gops(3, 5):
        queue.put(unit)
    assert queue.size_bytes <= 1_050
    assert drain(queue) == list(range(5, 15))


def test_one_long_group_is_dropped_until_the_next_key() -> None:
    queue = MediaQueue(max_units=10)
    for number in range(25):
        queue.put(video(number, key=number == 0))
    assert drain(queue) == []
    queue.put(video(25))
    queue.put(video(26, key=True))
    queue.put(video(27))
    assert drain(queue) == [26, 27]
    assert queue.dropped_units == 26
    assert queue.dropped_groups == 1


def test_audio_alone_loses_only_what_is_oldest() -> None:
    queue = MediaQueue(max_units=3)
    for number in range(5):
        queue.put(audio(number))
    assert drain(queue) == [2, 3, 4]


def test_a_unit_larger_than_the_queue_is_dropped() -> None:
    queue = MediaQueue(max_bytes=1000)
    queue.put(video(0, key=True, size=1001))
    queue.put(video(1, size=10))
    queue.put(video(2, key=True, size=10))
    assert drain(queue) == [2]
    assert queue.dropped_units == 2


def test_other_messages_are_left_out() -> None:
    queue = MediaQueue()
    queue.sink(Delivery("vms.config.camera.front", ConfigChanged("camera", "front")))
    queue.sink(Delivery("vms.media.front.main", video(3)))
    assert drain(queue) == [3]


async def test_a_task_waits_for_the_next_unit() -> None:
    queue = MediaQueue()
    getting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put(video(1, key=True))
    unit = await asyncio.wait_for(getting, 10)
    assert unit is not None
    assert unit.number == 1


async def test_a_cancelled_wait_loses_nothing() -> None:
    queue = MediaQueue()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.01)
    queue.put(video(1, key=True))
    unit = await queue.get()
    assert unit is not None


async def test_close_lets_readers_finish() -> None:
    queue = MediaQueue()
    queue.put(video(1, key=True))
    assert await queue.get() is not None
    getting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.close()
    queue.put(video(2))
    assert await asyncio.wait_for(getting, 10) is None
    assert queue.closed


def test_a_thread_waits_for_units() -> None:
    queue = MediaQueue()
    got: list[AccessUnit] = []

    def read() -> None:
        while units := queue.get_all_blocking(5):
            got.extend(units)

    thread = threading.Thread(target=read)
    thread.start()
    for unit in gops(20, 10):
        queue.put(unit)
    queue.close()
    thread.join(5)
    assert [unit.number for unit in got] == list(range(200))


def test_a_thread_stops_waiting_in_time() -> None:
    queue = MediaQueue()
    started = time.monotonic()
    assert queue.get_blocking(0.05) is None
    assert queue.get_all_blocking(0.05) == []
    assert time.monotonic() - started > 0.08


@given(
    st.lists(st.tuples(st.sampled_from("kpau"), st.integers(0, 40), st.booleans()), max_size=120),
    st.integers(1, 12),
    st.integers(1, 200),
)
def test_what_comes_out_can_be_decoded_and_all_else_is_counted(
    events: list[tuple[str, int, bool]], max_units: int, max_bytes: int
) -> None:
    """A picture that depends on others comes right after the picture before it, or not."""
    queue = MediaQueue(max_bytes, max_units)
    put = 0
    got: list[AccessUnit] = []
    numbers = {Medium.VIDEO: 0, Medium.AUDIO: 0}
    for kind, size, take in events:
        medium = Medium.AUDIO if kind == "a" else Medium.VIDEO
        key = kind == "k" or (medium is Medium.VIDEO and numbers[medium] == 0)
        make = audio if kind == "a" else video
        queue.put(make(numbers[medium], key=key, size=size))
        numbers[medium] += 1
        put += 1
        assert len(queue) <= max_units
        assert queue.size_bytes <= max_bytes
        if take and (unit := queue.get_nowait()) is not None:
            got.append(unit)
    while (unit := queue.get_nowait()) is not None:
        got.append(unit)
    assert queue.dropped_units == put - len(got)
    last = -1
    for unit in got:
        if unit.parameters.medium is Medium.VIDEO:
            assert unit.key or unit.number == last + 1
            assert unit.number > last
            last = unit.number
