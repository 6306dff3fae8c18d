"""Offers: what browsers send, what nobody should, and what is chosen from them."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.stream_offers import CHROMIUM, FINGERPRINT
from tests.support.stream_units import encode

from vms.common.errors import ParseError
from vms.common.model.media import AccessUnit, Codec, CodecParameters
from vms.stream.errors import NotPlayable
from vms.stream.hub import Hub
from vms.stream.webrtc.answer import Sources, Transport, build_answer
from vms.stream.webrtc.negotiate import Plan, negotiate
from vms.stream.webrtc.offer import parse_offer

TRANSPORT = Transport("ours", "p" * 24, FINGERPRINT, ["127.0.0.1", "192.0.2.1"], 8189)


def hub_of(video: CodecParameters, audio: CodecParameters | None = None) -> Hub:
    hub = Hub("front", "main", 1 << 20)
    for track, parameters in enumerate(filter(None, (video, audio))):
        hub.put(AccessUnit("front", "main", track, "r", 0, parameters, b"\0", 0, 0, key=True))
    return hub


def h264_hub(profile: bytes = b"\x42\xc0\x1e", audio: CodecParameters | None = None) -> Hub:
    return hub_of(CodecParameters(Codec.H264, 90_000, (b"\x67" + profile, b"\x68")), audio)


def plan(hub: Hub, offer: str = CHROMIUM) -> Plan:
    return negotiate(parse_offer(offer), hub)


def answer(hub: Hub, offer: str = CHROMIUM, playout: bool = False) -> str:
    parsed = parse_offer(offer)
    return build_answer(parsed, negotiate(parsed, hub), TRANSPORT, Sources(11, 22, 33), playout)


@pytest.mark.parametrize(("profile", "chosen"), [
    (b"\x42\xc0\x1e", 106), (b"\x42\x00\x1e", 106), (b"\x4d\x00\x28", 112), (b"\x64\x00\x28", 112),
])  # fmt: skip
def test_the_payload_type_that_fits_the_stream_is_chosen(profile, chosen):
    video = plan(h264_hub(profile)).video
    assert video.payload.number == chosen
    assert video.retransmission is not None
    assert video.retransmission.number == chosen + 1


def test_a_high_stream_goes_under_baseline_where_nothing_else_is_offered():
    offer = CHROMIUM.replace("profile-level-id=64001f", "profile-level-id=42e01f")
    assert plan(h264_hub(b"\x64\x00\x28"), offer).video.payload.number in (106, 112)


def test_h265_needs_an_offer_of_it():
    parameters, _ = encode(Codec.H265)
    assert plan(hub_of(parameters)).video.payload.number == 49
    without = CHROMIUM.replace("H265", "H000")
    with pytest.raises(NotPlayable, match=r"H\.265"):
        plan(hub_of(parameters), without)


def test_only_packetization_mode_1_will_do():
    with pytest.raises(NotPlayable, match=r"H\.264"):
        plan(h264_hub(), CHROMIUM.replace("packetization-mode=1", "packetization-mode=0"))


def test_b_frames_are_not_playable():
    hub = h264_hub()
    parameters = hub.video
    assert parameters is not None
    for number, pts in enumerate((0, 10_800, 3600), 1):
        hub.put(AccessUnit("front", "main", 0, "r", number, parameters, b"\0", pts, 0))
    with pytest.raises(NotPlayable, match="B-frames"):
        plan(hub)


@pytest.mark.parametrize(("codec", "number"), [
    (Codec.PCMU, 0), (Codec.PCMA, 8), (Codec.OPUS, 111), (Codec.AAC, None),
])  # fmt: skip
def test_sound_is_passed_on_where_the_viewer_can_play_it(codec, number):
    rate = 48_000 if codec in (Codec.OPUS, Codec.AAC) else 8000
    hub = h264_hub(audio=CodecParameters(codec, rate, channels=1))
    audio = plan(hub).audio
    assert (audio.payload.number if audio else None) == number
    made = answer(hub)
    assert ("a=ssrc:33 " in made) == (number is not None)
    assert ("a=group:BUNDLE 0 1" in made) == (number is not None)
    assert ("m=audio 0 " in made) == (number is None)


def test_the_answer_is_one_that_chromium_takes():
    made = answer(h264_hub(), playout=True)
    assert parse_offer(made).sections[0].setup == "passive"
    lines = made.split("\r\n")
    assert "a=ice-lite" in lines
    assert lines[-1] == ""
    # The primary source stands before its retransmission.
    assert lines.index("a=ssrc:11 cname:vms") < lines.index("a=ssrc:22 cname:vms")
    assert "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay" in lines
    assert "a=extmap:5" not in answer(h264_hub())
    priorities = [int(p) for p in re.findall(r"a=candidate:\d+ 1 udp (\d+)", made)]
    assert priorities == sorted(priorities, reverse=True)


@pytest.mark.parametrize("change", [
    ("a=setup:actpass", "a=setup:passive"), ("a=fingerprint:sha-256", "a=fingerprint:sha-1"),
    ("a=ice-ufrag:4ZcD", "a=ice-ufrag:\x00"), ("a=ice-pwd:2/1muCWoOi3uLifh0NuRHlPc", "a=x"),
    ("a=mid:0", "a=mid:" + "x" * 65), ("v=0", "v=1"), ("H264/90000", "H264"),
    ("m=video 9", "m=video 99999"), ("SAVPF 96", "SAVPF 300"),
])  # fmt: skip
def test_offers_that_cannot_be_used_are_parse_errors(change):
    with pytest.raises(ParseError):
        plan(h264_hub(), CHROMIUM.replace(*change))


@pytest.mark.parametrize("change", [
    ("m=video 9", "m=video 0"), ("a=recvonly", "a=sendonly"), ("a=rtcp-mux", "a=x"),
    ("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
])  # fmt: skip
def test_offers_without_video_to_receive_are_not_playable(change):
    with pytest.raises(NotPlayable):
        plan(h264_hub(), CHROMIUM.replace(*change))


def test_sizes_are_bounded():
    with pytest.raises(ParseError):
        parse_offer(CHROMIUM + "a=x\r\n" * 70_000)
    with pytest.raises(ParseError):
        parse_offer(CHROMIUM + "a=x\n" * 4000)
    with pytest.raises(ParseError):
        parse_offer(CHROMIUM + "m=audio 9 UDP 1\r\n" * 40)


def use(text: str) -> None:
    with contextlib.suppress(ParseError, NotPlayable):
        answer(h264_hub(audio=CodecParameters(Codec.OPUS, 48_000)), text)


@given(st.text(max_size=300))
def test_rubbish_raises_only_our_errors(text):
    use(text)
    use("v=0\n" + text)


LINES = CHROMIUM.split("\r\n")


@given(st.data())
def test_changed_offers_raise_only_our_errors(data):
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        how = data.draw(st.sampled_from(["drop", "twice", "text", "cut", "swap"]))
        if how == "drop" and len(lines) > 1:
            del lines[at]
        elif how == "twice":
            lines.insert(at, lines[at])
        elif how == "text":
            name = lines[at].partition(":")[0]
            lines[at] = name + ":" + data.draw(st.text(max_size=20))
        elif how == "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
        else:
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
    use("\r\n".join(lines))
