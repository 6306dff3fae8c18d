"""Servers that are broken or mean: a clear sentence each, no crash, no growth."""

from __future__ import annotations

import asyncio
import os
import random
import tracemalloc

import pytest
from tests.support.ingest_hostile import SDP, HandMade, packet, serving
from tests.support.ingest_rig import QUICK, SMALL, Rig, camera, ingesting

from vms.common.model.camera import StreamState, StreamStatus, Transport
from vms.format.rtsp import Headers, Response
from vms.simulator.server import Simulator

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def outcome(rig: Rig, name: str = "door") -> StreamState:
    """The first state that says what is wrong."""
    bad = (StreamStatus.OFFLINE, StreamStatus.HELD)
    await rig.until(lambda: any(s.camera == name and s.status in bad for s in rig.states))
    return next(s for s in rig.states if s.camera == name and s.status in bad)


async def reason_of(url: str, **settings: object) -> str:
    async with ingesting(
        camera("door", url, username="admin", password="hunter2"),
        settings=QUICK.model_copy(update=settings),
    ) as rig:
        state = await outcome(rig)
        assert not any("hunter2" in repr(each) for each in rig.states)
        return state.reason


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("gopher://host/x", "does not begin with one of"),
        ("rtsp:///nothing", "names no host"),
        ("rtsp://host:99999/x", "is not an address"),
        ("rtsp://[::1/x", "is not an address"),
        ("rtsp://host/a b", "spaces"),
        ("file:///etc/passwd", "ingest.file_roots"),
        ("v4l2:///dev/video0", "ingest.video_devices"),
        ("v4l2:///dev/mem", "/dev/video0"),
        ("front door", "spaces"),
    ],
)
async def test_wrong_addresses_are_held_with_a_reason(url: str, says: str) -> None:
    async with ingesting(camera("door", url)) as rig:
        state = await rig.status("door", StreamStatus.HELD)
        assert says in state.reason


async def test_no_such_host() -> None:
    assert "no host named nowhere.invalid" in await reason_of("rtsp://nowhere.invalid/x")


async def test_nobody_listens() -> None:
    assert "refuses connections" in await reason_of("rtsp://127.0.0.1:9/x")


