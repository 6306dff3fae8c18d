"""Simulated ONVIF devices, asked by a client library and by hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import av
import httpx
import onvif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onvif import ONVIFCamera

from vms.common.errors import ConfigError, ParseError
from vms.common.model.media import Codec
from vms.simulator import soap
from vms.simulator.discovery import GROUP, PORT, probe
from vms.simulator.onvif import OnvifDevices
from vms.simulator.server import Simulator
from vms.simulator.sources import Loop

H264 = Loop(320, 180, 25, 200_000, seconds=0.4)
H265 = Loop(192, 108, 12.5, 100_000, seconds=0.4, codec=Codec.H265)
WSDL = str(Path(onvif.__file__).parent / "wsdl")
SETUP = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
PROBE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"><s:Header>'
    "<a:MessageID>urn:uuid:42</a:MessageID></s:Header><s:Body>"
    '<d:Probe xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">'
    "<d:Types>{}</d:Types></d:Probe></s:Body></s:Envelope>"
)


@pytest.fixture
async def devices(simulator: Simulator) -> AsyncIterator[OnvifDevices]:
    simulator.add_camera("front", H264, "admin", "s3cret", sub=H265)
    simulator.add_camera("back", H264)
    async with OnvifDevices(simulator, discovery_port=0) as running:
        yield running


async def connect(devices: OnvifDevices, password: str = "s3cret") -> ONVIFCamera:
    camera = ONVIFCamera("127.0.0.1", devices.port, "admin", password, WSDL)
    await camera.update_xaddrs()
    return camera


async def test_onboarding(simulator: Simulator, devices: OnvifDevices) -> None:
    camera = await connect(devices)
    try:
        management = await camera.create_devicemgmt_service()
        information = await management.GetDeviceInformation()
        media = await camera.create_media_service()
        profiles = await media.GetProfiles()
        uri = await media.GetStreamUri({"StreamSetup": SETUP, "ProfileToken": "main"})
        picture = await media.GetSnapshotUri({"ProfileToken": "main"})
    finally:
        await camera.close()
    assert information.SerialNumber == "SIM-front"
    assert [profile.token for profile in profiles] == ["main", "sub"]
    encoder = profiles[0].VideoEncoderConfiguration
    assert (encoder.Encoding, encoder.Resolution.Width) == ("H264", 320)
    assert encoder.RateControl.FrameRateLimit == 25
    assert uri.Uri == simulator.url("front", "main")
    assert picture.Uri.endswith("/onvif/front/snapshot/main.jpg")


async def test_wrong_password(devices: OnvifDevices) -> None:
    camera = await connect(devices, "wrong")
    try:
        management = await camera.create_devicemgmt_service()
        with pytest.raises(Exception, match="not authorized"):
            await management.GetDeviceInformation()
    finally:
        await camera.close()


def message(namespace: str, body: str) -> bytes:
    return soap.envelope(f'<q:{body} xmlns:q="{soap.NAMESPACES[namespace]}"/>')


async def ask(url: str, body: bytes, auth: httpx.Auth | None = None) -> httpx.Response:
    async with httpx.AsyncClient(auth=auth, timeout=5) as client:
        return await client.post(url, content=body)


async def test_http_digest_serves_as_well(devices: OnvifDevices) -> None:
    url = devices.address("front")
    body = message("tds", "GetDeviceInformation")
    assert (await ask(url, body)).status_code == 401
    assert (await ask(url, body, httpx.DigestAuth("admin", "no"))).status_code == 401
    answer = await ask(url, body, httpx.DigestAuth("admin", "s3cret"))
    assert answer.status_code == 200
    assert "SIM-front" in answer.text


async def test_clock_needs_no_password(devices: OnvifDevices) -> None:
    answer = await ask(devices.address("front"), message("tds", "GetSystemDateAndTime"))
    assert answer.status_code == 200
    assert "UTCDateTime" in answer.text


async def test_media2_knows_h265(simulator: Simulator, devices: OnvifDevices) -> None:
    url = devices.address("front").replace("device_service", "media2_service")
    auth = httpx.DigestAuth("admin", "s3cret")
    profiles = (await ask(url, message("tr2", "GetProfiles"), auth)).text
    assert "<tt:Encoding>H265</tt:Encoding>" in profiles
    assert "<tt:Width>192</tt:Width>" in profiles
    wanted = '<q:GetStreamUri xmlns:q="{}"><q:ProfileToken>{}</q:ProfileToken></q:GetStreamUri>'
    namespace = soap.NAMESPACES["tr2"]
    answer = await ask(url, soap.envelope(wanted.format(namespace, "sub")), auth)
    assert f"<tr2:Uri>{simulator.url('front', 'sub')}</tr2:Uri>" in answer.text
    answer = await ask(url, soap.envelope(wanted.format(namespace, "none")), auth)
    assert answer.status_code == 400
    assert "NoProfile" in answer.text


async def test_wrong_clock_refuses_signed_requests(devices: OnvifDevices) -> None:
    devices.clock_offset = 3600.0
    camera = await connect(devices)
    try:
        management = await camera.create_devicemgmt_service()
        with pytest.raises(Exception, match="not authorized"):
            await management.GetDeviceInformation()
    finally:
        await camera.close()


async def test_snapshot(devices: OnvifDevices) -> None:
    url = f"http://127.0.0.1:{devices.port}/onvif/front/snapshot/main.jpg"
    async with httpx.AsyncClient() as client:
        assert (await client.get(url)).status_code == 401
        picture = await client.get(url, auth=httpx.DigestAuth("admin", "s3cret"))
        assert (await client.get(url.replace("front", "back"))).status_code == 200
        assert (await client.get(url.replace("front", "none"))).status_code == 404
        assert (
            await client.get(url.replace("main", "none").replace("front", "back"))
        ).status_code == 404
    assert picture.headers["Content-Type"] == "image/jpeg"
    decoder = av.CodecContext.create("mjpeg", "r")
    frames = decoder.decode(av.Packet(picture.content))
    assert (frames[0].width, frames[0].height) == (320, 180)


async def test_bad_requests(devices: OnvifDevices) -> None:
    url = devices.address("back")
    assert (await ask(url, b"<not-xml")).status_code == 400
    assert (await ask(url, b"<a/>")).status_code == 400
    assert (await ask(url, soap.envelope(""))).status_code == 400
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><s:Envelope xmlns:s="s">&b;</s:Envelope>'
    assert (await ask(url, bomb)).status_code == 400
    answer = await ask(url, message("tds", "Reboot"))
    assert answer.status_code == 400
    assert "ActionNotSupported" in answer.text
    async with httpx.AsyncClient() as client:
        assert (await client.get(url)).status_code == 405
        assert (await client.get(url.replace("onvif", "x"))).status_code == 404
    assert (await ask(url, b"x" * (soap.MAX_REQUEST + 1))).status_code == 400


async def exchange(data: bytes, port: int, address: str = "127.0.0.1") -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        await loop.sock_sendto(sock, data, (address, port))
        return await asyncio.wait_for(loop.sock_recv(sock, 65536), 2)


async def test_discovery(devices: OnvifDevices) -> None:
    assert devices.discovery_port is not None
    answer = await exchange(
        PROBE.format("dn:NetworkVideoTransmitter").encode(), devices.discovery_port
    )
    text = answer.decode()
    assert devices.address("front") in text
    assert "<a:RelatesTo>urn:uuid:42</a:RelatesTo>" in text
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await exchange(PROBE.format("x:Printer").encode(), devices.discovery_port)


async def test_discovery_by_multicast(simulator: Simulator) -> None:
    simulator.add_camera("front", H264)
    try:
        devices = OnvifDevices(simulator, discovery_port=PORT)
        async with devices:
            answer = await exchange(PROBE.format("").encode(), PORT, GROUP)
    except (ConfigError, OSError) as error:
        pytest.skip(f"no multicast on loopback here: {error}")
    assert devices.address("front") in answer.decode()


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_only_parse_errors(data: bytes) -> None:
    for parse in (soap.parse_request, probe):
        for text in (data, b"<s:Envelope xmlns:s='s'><s:Body>" + data + b"</s:Body></s:Envelope>"):
            with contextlib.suppress(ParseError):
                parse(text)
