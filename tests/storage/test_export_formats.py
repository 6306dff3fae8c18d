"""The parsers of a case take anything: what is not right is a ParseError, and nothing else."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vms.common.errors import InvalidValue, ParseError
from vms.storage.export import manifest, pieces, signing, spec, zip_layout, zip_reader
from vms.storage.export.case import Box
from vms.storage.export.pieces import Piece
from vms.storage.export.signing import SigningKey
from vms.storage.export.spec import Burn, Format, Spec

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}(/[a-z0-9]{1,9}){0,2}", fullmatch=True)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)


@given(
    st.lists(st.tuples(st.integers(1, 1 << 40), st.none() | st.integers(0, 1 << 44)), max_size=9)
)
def test_pieces_come_back(sizes: list[tuple[int, int | None]]) -> None:
    made, at = [], 0
    for size, start in sizes:
        end = None if start is None else start + 1000
        made.append(Piece(at, size, start, end, None if start is None else len(made), "a" * 64))
        at += size
    if made:
        assert pieces.parse(pieces.encode(made), at) == made
        with pytest.raises(ParseError):
            pieces.parse(pieces.encode(made), at + 1)


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode() + b"\n"))
def test_what_is_no_list_of_pieces_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        pieces.parse(data, 100)


FIELDS: dict[str, Any] = {
    "media": [
        {
            "path": "front/a.mkv", "size": 3, "sha256": "0" * 64, "crc32": "0" * 8,
            "camera": "front", "start_ms": 1, "end_ms": 2, "pieces": "pieces/a", "index": None,
        }
    ],
    "others": [{"path": "pieces/a", "size": 1, "sha256": "1" * 64, "crc32": "1" * 8}],
}  # fmt: skip


@given(st.sampled_from(["media", "others"]), st.data())
def test_a_manifest_of_odd_values_is_refused_or_read(which: str, data: st.DataObject) -> None:
    fields = json.loads(json.dumps(FIELDS))
    one = fields[which][0]
    one[data.draw(st.sampled_from(sorted(one)))] = data.draw(JSON)
    try:
        read = manifest.parse(manifest.encode(fields) if _plain(fields) else b"[NaN]")
    except ParseError:
        return
    assert len(read.media) == 1


def _plain(fields: Any) -> bool:
    try:
        json.dumps(fields, allow_nan=False).encode()
        manifest.encode(fields)
    except (ValueError, UnicodeEncodeError):
        return False
    return True


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../a"}, {"path": "manifest.json"}, {"path": "pieces/a"}, {"size": -1},
        {"size": 1 << 60}, {"size": True}, {"sha256": "x" * 64}, {"start_ms": 3}, {"camera": ""},
        {"pieces": "nowhere"}, {"index": "nowhere"}, {"index": "pieces/a", "last": "short"},
    ],
)  # fmt: skip
def test_a_manifest_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    fields = json.loads(json.dumps(FIELDS))
    fields["media"][0] |= change
    with pytest.raises(ParseError):
        manifest.parse(manifest.encode(fields))


@given(st.binary(max_size=1000) | JSON.map(lambda value: json.dumps(value).encode()))
def test_what_is_no_manifest_or_signature_is_refused(data: bytes) -> None:
    for parse in (manifest.parse, signing.parse):
        with pytest.raises(ParseError):
            parse(data)


@given(st.binary(max_size=50), st.integers(0, 2**256), st.data())
def test_each_byte_of_a_signature_counts(text: bytes, seed: int, data: st.DataObject) -> None:
    key = SigningKey(seed.to_bytes(33, "big")[1:])
    made = key.sign(text)
    assert signing.verify(signing.parse(made), text)
    at = data.draw(st.integers(0, len(made) - 1))
    changed = made[:at] + bytes([made[at] ^ data.draw(st.integers(1, 255))]) + made[at + 1 :]
    try:
        found = signing.parse(changed)
    except ParseError:
        return
    assert not signing.verify(found, text) or signing.fingerprint(found.key) != key.fingerprint


@given(st.dictionaries(NAMES, st.binary(max_size=40), max_size=6), st.data())
def test_zips_come_back_and_spoiled_ones_never_do_harm(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "made.zip"
    path.unlink(missing_ok=True)
    box = Box(path, bare=False)
    for name, content in files.items():
        box.add(name, content)
    size = box.end()
    box.close()
    whole = path.read_bytes()
    assert len(whole) == size
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        assert {name: file.read(name) for name in file.namelist()} == files
    entries = zip_reader.read_entries(io.BytesIO(whole), size)
    assert zip_reader.headers_whole(io.BytesIO(whole), size, entries)
    spoiled = _spoiled(whole, data.draw)
    try:
        found = zip_reader.read_entries(io.BytesIO(spoiled), len(spoiled))
    except ParseError:
        return
    assert sum(one.size for one in found) <= len(spoiled)


def _spoiled(whole: bytes, draw: Callable[..., Any]) -> bytes:
    at = draw(st.integers(0, len(whole)))
    return bytes(whole[:at] + draw(st.binary(max_size=8)) + whole[at + draw(st.integers(0, 8)) :])


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_noise_is_no_zip(data: bytes) -> None:
    try:
        assert zip_reader.read_entries(io.BytesIO(data), len(data)) == []
    except ParseError:
        return


def test_files_beyond_four_gigabytes_and_many_files(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    big = (5 << 30) + 7
    entry = zip_layout.Entry("front/big.mkv", big, 0, 0)
    last = zip_layout.Entry("manifest.json", 2, 0xA6DFAE56, entry.end)
    with path.open("wb") as file:
        file.write(zip_layout.local_header(entry))
        file.seek(entry.end)
        file.write(zip_layout.local_header(last) + b"{}")
        file.write(zip_layout.ending([entry, last], last.end))
    with path.open("rb") as file:
        size = path.stat().st_size
        assert zip_reader.read_entries(file, size) == [entry, last]
        assert zip_reader.headers_whole(file, size, [entry, last])
    with zipfile.ZipFile(path) as other:
        assert [one.file_size for one in other.infolist()] == [big, 2]
        with other.open("front/big.mkv") as content:
            assert content.read(10) == bytes(10)
    many = [
        zip_layout.Entry(f"a{n}", 0, 0, n * zip_layout.local_size("a00000"))
        for n in range(10000, 80000)
    ]
    many = [
        zip_layout.Entry(e.name, 0, 0, n * zip_layout.local_size(e.name))
        for n, e in enumerate(many)
    ]
    data = b"".join(map(zip_layout.local_header, many))
    data += zip_layout.ending(many, len(data))
    assert zip_reader.read_entries(io.BytesIO(data), len(data)) == many
    with zipfile.ZipFile(io.BytesIO(data)) as other:
        assert len(other.namelist()) == 70_000


@given(st.builds(
    Spec,
    st.lists(st.from_regex("[a-z]{1,9}", fullmatch=True), min_size=1, max_size=4).map(tuple),
    st.integers(0, 1 << 40).map(lambda ms: ms * 1_000_000),
    st.integers(0, 1 << 40).map(lambda ms: ms * 1_000_000),
    st.sampled_from(["main", "sub"]), st.sampled_from([Format.MP4, Format.CASE]), st.booleans(),
    st.booleans(), st.builds(Burn, st.booleans(), st.booleans(), st.booleans()), st.booleans(),
    st.text(max_size=20),
))  # fmt: skip
def test_what_was_asked_comes_back(asked: Spec) -> None:
    assert spec.parse(asked.fields()) == asked


@given(JSON)
def test_a_row_that_is_no_export_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValue):
        spec.parse({"cameras": value, "start": value} if not isinstance(value, dict) else value)