async def test_not_an_rtsp_server() -> None:
    async def web(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async def shell(reader: Reader, writer: Writer) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        await reader.read()

    async def hang_up(reader: Reader, writer: Writer) -> None:
        await reader.read(10)

    for script, says in ((web, "not an RTSP server"), (shell, "not an RTSP server")):
        async with serving(script) as url:
            assert says in await reason_of(url)
    async with serving(hang_up) as url:
        assert "closed the connection" in await reason_of(url)


async def test_silent_server_is_given_up() -> None:
    async def mute(reader: Reader, writer: Writer) -> None:
        await reader.read()
        await asyncio.sleep(60)

    async with serving(mute) as url:
        assert "did not answer" in await reason_of(url, connect_timeout=0.3)


async def test_endless_headers_do_not_grow() -> None:
    sent = 0

    async def endless(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"RTSP/1.0 200 OK\r\n")
        while True:
            writer.write(b"X-Filler: " + b"a" * 1000 + b"\r\n")
            sent += 1012
            await writer.drain()

    tracemalloc.start()
    try:
        async with serving(endless) as url:
            reason = await reason_of(url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "not RTSP" in reason
    assert "16384" in reason
    assert peak < 16 << 20


async def test_description_of_sixty_megabytes() -> None:
    async def huge(reader: Reader, writer: Writer) -> None:
        for number in (1, 2):
            await reader.readuntil(b"\r\n\r\n")
            if number == 1:
                writer.write(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")
        writer.write(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 62914560\r\n\r\n")
        for _ in range(60):
            writer.write(b"a=x:" + b"y" * ((1 << 20) - 6) + b"\r\n")
            await writer.drain()

    async with serving(huge) as url:
        assert "62914560" in await reason_of(url)


@pytest.mark.parametrize(
    ("sdp", "says"),
    [
        (SDP.format(name="VP9"), "video in VP9"),
        (SDP.format(name="JPEG"), "set H.264 or H.265"),
        ("v=0\r\nm=video x\r\n", "unreadable"),
        ("hello", "unreadable"),
        ("v=0\r\ns=nothing\r\n", "no video"),
        (
            "v=0\r\nm=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n",
            "no video",
        ),
    ],
)
async def test_descriptions_that_cannot_be_used(sdp: str, says: str) -> None:
    async with serving(HandMade(sdp=sdp)) as url:
        assert says in await reason_of(url)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Response(404), "no such stream"),
        (Response(302, Headers({"Location": "rtsp://u:p@169.254.169.254/"})), "redirects to"),
        (Response(401, Headers({"WWW-Authenticate": 'Digest realm="x", nonce="y"'})), "password"),
        (Response(401, Headers({"WWW-Authenticate": "Negotiate abc"})), "other than Basic"),
        (Response(401), "other than Basic"),
        (Response(599, reason="Whatever"), "599"),
    ],
)
async def test_refusals(answer: Response, says: str) -> None:
    server = HandMade({"DESCRIBE": answer})
    async with serving(server) as url:
        reason = await reason_of(url)
    assert says in reason
    assert "u:p@" not in reason


async def test_password_goes_out_only_where_asked() -> None:
    server = HandMade(sdp=SDP.format(name="VP9"))
    async with serving(server) as url:
        await reason_of(url)
    assert not any("Authorization" in request.headers for request in server.requests)


async def test_wrong_password_is_sent_once_a_connection() -> None:
    refused = Response(401, Headers({"WWW-Authenticate": 'Digest realm="x", nonce="y"'}))
    server = HandMade({"DESCRIBE": refused})
    async with serving(server) as url:
        wrong = camera("door", url, username="admin", password="hunter2")
        async with ingesting(wrong) as rig:
            await rig.status("door", StreamStatus.HELD)
    tried = [r for r in server.requests if "Authorization" in r.headers]
    assert len(tried) == 3
    assert not any("hunter2" in r.headers.get("Authorization") for r in tried)


async def test_transport_that_was_not_asked_for() -> None:
    swapped = Response(200, Headers({"Transport": "RTP/AVP;unicast;server_port=1-2"}))
    async with serving(HandMade({"SETUP": swapped})) as url:
        assert "transport" in await reason_of(url)


async def test_agrees_and_sends_nothing() -> None:
    async with serving(HandMade()) as url:
        assert "sent no picture" in await reason_of(url, first_unit_timeout=0.5)


async def test_lengths_that_lie() -> None:
    """Interleaved frames whose length is wrong, STAP-A and FU-A that run past their packet."""
    noise = random.Random(4)

    async def media(reader: Reader, writer: Writer) -> None:
        for number in range(400):
            payload = bytes((noise.choice((24, 28, 0x7C, 97, 5, 1)),)) + noise.randbytes(40)
            writer.write(packet(number, number // 3 * 3600, payload, number % 3 == 2))
        writer.write(b"$\x00\xff\xff" + bytes(200))
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.write(noise.randbytes(70_000))
        await writer.drain()
        await reader.read()

    async with serving(HandMade(media=media)) as url:
        reason = await reason_of(url)
    assert "not RTSP" in reason or "no picture" in reason


async def test_fragments_without_end_do_not_grow() -> None:
    body = bytes((0x7C, 0x05)) + bytes(60_000)

    async def media(reader: Reader, writer: Writer) -> None:
        writer.write(packet(0, 0, bytes((0x7C, 0x85)) + bytes(100)))
        for number in range(1, 700):
            writer.write(packet(number, 0, body))
            await writer.drain()
        await asyncio.sleep(5)

    tracemalloc.start()
    try:
        async with serving(HandMade(media=media)) as url:
            await reason_of(url, first_unit_timeout=1.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 << 20


async def test_others_are_untouched(simulator: Simulator) -> None:
    async def garbage(reader: Reader, writer: Writer) -> None:
        while True:
            writer.write(os.urandom(65536))
            await writer.drain()

    simulator.add_camera("yard", SMALL)
    async with serving(garbage) as url:
        bad = [camera(f"bad-{i}", url) for i in range(5)]
        async with ingesting(*bad, camera("yard", simulator.url("yard"))) as rig:
            units = await rig.units_of("yard", 40)
            assert rig.state("yard").reconnects == 0
            assert not any(unit.damaged for unit in units)
            await outcome(rig, "bad-3")


async def test_session_that_the_camera_forgets() -> None:
    """454 on a keep-alive means connecting again."""
    answers = {
        "OPTIONS": Response(200, Headers({"Public": "GET_PARAMETER"})),
        "GET_PARAMETER": Response(454),
        "SETUP": Response(
            200,
            Headers({"Transport": "RTP/AVP/TCP;interleaved=0-1", "Session": "9;timeout=1"}),
        ),
    }
    async with (
        serving(HandMade(answers)) as url,
        ingesting(camera("door", url, Transport.TCP)) as rig,
    ):
        state = await outcome(rig)
    assert "forgot our session" in state.reason
