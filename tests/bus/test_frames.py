from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.bus.frames import MAX_FRAME_BYTES, FrameReader, FrameType, frame
from vms.common.errors import ParseError

Frame = tuple[int, int, str, bytes]
frames = st.tuples(
    st.sampled_from(FrameType),
    st.integers(0, 2**32 - 1),
    st.text(alphabet="abc.*>", max_size=20),
    st.binary(max_size=200),
)
sizes = st.integers(0, 200) | st.integers(200_000, 300_000) | st.just(700_000)


def read(data: bytes, cuts: list[int]) -> list[Frame]:
    """What a reader makes of `data` when it comes in pieces of those sizes."""
    got: list[Frame] = []

    def handle(view: memoryview, kind: int, identity: int, subject: bytes, body: int) -> None:
        got.append((kind, identity, subject.decode(), bytes(view[body:])))

    reader = FrameReader(handle)
    place = 0
    index = 0
    while place < len(data):
        space = reader.get_buffer()
        assert len(space) > 0
        size = cuts[index % len(cuts)] if cuts else len(space)
        piece = data[place : place + min(size, len(space))]
        space[: len(piece)] = piece
        reader.buffer_updated(len(piece))
        place += len(piece)
        index += 1
    return got


@given(st.lists(frames, max_size=6), st.lists(st.integers(1, 30), max_size=5))
def test_frames_survive_any_cut(sent: list[Frame], cuts: list[int]) -> None:
    data = b"".join(frame(FrameType(k), i, s, b) for k, i, s, b in sent)
    assert read(data, cuts) == sent


@given(st.lists(sizes, max_size=5), st.lists(st.integers(5_000, 300_000), max_size=5))
def test_frames_of_any_size_survive_any_cut(sent: list[int], cuts: list[int]) -> None:
    bodies = [bytes([index + 1]) * size for index, size in enumerate(sent)]
    data = b"".join(frame(FrameType.PUBLISH, 1, "a", body) for body in bodies)
    assert [got[3] for got in read(data, cuts)] == bodies


@given(st.binary(max_size=400), st.lists(st.integers(1, 50), max_size=5))
def test_any_bytes_raise_only_parse_error(data: bytes, cuts: list[int]) -> None:
    try:
        read(data, cuts)
    except ParseError:
        return


def test_memory_for_a_large_frame_is_given_back() -> None:
    reader = FrameReader(lambda *_: None)
    data = frame(FrameType.PUBLISH, 0, "a", bytes(5_000_000))
    place = 0
    while place < len(data):
        space = reader.get_buffer()
        piece = data[place : place + len(space)]
        space[: len(piece)] = piece
        reader.buffer_updated(len(piece))
        place += len(piece)
    assert len(reader.get_buffer()) < 300_000


@pytest.mark.parametrize("size", [MAX_FRAME_BYTES + 1, 2**32 - 1, 0, 5])
def test_a_lying_size_is_refused_before_memory_is_taken(size: int) -> None:
    with pytest.raises(ParseError):
        read(struct.pack(">IBIB", size, 2, 0, 1) + b"a", [])
