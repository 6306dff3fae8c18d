"""The index of schema 2: its chain, the hashes of groups, and what a flipped byte does."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.format.test_index import HEADER, groups, recording
from tests.support.storage_media import START_NS

from vms.common.errors import ParseError
from vms.format import index as indexes
from vms.format.index import Chain, Group, IndexEnd, SegmentIndex
from vms.format.index_rebuild import Rebuilder
from vms.format.mkv_digest import GroupHasher, group_digest
from vms.format.mkv_ebml import UNKNOWN_SIZE
from vms.format.mkv_reader import MkvReader

END = IndexEnd(START_NS + 4 * 10**9, 4000, 1200, 100, 4, "event", -1_500_000, 2300)
WHOLE = indexes.encode(SegmentIndex(HEADER, groups(4), END))

hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
numbers = st.integers(0, (1 << 62) - 1)


@st.composite
def indexes_of_any_kind(draw: st.DrawFn) -> SegmentIndex:
    """Groups that follow one another, some with a camera's time and damage, some not."""
    made: list[Group] = []
    wall, media, offset = draw(numbers), 0, 500
    for _ in range(draw(st.integers(0, 6))):
        pictures = draw(st.integers(1, 1000))
        size = draw(st.integers(1, 1 << 30))
        made.append(
            Group(
                wall, draw(st.none() | numbers), media, offset, size, pictures,
                draw(st.integers(0, pictures)), draw(st.integers(0, 10**6)), draw(hashes),
            )
        )  # fmt: skip
        wall = min(wall + draw(st.integers(0, 10**10)), (1 << 62) - 1)
        media += draw(st.integers(0, 10**6))
        offset += size
    clock = st.none() | st.integers(-(1 << 61), 1 << 61)
    end = IndexEnd(
        wall, media, offset, draw(numbers), draw(numbers),
        draw(st.sampled_from(("continuous", "event"))), draw(clock), draw(clock),
    )  # fmt: skip
    return SegmentIndex(HEADER, made, draw(st.sampled_from((None, end))))


@given(indexes_of_any_kind())
def test_what_is_written_holds_together(index: SegmentIndex) -> None:
    read = indexes.parse(indexes.encode(index))
    assert read == index
    assert indexes.check(read) == indexes.last_link(index)


def test_the_links_are_as_the_reference_says() -> None:
    lines = WHOLE.splitlines()
    link = hashlib.sha256(lines[0]).hexdigest()
    for line in lines[1:]:
        fields = json.loads(line)
        found = fields.pop("x")
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        link = hashlib.sha256((link + text).encode()).hexdigest()
        assert found == link
    assert indexes.check(indexes.parse(WHOLE)) == link


def checked(data: bytes) -> SegmentIndex | None:
    """The index where it is to be believed; None where it is refused."""
    try:
        index = indexes.parse(data)
        indexes.check(index)
    except ParseError:
        return None
    return index


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_flipped_byte_is_found_or_changes_nothing(at: int, byte: int) -> None:
    index = checked(WHOLE[:at] + bytes((byte,)) + WHOLE[at + 1 :])
    if index is None:
        return
    # What is left is a true beginning: a damaged newline takes the last line away at most.
    whole = indexes.parse(WHOLE)
    assert index.header == whole.header
    assert index.groups == whole.groups[: len(index.groups)]
    assert index.end in (whole.end, None)
    assert len(index.groups) == 4


@pytest.mark.parametrize("gone", [1, 2, 3, 4])
def test_a_line_taken_away_is_found(gone: int) -> None:
    lines = WHOLE.splitlines(keepends=True)
    with pytest.raises(ParseError, match=f"line {gone + 1} of the index was changed"):
        indexes.check(indexes.parse(b"".join(lines[:gone] + lines[gone + 1 :])))


def test_the_fast_link_is_the_plain_one() -> None:
    for group in groups(7):
        chain = Chain(HEADER)
        line = json.loads(chain.group(group))
        alone = indexes.parse(chain.head + json.dumps(line).encode() + b"\n")
        assert indexes.check(alone) == line["x"]


def test_schema_1_is_read_and_carried_on() -> None:
    old = SegmentIndex(
        replace(HEADER, schema=1),
        [replace(group, gap_ms=0, digest="") for group in groups(3)],
        IndexEnd(START_NS + 1, 1, 1, 1, 1),
    )
    data = indexes.encode(old)
    assert b'"h"' not in data
    assert b'"x"' not in data
    assert b"mode" not in data
    read = indexes.parse(data)
    assert read == old
    assert indexes.check(read) == ""


def test_a_hash_is_the_same_before_and_after_its_clusters_are_patched() -> None:
    data, index = recording()
    last = index.groups[-1]
    for group in index.groups[:-1]:
        piece = bytearray(data[group.offset : group.offset + group.size])
        assert piece[4:12] != UNKNOWN_SIZE
        patched = group_digest(bytes(piece))
        piece[4:12] = UNKNOWN_SIZE
        assert group_digest(bytes(piece)) == patched == group.digest
        assert hashlib.sha256(piece).hexdigest() == group.digest
    assert data[last.offset + 4 : last.offset + 12] == UNKNOWN_SIZE


_PIECE = recording()[0][slice(*(lambda g: (g.offset, g.offset + g.size))(recording()[1].groups[1]))]


@given(st.integers(0, len(_PIECE) - 1), st.integers(1, 255), st.integers(1, 3000))
def test_a_flipped_byte_of_a_group_is_found(at: int, flip: int, step: int) -> None:
    damaged = bytearray(_PIECE)
    damaged[at] ^= flip
    hasher = GroupHasher()
    try:
        for start in range(0, len(damaged), step):
            hasher.feed(bytes(damaged[start : start + step]))
        digest = hasher.hexdigest()
    except ParseError:
        return
    # A size made unknown says as little as it did while the file was written.
    assert digest != group_digest(_PIECE) or damaged[4:12] == UNKNOWN_SIZE


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_raise_parse_errors_only(data: bytes, step: int) -> None:
    hasher = GroupHasher()
    try:
        for start in range(0, len(data), step):
            hasher.feed(data[start : start + step])
        hasher.hexdigest()
    except ParseError:
        return


def test_a_file_cut_off_within_a_sized_cluster_is_indexed_with_its_hashes() -> None:
    data, index = recording()
    third = index.groups[2]
    rebuilder = Rebuilder(MkvReader())
    rebuilder.feed(data[: third.offset + third.size - 40])
    made = rebuilder.finish()
    assert made.groups[:2] == index.groups[:2]
    last = made.groups[2]
    assert (last.offset, last.pictures) == (third.offset, 9)
    piece = bytearray(data[last.offset : last.offset + last.size])
    piece[4:12] = UNKNOWN_SIZE
    assert last.digest == hashlib.sha256(piece).hexdigest()


def test_the_largest_step_reaches_to_the_next_group() -> None:
    assert indexes.largest_step([0, 120, 40, 80], 160) == 40
    assert indexes.largest_step([0, 40], 5000) == 4960
    assert indexes.largest_step([7], None) == 0
