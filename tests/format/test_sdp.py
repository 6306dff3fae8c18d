"""Session descriptions, and codecs in them."""

from __future__ import annotations

import base64
import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.format_streams import encode_aac, encode_video

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters
from vms.format import aac, h264, h265
from vms.format.sdp import (
    MAX_BYTES,
    Media,
    RtpMap,
    SessionDescription,
    build,
    parse,
    with_control,
)
from vms.format.sdp_codecs import codec_parameters, media_for, select_format

CAMERA = b"""v=0\r
o=- 1109162014219182 1 IN IP4 192.168.1.64\r
s=Media Presentation\r
e=NONE\r
b=AS:5100\r
t=0 0\r
a=control:rtsp://192.168.1.64:554/Streaming/Channels/101/\r
m=video 0 RTP/AVP 96\r
c=IN IP4 0.0.0.0\r
b=AS:5000\r
a=recvonly\r
a=x-dimensions:1920,1080\r
a=control:rtsp://192.168.1.64:554/Streaming/Channels/101/trackID=1\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 profile-level-id=420029; packetization-mode=1; \
sprop-parameter-sets=Z01AKI2NQDwBE/LgLcBAQFAAAD6AAAw1DoYACYFAABfXgu8uNDAATAoAAL68F3lwoA==,aO44gA==\r
a=framerate:12.5\r
m=audio 0 RTP/AVP 8\r
a=control:trackID=2\r
m=application 0 RTP/AVP 107\r
a=control:trackID=3\r
a=rtpmap:107 vnd.onvif.metadata/90000\r
a=Media_header:MEDIAINFO=494D4B48010100000400010000000000000000000000000000000000000000000000000000000000;\r
a=appversion:1.0\r
"""


def test_a_camera_of_the_field() -> None:
    read = parse(CAMERA)
    video, audio, other = read.media
    assert read.control == "rtsp://192.168.1.64:554/Streaming/Channels/101/"
    assert read.name == "Media Presentation"
    assert (video.kind, video.direction, video.connection) == (
        "video",
        "recvonly",
        "IN IP4 0.0.0.0",
    )
    assert video.rtpmap == {96: RtpMap("H264", 90000)}
    assert video.fmtp[96]["profile-level-id"] == "420029"
    assert video.attribute("x-dimensions") == "1920,1080"
    assert video.attribute("none") is None
    assert read.attribute("appversion") is None
    chosen = select_format(video)
    assert chosen is not None
    number, parameters = chosen
    assert (number, parameters.codec, len(parameters.parameter_sets)) == (96, Codec.H264, 2)
    assert (parameters.width, parameters.height) == (1920, 1080)
    assert codec_parameters(audio) == CodecParameters(Codec.PCMA, 8000, channels=1)
    assert codec_parameters(other) is None


def test_line_feeds_rubbish_and_wrong_order_pass() -> None:
    text = (
        "m=video 0 RTP/AVP 96\nv=0\n\na=rtpmap:96 H264/90000\nnonsense\n=\nzz=1\na = sendonly \0\n"
    )
    (media,) = parse(text).media
    assert media.rtpmap == {96: RtpMap("H264", 90000)}
    found = codec_parameters(media)
    assert found is not None
    assert (found.parameter_sets, found.width) == ((), 0)
    assert media.direction == "sendonly"


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_video_gives_back_what_went_in(encoder: str) -> None:
    room = h264 if encoder == "libx264" else h265
    sent = room.parameters(room.parameter_sets_in(encode_video(encoder)[0]))
    description = SessionDescription((media_for(sent, 97, "trackID=0"),), control="*")
    (media,) = parse(build(description)).media
    assert select_format(media) == (97, sent)
    assert media.control == "trackID=0"


@pytest.mark.parametrize(
    "sent",
    [
        aac.parameters(encode_aac()[0]),
        aac.parameters(encode_aac(48000, "stereo")[0]),
        CodecParameters(Codec.PCMU, 8000, channels=1),
        CodecParameters(Codec.PCMA, 8000, channels=1),
        CodecParameters(Codec.OPUS, 48000, channels=2),
    ],
)
def test_audio_gives_back_what_went_in(sent: CodecParameters) -> None:
    (media,) = parse(build(SessionDescription((media_for(sent, 98),)))).media
    assert select_format(media) == (98, sent)


def test_ffmpeg_reads_what_we_write() -> None:
    video = h264.parameters(h264.parameter_sets_in(encode_video("libx264")[0]))
    audio = aac.parameters(encode_aac()[0])
    text = build(
        SessionDescription(
            (
                media_for(video, 96, "trackID=0"),
                media_for(audio, 97, "trackID=1"),
                media_for(CodecParameters(Codec.PCMA, 8000, channels=1), 8, "trackID=2"),
            ),
            origin="- 1 1 IN IP4 127.0.0.1",
            connection="IN IP4 127.0.0.1",
        )
    )
    without_sockets = {"sdp_flags": "custom_io"}
    with av.open(io.BytesIO(text), format="sdp", options=without_sockets) as container:
        names = [stream.codec_context.name for stream in container.streams]
        assert names == ["h264", "aac", "pcm_alaw"]
        assert video.parameter_sets[0] in bytes(container.streams[0].codec_context.extradata or b"")
        assert bytes(container.streams[1].codec_context.extradata or b"") == audio.config


