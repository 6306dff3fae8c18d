"""Fragmented MP4 read back by FFmpeg."""

from __future__ import annotations

import io
import time

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.stream_units import encode, encode_audio

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters
from vms.format import aac, fmp4

DECODED = {Codec.H264: "h264", Codec.H265: "hevc"}


def read(data: bytes) -> tuple[str, list[av.VideoFrame]]:
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.name, list(container.decode(stream))


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_a_fragment_per_picture_decodes_whole(codec):
    parameters, units = encode(codec)
    parts = [fmp4.init_segment([parameters])]
    parts += [
        fmp4.fragment(i, 1, unit.pts, 3600, unit.data, unit.key) for i, unit in enumerate(units, 1)
    ]
    name, frames = read(b"".join(parts))
    assert name == DECODED[codec]
    assert [frame.pts for frame in frames] == [unit.pts for unit in units]
    assert frames[0].width == 320
    assert frames[0].height == 240


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_pictures_shown_in_another_order_keep_their_times(codec):
    parameters, units = encode(codec, profile="high", b_frames=2)
    assert [u.pts for u in units] != sorted(u.pts for u in units)
    # Decoding begins early enough that no picture is shown before it is decoded.
    ahead, start = 4 * 3600, 36_000
    samples = [
        fmp4.Sample(unit.data, 3600, unit.key, unit.pts + ahead - i * 3600)
        for i, unit in enumerate(units)
    ]
    single = b"".join(
        fmp4.fragment(i + 1, 1, start + i * 3600, s.duration, s.data, s.key, s.composition_offset)
        for i, s in enumerate(samples)
    )
    grouped = b"".join(
        fmp4.fragment_samples(i + 1, 1, start + i * 3600, samples[i : i + 7])
        for i in range(0, len(samples), 7)
    )
    for body in (single, grouped):
        _, frames = read(fmp4.init_segment([parameters]) + body)
        times = [frame.pts for frame in frames]
        assert times == sorted(u.pts + start + ahead for u in units)


def test_sync_samples_are_marked():
    parameters, units = encode()
    body = b"".join(fmp4.fragment(i, 1, u.pts, 3600, u.data, u.key) for i, u in enumerate(units, 1))
    with av.open(io.BytesIO(fmp4.init_segment([parameters]) + body)) as container:
        keys = [p.is_keyframe for p in container.demux(video=0) if p.size]
    assert keys == [u.key for u in units]


@pytest.mark.parametrize(("codec", "name", "rate"), [
    (Codec.AAC, "aac", 16_000), (Codec.OPUS, "libopus", 48_000),
])  # fmt: skip
def test_picture_and_sound_together(codec, name, rate):
    video, units = encode(count=25)
    config, frames = encode_audio(name, rate)
    audio = aac.parameters(config) if codec is Codec.AAC else CodecParameters(
        codec, rate, channels=1
    )  # fmt: skip
    parts = [fmp4.init_segment([video, audio])]
    parts += [fmp4.fragment(i, 1, u.pts, 3600, u.data, u.key) for i, u in enumerate(units, 1)]
    parts += [fmp4.fragment(i, 2, pts, 960, data, True) for i, (pts, data) in enumerate(frames, 99)]
    with av.open(io.BytesIO(b"".join(parts))) as container:
        sound = container.streams.audio[0]
        assert sound.codec_context.sample_rate == rate
        assert sound.codec_context.channels == 1
        heard = list(container.decode(sound))
    assert len(heard) >= len(frames) - 1
    assert max(np.abs(frame.to_ndarray()).max() for frame in heard) > 0.5
    expected = "mp4a.40.2" if codec is Codec.AAC else "opus"
    assert fmp4.mime_type([video, audio]) == f'video/mp4; codecs="avc1.42C014, {expected}"'


def test_what_mp4_does_not_carry_is_refused():
    parameters, _ = encode()
    with pytest.raises(ParseError, match="2 timescales"):
        fmp4.init_segment([parameters], [1, 1])
    with pytest.raises(ParseError):
        fmp4.init_segment([])
    with pytest.raises(ParseError):
        fmp4.init_segment([CodecParameters(Codec.H264, 90_000)])
    with pytest.raises(ParseError):
        fmp4.init_segment([CodecParameters(Codec.AAC, 48_000)])
    with pytest.raises(ParseError):
        fmp4.init_segment([parameters], [90_000, 48_000])


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        assert 8 <= size <= len(data) - at
        found.append((data[at + 4 : at + 8], data[at + 8 : at + size]))
        at += size
    return found


@given(
    sequence=st.integers(1, 1 << 40),
    time=st.integers(0, (1 << 63) - 1),
    samples=st.lists(
        st.builds(
            fmp4.Sample, st.binary(max_size=50), st.integers(0, 1 << 20), st.booleans(),
            st.integers(-(1 << 31), (1 << 31) - 1),
        ),
        min_size=1, max_size=5,
    ),
)  # fmt: skip
def test_sizes_are_right_whatever_is_inside(sequence, time, samples):
    one = samples[0]
    for made in (
        fmp4.fragment_samples(sequence, 1, time, samples),
        fmp4.fragment(sequence, 1, time, one.duration, one.data, one.key, one.composition_offset),
    ):
        (moof, inner), (mdat, body) = boxes(made)
        assert (moof, mdat) == (b"moof", b"mdat")
        traf = dict(boxes(inner))[b"traf"]
        trun = dict(boxes(traf))[b"trun"]
        offset = int.from_bytes(trun[8:12], "big")
        assert made[offset:] == body
        assert offset == len(inner) + 16


def test_a_fragment_costs_microseconds():
    data = bytes(10_000)
    best = min(_time_of(1000, data) for _ in range(5))
    assert best < 40e-6


def _time_of(count: int, data: bytes) -> float:
    start = time.perf_counter()
    for i in range(count):
        fmp4.fragment(i, 1, i * 3600, 3600, data, False)
    return (time.perf_counter() - start) / count
