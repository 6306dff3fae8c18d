"""Files that lie: about sizes, by nesting, by numbers without end. Bounded, or refused."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.format.test_index import HEADER, recording

from vms.common.errors import ParseError
from vms.format import index as indexes
from vms.format import index_rebuild
from vms.format import mkv_ebml as ebml
from vms.format.index import Chain
from vms.format.index_rebuild import Rebuilder
from vms.format.mkv_reader import MAX_BLOCK, MkvReader

DATA, INDEX = recording()
HEAD = DATA[: INDEX.groups[0].offset]
_UNSIZED = ebml.identifier(ebml.CLUSTER) + ebml.UNKNOWN_SIZE


def rebuilt(data: bytes, step: int = 1 << 20) -> indexes.SegmentIndex | None:
    """What is made of it up to the damage, as the mender does; None: nothing."""
    rebuilder = Rebuilder(MkvReader())
    try:
        for at in range(0, len(data), step):
            rebuilder.feed(data[at : at + step])
    except ParseError:
        pass
    try:
        return rebuilder.finish()
    except ParseError:
        return None


def peak(work: Callable[[], object]) -> int:
    """Bytes that it held at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@given(
    st.integers(0, len(DATA) - 12), st.integers(0, 8), st.integers(0, (1 << 56) - 1),
    st.integers(1, 5000),
)  # fmt: skip
def test_sizes_that_lie_never_promise_what_is_not_there(
    at: int, length: int, size: int, step: int
) -> None:
    lie = ebml.size(size, 8) if length == 8 else bytes((0x80 >> length,)) + bytes(length)
    made = rebuilt(DATA[:at] + lie + DATA[at + len(lie) :], step)
    if made is None:
        return
    for group in made.groups:
        assert group.size > 0
        assert group.offset + group.size <= len(DATA)
    # What is made can be written, and is believed when it is read.
    indexes.check(indexes.parse(indexes.encode(made)))


@given(st.integers(0, len(DATA)), st.integers(1, 5000))
def test_what_is_whole_is_kept_wherever_the_file_ends(cut: int, step: int) -> None:
    made = rebuilt(DATA[:cut], step)
    whole = [g for g in INDEX.groups if g.offset + g.size < cut]
    got = made.groups if made is not None else []
    # Whether the last one goes on cannot be known without what follows it.
    assert got[: len(whole)][:-1] == whole[:-1]
    assert len(got) in (len(whole), len(whole) + 1)


@pytest.mark.parametrize("claimed", [MAX_BLOCK + 1, 1 << 40, (1 << 56) - 2])
def test_an_element_that_claims_too_much_is_refused_at_once(claimed: int) -> None:
    reader = MkvReader()
    reader.feed(HEAD + _UNSIZED + ebml.unsigned(ebml.TIMESTAMP, 0))
    with pytest.raises(ParseError, match="too long"):
        reader.feed(ebml.identifier(ebml.SIMPLE_BLOCK) + ebml.size(claimed, 8))


def test_what_is_passed_over_is_not_kept() -> None:
    reader = MkvReader()
    reader.feed(HEAD + _UNSIZED)
    reader.feed(ebml.identifier(0x5DEE) + ebml.size(1 << 40, 8))
    piece = bytes(1 << 20)
    assert peak(lambda: [reader.feed(piece) for _ in range(50)]) < 1 << 20


def test_clusters_without_end_are_refused() -> None:
    reader = MkvReader()
    reader.feed(HEAD)
    piece = _UNSIZED * 20_000

    def feed() -> None:
        for _ in range(100):
            reader.feed(piece)

    with pytest.raises(ParseError, match="clusters without a size"):
        feed()


def test_tags_without_end_are_refused() -> None:
    reader = MkvReader()
    reader.feed(HEAD)

    def feed() -> None:
        for number in range(2000):
            name = ebml.text(ebml.TAG_NAME, f"N{number}")
            simple = ebml.element(ebml.SIMPLE_TAG, name, ebml.text(ebml.TAG_STRING, "x"))
            reader.feed(ebml.element(ebml.TAGS, ebml.element(ebml.TAG, simple)))

    with pytest.raises(ParseError, match="tags"):
        feed()


def test_nesting_without_end_is_refused() -> None:
    nested = b""
    for _ in range(3000):
        nested = ebml.element(ebml.BLOCK_GROUP, nested)
    reader = MkvReader()
    reader.feed(HEAD + _UNSIZED + ebml.unsigned(ebml.TIMESTAMP, 0))
    assert reader.feed(nested) == []
    with pytest.raises(ParseError):
        reader.feed(ebml.identifier(ebml.SEGMENT) + ebml.UNKNOWN_SIZE)


def test_key_pictures_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_rebuild, "MAX_LINES", 4)
    rebuilder = Rebuilder(MkvReader())
    with pytest.raises(ParseError, match="key pictures"):
        rebuilder.feed(DATA)
    monkeypatch.setattr(index_rebuild, "MAX_LINES", 500)
    monkeypatch.setattr(index_rebuild, "MAX_PICTURES", 20)
    rebuilder = Rebuilder(MkvReader())
    with pytest.raises(ParseError, match="pictures"):
        rebuilder.feed(DATA)


@pytest.mark.parametrize(
    "data",
    [
        b"\n" * (1 << 20),
        Chain(HEADER).head + b"[" + b"[]," * (1 << 20) + b"[]]\n",
        b" " * (1 << 20) + Chain(HEADER).head,
    ],
)
def test_an_index_that_would_fill_the_memory_is_refused(data: bytes) -> None:
    def refused() -> None:
        with pytest.raises(ParseError):
            indexes.parse(data)

    assert peak(refused) < 3 * len(data) + (1 << 20)
