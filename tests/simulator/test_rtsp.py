"""The RTSP server as a client sees it."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest
from tests.support.simulator_client import RtspClient, playing, until

from vms.common.errors import ConfigError, NotFound
from vms.common.model.media import Codec
from vms.format import rtcp
from vms.format.rtsp_headers import parse_rtp_info, parse_transport
from vms.format.sdp_codecs import codec_parameters
from vms.simulator.camera import BASIC, MD5, MD5_QOP, SHA256, Behaviour
from vms.simulator.server import Simulator
from vms.simulator.sources import Loop

SMALL = Loop(320, 180, 25, 200_000, seconds=1, gop=5)


async def test_description_tells_every_track(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL, audio=Codec.AAC)
    async with RtspClient(simulator.url("front")) as client:
        options = await client.ask("OPTIONS")
        assert "GET_PARAMETER" in options.headers.get("Public")
        description = await client.describe()
    video, audio = (codec_parameters(media) for media in description.media)
    assert video is not None
    assert audio is not None
    assert (video.codec, video.width, video.height, video.frame_rate) == (Codec.H264, 320, 180, 25)
    assert (audio.codec, audio.clock_rate, audio.channels) == (Codec.AAC, 16000, 1)
    assert [media.control for media in description.media] == ["track1", "track2"]


async def test_h265_description(simulator: Simulator) -> None:
    simulator.add_camera("front", Loop(320, 180, 25, 200_000, seconds=0.2, codec=Codec.H265))
    async with RtspClient(simulator.url("front")) as client:
        video = codec_parameters((await client.describe()).media[0])
    assert video is not None
    assert (video.codec, video.width, video.height) == (Codec.H265, 320, 180)


async def test_camera_alone_is_its_first_stream(simulator: Simulator) -> None:
    simulator.add_camera("front", {"one": SMALL, "two": SMALL})
    async with RtspClient(simulator.url("front", "one").rpartition("/")[0]) as client:
        assert (await client.describe()).name == "front one"


async def test_pictures_are_numbered_without_gaps(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL)
    async with playing(simulator.url("front")) as client:
        before = time.time_ns()
        stamps = await client.stamps(40)
        packets = client.packets[0]
    first = stamps[0].number
    assert [stamp.number for stamp in stamps] == list(range(first, first + 40))
    assert all(abs(stamp.sent_ns - before) < 5e9 for stamp in stamps)
    sequences = [packet.header.sequence for packet in packets]
    assert sequences == [(sequences[0] + i) & 0xFFFF for i in range(len(sequences))]
    times = sorted({p.header.timestamp - packets[0].header.timestamp for p in packets[:-20]})
    assert {b - a for a, b in pairwise(times)} == {3600}
    assert packets[0].payload[0] & 31 in (7, 24)


async def test_play_says_where_it_begins(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL, audio=Codec.PCMU)
    async with RtspClient(simulator.url("front")) as client:
        response = await client.play(tracks=2)
        infos = parse_rtp_info(response.headers.get("RTP-Info"))
        video, audio = (await client.received(1))[0], (await client.received(1, 2))[0]
    assert infos[0].sequence == video.header.sequence
    assert infos[1].sequence == audio.header.sequence
    assert infos[0].rtp_time is not None
    assert (video.header.timestamp - infos[0].rtp_time) & 0xFFFFFFFF < 90_000


async def test_reports_are_true(simulator: Simulator) -> None:
    """The first comes at once, and maps RTP time to when pictures are sent."""
    simulator.add_camera("front", SMALL, behaviour=Behaviour(report_interval=0.2))
    async with playing(simulator.url("front")) as client:
        await client.received(1)
        assert isinstance(client.reports[1][0], rtcp.SenderReport)
        stamps = await client.stamps(15)
    reports = [r for r in client.reports[1] if isinstance(r, rtcp.SenderReport)]
    assert len(reports) >= 3
    assert reports[-1].packets > reports[0].packets == 0
    assert abs(reports[0].ntp_ns - time.time_ns()) < 3e9
    pictures = [p for p in client.packets[0] if p.stamp() is not None]
    for picture, stamp in zip(pictures, stamps, strict=False):
        ticks = (picture.header.timestamp - reports[0].rtp_time + 2**31) % 2**32 - 2**31
        captured = reports[0].ntp_ns + ticks * 1_000_000_000 // 90_000
        assert abs(captured - stamp.sent_ns) < 200e6
    names = [r for r in client.reports[1] if isinstance(r, rtcp.SourceDescription)]
    assert names[0].names[0][1] == "front"


async def test_udp(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL)
    async with RtspClient(simulator.url("front")) as client:
        response = await client.setup_udp()
        server = parse_transport(response.headers.get("Transport")).server_port
        assert server is not None
        assert server[0] % 2 == 0
        assert server[1] == server[0] + 1
        assert (await client.ask("PLAY")).status == 200
        stamps = await client.stamps(10)
        assert isinstance(client.reports[1][0], rtcp.SenderReport)
        assert (await client.ask("TEARDOWN")).status == 200
        await asyncio.sleep(0.05)
        assert any(isinstance(report, rtcp.Bye) for report in client.reports[1])
    assert [s.number for s in stamps] == list(range(stamps[0].number, stamps[0].number + 10))


@pytest.mark.parametrize("schemes", [(BASIC,), (MD5,), (MD5_QOP,), (SHA256,), (SHA256, MD5, BASIC)])
async def test_passwords(simulator: Simulator, schemes: tuple[str, ...]) -> None:
    behaviour = Behaviour(schemes=schemes)
    simulator.add_camera("front", SMALL, "admin", "s3cret:ü", behaviour=behaviour)
    url = simulator.url("front")
    async with RtspClient(url, "admin", "s3cret:ü") as client:
        await client.play()
        await client.received(3)
    for name, password in (("", ""), ("admin", "wrong"), ("root", "s3cret:ü")):
        async with RtspClient(url, name, password) as client:
            assert (await client.ask("DESCRIBE")).status == 401
            assert (await client.ask("OPTIONS")).status == 200
            assert (await client.setup()).status == 401


async def test_changed_password(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL, "admin", "old")
    simulator.set_credentials("front", "admin", "new")
    async with RtspClient(simulator.url("front"), "admin", "old") as client:
        assert (await client.ask("DESCRIBE")).status == 401
    async with RtspClient(simulator.url("front"), "admin", "new") as client:
        assert (await client.ask("DESCRIBE")).status == 200


async def test_refusals(simulator: Simulator) -> None:
    behaviour = Behaviour(udp=False, max_sessions=1)
    simulator.add_camera("front", SMALL, behaviour=behaviour)
    url = simulator.url("front")
    async with RtspClient(url) as client:
        assert (await client.ask("DESCRIBE", url.replace("front", "none"))).status == 404
        assert (await client.ask("DESCRIBE", url.replace("main", "none"))).status == 404
        assert (await client.ask("RECORD")).status == 405
        assert (await client.ask("PLAY")).status == 454
        assert (await client.ask("SETUP", url, Transport="RTP/AVP/TCP")).status == 459
        assert (await client.setup(9)).status == 404
        assert (await client.setup_udp()).status == 461
        assert (
            await client.ask("SETUP", f"{url}/track1", Transport="a;client_port=x")
        ).status == 400
        assert (await client.setup()).status == 200
        assert (await client.setup()).status == 455
        assert (await client.ask("PLAY", Session="other")).status == 454
        async with RtspClient(url) as second:
            assert (await second.setup()).status == 453


async def test_garbage_ends_the_connection(simulator: Simulator) -> None:
    reader, writer = await asyncio.open_connection(simulator.host, simulator.port)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    assert b"400" in await asyncio.wait_for(reader.read(), 10)
    writer.close()


async def test_pause_and_go_on(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL)
    async with playing(simulator.url("front")) as client:
        await client.stamps(3)
        assert (await client.ask("PAUSE")).status == 200
        held = len(client.packets[0])
        await asyncio.sleep(0.2)
        assert len(client.packets[0]) == held
        assert (await client.ask("PLAY")).status == 200
        await client.received(held + 5)
        ssrcs = {packet.header.ssrc for packet in client.packets[0]}
    assert len(ssrcs) == 1


async def test_session_without_keep_alive_ends(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL, behaviour=Behaviour(session_timeout=0.5))
    async with playing(simulator.url("front")) as client:
        assert client.timeout == 1
        started = time.monotonic()
        await asyncio.wait_for(client.closed.wait(), 10)
        assert time.monotonic() - started > 0.4
        assert any(isinstance(report, rtcp.Bye) for report in client.reports[1])
    assert simulator.sending("front") == 0


@pytest.mark.parametrize("by", ["OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "rtcp"])
async def test_keep_alive(simulator: Simulator, by: str) -> None:
    kept = Behaviour(session_timeout=0.8, keep_alive=frozenset({by.lower()}))
    simulator.add_camera("front", SMALL, behaviour=kept)
    async with playing(simulator.url("front")) as client:
        for _ in range(8):
            await asyncio.sleep(0.15)
            if by == "rtcp":
                client.send_report()
            else:
                assert (await client.ask(by)).status == 200
        assert not client.closed.is_set()
        await asyncio.wait_for(client.closed.wait(), 10)


async def test_keep_alive_by_udp_report(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL, behaviour=Behaviour(session_timeout=0.8))
    async with RtspClient(simulator.url("front")) as client:
        await client.setup_udp()
        await client.ask("PLAY")
        for _ in range(8):
            await asyncio.sleep(0.15)
            client.send_report_by_udp()
        assert not client.closed.is_set()


async def test_camera_without_get_parameter(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL, behaviour=Behaviour(get_parameter=False))
    async with playing(simulator.url("front")) as client:
        assert (await client.ask("GET_PARAMETER")).status == 405


async def test_slow_client_loses_whole_pictures(simulator: Simulator) -> None:
    """It may not make the simulator's memory grow; afterwards it begins at a key picture."""
    fat = Loop(640, 360, 50, 20_000_000, seconds=0.4, gop=5)
    simulator.add_camera("front", fat)
    reader, writer = await asyncio.open_connection(simulator.host, simulator.port, limit=1024)
    url = simulator.url("front")
    transport = "Transport: RTP/AVP/TCP;interleaved=0-1"
    writer.write(f"SETUP {url}/track1 RTSP/1.0\r\nCSeq: 1\r\n{transport}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    session = head.decode().split("Session: ")[1].split(";")[0]
    writer.write(f"PLAY {url} RTSP/1.0\r\nCSeq: 2\r\nSession: {session}\r\n\r\n".encode())
    writer.transport.pause_reading()
    await until(lambda: _skipped(simulator), 20)
    writer.transport.abort()


def _skipped(simulator: Simulator) -> int:
    return sum(
        track.sent.skipped
        for connection in simulator._connections
        if connection.session is not None
        for track in connection.session.tracks.values()
    )


async def test_mistakes_in_using_it(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL)
    with pytest.raises(ConfigError, match="already"):
        simulator.add_camera("front", SMALL)
    with pytest.raises(NotFound):
        simulator.url("none")
    with pytest.raises(NotFound):
        simulator.url("front", "third")
    with pytest.raises(ConfigError, match="choose another port"):
        await Simulator(port=simulator.port).start()


async def test_removed_camera(simulator: Simulator) -> None:
    simulator.add_camera("front", SMALL)
    async with playing(simulator.url("front")) as client:
        await client.received(1)
        url = simulator.url("front")
        await simulator.remove_camera("front")
        await asyncio.wait_for(client.closed.wait(), 10)
    async with RtspClient(url) as client:
        assert (await client.ask("DESCRIBE")).status == 404
