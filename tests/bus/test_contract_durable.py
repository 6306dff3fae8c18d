"""What every bus does alike with durable messages."""

from __future__ import annotations

import asyncio

from tests.support.bus_collect import Collector, eventually
from tests.support.bus_servers import Site

from vms.bus.port import Delivery
from vms.common.model.messages import ConfigChanged, Message


def notice(number: int) -> ConfigChanged:
    return ConfigChanged("camera", str(number))


async def test_durable_messages_wait_for_their_group(site: Site, word: str) -> None:
    publisher = await site.bus()
    for number in range(3):
        await publisher.publish_durable(f"{word}.a", notice(number))
    got: list[Message] = []

    async def handle(delivery: Delivery) -> None:
        assert delivery.subject == f"{word}.a"
        got.append(delivery.message)

    reader = await site.bus()
    await reader.subscribe_durable(f"{word}.>", "group", handle)
    await publisher.publish_durable(f"{word}.a", notice(3))
    await eventually(lambda: len(got) == 4)
    assert got == [notice(n) for n in range(4)]


async def test_each_group_gets_each_message_once(site: Site, word: str) -> None:
    publisher = await site.bus()
    got: dict[str, list[Message]] = {"one": [], "two": []}

    def into(group: str) -> object:
        async def handle(delivery: Delivery) -> None:
            got[group].append(delivery.message)
            await asyncio.sleep(0.001)

        return handle

    for group in ("one", "one", "two"):
        bus = await site.bus()
        await bus.subscribe_durable(f"{word}.*", group, into(group))  # type: ignore[arg-type]
    sent = [notice(n) for n in range(30)]
    for message in sent:
        await publisher.publish_durable(f"{word}.a", message)
    await eventually(lambda: len(got["one"]) == 30 and len(got["two"]) == 30)
    await asyncio.sleep(0.05)
    assert sorted(got["one"], key=lambda m: int(m.id)) == sent  # type: ignore[union-attr]
    assert got["two"] == sent


async def test_a_failed_message_comes_again(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    got: list[str] = []

    async def handle(delivery: Delivery) -> None:
        assert isinstance(delivery.message, ConfigChanged)
        got.append(delivery.message.id)
        if delivery.message.id == "1" and got.count("1") < 3:
            raise RuntimeError("not now")

    await reader.subscribe_durable(f"{word}.>", "group", handle)
    for number in range(3):
        await publisher.publish_durable(f"{word}.a", notice(number))
    await eventually(lambda: got.count("1") == 3)
    await asyncio.sleep(0.3)
    assert sorted(got) == ["0", "1", "1", "1", "2"]


async def test_a_group_that_was_away_gets_what_it_missed(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    got: list[str] = []

    async def handle(delivery: Delivery) -> None:
        assert isinstance(delivery.message, ConfigChanged)
        got.append(delivery.message.id)

    first = await reader.subscribe_durable(f"{word}.>", "group", handle)
    await publisher.publish_durable(f"{word}.a", notice(0))
    await eventually(lambda: got == ["0"])
    await first.close()
    await publisher.publish_durable(f"{word}.a", notice(1))
    await asyncio.sleep(0.05)
    assert got == ["0"]
    await (await site.bus()).subscribe_durable(f"{word}.>", "group", handle)
    await eventually(lambda: got == ["0", "1"])


async def test_a_reader_that_leaves_at_work_gives_its_message_back(site: Site, word: str) -> None:
    publisher, first, second = [await site.bus() for _ in range(3)]
    started = asyncio.Event()
    got: list[Message] = []

    async def stuck(_: Delivery) -> None:
        started.set()
        await asyncio.sleep(60)

    async def handle(delivery: Delivery) -> None:
        got.append(delivery.message)

    leaving = await first.subscribe_durable(f"{word}.>", "group", stuck)
    await publisher.publish_durable(f"{word}.a", notice(0))
    await asyncio.wait_for(started.wait(), 5)
    await leaving.close()
    await second.subscribe_durable(f"{word}.>", "group", handle)
    await eventually(lambda: got == [notice(0)])


async def test_durable_messages_do_not_reach_plain_readers(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    got = Collector()
    await reader.subscribe(f"{word}.>", got)
    await publisher.publish_durable(f"{word}.a", notice(0))
    publisher.publish(f"{word}.a", notice(1))
    await got.wait(1)
    assert [d.message for d in got.deliveries] == [notice(1)]
