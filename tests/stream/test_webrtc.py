"""WebRTC with aiortc as the viewer: real ICE, DTLS and SRTP; frames decoded."""

from __future__ import annotations

import asyncio
import itertools
import math
import re
import socket
import time

import numpy as np
import pytest
from tests.support.stream_peer import Stage, brightness, peer, playing, stage, track
from tests.support.stream_proxy import LossyProxy, is_rtp
from tests.support.stream_units import Camera, encode, encode_audio

from vms.bus import subjects
from vms.common.errors import ConfigError
from vms.common.model.media import AccessUnit, Codec, CodecParameters
from vms.format import g711, stun
from vms.stream import metrics
from vms.stream.errors import TooManyViewers
from vms.stream.settings import WebRtcSettings
from vms.stream.webrtc import pictures, viewer
from vms.stream.webrtc.dtls import PROFILE_CM, PROFILE_GCM
from vms.stream.webrtc.server import WebRtcServer


def in_a_row(first: int, count: int) -> list[int]:
    return [n % 50 for n in range(first, first + count)]


def value(metric: object) -> float:
    return metric._value.get()  # type: ignore[attr-defined, no-any-return]


async def until(condition, limit: float = 5.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("profile", [PROFILE_GCM, PROFILE_CM])
async def test_both_srtp_profiles_carry_every_picture(profile):
    async with stage((profile,)) as made:
        camera = Camera(made.bus, encode())
        camera.publish(30)
        async with playing(camera), peer(made.offer) as watcher:
            assert await brightness(track(watcher), 15) == in_a_row(25, 15)
            assert made.server.viewers[0].dtls.profile == profile
        await until(lambda: not made.server.viewers)


async def test_a_viewer_before_the_first_key_picture_waits_for_it():
    async with stage() as made:
        camera = Camera(made.bus, encode())
        camera.number = 20
        camera.publish()
        async with playing(camera), peer(made.offer) as watcher:
            assert await brightness(track(watcher), 5) == in_a_row(25, 5)


@pytest.mark.parametrize("with_rtx", [True, False])
@pytest.mark.parametrize("profile", [PROFILE_GCM, PROFILE_CM])
async def test_lost_packets_are_sent_again(with_rtx, profile):
    def no_rtx(sdp: str) -> str:
        gone = re.findall(r"a=rtpmap:(\d+) rtx/90000\r\n", sdp)
        for number in gone:
            sdp = re.sub(rf"a=(rtpmap|fmtp):{number} .*\r\n", "", sdp)
            sdp = re.sub(rf"(m=video .*) {number}\b", r"\1", sdp)
        return sdp

    count = 0

    def every_ninth(datagram: bytes) -> bool:
        nonlocal count
        count += is_rtp(datagram)
        return is_rtp(datagram) and count % 9 == 5

    before = value(metrics.retransmitted)
    async with stage((profile,)) as made, LossyProxy(made.server.port) as proxy:
        camera = Camera(made.bus, encode(size=(640, 480), kilobits=1500))
        camera.publish(1)
        proxy.lose = every_ninth
        offer = (lambda sdp: sdp) if with_rtx else no_rtx
        async with playing(camera), peer(made.offer, offer, proxy.through) as watcher:
            assert await brightness(track(watcher), 40) == in_a_row(0, 40)
        assert proxy.lost > 5
        assert value(metrics.retransmitted) - before >= proxy.lost - 3
        types = {datagram[1] & 0x7F for datagram in proxy.seen}
        assert len(types) == (2 if with_rtx else 1)


@pytest.mark.parametrize("profile", [PROFILE_GCM, PROFILE_CM])
async def test_sequence_numbers_wrap_for_early_and_late_viewers(profile, monkeypatch):
    monkeypatch.setattr(pictures, "MTU", 300)
    monkeypatch.setattr(viewer, "_LATEST_START", 0xFFC0)
    # The track is far into its life, and a few pictures from where 16 bits wrap once more.
    make = pictures.RtpTrack.__init__

    def make_old(self, *arguments) -> None:
        make(self, *arguments)
        self.next_index = (7 << 16) - 110

    monkeypatch.setattr(pictures.RtpTrack, "__init__", make_old)

    def at() -> int:
        return next(iter(made.server._outlets.values()))._video.next_index - (7 << 16)

    async with stage((profile,)) as made:
        camera = Camera(made.bus, encode())
        camera.publish(1)
        async with peer(made.offer) as first, playing(camera):
            source = track(first)
            shown = asyncio.create_task(brightness(source, 50))
            await until(lambda: at() > -60)
            async with peer(made.offer) as before:
                seen = await brightness(track(before), 20)
                assert seen == in_a_row(seen[0], 20)
            assert at() > 0
            async with peer(made.offer) as after:
                seen = await brightness(track(after), 10)
                assert seen == in_a_row(seen[0], 10)
            assert await shown == in_a_row(0, 50)


async def test_a_lost_picture_is_answered_from_the_kept_group():
    before = value(metrics.plis_answered)
    async with stage() as made:
        camera = Camera(made.bus, encode(gop=50))
        camera.publish(1)
        async with playing(camera), peer(made.offer) as watcher:
            source = track(watcher)
            await brightness(source, 8)
            made.server.viewers[0]._again_at = 0.0
            receiver = watcher.getReceivers()[0]
            ssrc = next(iter(made.server._outlets.values())).video_ssrc
            await receiver._send_rtcp_pli(ssrc)
            seen = await brightness(source, 25)
            again = seen.index(0)
            # From the key picture up to the newest, then on without a gap.
            assert seen[again:] == in_a_row(0, 25 - again)
        assert value(metrics.plis_answered) == before + 1


async def test_a_silent_viewer_ends():
    async with stage(consent_timeout=0.6) as made:
        camera = Camera(made.bus, encode())
        camera.publish(1)
        async with (
            LossyProxy(made.server.port) as proxy,
            playing(camera),
            peer(made.offer, answer=proxy.through) as watcher,
        ):
            await brightness(track(watcher), 3)
            proxy.deaf = True
            await until(lambda: not made.server.viewers)
            reason = metrics.viewers_ended.labels("webrtc", "silent")
            assert value(reason) >= 1
    assert not made.server._by_address
    assert not made.server._by_ufrag
    assert not made.server._outlets


async def test_one_that_never_connects_ends():
    async with stage(connect_timeout=0.3) as made:
        Camera(made.bus, encode()).publish(1)
        async with peer(made.offer, answer=lambda sdp: re.sub(r"a=cand.*\r\n", "", sdp)):
            assert len(made.server.viewers) == 1
            await until(lambda: not made.server.viewers)


async def test_viewers_are_bounded():
    async with stage(max_viewers=1) as made:
        Camera(made.bus, encode()).publish(1)
        async with peer(made.offer):
            with pytest.raises(TooManyViewers):
                async with peer(made.offer):
                    pass


async def test_the_end_of_the_stream_ends_its_viewers():
    async with stage() as made:
        camera = Camera(made.bus, encode())
        camera.publish(1)
        async with playing(camera), peer(made.offer) as watcher:
            await brightness(track(watcher), 3)
            made.hubs.close()
            await until(lambda: watcher.connectionState == "closed" or not made.server.viewers)
            assert not made.server.viewers


def strangers(made: Stage) -> list[bytes]:
    ufrag = made.server.viewers[0].credentials[0].ufrag.encode()
    theirs = made.server.viewers[0].credentials[0].remote_ufrag.encode()
    name = (stun.USERNAME, ufrag + b":" + theirs)
    transaction = bytes(range(12))
    good = stun.build_stun(stun.BINDING_REQUEST, transaction, [name], b"not the password")
    return [
        b"\0",
        b"\x16\xfe\xff" + bytes(40),
        b"\x80\xc8" + bytes(30),
        b"\xff" * 1200,
        stun.build_stun(stun.BINDING_REQUEST, transaction, [], None),
        stun.build_stun(stun.BINDING_REQUEST, transaction, [name], None),
        good,
        good[:-5],
        stun.build_stun(stun.BINDING_SUCCESS, transaction, [], None),
    ]


async def test_foreign_datagrams_get_no_answer_and_disturb_nobody():
    async with stage() as made:
        camera = Camera(made.bus, encode())
        camera.publish(1)
        async with playing(camera), peer(made.offer) as watcher:
            source = track(watcher)
            await brightness(source, 3)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.setblocking(False)
                for datagram in strangers(made) * 5:
                    stranger.sendto(datagram, ("127.0.0.1", made.server.port))
                seen = await brightness(source, 10)
                assert seen == in_a_row(seen[0], 10)
                with pytest.raises(BlockingIOError):
                    stranger.recv(2048)


async def test_a_viewer_with_another_certificate_is_refused():
    def other(sdp: str) -> str:
        return re.sub(r"a=fingerprint:(\S+) \w\w", r"a=fingerprint:\1 00", sdp)

    async with stage() as made:
        camera = Camera(made.bus, encode())
        camera.publish(1)
        async with playing(camera), peer(made.offer, offer=other):
            await until(lambda: not made.server.viewers)


async def test_controlling_is_the_viewers_part():
    async with stage() as made:
        Camera(made.bus, encode()).publish(1)
        async with peer(made.offer, answer=lambda sdp: re.sub(r"a=cand.*\r\n", "", sdp)):
            credentials = made.server.viewers[0].credentials[0]
            name = f"{credentials.ufrag}:{credentials.remote_ufrag}".encode()
            key = credentials.password.encode()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
                agent.connect(("127.0.0.1", made.server.port))
                agent.setblocking(False)
                loop = asyncio.get_running_loop()

                async def ask(*more: tuple[int, bytes]) -> stun.StunMessage:
                    request = stun.build_stun(
                        stun.BINDING_REQUEST, b"t" * 12, [(stun.USERNAME, name), *more], key
                    )
                    await loop.sock_sendall(agent, request)
                    async with asyncio.timeout(10):
                        return stun.parse_stun(await loop.sock_recv(agent, 2048))

                refused = await ask((stun.ICE_CONTROLLED, bytes(8)))
                assert refused.kind == stun.BINDING_ERROR
                assert refused.attributes[stun.ERROR_CODE][2:4] == bytes((4, 87))
                taken = await ask((stun.ICE_CONTROLLING, bytes(8)))
                assert taken.kind == stun.BINDING_SUCCESS
                assert taken.verify(key)
                mapped = taken.attributes[stun.XOR_MAPPED_ADDRESS]
                here = stun.parse_xor_address(mapped, b"t" * 12)
                assert here == agent.getsockname()


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA, Codec.OPUS])
async def test_sound_comes_with_the_picture(codec):
    tone = [round(8000 * math.sin(i / 4)) for i in range(160)]
    if codec is Codec.OPUS:
        _, frames = encode_audio("libopus", 48_000)
        parameters = CodecParameters(codec, 48_000, channels=1)
        data, ticks = [data for _, data in frames], 960
    else:
        law = g711.encode_ulaw if codec is Codec.PCMU else g711.encode_alaw
        parameters = CodecParameters(codec, 8000, channels=1)
        data, ticks = [law(np.array(tone, np.int16))], 160

    async def speak() -> None:
        for number in itertools.count():
            unit = AccessUnit(
                "front", "main", 1, "r1", number, parameters, data[number % len(data)],
                number * ticks, time.time_ns(), key=True,
            )  # fmt: skip
            made.bus.publish(subjects.media("front", "main"), unit)
            await asyncio.sleep(0.02)

    async with stage() as made:
        camera = Camera(made.bus, encode())
        camera.publish(1)
        speaking = asyncio.create_task(speak())
        await asyncio.sleep(0)
        async with playing(camera), peer(made.offer, audio=True) as watcher:
            sound = track(watcher, "audio")
            async with asyncio.timeout(10):
                heard = [await sound.recv() for _ in range(12)]
            assert max(abs(frame.to_ndarray()).max() for frame in heard) > 5000
            seen = await brightness(track(watcher), 10)
            assert seen == in_a_row(seen[0], 10)
        speaking.cancel()


async def test_without_segmentation_offload_packets_go_one_by_one():
    async with stage() as made:
        camera = Camera(made.bus, encode(size=(640, 480), kilobits=1500))
        camera.publish(1)
        made.server._port._offload = False
        async with playing(camera), peer(made.offer) as watcher:
            assert await brightness(track(watcher), 15) == in_a_row(0, 15)
            assert not made.server.viewers[0].path.offload


async def test_a_port_in_use_is_said_and_the_usual_one_gives_way():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        server = WebRtcServer(WebRtcSettings(host="127.0.0.1", port=taken))
        with pytest.raises(ConfigError, match=f"UDP port {taken} .* in use"):
            server.start()
    async with stage() as one, stage() as two:
        assert 0 != one.server.port != two.server.port != 0
