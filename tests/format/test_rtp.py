"""RTP headers and numbers that wrap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.common.errors import ParseError
from vms.format.rtp import (
    build_header,
    parse_rtp,
    unwrap,
    unwrap_sequence,
    unwrap_timestamp,
)

words = st.integers(0, 0xFFFFFFFF)


@given(
    st.integers(0, 127), st.integers(0, 0xFFFF), words, words, st.booleans(), st.binary(),
    st.binary(max_size=9), st.binary(max_size=9),
)  # fmt: skip
def test_gives_back_what_went_in(
    kind: int,
    sequence: int,
    timestamp: int,
    ssrc: int,
    marker: bool,
    payload: bytes,
    before: bytes,
    behind: bytes,
) -> None:
    packet = build_header(kind, sequence, timestamp, ssrc, marker) + payload
    data = before + packet + behind
    read = parse_rtp(data, len(before), len(before) + len(packet))
    assert read[:5] == (marker, kind, sequence, timestamp, ssrc)
    assert data[read.start : read.end] == payload


@given(
    st.lists(words, max_size=15), st.none() | st.binary(max_size=40), st.integers(0, 255),
    st.binary(),
)  # fmt: skip
def test_sources_extension_and_padding_are_stepped_over(
    sources: list[int], extension: bytes | None, padding: int, payload: bytes
) -> None:
    first = 0x80 | len(sources)
    packet = bytearray(build_header(96, 1, 2, 3))
    packet += b"".join(source.to_bytes(4, "big") for source in sources)
    if extension is not None:
        first |= 0x10
        extension += bytes(-len(extension) % 4)
        packet += b"\xbe\xde" + (len(extension) // 4).to_bytes(2, "big") + extension
    packet += payload
    if padding:
        first |= 0x20
        packet += bytes(padding - 1) + bytes((padding,))
    packet[0] = first
    data = bytes(packet)
    read = parse_rtp(data)
    assert data[read.start : read.end] == payload


@given(st.binary(max_size=64), st.integers(-4, 70), st.integers(-4, 70))
def test_arbitrary_bytes_and_ranges(data: bytes, start: int, end: int) -> None:
    for given_range in ((0, None), (start, end)):
        try:
            read = parse_rtp(data, *given_range)
        except ParseError:
            continue
        assert 12 <= read.start <= read.end <= len(data)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        bytes(12),
        b"\x80" + bytes(10),
        b"\x8f" + bytes(11),
        b"\x90" + bytes(11),
        b"\x90" + bytes(13) + b"\xff\xff",
        b"\xa0" + bytes(11),
        b"\xa0" + bytes(11) + b"\x02",
        b"\xa0" + bytes(11) + b"\x00",
        b"\x40" + bytes(11),
    ],
)
def test_lying_packets_are_refused(packet: bytes) -> None:
    with pytest.raises(ParseError):
        parse_rtp(packet)


@given(st.integers(0, 2**40), st.integers(-(2**31) + 1, 2**31 - 1))
def test_timestamps_count_on_through_wraps(reference: int, step: int) -> None:
    true = reference + step
    assert unwrap_timestamp(reference, true & 0xFFFFFFFF) == true
    assert unwrap(reference, true & 0xFFFFFFFF, 32) == true


@given(st.integers(0, 2**40), st.integers(-(2**15) + 1, 2**15 - 1))
def test_sequence_numbers_count_on_through_wraps(reference: int, step: int) -> None:
    true = reference + step
    assert unwrap_sequence(reference, true & 0xFFFF) == true
    assert unwrap(reference, true & 0xFFFF, 16) == true


def test_a_day_of_pictures_through_eight_wraps() -> None:
    start = 0xFFFFF000
    true = extended = start
    for _ in range(20_000):
        true += 90_000 * 40 // 2
        extended = unwrap_timestamp(extended, true & 0xFFFFFFFF)
        assert extended == true
    assert extended >> 32 >= 8
