"""Parameter sets of real encoders, and of hostile ones."""

from __future__ import annotations

import io
import time
from fractions import Fraction
from types import ModuleType

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.format_streams import encode_video

from vms.common.errors import ParseError
from vms.format import h264, h265
from vms.format.annexb import split_length_prefixed, to_annexb, to_length_prefixed

ROOMS = {"libx264": h264, "libx265": h265}
B_FRAMES = (("tune", ""), ("preset", "fast"))


@pytest.mark.parametrize("codec", ROOMS)
@pytest.mark.parametrize(
    ("width", "height"), [(64, 64), (322, 182), (640, 360), (1280, 722), (1920, 1080)]
)
def test_sizes_and_rate(codec: str, width: int, height: int) -> None:
    room = ROOMS[codec]
    unit = encode_video(codec, width, height, 1, rate=Fraction(30000, 1001))[0]
    read = room.parameters(room.parameter_sets_in(unit))
    assert (read.width, read.height) == (width, height)
    assert read.frame_rate == pytest.approx(29.97, abs=0.01)
    assert room.is_key(unit)


@pytest.mark.parametrize("codec", ROOMS)
@pytest.mark.parametrize(
    ("pixels", "width", "height"),
    [("yuv422p", 322, 181), ("yuv444p", 161, 91), ("yuv420p10le", 322, 182)],
)
def test_chroma_formats_and_depths(codec: str, pixels: str, width: int, height: int) -> None:
    unit = encode_video(codec, width, height, 1, pixel_format=pixels)[0]
    read = ROOMS[codec].parameters(ROOMS[codec].parameter_sets_in(unit))
    assert (read.width, read.height) == (width, height)
    assert read.frame_rate == 25.0


@pytest.mark.parametrize("codec", ROOMS)
def test_b_frames_are_foretold(codec: str) -> None:
    room = ROOMS[codec]
    plain = room.parameter_sets_in(encode_video(codec)[0])
    bidirectional = room.parameter_sets_in(encode_video(codec, options=B_FRAMES)[0])
    assert not room.may_have_b_frames(plain)
    assert room.may_have_b_frames(bidirectional)


def test_interlaced_h264() -> None:
    options = (*B_FRAMES, ("x264-params", "interlaced=1"))
    unit = encode_video("libx264", 320, 244, 1, options)[0]
    sps = h264.parse_sps(h264.first_sps(h264.parameter_sets_in(unit)))
    assert (sps.width, sps.height, sps.frame_rate) == (320, 244, 25.0)


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_h264_profiles(profile: str) -> None:
    unit = encode_video("libx264", 320, 240, 1, (("profile", profile),))[0]
    sets = h264.parameter_sets_in(unit)
    sps = h264.parse_sps(h264.first_sps(sets))
    idc = {"baseline": 66, "main": 77, "high": 100}[profile]
    # The encoder names the simplest profile that the pictures need.
    assert sps.profile_idc <= idc
    assert h264.codec_string(sets).startswith(f"avc1.{sps.profile_idc:02X}")


@pytest.mark.parametrize("codec", ROOMS)
@pytest.mark.parametrize("options", [(), B_FRAMES])
def test_configuration_record_is_that_of_ffmpeg(
    codec: str, options: tuple[tuple[str, str], ...]
) -> None:
    room = ROOMS[codec]
    units = encode_video(codec, options=options)
    build, parse = (h264.avcc, h264.parse_avcc) if room is h264 else (h265.hvcc, h265.parse_hvcc)
    sets = room.parameter_sets_in(units[0])
    record = build(sets)
    assert parse(record) == (sets, 4)
    theirs = _record_of_ffmpeg("h264" if room is h264 else "hevc", units)
    # FFmpeg counts the first zero of a following start code as part of a parameter set.
    assert tuple(nal.rstrip(b"\x00") for nal in parse(theirs)[0])[: len(sets)] == sets
    if room is h264:
        assert record[:6] == theirs[:6]
        assert record[-4:] == theirs[-4:] or sets[0][1] == 66
    else:
        # FFmpeg fills in min_spatial_segmentation, parallelism and temporal layers itself.
        assert record[:13] == theirs[:13]
        assert record[16:19] == theirs[16:19]


