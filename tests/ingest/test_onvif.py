"""ONVIF devices: read where they are honest, refused where they are not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.ingest_hostile import serving
from tests.support.ingest_rig import QUICK, SMALL, ingesting

from vms.common.errors import (
    ConfigError,
    SourceAuthError,
    SourceProtocolError,
    SourceRefused,
    SourceUnreachable,
)
from vms.common.model.media import Codec
from vms.common.secret import Secret
from vms.ingest.onvif_device import read_device
from vms.ingest.onvif_soap import DeviceAddress
from vms.simulator.camera import Behaviour
from vms.simulator.onvif import OnvifDevices
from vms.simulator.server import Simulator
from vms.simulator.sources import Loop

SECRET = Secret("s3cret&<>")


def add_door(simulator: Simulator, **more: object) -> None:
    main = Loop(width=640, height=360, fps=25.0, seconds=1.0, codec=Codec.H265)
    simulator.add_camera("door", main, "admin", SECRET.reveal(), sub=SMALL, **more)


async def test_profiles_of_a_device(simulator: Simulator) -> None:
    add_door(simulator)
    async with OnvifDevices(simulator) as devices, ingesting() as rig:
        address = f"127.0.0.1:{devices.port}"
        reply = await rig.command(
            "onvif", address=address, username="admin", password=SECRET.reveal()
        )
        assert not reply.error
        device = dict(reply.body)
        assert device["manufacturer"]
        assert device["model"]
        profiles = {profile["name"]: profile for profile in device["profiles"]}
        codecs = {profile["codec"] for profile in profiles.values()}
        assert codecs == {"h264", "h265"}
        urls = {profile["stream_uri"] for profile in profiles.values()}
        assert urls == {simulator.url("door"), simulator.url("door", "sub")}
        assert all(profile["snapshot_uri"].startswith("http") for profile in profiles.values())
        sizes = {(profile["width"], profile["height"]) for profile in profiles.values()}
        assert sizes == {(640, 360), (320, 180)}
        assert {profile["frame_rate"] for profile in profiles.values()} == {25.0}
        for url in urls:
            found = await rig.command("probe", url=url, username="admin", password=SECRET.reveal())
            assert found.body["ok"], found.error


async def test_clock_of_the_device_may_be_wrong(simulator: Simulator) -> None:
    add_door(simulator)
    async with OnvifDevices(simulator) as devices:
        devices.clock_offset = -86_400 * 365.0
        device = await read_device(devices.address("door"), "admin", SECRET, QUICK)
        assert len(device["profiles"]) == 2


async def test_wrong_password(simulator: Simulator) -> None:
    add_door(simulator)
    async with OnvifDevices(simulator) as devices, ingesting() as rig:
        for username, password in (("admin", "wrong-one"), ("", "")):
            reply = await rig.command(
                "onvif", address=devices.address("door"), username=username, password=password
            )
            assert "user name" in reply.error
            assert "wrong-one" not in reply.error
        with pytest.raises(SourceAuthError):
            await read_device(devices.address("door"), "admin", Secret("no"), QUICK)


async def test_device_without_password(simulator: Simulator) -> None:
    simulator.add_camera("yard", SMALL, behaviour=Behaviour())
    async with OnvifDevices(simulator) as devices:
        device = await read_device(devices.address("yard"), "", Secret(""), QUICK)
        assert len(device["profiles"]) == 1


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[str]:
    """An HTTP server that gives these answers in turn, then the last again."""
    left = list(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length")
                )
                await reader.readexactly(length)
                writer.write(left.pop(0) if len(left) > 1 else left[0])
                await writer.drain()

    async with serving(handle) as url:
        yield url.split("/")[2]


def http(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


BOMB = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>&b;</s:Body></s:Envelope>"""
ENDLESS = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 20
)


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (http(BOMB), SourceProtocolError, "entities"),
        (http(b"<html><body>hi</body></html>"), SourceProtocolError, "ONVIF device"),
        (http(b"\xff\xfe not xml"), SourceProtocolError, "ONVIF device"),
        (http(b""), SourceProtocolError, "ONVIF device"),
        (http(b" " * (1 << 20) + b"x"), SourceProtocolError, "1 MiB"),
        (ENDLESS, SourceProtocolError, "1 MiB"),
        (
            http(b"", "302 Found", "Location: http://169.254.1.1/\r\n"),
            SourceRefused,
            "redirect",
        ),
        (b"SSH-2.0-x\r\n\r\n", SourceUnreachable, "HTTP"),
        (http(b"<a" * 30_000), SourceProtocolError, "ONVIF device"),
    ],
)
async def test_hostile_answers(answer: bytes, error: type[Exception], says: str) -> None:
    async with answering(answer) as address:
        with pytest.raises(error, match=says):
            await read_device(address, "admin", Secret("x"), QUICK)


async def test_silence_has_a_limit() -> None:
    settings = QUICK.model_copy(update={"onvif_timeout": 0.3})
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n") as address:
        with pytest.raises(SourceUnreachable, match=r"answer (in time|within)"):
            await read_device(address, "", Secret(""), settings)


@pytest.mark.parametrize("address", ["", "http://", "ftp://host", "http://[::1", "a b", "h:99999"])
async def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ConfigError):
        await read_device(address, "", Secret(""), QUICK)


def test_addresses() -> None:
    assert DeviceAddress.parse("10.0.0.5").url == "http://10.0.0.5/onvif/device_service"
    assert DeviceAddress.parse("[::1]:81").url == "http://[::1]:81/onvif/device_service"
    assert DeviceAddress.parse("https://u:p@cam/x").url == "https://cam/x"
