"""WS-Discovery: devices that answer, and datagrams from anybody."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ingest_rig import QUICK, SMALL, ingesting

from vms.common.errors import ConfigError, ParseError
from vms.ingest.discovery import MULTICAST, discover, parse_matches
from vms.simulator.onvif import OnvifDevices
from vms.simulator.server import Simulator

MATCH = """<?xml version="1.0"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"
 xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><e:Body><d:ProbeMatches><d:ProbeMatch>
<w:EndpointReference><w:Address>urn:uuid:1</w:Address></w:EndpointReference>
<d:Scopes>onvif://www.onvif.org/name/Front%20Door onvif://www.onvif.org/hardware/IPC-1</d:Scopes>
<d:XAddrs>{xaddrs}</d:XAddrs></d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>"""


async def test_asks_one_address(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    simulator.add_camera("yard", SMALL)
    async with OnvifDevices(simulator, discovery_port=0) as devices:
        assert devices.discovery_port
        found = await discover(0.5, QUICK, "127.0.0.1", devices.discovery_port)
        assert {device.xaddrs[0] for device in found} == {
            devices.address("door"),
            devices.address("yard"),
        }
        assert {device.address for device in found} == {
            devices.address("door"),
            devices.address("yard"),
        }
        assert {device.name for device in found} == {"door", "yard"}


async def test_finds_by_multicast(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    try:
        devices = await OnvifDevices(simulator, discovery_port=3702).__aenter__()
    except (ConfigError, OSError) as error:
        pytest.skip(f"multicast {MULTICAST}:3702 cannot be used here: {error}")
    try:
        async with ingesting() as rig:
            reply = await rig.command("discover", timeout_s=1.0)
        addresses = {device["address"] for device in reply.body["devices"]}
        assert devices.address("door") in addresses
    finally:
        await devices.__aexit__(None, None, None)


async def test_command_is_checked() -> None:
    async with ingesting() as rig:
        assert (await rig.command("discover", timeout_s="x")).error
        assert (await rig.command("discover", timeout_s=1e9)).error
        assert "no command" in (await rig.command("explode")).error


@pytest.mark.parametrize(
    ("xaddrs", "address"),
    [
        ("http://10.0.0.9/onvif/device_service", "10.0.0.9"),
        ("http://10.0.0.9:8080/onvif/device_service", "10.0.0.9:8080"),
        ("http://192.168.1.1/a http://10.0.0.9/onvif/device_service", "10.0.0.9"),
        ("http://192.168.1.1/a", "http://192.168.1.1/a"),
        ("https://10.0.0.9/onvif/device_service", "https://10.0.0.9/onvif/device_service"),
        ("javascript:alert(1)", "10.0.0.9"),
        ("http://[broken", "10.0.0.9"),
        ("", "10.0.0.9"),
    ],
)
def test_addresses_of_a_match(xaddrs: str, address: str) -> None:
    (device,) = parse_matches(MATCH.format(xaddrs=xaddrs).encode(), "10.0.0.9")
    assert (device.address, device.name, device.hardware) == (address, "Front Door", "IPC-1")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"rubbish",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 5000,
        b" " * 40_000 + b"<a/>",
    ],
)
def test_hostile_answers(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_matches(data, "10.0.0.9")


@given(st.binary(max_size=300) | st.text(alphabet='<>/&;"= aProbeMatch:', max_size=200))
def test_only_its_own_error(data: bytes | str) -> None:
    with contextlib.suppress(ParseError):
        parse_matches(data if isinstance(data, bytes) else data.encode(), "h")


async def test_flood_is_bounded() -> None:
    """Thousands of made-up devices: the list stays short, and the end is on time."""
    loop = asyncio.get_running_loop()

    class Liar(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            for number in range(1500):
                text = MATCH.format(xaddrs=f"http://10.0.{number >> 8}.{number & 255}/x")
                answer = text.replace("urn:uuid:1", f"urn:uuid:{number}").encode()
                self.transport.sendto(answer, addr)  # type: ignore[attr-defined]

    transport, _ = await loop.create_datagram_endpoint(Liar, local_addr=("127.0.0.1", 0))
    began = loop.time()
    found = await discover(0.5, QUICK, "127.0.0.1", transport.get_extra_info("sockname")[1])
    transport.close()
    assert 0 < len(found) <= 512
    assert loop.time() - began < 2
