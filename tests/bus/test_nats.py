"""What the NATS bus does beyond the contract."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.bus_servers import NatsServer
from tests.support.bus_units import video

from vms.bus.connect import open_bus
from vms.bus.nats import NatsBus
from vms.bus.nats_link import STREAM
from vms.bus.settings import BusSettings
from vms.common.errors import BusError
from vms.common.model.messages import ConfigChanged


async def test_a_server_for_small_messages_is_refused_with_advice(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, max_payload="1MB")
    server.start()
    try:
        with pytest.raises(BusError, match="max_payload: 10MB"):
            await NatsBus.connect(server.url)
    finally:
        server.stop()


async def test_nobody_there_is_said_in_time_without_the_password() -> None:
    with pytest.raises(BusError, match="no NATS server answers") as caught:
        await NatsBus.connect("nats://user:hunter2@127.0.0.1:1", timeout=0.5)
    assert "hunter2" not in str(caught.value)


async def test_credentials_work_and_are_never_shown(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, extra='authorization { user: "u", password: "hunter2" }')
    server.start()
    address = server.url.removeprefix("nats://")
    try:
        with capture_logs() as logs:
            bus = await open_bus(BusSettings(url=f"nats://u:hunter2@{address}"))
            assert await bus.publish_durable("a.b", ConfigChanged("a", "b")) is None
            await bus.close()
            with pytest.raises(
                BusError, match="check the address, user name and password"
            ) as caught:
                await NatsBus.connect(f"nats://u:hunter3@{address}", timeout=1.0)
        assert "hunter" not in str(caught.value) + str(logs)
    finally:
        server.stop()


async def test_durable_messages_survive_a_kill_of_the_server(own_nats_server: NatsServer) -> None:
    bus = await NatsBus.connect(own_nats_server.url)
    await bus.publish_durable("a.b", ConfigChanged("camera", "front"))
    info = await bus._context.stream_info(STREAM)
    assert info.state.messages == 1
    await asyncio.to_thread(own_nats_server.stop)
    await bus.close()
    await asyncio.to_thread(own_nats_server.start)
    bus = await NatsBus.connect(own_nats_server.url)
    got: asyncio.Queue[object] = asyncio.Queue()

    async def handle(delivery: object) -> None:
        got.put_nowait(delivery)

    await bus.subscribe_durable("a.>", "group", handle)
    await asyncio.wait_for(got.get(), 5)
    await bus.close()


async def test_publishing_never_waits_for_a_server_that_is_away(
    own_nats_server: NatsServer,
) -> None:
    bus = await NatsBus.connect(own_nats_server.url)
    await asyncio.to_thread(own_nats_server.stop)
    for number in range(200):
        bus.publish("a.b", video(number, size=1_000_000))
        await asyncio.sleep(0)
    assert bus._client.pending_data_size < 64_000_000
    await bus.close()
