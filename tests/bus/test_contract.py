"""What every bus does alike."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.bus_collect import Collector, eventually
from tests.support.bus_servers import Site
from tests.support.bus_strategies import fields
from tests.support.bus_units import audio, video

from vms.bus.port import Delivery
from vms.common.errors import BusError, InvalidIdentifier, NoResponder, NotFound
from vms.common.model.camera import StreamState, StreamStatus, TrackInfo
from vms.common.model.messages import Command, ConfigChanged, Message, Reply, SegmentClosed


def notice(number: int) -> ConfigChanged:
    return ConfigChanged("camera", str(number))


async def test_units_arrive_whole_and_in_order(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    got = Collector()
    await reader.subscribe(f"{word}.>", got)
    units = [video(n, key=n % 25 == 0, size=20_000 + n) for n in range(200)]
    for unit in units:
        publisher.publish(f"{word}.main", unit)
    await got.wait(200)
    assert got.numbers == list(range(200))
    assert [d.missed for d in got.deliveries] == [0] * 200
    for sent, delivery in zip(units, got.deliveries, strict=True):
        assert fields(delivery.message) == fields(sent)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "message",
    [
        StreamState(
            "front",
            "main",
            StreamStatus.ONLINE,
            1,
            "",
            "run",
            (TrackInfo("h264", 1920, 1080, 25.0),),
        ),
        ConfigChanged("camera", "front"),
        SegmentClosed("front", "main", "a/b.mkv", 1, 2, 3),
        Command("probe", {"url": "rtsp://camera/", "ports": [1, 2], "deep": {"a": None}}),
        Reply({"ok": True}, "sorry"),
    ],
    ids=lambda message: type(message).__name__,
)
async def test_every_message_arrives_as_it_was(site: Site, word: str, message: Message) -> None:
    publisher, reader = await site.bus(), await site.bus()
    got = Collector()
    await reader.subscribe(f"{word}.x", got)
    publisher.publish(f"{word}.x", message)
    await got.wait(1)
    assert got.deliveries == [Delivery(f"{word}.x", message)]


async def test_patterns_choose(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    readers = {
        pattern: Collector()
        for pattern in (f"{word}.>", f"{word}.*.main", f"{word}.front.*", f"{word}.front.main")
    }
    for pattern, sink in readers.items():
        await reader.subscribe(pattern, sink)
    sent = ["front.main", "front.sub", "back.main", "front.main.extra", "last"]
    for subject in sent:
        publisher.publish(f"{word}.{subject}", notice(1))
    everything, mains, fronts, one = readers.values()
    await everything.wait(5)
    await mains.wait(2)
    await fronts.wait(2)
    await one.wait(1)
    await asyncio.sleep(0.02)
    assert [s.removeprefix(f"{word}.") for s in everything.subjects] == sent
    assert mains.subjects == [f"{word}.front.main", f"{word}.back.main"]
    assert fronts.subjects == [f"{word}.front.main", f"{word}.front.sub"]
    assert one.subjects == [f"{word}.front.main"]


async def test_the_publisher_reads_what_it_publishes_once(site: Site, word: str) -> None:
    bus, other = await site.bus(), await site.bus()
    here, there = Collector(), Collector()
    await bus.subscribe(f"{word}.>", here)
    await other.subscribe(f"{word}.>", there)
    unit = video(0, key=True)
    bus.publish(f"{word}.a", unit)
    assert here.deliveries[0].message is unit
    await there.wait(1)
    await asyncio.sleep(0.02)
    assert len(here.deliveries) == 1


async def test_readers_learn_what_they_missed(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    got = Collector()
    await reader.subscribe(f"{word}.>", got)
    for unit in (video(3), video(4), audio(90), video(9), audio(91), video(2, run="next")):
        publisher.publish(f"{word}.main", unit)
    publisher.publish(f"{word}.other", video(5))
    await got.wait(7)
    assert [d.missed for d in got.deliveries] == [0, 0, 0, 4, 0, 2, 0]


async def test_a_unit_of_10_mb_passes(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    got = Collector()
    await reader.subscribe(f"{word}.>", got)
    unit = video(0, key=True, size=10_000_000)
    publisher.publish(f"{word}.main", unit)
    publisher.publish(f"{word}.main", video(1))
    await got.wait(2)
    assert fields(got.deliveries[0].message) == fields(unit)  # type: ignore[arg-type]


async def test_a_larger_unit_is_dropped_and_missed(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    got = Collector()
    await reader.subscribe(f"{word}.>", got)
    for unit in (video(0, key=True), video(1, size=10_000_001), video(2)):
        publisher.publish(f"{word}.main", unit)
    await got.wait(2)
    assert got.numbers == [0, 2]
    assert got.deliveries[1].missed == 1
    with pytest.raises(BusError, match="larger than the bus carries"):
        await publisher.publish_durable(f"{word}.main", video(1, size=10_000_001))


async def test_a_sink_that_raises_harms_nobody_else(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    got = Collector()

    def bad(_: Delivery) -> None:
        raise RuntimeError("broken")

    await reader.subscribe(f"{word}.>", bad)
    await reader.subscribe(f"{word}.>", got)
    for number in range(3):
        publisher.publish(f"{word}.main", video(number))
    await got.wait(3)


async def test_a_closed_subscription_is_silent(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    closed, got = Collector(), Collector()
    subscription = await reader.subscribe(f"{word}.>", closed)
    await reader.subscribe(f"{word}.>", got)
    publisher.publish(f"{word}.a", notice(1))
    await got.wait(1)
    await subscription.close()
    await subscription.close()
    publisher.publish(f"{word}.a", notice(2))
    await got.wait(2)
    assert len(closed.deliveries) == 1


async def test_a_sink_may_close_its_own_subscription(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    got = Collector()
    closing: list[asyncio.Task[None]] = []
    subscription = await reader.subscribe(
        f"{word}.>", lambda _: closing.append(asyncio.ensure_future(subscription.close()))
    )
    await reader.subscribe(f"{word}.>", got)
    publisher.publish(f"{word}.a", notice(1))
    await got.wait(1)
    await eventually(lambda: bool(closing))
    await closing[0]
    publisher.publish(f"{word}.a", notice(2))
    await got.wait(2)
    assert len(closing) == 1


async def test_bad_subjects_are_refused(site: Site) -> None:
    bus = await site.bus()
    for subject in ("", "a..b", "a b", "a.*", "a.>", "ä", "a" * 256):
        with pytest.raises(InvalidIdentifier):
            bus.publish(subject, notice(1))
    for pattern in ("", "a.>.b", "a*", ">>", "a."):
        with pytest.raises(InvalidIdentifier):
            await bus.subscribe(pattern, Collector())


async def test_commands_are_answered(site: Site, word: str) -> None:
    server, client = await site.bus(), await site.bus()

    async def handle(command: Command) -> Reply:
        return Reply({"echo": dict(command.body), "kind": command.kind})

    await server.serve(f"{word}.ask", handle)
    replies = await asyncio.gather(
        *(client.request(f"{word}.ask", Command("k", {"n": n})) for n in range(20))
    )
    assert [reply.body["echo"]["n"] for reply in replies] == list(range(20))
    here = await server.request(f"{word}.ask", Command("here"))
    assert here.body["kind"] == "here"


async def test_nobody_serves(site: Site, word: str) -> None:
    client, server = await site.bus(), await site.bus()
    with pytest.raises(NoResponder, match=f"{word}.ask"):
        await client.request(f"{word}.ask", Command("x"), timeout=2)

    async def handle(_: Command) -> Reply:
        return Reply()

    serving = await server.serve(f"{word}.ask", handle)
    assert await client.request(f"{word}.ask", Command("x")) == Reply()
    await serving.close()
    await asyncio.sleep(0.05)
    with pytest.raises(NoResponder):
        await client.request(f"{word}.ask", Command("x"), timeout=2)


async def test_a_request_has_a_time_limit(site: Site, word: str) -> None:
    server, client = await site.bus(), await site.bus()
    finished = asyncio.Event()

    async def handle(_: Command) -> Reply:
        await asyncio.sleep(0.3)
        finished.set()
        return Reply()

    await server.serve(f"{word}.ask", handle)
    with pytest.raises(BusError, match=r"within 0\.1 s"):
        await client.request(f"{word}.ask", Command("x"), timeout=0.1)
    await asyncio.wait_for(finished.wait(), 10)


async def test_a_handler_that_raises_answers_with_its_error(site: Site, word: str) -> None:
    server, client = await site.bus(), await site.bus()

    async def handle(command: Command) -> Reply:
        if command.kind == "known":
            raise NotFound("no camera at rtsp://root:secret@camera/: add it first")
        raise RuntimeError("private detail")

    await server.serve(f"{word}.ask", handle)
    reply = await client.request(f"{word}.ask", Command("known"))
    assert reply.error == "no camera at rtsp://***@camera/: add it first"
    reply = await client.request(f"{word}.ask", Command("unknown"))
    assert "RuntimeError" in reply.error
    assert "private" not in reply.error


async def test_servers_of_one_subject_share_the_work(site: Site, word: str) -> None:
    client = await site.bus()
    counts = [0, 0]

    def make(index: int) -> object:
        async def handle(_: Command) -> Reply:
            counts[index] += 1
            return Reply()

        return handle

    for index in range(2):
        await (await site.bus()).serve(f"{word}.ask", make(index))  # type: ignore[arg-type]
    for _ in range(30):
        await client.request(f"{word}.ask", Command("x"))
    assert sum(counts) == 30
    assert min(counts) > 0


async def test_a_closed_bus_says_so(site: Site, word: str) -> None:
    bus = await site.bus()
    got = Collector()
    await bus.subscribe(f"{word}.>", got)
    await bus.close()
    await bus.close()
    with pytest.raises(BusError, match="closed"):
        await bus.subscribe(f"{word}.>", got)
    with pytest.raises(BusError, match="closed"):
        await bus.request(f"{word}.a", Command("x"))
    with pytest.raises(BusError, match="closed"):
        await bus.publish_durable(f"{word}.a", notice(1))
    bus.publish(f"{word}.a", notice(1))
    assert got.deliveries == []


async def test_what_was_published_before_close_arrives(site: Site, word: str) -> None:
    publisher, reader = await site.bus(), await site.bus()
    got = Collector()
    await reader.subscribe(f"{word}.>", got)
    for number in range(50):
        publisher.publish(f"{word}.a", video(number, size=50_000))
    await publisher.close()
    await got.wait(50)


async def test_clients_recover_when_the_broker_comes_back(breakable_site: Site, word: str) -> None:
    publisher, reader = await breakable_site.bus(), await breakable_site.bus()
    got = Collector()
    kept: list[Message] = []

    async def keep(delivery: Delivery) -> None:
        kept.append(delivery.message)

    async def handle(command: Command) -> Reply:
        return Reply({"kind": command.kind})

    await reader.subscribe(f"{word}.>", got)
    await reader.serve(f"{word}.ask", handle)
    await reader.subscribe_durable(f"{word}.>", "group", keep)
    publisher.publish(f"{word}.a", video(0, key=True))
    await got.wait(1)
    await publisher.publish_durable(f"{word}.a", notice(0))
    await eventually(lambda: len(kept) == 1)

    await breakable_site.restart()
    keeping = asyncio.create_task(publisher.publish_durable(f"{word}.a", notice(1)))
    number = 1
    async with asyncio.timeout(10):
        while len(got.deliveries) < 2:
            publisher.publish(f"{word}.a", video(number))
            number += 1
            await asyncio.sleep(0.01)
    assert got.deliveries[1].missed == got.numbers[1] - 1
    reply = await publisher.request(f"{word}.ask", Command("again"), timeout=5)
    assert reply.body == {"kind": "again"}
    await asyncio.wait_for(keeping, 10)
    await eventually(lambda: notice(1) in kept, 10)
