"""NAL units in a row, both forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.common.errors import ParseError
from vms.format.annexb import (
    ranges,
    split_annexb,
    split_length_prefixed,
    to_annexb,
    to_length_prefixed,
)
from vms.format.bits import BitReader, escape, unescape


@given(st.lists(st.binary(min_size=1), max_size=8))
def test_length_prefixed_gives_back_what_went_in(nals: list[bytes]) -> None:
    assert [bytes(nal) for nal in split_length_prefixed(to_length_prefixed(nals))] == nals


@given(st.lists(st.binary(min_size=1).map(lambda body: b"\x65" + escape(body)), max_size=8))
def test_annexb_gives_back_what_went_in(nals: list[bytes]) -> None:
    nals = [nal.rstrip(b"\x00") for nal in nals]
    assert split_annexb(to_annexb(to_length_prefixed(nals))) == nals


def test_annexb_knows_short_start_codes_and_leading_rubbish() -> None:
    data = b"\xff\x00\x00\x01\x67ab\x00\x00\x00\x00\x01\x68c\x00\x00\x01\x00\x00\x01\x65d"
    assert split_annexb(data) == [b"\x67ab", b"\x68c", b"\x65d"]
    assert split_annexb(b"no start code") == []


@given(st.binary())
def test_any_bytes_are_split_or_refused(data: bytes) -> None:
    try:
        found = ranges(data)
    except ParseError:
        return
    assert to_length_prefixed(data[a:b] for a, b in found) == data
    assert len(to_annexb(data)) == len(data)


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0\0", b"\0\0\0\2a", b"\xff\xff\xff\xffabc"])
def test_lying_lengths_are_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        ranges(data)


@given(st.binary() | st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4])).map(bytes))
def test_escape_hides_start_codes(payload: bytes) -> None:
    escaped = escape(payload)
    assert b"\x00\x00\x00" not in escaped
    assert b"\x00\x00\x01" not in escaped
    assert b"\x00\x00\x02" not in escaped
    if not payload.endswith(b"\x00"):
        assert unescape(escaped) == payload


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2**40 - 1)), max_size=20))
def test_bits_are_read_as_written(fields: list[tuple[int, int]]) -> None:
    fields = [(bits, value & ((1 << bits) - 1)) for bits, value in fields]
    text = "".join(f"{value:0{bits}b}" for bits, value in fields if bits)
    data = int(text + "0" * (-len(text) % 8) or "0", 2).to_bytes((len(text) + 7) // 8, "big")
    reader = BitReader(data)
    assert [reader.u(bits) for bits, _ in fields] == [value for _, value in fields]
    with pytest.raises(ParseError):
        reader.skip(reader.left + 1)


@given(st.integers(0, 2**32 - 2), st.integers(-(2**31) + 1, 2**31 - 1))
def test_exp_golomb(unsigned: int, signed: int) -> None:
    mapped = 2 * signed - 1 if signed > 0 else -2 * signed
    text = "".join("0" * (f"{v + 1:b}".__len__() - 1) + f"{v + 1:b}" for v in (unsigned, mapped))
    text += "0" * (-len(text) % 8)
    reader = BitReader(int(text, 2).to_bytes(len(text) // 8, "big"))
    assert reader.ue() == unsigned
    assert reader.se() == signed
