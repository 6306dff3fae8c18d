"""What the local bus does beyond the contract."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest
import uvloop
from tests.support.bus_collect import Collector, eventually
from tests.support.bus_units import video

from vms.bus.connect import open_bus
from vms.bus.frames import PROTOCOL, FrameType, frame
from vms.bus.local import LocalBroker, LocalBus
from vms.bus.local_peer import MEDIA_LIMIT
from vms.bus.port import Delivery
from vms.bus.settings import BusSettings
from vms.common.errors import BusError
from vms.common.model.messages import Command, ConfigChanged, Message, Reply


async def connected(path: Path) -> LocalBus:
    bus = LocalBus(path)
    await bus.start()
    return bus


async def test_the_socket_belongs_to_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "bus.sock"
    async with LocalBroker(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.exists()


async def test_a_second_broker_is_refused_and_a_dead_one_replaced(tmp_path: Path) -> None:
    path = tmp_path / "bus.sock"
    async with LocalBroker(path):
        with pytest.raises(BusError, match="another broker"):
            await LocalBroker(path).start()
        bus = await connected(path)
        await bus.close()
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    async with LocalBroker(path):
        await (await connected(path)).close()


async def test_a_path_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="longer than 107"):
        await LocalBroker(tmp_path / ("x" * 120)).start()
    (tmp_path / "file").touch()
    with pytest.raises(BusError, match="cannot be opened"):
        await LocalBroker(tmp_path / "file" / "bus.sock").start()


async def test_no_broker_is_said_in_time(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="no bus broker answers"):
        await LocalBus(tmp_path / "bus.sock").start(timeout=0.2)


async def test_the_first_process_is_the_broker_and_another_takes_over(tmp_path: Path) -> None:
    settings = BusSettings(url=f"unix://{tmp_path}/bus.sock")
    first = await open_bus(settings)
    second = await open_bus(settings)
    third = await open_bus(settings)
    got = Collector()
    await third.subscribe("a.>", got)
    second.publish("a.b", video(0))
    await got.wait(1)
    await first.close()
    number = 1
    async with asyncio.timeout(10):
        while len(got.deliveries) < 2:
            second.publish("a.b", video(number))
            number += 1
            await asyncio.sleep(0.01)
    await second.close()
    await third.close()


async def slow_client(path: Path, pattern: str) -> socket.socket:
    """A client that subscribes and then reads nothing."""
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, str(path))
    hello = frame(FrameType.HELLO, PROTOCOL) + frame(FrameType.SUBSCRIBE, 1, pattern)
    await loop.sock_sendall(client, hello)
    await loop.sock_recv(client, 10)
    await asyncio.sleep(0.05)
    return client


async def test_a_slow_reader_loses_media_and_harms_nobody(tmp_path: Path) -> None:
    path = tmp_path / "bus.sock"
    async with LocalBroker(path) as broker:
        publisher, reader = await connected(path), await connected(path)
        slow = await slow_client(path, "vms.media.>")
        got = Collector()
        await reader.subscribe("vms.media.>", got)
        count = 60
        for number in range(count):
            publisher.publish("vms.media.front.main", video(number, size=1_000_000))
            await got.wait(number + 1)
        assert got.numbers == list(range(count))
        dropped = max(peer.dropped for peer in broker._peers)
        assert count * 1_000_000 - MEDIA_LIMIT > dropped * 1_000_000 > 10_000_000
        slow.close()
        await publisher.close()
        await reader.close()


async def test_a_reader_that_was_stopped_sees_what_it_missed(tmp_path: Path) -> None:
    """Its process does not run for a while; then whole units go on, numbered."""
    path = tmp_path / "bus.sock"
    async with LocalBroker(path):
        publisher, reader = await connected(path), await connected(path)
        got = Collector()
        await reader.subscribe("vms.media.>", got)
        transport = reader._link.transport
        assert transport is not None
        transport.pause_reading()
        for number in range(60):
            publisher.publish("vms.media.front.main", video(number, size=1_000_000))
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        transport.resume_reading()
        await eventually(lambda: len(got.deliveries) > 10)
        await asyncio.sleep(0.1)
        publisher.publish("vms.media.front.main", video(60))
        await eventually(lambda: got.numbers[-1] == 60)
        missed = sum(d.missed for d in got.deliveries)
        assert missed > 10
        assert missed + len(got.deliveries) == 61
        await publisher.close()
        await reader.close()


async def test_a_slow_reader_loses_no_durable_message(tmp_path: Path) -> None:
    path = tmp_path / "bus.sock"
    async with LocalBroker(path):
        publisher, reader = await connected(path), await connected(path)
        kept: list[Message] = []

        async def keep(delivery: Delivery) -> None:
            kept.append(delivery.message)

        await reader.subscribe("vms.media.>", Collector())
        await reader.subscribe_durable("vms.segments.>", "group", keep)
        transport = reader._link.transport
        assert transport is not None
        transport.pause_reading()
        for number in range(40):
            publisher.publish("vms.media.front.main", video(number, size=1_000_000))
            await asyncio.sleep(0.001)
            await publisher.publish_durable("vms.segments.a", ConfigChanged("x", str(number)))
        transport.resume_reading()
        await eventually(lambda: len(kept) == 40)
        assert kept == [ConfigChanged("x", str(n)) for n in range(40)]
        await publisher.close()
        await reader.close()


async def test_an_answer_to_a_broker_that_is_gone_is_not_given_to_the_next(tmp_path: Path) -> None:
    """Both brokers count their messages from 1."""
    path = tmp_path / "bus.sock"
    broker = LocalBroker(path)
    await broker.start()
    bus = await connected(path)
    finish = asyncio.Event()
    got: list[str] = []

    async def handle(delivery: Delivery) -> None:
        assert isinstance(delivery.message, ConfigChanged)
        got.append(delivery.message.id)
        if delivery.message.id == "old":
            await finish.wait()
        elif got.count("new") == 1:
            finish.set()
            await asyncio.sleep(0.05)
            raise RuntimeError("not yet")

    await bus.subscribe_durable("a.>", "group", handle)
    await bus.publish_durable("a.b", ConfigChanged("x", "old"))
    await eventually(lambda: got == ["old"])
    await broker.close()
    async with LocalBroker(path):
        await bus.publish_durable("a.b", ConfigChanged("x", "new"))
        await eventually(lambda: got == ["old", "new", "new"])
        await bus.close()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        os.urandom(400),
        frame(FrameType.HELLO, PROTOCOL + 1),
        frame(FrameType.HELLO, PROTOCOL) + frame(FrameType.PUBLISH, 0, "a..b", b"x"),
        frame(FrameType.HELLO, PROTOCOL) + frame(FrameType.SUBSCRIBE, 1, "a.>.b"),
        frame(FrameType.HELLO, PROTOCOL) + frame(FrameType.TAKEN, 1, "", b"x"),
        frame(FrameType.HELLO, PROTOCOL) + b"\x00\x00\x00\x06\x63\x00\x00\x00\x01\x00",
    ],
)
async def test_a_client_that_does_not_speak_the_protocol_is_dropped(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "bus.sock"
    async with LocalBroker(path):
        good = await connected(path)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(data)
        try:
            async with asyncio.timeout(10):
                await reader.read()
        except ConnectionResetError:
            pass
        writer.close()

        async def handle(_: Command) -> Reply:
            return Reply({"ok": True})

        await good.serve("a.b", handle)
        other = await connected(path)
        assert (await other.request("a.b", Command("x"))).body == {"ok": True}
        await good.close()
        await other.close()


async def test_a_server_that_dies_at_work_is_noticed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bus.sock"
    async with LocalBroker(path):
        server, client = await connected(path), await connected(path)
        started = asyncio.Event()

        async def stuck(_: Command) -> Reply:
            started.set()
            await asyncio.sleep(60)
            return Reply()

        await server.serve("a.b", stuck)
        asking = asyncio.create_task(client.request("a.b", Command("x"), timeout=30))
        await asyncio.wait_for(started.wait(), 10)
        transport = server._link.transport
        assert transport is not None
        transport.abort()
        with pytest.raises(BusError, match="stopped before it answered"):
            await asyncio.wait_for(asking, 10)
        await server.close()
        await client.close()


def test_it_works_on_uvloop(tmp_path: Path) -> None:
    """The loop that the system runs on, whose transports are of other classes."""

    async def walk() -> None:
        path = tmp_path / "bus.sock"
        async with LocalBroker(path):
            publisher, reader = await connected(path), await connected(path)
            got = Collector()
            await reader.subscribe("a.>", got)
            for number, size in enumerate([100, 10_000_000, 20_000]):
                publisher.publish("a.b", video(number, size=size))
            await got.wait(3)
            assert [len(d.message.data) for d in got.deliveries] == [100, 10_000_000, 20_000]  # type: ignore[union-attr]
            await publisher.close()
            await reader.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(walk())
