"""What a case says of itself: `manifest.json` (docs/reference/case.md describes it).

The exporter writes it, the verifier reads of it what verifying takes. Times are UTC in
epoch milliseconds, so that any reader of JSON holds them exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vms.common.errors import ParseError
from vms.storage.export.zip_layout import MAX_ENTRIES, is_name

FORMAT = "vms-case"
SCHEMA = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
MAX_BYTES = 16 << 20
_MAX_INT = 1 << 53
_HEX = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of the case: its size in bytes, SHA-256 and CRC-32 in hex."""

    path: str
    size: int
    sha256: str
    crc32: str

    def fields(self) -> dict[str, Any]:
        return {"path": self.path, "size": self.size, "sha256": self.sha256, "crc32": self.crc32}


@dataclass(frozen=True, slots=True)
class Media(Listed):
    """A file of footage. `pieces` and `index` are paths of files beside it (`index` empty
    where its bytes are not the recording's), `last` the link that the index's chain is to
    end with, empty where none is known. Times in epoch milliseconds."""

    camera: str = ""
    start_ms: int = 0
    end_ms: int = 0
    pieces: str = ""
    index: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What verifying takes; `fields` is all that stands in it."""

    media: tuple[Media, ...]
    others: tuple[Listed, ...]
    fields: Mapping[str, Any]


def encode(fields: Mapping[str, Any]) -> bytes:
    """The manifest's bytes, which are what is signed."""
    head = {"format": FORMAT, "schema": SCHEMA}
    text = json.dumps({**head, **fields}, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def parse(data: bytes) -> Manifest:
    """Raises ParseError, naming the field."""
    if len(data) > MAX_BYTES:
        raise ParseError(f"manifest.json has {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        raise ParseError("manifest.json is not JSON") from None
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ParseError("manifest.json is not that of a case")
    if fields.get("schema") != SCHEMA:
        raise ParseError(
            f"manifest.json is of schema {str(fields.get('schema'))[:20]}, not {SCHEMA}; "
            "a newer version of this program may read it"
        )
    media = tuple(_media(one, f"media.{n}") for n, one in enumerate(_list(fields, "media")))
    others = tuple(_other(one, f"others.{n}") for n, one in enumerate(_list(fields, "others")))
    _check_paths(media, others)
    return Manifest(media, others, fields)


def _check_paths(media: tuple[Media, ...], others: tuple[Listed, ...]) -> None:
    paths = [one.path for one in (*media, *others)]
    if len(paths) > MAX_ENTRIES:
        raise ParseError(f"manifest.json names more than {MAX_ENTRIES} files")
    known = {one.path for one in others}
    if len(set(paths)) != len(paths) or {MANIFEST, SIGNATURE} & set(paths):
        raise ParseError("manifest.json names a file twice, or itself")
    for one in media:
        if one.pieces not in known or (one.index and one.index not in known):
            raise ParseError(f"manifest.json: {one.path} lacks its list of pieces or its index")


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise ParseError(f"manifest.json: {name!r} is not a list")
    return value


def _other(fields: object, where: str) -> Listed:
    if not isinstance(fields, dict):
        raise ParseError(f"manifest.json: {where} is not an object")
    path = _text(fields, "path", where)
    if not is_name(path):
        raise ParseError(f"manifest.json: {where}.path is {path[:80]!r}, which no case would use")
    return Listed(
        path, _number(fields, "size", where), _hex(fields, "sha256", 64, where),
        _hex(fields, "crc32", 8, where),
    )  # fmt: skip


def _media(fields: object, where: str) -> Media:
    one = _other(fields, where)
    assert isinstance(fields, dict)
    start, end = (_number(fields, name, where) for name in ("start_ms", "end_ms"))
    if end < start:
        raise ParseError(f"manifest.json: {where} ends before it starts")
    index, last = "", ""
    if fields.get("index") is not None:
        index = _text(fields, "index", where)
        last = _hex(fields, "last", 64, where) if fields.get("last") is not None else ""
    return Media(
        one.path, one.size, one.sha256, one.crc32, _text(fields, "camera", where), start, end,
        _text(fields, "pieces", where), index, last,
    )  # fmt: skip


def _text(fields: Mapping[str, Any], name: str, where: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise ParseError(f"manifest.json: {where}.{name} is not a text of a fair length")
    return value


def _number(fields: Mapping[str, Any], name: str, where: str) -> int:
    value = fields.get(name)
    if type(value) is not int or not 0 <= value < _MAX_INT:
        raise ParseError(f"manifest.json: {where}.{name} is not a number in range")
    return value


def _hex(fields: Mapping[str, Any], name: str, length: int, where: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) != length or value.strip(_HEX):
        raise ParseError(f"manifest.json: {where}.{name} is not {length} digits of hex")
    return value
