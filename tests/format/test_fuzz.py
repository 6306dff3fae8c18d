"""The fuzzers' targets, run from pytest: on their seeds, on mutations, on what once failed."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

cached_seeds = cache(seeds)

ONCE_FAILED = {
    # A second control attribute took the place of the first when written and read again.
    "sdp": [
        b"m=audio 0 RTP/AVP 97\na=control:one\na=control:two\n",
        b"m=video 0 RTP/AVP 96\na=fmtp:96 sprop-sps=QgEB\0\0\0\0 ",
    ],
}

each = pytest.mark.parametrize("target", TARGETS)


@each
def test_seeds(target: str) -> None:
    for data in cached_seeds(target):
        TARGETS[target](data)


@pytest.mark.parametrize(
    ("target", "data"), [(name, data) for name, found in ONCE_FAILED.items() for data in found]
)
def test_what_once_failed(target: str, data: bytes) -> None:
    TARGETS[target](data)


@each
@given(st.binary(max_size=300))
def test_arbitrary_bytes(target: str, data: bytes) -> None:
    TARGETS[target](data)


@each
@given(data=st.data())
def test_mutated_seeds(target: str, data: st.DataObject) -> None:
    text = bytearray(data.draw(st.sampled_from(cached_seeds(target))))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(text) - 1))
        kind = data.draw(st.integers(0, 2))
        if kind == 0:
            text[at] = data.draw(st.integers(0, 255))
        elif kind == 1:
            text[at:at] = data.draw(st.binary(max_size=8))
        elif len(text) > 1:
            del text[at : at + data.draw(st.integers(1, 8))]
        if not text:
            break
    TARGETS[target](bytes(text))