words = st.from_regex(r"[a-zA-Z][a-zA-Z0-9.-]{0,12}", fullmatch=True)
others = words.filter(
    lambda name: (
        name.lower()
        not in ("control", "rtpmap", "fmtp", "sendrecv", "sendonly", "recvonly", "inactive")
    )
)
line_texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30
).map(str.strip)  # fmt: skip
attributes = st.lists(st.tuples(others, st.none() | line_texts), max_size=4).map(tuple)
directions = st.sampled_from(("", "sendrecv", "sendonly", "recvonly", "inactive"))
types = st.integers(0, 127)
fmtp_values = st.text("abcdefXYZ0123456789+/=,-", max_size=20)
medias = st.builds(
    Media,
    st.sampled_from(("video", "audio", "application")),
    st.integers(0, 65535),
    st.sampled_from(("RTP/AVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVPF")),
    st.lists(types.map(str), max_size=4).map(tuple),
    st.dictionaries(
        types, st.builds(RtpMap, words, st.integers(1, 999_999_999), st.integers(1, 9)), max_size=3
    ),
    st.dictionaries(
        types,
        st.dictionaries(words.map(str.lower), fmtp_values, min_size=1, max_size=3),
        max_size=3,
    ),
    line_texts,
    directions,
    attributes,
    line_texts,
)
descriptions = st.builds(
    SessionDescription, st.lists(medias, max_size=4).map(tuple), line_texts, line_texts,
    line_texts, line_texts, line_texts, line_texts, st.just(""), attributes,
)  # fmt: skip


@given(descriptions)
def test_gives_back_what_went_in(sent: SessionDescription) -> None:
    assert parse(build(sent)) == sent


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "s=only\n",
        "v=0\nm=video\n",
        "v=0\nm=video x RTP/AVP 96\n",
        "v=0\nm=video 99999 RTP/AVP 96\n",
        "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/0\n",
        "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264\n",
        "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:999 H264/90000\n",
        "v=0\nm=video 0 RTP/AVP 96\na=fmtp:x y=z\n",
        "v=0\n" + "a=b\n" * 3000,
        "v=0\n" + "m=video 0 RTP/AVP 96\n" * 100,
        "v=0\n" + "a" * MAX_BYTES,
    ],
)
def test_what_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)


def test_line_breaks_are_not_written() -> None:
    with pytest.raises(ParseError):
        build(SessionDescription(name="a\r\nm=video 0 RTP/AVP 96"))


@pytest.mark.parametrize(
    "fmtp",
    [
        "sprop-parameter-sets=!!!!",
        "sprop-parameter-sets=Z0I,",
        "sprop-parameter-sets=é",
        "sprop-parameter-sets=" + "AAAA," * 500,
        "",
    ],
)
def test_damaged_parameter_sets_are_awaited_in_band(fmtp: str) -> None:
    text = f"v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 {fmtp}\n"
    assert codec_parameters(parse(text).media[0]) == CodecParameters(Codec.H264, 90000)


def test_parameter_sets_behind_start_codes_and_without_padding() -> None:
    good = parse(CAMERA).media[0].fmtp[96]["sprop-parameter-sets"].split(",")[1].rstrip("=")
    sps = base64.b64decode(parse(CAMERA).media[0].fmtp[96]["sprop-parameter-sets"].split(",")[0])
    behind = base64.b64encode(b"\0\0\0\1" + sps).decode()
    text = "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 h264/90000\n"
    text += f"a=fmtp:96 sprop-parameter-sets={behind},{good}\n"
    found = codec_parameters(parse(text).media[0])
    assert found is not None
    assert found.parameter_sets[0] == sps
    assert len(found.parameter_sets) == 2


def test_the_first_format_that_is_known_is_taken() -> None:
    text = "v=0\nm=audio 0 RTP/AVP 100 101 0\na=rtpmap:100 G726-32/8000\n"
    text += "a=rtpmap:101 mpeg4-generic/16000/1\na=fmtp:101 config=zz\n"
    chosen = select_format(parse(text).media[0])
    assert chosen is not None
    assert chosen[0] == 0
    text = text.replace("config=zz", "mode=AAC-hbr")
    chosen = select_format(parse(text).media[0])
    assert chosen is not None
    assert (chosen[0], chosen[1].config) == (101, aac.build_config(16000, 1))
    assert select_format(parse("v=0\nm=video 0 RTP/AVP 0\n").media[0]) is None


def test_with_control() -> None:
    media = media_for(CodecParameters(Codec.PCMU, 8000, channels=1), 0)
    assert with_control(media, "trackID=4").control == "trackID=4"


def _exercise(data: bytes) -> None:
    try:
        read = parse(data)
    except ParseError:
        return
    for media in read.media:
        select_format(media)
    parse(build(read))


lines = st.sampled_from(
    ("v=0", "m=video 0 RTP/AVP 96", "m=audio 0 RTP/AVP 8 97", "a=rtpmap:96 H265/90000",
     "a=rtpmap:97 MPEG4-GENERIC/8000", "a=fmtp:97 config=1588", "a=fmtp:96 sprop-sps=QgEB",
     "a=framerate:nan", "a=framerate:25", "a=control:", "a=sendonly")
) | st.text(max_size=30)  # fmt: skip


@given(st.lists(lines, max_size=20).map(lambda found: "\n".join(found).encode("utf-8")))
def test_arbitrary_lines(data: bytes) -> None:
    _exercise(data)


@given(st.binary(max_size=200))
def test_arbitrary_bytes(data: bytes) -> None:
    _exercise(data)


@given(st.data())
def test_mutated_descriptions(data: st.DataObject) -> None:
    text = bytearray(CAMERA)
    for _ in range(data.draw(st.integers(1, 8))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    _exercise(bytes(text))
