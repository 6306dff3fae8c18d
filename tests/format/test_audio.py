"""AAC configurations and G.711 samples."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.format_streams import encode_aac

from vms.common.errors import ParseError
from vms.format import aac, g711


@pytest.mark.parametrize(("rate", "layout", "channels"), [(16000, "mono", 1), (48000, "stereo", 2)])
def test_config_of_a_real_encoder(rate: int, layout: str, channels: int) -> None:
    config, _ = encode_aac(rate, layout)
    assert aac.parse_config(config) == aac.AudioConfig(aac.LC, rate, channels, 1024)
    assert aac.codec_string(config) == "mp4a.40.2"
    assert config.startswith(aac.build_config(rate, channels))
    assert aac.parameters(config).clock_rate == rate


@given(st.integers(1, 192_000), st.sampled_from((1, 2, 3, 4, 5, 6, 8)), st.integers(1, 30))
def test_config_gives_back_what_went_in(rate: int, channels: int, kind: int) -> None:
    config = aac.build_config(rate, channels, kind)
    if kind in (5, 29):
        return
    read = aac.parse_config(config)
    assert (read.sample_rate, read.channels, read.object_type) == (rate, channels, kind)


@given(st.binary(max_size=80))
def test_arbitrary_configs(data: bytes) -> None:
    for read in (aac.parse_config, aac.codec_string, aac.parameters):
        try:
            read(data)
        except ParseError:
            continue


@pytest.mark.parametrize("args", [(0, 2), (48000, 7), (48000, 2, 31), (200_000, 2)])
def test_configs_that_cannot_be(args: tuple[int, ...]) -> None:
    with pytest.raises(ParseError):
        aac.build_config(*args)


@pytest.mark.parametrize(
    ("codec", "decode", "encode"),
    [
        ("pcm_mulaw", g711.decode_ulaw, g711.encode_ulaw),
        ("pcm_alaw", g711.decode_alaw, g711.encode_alaw),
    ],
)
def test_g711_is_that_of_ffmpeg(codec: str, decode: object, encode: object) -> None:
    codes = bytes(range(256))
    context = av.CodecContext.create(codec, "r")
    context.sample_rate, context.layout = 8000, "mono"
    frames = context.decode(av.Packet(codes))
    theirs = frames[0].to_ndarray().ravel()
    ours = decode(codes)  # type: ignore[operator]
    assert np.array_equal(ours, theirs)
    assert np.array_equal(decode(encode(ours)), ours)  # type: ignore[operator]
    samples = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
    heard = decode(encode(samples)).astype(np.int32)  # type: ignore[operator]
    error = np.abs(heard - samples)
    assert np.all(error <= np.abs(samples.astype(np.int32)) / 16 + 700)
    small = np.abs(samples.astype(np.int32)) < 4096
    assert error[small].max() <= 128