def _record_of_ffmpeg(name: str, units: tuple[bytes, ...]) -> bytes:
    raw = io.BytesIO(b"".join(to_annexb(unit) for unit in units))
    file = io.BytesIO()
    with av.open(raw, format=name) as source, av.open(file, "w", format="mp4") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size:
                packet.pts = packet.dts = number
                packet.stream = stream
                target.mux(packet)
    file.seek(0)
    with av.open(file) as made:
        return bytes(made.streams.video[0].codec_context.extradata or b"")


def test_h265_codec_string() -> None:
    sets = h265.parameter_sets_in(encode_video("libx265", 1280, 722, 1)[0])
    assert h265.codec_string(sets) == "hvc1.1.6.L93.90"


def test_key_units_and_the_others() -> None:
    for codec, room in ROOMS.items():
        keys = [room.is_key(unit) for unit in encode_video(codec)]
        assert keys == [True] + [False] * 11


def test_video_timing_of_the_vps_counts() -> None:
    unit = encode_video("libx265", options=(("x265-params", "log-level=none:vui-timing-info=0"),))
    sets = h265.parameter_sets_in(unit[0])
    assert h265.parameters(sets, 12.5).frame_rate in (12.5, 25.0)


def _sets(room: ModuleType) -> tuple[bytes, ...]:
    codec = "libx264" if room is h264 else "libx265"
    return tuple(
        nal
        for options in ((), B_FRAMES)
        for nal in room.parameter_sets_in(encode_video(codec, options=options)[0])
    )


def _exercise(room: ModuleType, nals: list[bytes]) -> None:
    """Everything that reads a parameter set: only ParseError may leave it."""
    for read in (room.parameters, room.codec_string, room.may_have_b_frames):
        try:
            read(nals)
        except ParseError:
            continue
    try:
        record = h264.avcc(nals) if room is h264 else h265.hvcc(nals)
    except ParseError:
        return
    (h264.parse_avcc if room is h264 else h265.parse_hvcc)(record)


@pytest.mark.parametrize("room", [h264, h265])
@given(data=st.data())
def test_mutated_parameter_sets(room: ModuleType, data: st.DataObject) -> None:
    nal = bytearray(data.draw(st.sampled_from(_sets(room))))
    for _ in range(data.draw(st.integers(1, 4))):
        nal[data.draw(st.integers(1, len(nal) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(nal)))
    _exercise(room, [bytes(nal[:cut])])
    _exercise(room, [bytes(nal)])


@pytest.mark.parametrize("room", [h264, h265])
@given(st.lists(st.binary(max_size=64), max_size=4))
def test_arbitrary_parameter_sets(room: ModuleType, nals: list[bytes]) -> None:
    header = b"\x67" if room is h264 else b"\x42\x01"
    _exercise(room, [*nals, *(header + nal for nal in nals)])


@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_configuration_records(data: bytes, versioned: bool) -> None:
    for parse in (h264.parse_avcc, h265.parse_hvcc):
        try:
            parse(b"\x01" + data if versioned else data)
        except ParseError:
            continue


def test_absurd_sizes_are_refused() -> None:
    """An SPS of 65536 x 65536 pixels, by hand: baseline, poc type 2."""
    bits = "01000010" + "11000000" + "00001101"
    for value in (0, 0, 2, 1):
        code = f"{value + 1:b}"
        bits += "0" * (len(code) - 1) + code
    bits += "0"
    for value in (4095, 4095):
        code = f"{value + 1:b}"
        bits += "0" * (len(code) - 1) + code
    bits += "1" + "1" + "0" + "0" + "1"
    bits += "0" * (-len(bits) % 8)
    nal = b"\x67" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    with pytest.raises(ParseError, match="pic_width"):
        h264.parse_sps(nal)


def test_long_parameter_sets_cost_nothing() -> None:
    start = time.thread_time()
    for nal in (b"\x67\x64" + b"\xff" * 5_000_000, b"\x67\x64" + b"\x00\x00\x03" * 1000):
        with pytest.raises(ParseError):
            h264.parse_sps(nal)
    with pytest.raises(ParseError):
        h265.parse_sps(b"\x42\x01" + b"\xff" * 5_000_000)
    assert time.thread_time() - start < 1.0


def test_nal_types() -> None:
    unit = split_length_prefixed(encode_video("libx264")[0])
    assert [h264.nal_type(nal) for nal in unit[:2]] == [h264.SPS, h264.PPS]
    for room in (h264, h265):
        with pytest.raises(ParseError):
            room.nal_type(b"")
    assert h264.parameter_sets_in(to_length_prefixed([b"\x65\x88"])) == ()
