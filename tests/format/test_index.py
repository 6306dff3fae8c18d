"""The index beside a recording: written, parsed, cut off, damaged, and made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.storage_media import START_NS, encode_video

from vms.common.errors import ParseError
from vms.common.model.media import Codec
from vms.format import index as indexes
from vms.format.index import Chain, Group, IndexEnd, IndexHeader, SegmentIndex
from vms.format.index_rebuild import Rebuilder
from vms.format.mkv import MkvWriter, encode_note
from vms.format.mkv_digest import group_digest
from vms.format.mkv_reader import MkvReader

HEADER = IndexHeader("seg1", "front", "main", "run1", Codec.H264, 160, 96, START_NS, 77)


def groups(count: int) -> list[Group]:
    return [
        Group(
            START_NS + n * 10**9, None if n % 2 else START_NS, n * 1000, 500 + n * 100, 100, 25,
            n // 3, 40, f"{n:064x}",
        )
        for n in range(count)
    ]  # fmt: skip


def test_what_is_written_is_read() -> None:
    index = SegmentIndex(HEADER, groups(5), IndexEnd(START_NS + 5 * 10**9, 5000, 1000, 125, 5))
    data = indexes.encode(index)
    assert indexes.parse(data) == index
    assert all(json.loads(line) for line in data.splitlines())


def test_a_group_is_found_by_time() -> None:
    index = SegmentIndex(HEADER, groups(5))
    assert index.at(START_NS - 1) is None
    assert index.at(START_NS) == index.groups[0]
    assert index.at(START_NS + 1_999_999_999) == index.groups[1]
    assert index.at(START_NS + 10**12) == index.groups[-1]
    assert index.tail == 1000


def test_a_torn_last_line_does_not_count() -> None:
    data = indexes.encode(SegmentIndex(HEADER, groups(3)))
    first = data.index(b"\n") + 1
    for cut in range(first, len(data)):
        index = indexes.parse(data[:cut])
        assert index.groups == groups(3)[: len(index.groups)]
        assert index.end is None


@pytest.mark.parametrize(
    "line",
    [
        b"[]", b"nonsense", b'{"t":1}', b'{"t":1,"c":null,"m":1,"o":1,"s":0,"n":1}',
        b'{"t":true,"c":null,"m":1,"o":1,"s":1,"n":1}', b"[" * 100_000,
        b'{"end_ns":1}', b'{"t":0,"c":null,"m":0,"o":0,"s":1,"n":1}',
    ],
)  # fmt: skip
def test_wrong_lines_are_refused(line: bytes) -> None:
    data = indexes.encode(SegmentIndex(HEADER, groups(1)))
    with pytest.raises(ParseError, match="line 3"):
        indexes.parse(data + line + b"\n")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", 3),
        ("schema", "2"),
        ("schema", True),
        ("more", 1),
        ("codec", "aac"),
        ("codec", "x"),
        ("camera", 3),
        ("start_ns", -1),
    ],
)
def test_wrong_headers_are_refused(field: str, value: object) -> None:
    fields = json.loads(Chain(HEADER).head) | {field: value}
    with pytest.raises(ParseError):
        indexes.parse(json.dumps(fields).encode() + b"\n")


def test_nothing_follows_the_end() -> None:
    chain = Chain(HEADER)
    end = chain.end(IndexEnd(1, 1, 1, 1, 1))
    with pytest.raises(ParseError, match="behind its end"):
        indexes.parse(chain.head + end + end)


_WHOLE = indexes.encode(SegmentIndex(HEADER, groups(4), IndexEnd(START_NS, 1, 1, 1, 1)))


@given(st.integers(0, len(_WHOLE)), st.binary(max_size=20), st.integers(0, 20))
def test_damage_raises_parse_errors_only(at: int, damage: bytes, gone: int) -> None:
    try:
        index = indexes.parse(_WHOLE[:at] + damage + _WHOLE[at + gone :])
    except ParseError:
        return
    assert index.groups == sorted(index.groups, key=lambda g: g.offset)


@given(st.binary(max_size=400))
def test_any_bytes_raise_parse_errors_only(data: bytes) -> None:
    with pytest.raises(ParseError):
        indexes.parse(data)


def recording() -> tuple[bytes, SegmentIndex]:
    """An MKV that is still open, and the index that belongs to it."""
    parameters, packets = encode_video(pictures=50, gop=10)
    header = IndexHeader("seg1", "front", "main", "run1", Codec.H264, 160, 96, START_NS, 77)
    writer = MkvWriter([parameters], START_NS, "front main", indexes.tags(header))
    data = bytearray(writer.head)
    index = SegmentIndex(header)
    for number in range(0, 50, 10):
        start = len(data)
        wall = START_NS + number * 40_000_123
        for pts, key, payload in packets[number : number + 10]:
            note = encode_note(wall, wall - 9) if key else b""
            data += writer.block(1, pts // 90, key, len(payload), note) + payload
        for offset, piece in writer.take_patches():
            data[offset : offset + len(piece)] = piece
        index.groups.append(
            Group(
                wall, wall - 9, number * 40, start, len(data) - start, 10, 0,
                40, group_digest(bytes(data[start:])),
            )
        )  # fmt: skip
    return bytes(data), index


@pytest.mark.parametrize("step", [100, 1 << 20])
def test_the_index_is_made_again_exactly(step: int) -> None:
    data, index = recording()
    rebuilder = Rebuilder(MkvReader())
    for at in range(0, len(data), step):
        rebuilder.feed(data[at : at + step])
    assert rebuilder.finish() == index
    assert (rebuilder.last_ms, rebuilder.interval_ms) == (49 * 40, 40)


@pytest.mark.parametrize("known", [1, 3, 5])
def test_a_short_index_is_carried_on(known: int) -> None:
    data, index = recording()
    head = MkvReader()
    head.feed(data)
    short = SegmentIndex(index.header, index.groups[:known])
    tail = short.tail
    assert tail is not None
    rebuilder = Rebuilder(MkvReader(tail, head.header), short)
    rebuilder.feed(data[tail:])
    assert rebuilder.finish() == index


def test_no_index_without_a_key_picture() -> None:
    data, _ = recording()
    rebuilder = Rebuilder(MkvReader())
    rebuilder.feed(data[:300])
    with pytest.raises(ParseError, match="key picture"):
        rebuilder.finish()


def test_the_example_in_the_reference_is_an_index() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "recording-index.md"
    example = page.read_text().split("```json\n")[1].split("```")[0]
    index = indexes.parse(example.encode())
    assert len(index.groups) == 1
    assert index.end is not None
