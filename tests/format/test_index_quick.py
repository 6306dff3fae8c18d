"""Whoever reads all of an index quickly is told what `parse` says, of whatever is given."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vms.common.errors import ParseError
from vms.common.model.media import Codec
from vms.format import index as indexes
from vms.format import index_quick
from vms.format.index import Group, IndexEnd, IndexHeader, SegmentIndex, Shift

WALL = 1_790_000_000_000_000_000
DIGEST = "5e" * 32


def group(number: int, *, camera: int | None = None, damaged: int = 0, size: int = 900) -> Group:
    return Group(
        WALL + number * 2_000_000_000, camera, number * 2000, 470 + number * 1000, size, 50,
        damaged, 40, DIGEST,
    )  # fmt: skip


def made(groups: list[Group], *, end: bool = True, schema: int = 2, shifts: int = 0) -> bytes:
    header = IndexHeader("s", "front", "main", "r", Codec.H264, 640, 480, WALL, schema=schema)
    last = IndexEnd(WALL + 10**10, 10_000, 100_000, 500, 10) if end else None
    index = SegmentIndex(header, groups, last, shifts=[Shift(5, DIGEST)] * shifts)
    return indexes.encode(index)


def both(data: bytes) -> None:
    try:
        expected = indexes.parse(data)
    except ParseError:
        with pytest.raises(ParseError):
            index_quick.read(data).look()
        return
    found = index_quick.read(data)
    assert found.header == expected.header
    assert found.end == expected.end
    assert list(found.groups) == found.groups[:] == expected.groups
    assert [one.link for one in found.groups] == [one.link for one in expected.groups]
    found.look()
    walls = [one.wall_ns for one in expected.groups]
    offsets = [one.offset for one in expected.groups]
    for number in (0, WALL, *(wall + step for wall in walls for step in (-1, 0, 1))):
        assert found.groups.before(number) == bisect_left(walls, number)
        assert found.groups.until(number) == bisect_right(walls, number)
    for number in (0, *(offset + step for offset in offsets for step in (-1, 0, 1))):
        assert found.groups.ahead_of(number) == bisect_left(offsets, number)


PUT = [b"0", b"9", b"-", b"\n", b"{", b"}", b'"', b" ", b"", b","]
GROUPS = st.lists(
    st.builds(
        lambda camera, damaged: (camera, damaged),
        st.none() | st.integers(0, (1 << 62) - 1),
        st.integers(0, 50),
    ),
    max_size=8,
).map(lambda rows: [group(n, camera=c, damaged=d) for n, (c, d) in enumerate(rows)])


@given(GROUPS, st.booleans(), st.sampled_from((1, 2)), st.integers(0, 2))
def test_what_is_written_is_read(groups: list[Group], end: bool, schema: int, shifts: int) -> None:
    both(made(groups, end=end, schema=schema, shifts=shifts if end else 0))


@given(GROUPS, st.data())
def test_what_was_changed_is_refused_or_read_alike(
    groups: list[Group], data: st.DataObject
) -> None:
    text = bytearray(made(groups, shifts=1))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        put = data.draw(st.sampled_from(PUT))
        text[at : at + data.draw(st.integers(0, 2))] = put
    both(bytes(text))


@given(st.binary(max_size=200))
@example(b"")
@example(b"\n")
@example(b"{}\n")
def test_bytes_of_any_kind(data: bytes) -> None:
    both(data)


def test_lines_that_are_odd() -> None:
    head, *lines, end, _ = made([group(n) for n in range(4)]).split(b"\n")
    wide = lines[1].replace(b",", b", ")
    late = json.dumps(json.loads(lines[1]) | {"t": (1 << 62) - 1}).encode().replace(b" ", b"")
    beyond = late.replace(str((1 << 62) - 1).encode(), str(1 << 62).encode())
    for changed in (
        [head, *lines], [head, lines[1], lines[0], end], [head, lines[0], wide, end],
        [head, lines[0], end, lines[1]], [head, *lines, end, end], [head, head, *lines],
        [head, lines[0], b"x" + lines[1], end], [head, lines[0], lines[1] + b" ", end],
        [head, lines[0], late, end], [head, lines[0], beyond, end], [lines[0]], [head],
        [head, lines[0].replace(b'"s":900', b'"s":1001'), lines[1]],
        [head, lines[0].replace(b'"m":0', b'"m":9000'), lines[1]],
        [head, lines[0].replace(b'"n":50', b'"n":50,"d":51')],
        [head, lines[0].replace(b'"o":470', b'"o":0470')], [head, b"", lines[0]],
        [head, end, end], [head, *lines, b'{"t":1}'],
    ):  # fmt: skip
        both(b"\n".join(changed) + b"\n")
        both(b"\n".join(changed))


def test_it_goes_on_with_other_groups() -> None:
    found = index_quick.read(made([group(n) for n in range(5)], end=False)).groups
    more = found.followed_by(3, [group(7), group(8)])
    assert [one.offset for one in more] == [470, 1470, 2470, 7470, 8470]
    assert more[1:4] == [group(1), group(2), group(7)]
    again = more.followed_by(4, [group(9)])
    assert list(again) == [group(n) for n in (0, 1, 2, 7, 9)]
    assert again.until(group(8).wall_ns) == 4
    assert again.ahead_of(7470) == 3


def test_only_what_is_used_is_looked_at() -> None:
    lines = made([group(n) for n in range(9)]).split(b"\n")
    lines[3] = lines[3].replace(b'"o":2470', b'"o":x470')
    lines[7] = lines[7].replace(b'"m":12000', b'"m":1')
    found = index_quick.read(b"\n".join(lines))
    assert found.groups[8] == group(8)
    for place in (2, 3, 6):
        with pytest.raises(ParseError, match=f"line {4 if place < 4 else 8}"):
            found.groups[place]
    with pytest.raises(ParseError):
        found.look()
    assert not found.whole
