"""User data in SEI."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.format_streams import decode_video, encode_video

from vms.common.errors import ParseError
from vms.common.model.media import Codec
from vms.format.annexb import split_length_prefixed, to_length_prefixed
from vms.format.sei import build_stamp_sei, find_user_data

UUID = bytes(range(16))
codecs = st.sampled_from((Codec.H264, Codec.H265))


@given(codecs, st.binary(max_size=600) | st.just(bytes(600)), st.binary(min_size=16, max_size=16))
def test_gives_back_what_went_in(codec: Codec, payload: bytes, uuid: bytes) -> None:
    data = to_length_prefixed([build_stamp_sei(codec, uuid, payload)])
    assert b"\x00\x00\x01" not in data[4:]
    assert find_user_data(data, codec, uuid) == payload


@pytest.mark.parametrize(("codec", "encoder"), [(Codec.H264, "libx264"), (Codec.H265, "libx265")])
def test_decoders_accept_it(codec: Codec, encoder: str) -> None:
    units = encode_video(encoder)
    stamped = [
        to_length_prefixed([build_stamp_sei(codec, UUID, bytes(16)), *split_length_prefixed(unit)])
        for unit in units
    ]
    name = "h264" if codec is Codec.H264 else "hevc"
    assert len(decode_video(name, stamped)) == len(units)
    assert all(find_user_data(unit, codec, UUID) == bytes(16) for unit in stamped)
    # The encoder's own SEI is stepped over.
    assert all(find_user_data(unit, codec, UUID) is None for unit in units)


@given(codecs, st.binary(max_size=100), st.booleans())
def test_arbitrary_bytes(codec: Codec, data: bytes, framed: bool) -> None:
    head = b"\x06" if codec is Codec.H264 else b"\x4e\x01"
    if framed:
        assert find_user_data(to_length_prefixed([head + data]), codec, UUID) is None
        return
    try:
        find_user_data(data, codec, UUID)
    except ParseError:
        return


def test_only_video_has_sei() -> None:
    with pytest.raises(ParseError):
        build_stamp_sei(Codec.AAC, UUID, b"")
    with pytest.raises(ParseError):
        build_stamp_sei(Codec.H264, b"short", b"")
