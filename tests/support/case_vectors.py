"""Cases that both verifiers are tested with, and what is to be found in each.

`python -m tests.support.case_vectors` writes web/verify/vectors anew: a few small cases, and
`vectors.json`, which says how each of them is changed and what the verdict is then.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.storage_media import START_NS, encode_video
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import eventually, rig

from vms.format import index as indexes
from vms.storage.export import manifest as manifests
from vms.storage.export import pieces as piece_lists
from vms.storage.export import zip_layout, zip_reader
from vms.storage.export.case import Box
from vms.storage.export.check import Verdict, verify
from vms.storage.export.pieces import Piece
from vms.storage.export.signing import SigningKey
from vms.storage.volume import index_path

FOLDER = Path(__file__).resolve().parents[2] / "web" / "verify" / "vectors"
MEDIA, PIECES, INDEX = "front/clip.mkv", "pieces/front/clip.mkv.jsonl", "index/front/clip.mkv.jsonl"
OURS, THEIRS = SigningKey(bytes(range(32))), SigningKey(b"x" * 32)

Edit = Callable[[bytearray], None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording's bytes, and those of its index."""

    media: bytes
    index: bytes


async def record() -> Recorded:
    """A second of video in groups of 200 ms, as the storage service writes it."""
    with tempfile.TemporaryDirectory() as folder:
        async with rig(Path(folder)) as storage:
            storage.send(make_units(*encode_video(pictures=25, gop=5)))
            await eventually(storage, lambda rows: bool(rows))
            await storage.stop()
            (row,) = await storage.rows()
            path = storage.root / row.path
            return Recorded(path.read_bytes(), index_path(path).read_bytes())


def build(
    path: Path,
    recorded: Recorded,
    *,
    key: SigningKey = OURS,
    media: bytes | None = None,
    index: bytes | None = None,
    proof: bool = True,
    pieces: Callable[[list[Piece]], list[Piece]] = lambda pieces: pieces,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """A case at `path`. `media`, `index` and `pieces` put something else in their places, and
    all is hashed and signed as it is then; without `proof` no index is in it."""
    groups = indexes.parse(recorded.index)
    ends = [g.wall_ns for g in groups.groups[1:]]
    ends.append(groups.end.end_ns if groups.end else ends[-1])
    data = recorded.media if media is None else media
    cut = [Piece(0, groups.groups[0].offset)]
    for number, (group, end_ns) in enumerate(zip(groups.groups, ends, strict=True)):
        cut.append(
            Piece(group.offset, group.size, group.wall_ns // 10**6, -(-end_ns // 10**6),
                  number if proof else None)
        )  # fmt: skip
    if len(data) > (groups.tail or 0):
        cut.append(Piece(groups.tail or 0, len(data) - (groups.tail or 0)))
    box = Box(path, bare=False)
    try:
        slot = box.begin(MEDIA)
        slot.write(data)
        listed, hashed = box.finish(MEDIA, slot, pieces(cut))
        others = [box.add(PIECES, piece_lists.encode(hashed))]
        if proof:
            others.append(box.add(INDEX, recorded.index if index is None else index))
        others += [box.add(name, text) for name, text in (files or {}).items()]
        span = {"start_ms": cut[1].start_ms, "end_ms": -(-ends[-1] // 10**6)}
        last = (groups.end.link or None) if groups.end else None
        fields = listed.fields() | span | {
            "camera": "front", "stream": "main", "pieces": PIECES,
            "index": INDEX if proof else None, "last": last if proof else None,
        }  # fmt: skip
        manifest = manifests.encode(about() | {
            "media": [fields], "others": [one.fields() for one in others]
        })  # fmt: skip
        box.add(manifests.MANIFEST, manifest)
        box.add(manifests.SIGNATURE, key.sign(manifest))
        box.end()
    finally:
        box.close()


def about() -> dict[str, Any]:
    """What stands in a manifest for people."""
    start = START_NS // 10**6
    return {
        "id": "7f3a",
        "made_ms": start + 3_600_000,
        "by": {"id": "u1", "name": "Ana Souza"},
        "requested_ms": start + 3_500_000,
        "reason": "Furto às 14 h <b>no portão</b>",
        "asked": {"cameras": ["front"], "start": start, "end": start + 60_000, "stream": "main"},
        "clock": {"problem": "", "follows_time_server": True},
        "cameras": [
            {
                "id": "front",
                "name": "Portão",
                "missing": [{"start_ms": start + 1000, "end_ms": start + 60_000, "causes": []}],
            }
        ],
        "problems": [],
    }


@dataclass(frozen=True, slots=True)
class Vector:
    """How a case is changed: bytes put at offsets, then cut to a length, then more put behind
    it; with `folder` it is unpacked instead, and files are removed and put in."""

    name: str
    zip: str
    edits: tuple[tuple[int, bytes], ...] = ()
    cut: int | None = None
    append: bytes = b""
    folder: bool = False
    remove: tuple[str, ...] = ()
    add: Mapping[str, bytes] = field(default_factory=dict)
    key: str = ""

    def make(self, cases: Path, place: Path) -> Path:
        """The changed case, in the folder `place`, which is made."""
        place.mkdir(parents=True)
        data = bytearray((cases / self.zip).read_bytes())
        for at, put in self.edits:
            data[at : at + len(put)] = put
        made = place / self.zip
        made.write_bytes(data[: self.cut] + self.append)
        if not self.folder:
            return made
        unpacked = place / "unpacked"
        with zipfile.ZipFile(made) as archive:
            archive.extractall(unpacked)
        for name in self.remove:
            (unpacked / name).unlink()
        for name, put in self.add.items():
            (unpacked / name).parent.mkdir(parents=True, exist_ok=True)
            (unpacked / name).write_bytes(put)
        return unpacked

    def fields(self) -> dict[str, Any]:
        return {
            "name": self.name, "zip": self.zip, "key": self.key, "cut": self.cut,
            "edits": [[at, put.hex()] for at, put in self.edits],
            "append": self.append.hex(), "folder": self.folder, "remove": list(self.remove),
            "add": {name: base64.b64encode(put).decode() for name, put in self.add.items()},
        }  # fmt: skip


def vector(fields: Mapping[str, Any]) -> Vector:
    """The reverse of `Vector.fields`."""
    return Vector(
        fields["name"], fields["zip"],
        tuple((at, bytes.fromhex(put)) for at, put in fields["edits"]),
        fields["cut"], bytes.fromhex(fields["append"]), fields["folder"],
        tuple(fields["remove"]),
        {name: base64.b64decode(put) for name, put in fields["add"].items()}, fields["key"],
    )  # fmt: skip


def verdict_fields(verdict: Verdict) -> dict[str, Any]:
    """A verdict as vectors.json has it."""
    return {
        "fingerprint": verdict.fingerprint,
        "unproven": verdict.unproven,
        "findings": [
            {"what": one.what.value, "path": one.path, "start": one.start_ms, "end": one.end_ms,
             "text": one.text}
            for one in verdict.findings
        ],
    }  # fmt: skip


def _flip(data: bytes, at: int) -> tuple[tuple[int, bytes], ...]:
    return ((at, bytes([data[at] ^ 0x10])),)


def vectors(cases: Path) -> Iterator[Vector]:
    """All of them, for the cases in that folder."""
    whole = (cases / "whole.zip").read_bytes()
    with (cases / "whole.zip").open("rb") as file:
        entries = {one.name: one for one in zip_reader.read_entries(file, len(whole))}
    media = entries[MEDIA]
    with zipfile.ZipFile(cases / "whole.zip") as archive:
        pieces = piece_lists.parse(archive.read(PIECES), media.size)
    for name in ("whole.zip", "packed.zip"):
        yield Vector(f"{name} as it is", name)
    yield Vector("the right key", "whole.zip", key=OURS.fingerprint)
    yield Vector("another key", "whole.zip", key=THEIRS.fingerprint)
    for name in ("forged.zip", "index.zip", "link.zip", "times.zip", "group.zip"):
        yield Vector(f"signed anew: {name}", name)
    for entry in entries.values():
        for part, at in (("first", 0), ("middle", entry.size // 2), ("last", entry.size - 1)):
            edits = _flip(whole, entry.data_at + at)
            yield Vector(f"{part} byte of {entry.name}", "whole.zip", edits)
        yield Vector(
            f"the ZIP's header of {entry.name}", "whole.zip", _flip(whole, entry.offset + 10)
        )
    for number, piece in enumerate(pieces):
        at = media.data_at + piece.offset + piece.size // 2
        yield Vector(f"piece {number}", "whole.zip", _flip(whole, at))
    two = [_flip(whole, media.data_at + pieces[n].offset + 40)[0] for n in (1, 2, 4)]
    yield Vector("pieces 1, 2 and 4", "whole.zip", tuple(two))
    yield from _containers(whole, max(one.end for one in entries.values()))
    yield from _folders(entries)
    chance = random.Random(7)
    for number in range(40):
        yield Vector(f"any byte {number}", "whole.zip", _flip(whole, chance.randrange(len(whole))))


def _containers(whole: bytes, directory: int) -> Iterator[Vector]:
    for at in (directory, directory + 16, directory + 24, directory + 42, directory + 46,
               len(whole) - 22, len(whole) - 12, len(whole) - 6, len(whole) - 1):  # fmt: skip
        yield Vector(f"the directory at {at}", "whole.zip", _flip(whole, at))
    for cut in (0, 1, 21, 22, 1000, directory, len(whole) - 1):
        yield Vector(f"cut to {cut}", "whole.zip", cut=cut)
    yield Vector("something behind it", "whole.zip", append=b"\0")
    yield Vector("twice", "whole.zip", append=whole)
    yield Vector("no ZIP", "whole.zip", cut=0, append=b"%PDF-1.7" * 40)
    end = bytes.fromhex("504b0506000000000000000000000000000000000000")
    yield Vector("an empty ZIP", "whole.zip", cut=0, append=end)
    bomb = zip_layout.END64.pack(
        zip_layout.END64_SIGNATURE, 44, 0, 45, 0, 0, 1 << 62, 1 << 62, 1 << 62, 1 << 62
    ) + zip_layout.LOCATOR.pack(zip_layout.LOCATOR_SIGNATURE, 0, 0, 1)
    yield Vector("more files than there can be", "whole.zip", cut=0, append=bomb + end)


def _folders(names: Mapping[str, object]) -> Iterator[Vector]:
    yield Vector("unpacked", "whole.zip", folder=True)
    for name in names:
        yield Vector(f"without {name}", "whole.zip", folder=True, remove=(name,))
    yield Vector("with more", "whole.zip", folder=True, add={"front/b.mkv": b"b", "a.txt": b""})
    yield Vector("with an odd name", "whole.zip", folder=True, add={"front/.hidden": b""})
    yield Vector("a longer file", "whole.zip", folder=True, add={"README.txt": b"Read me first."})
    yield Vector("an empty file", "whole.zip", folder=True, add={MEDIA: b""})
    yield Vector("no case at all", "whole.zip", folder=True, remove=tuple(names))
    for text in (b"{", b"[]", b'{"format":"vms-case","schema":2}', b'{"format":"vms-case"}',
                 b'{"format":"vms-case","schema":1,"media":[],"others":{}}', b"\xff\xfe{}",
                 b'{"format":"vms-case","schema":1,"media":[],"others":[]}', b"[" * 5000,
                 b'{"format":"vms-case","schema":1,"media":[{"path":"a","size":1.0}],"others":[]}',
                 b'{"format":"vms-case","schema":1,"media":[],"others":[{"path":"../a"}]}',
                 ):  # fmt: skip
        name = f"manifest {text[:70].decode('ascii', 'replace')}"
        yield Vector(name, "whole.zip", folder=True, add={"manifest.json": text})


def cases(recorded: Recorded, folder: Path) -> None:
    """Write the cases that the vectors change."""
    index = indexes.parse(recorded.index)
    build(folder / "whole.zip", recorded, files={"README.txt": b"Read me."})
    build(folder / "packed.zip", recorded, proof=False)
    forged = bytearray(recorded.media)
    group = index.groups[2]
    forged[group.offset + group.size - 5] ^= 1
    build(folder / "forged.zip", recorded, key=THEIRS, media=bytes(forged))
    # The index made anew to fit what was forged: its last link is another than the one kept.
    moved = replace(index.groups[1], wall_ns=index.groups[1].wall_ns + 1_000_000)
    index.groups[1] = moved
    build(folder / "link.zip", recorded, key=THEIRS, index=indexes.encode(index))
    lines = recorded.index.split(b"\n")
    lines[2] = lines[2].replace(b'"n":5', b'"n":6')
    build(folder / "index.zip", recorded, key=THEIRS, index=b"\n".join(lines))

    def later(pieces: list[Piece]) -> list[Piece]:
        one = pieces[3]
        assert one.start_ms is not None
        pieces[3] = replace(one, start_ms=one.start_ms + 5)
        return pieces

    build(folder / "times.zip", recorded, key=THEIRS, pieces=later)

    def beyond(pieces: list[Piece]) -> list[Piece]:
        pieces[3] = replace(pieces[3], group=99)
        return pieces

    build(folder / "group.zip", recorded, key=THEIRS, pieces=beyond)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    cases(asyncio.run(record()), FOLDER)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, one in enumerate(vectors(FOLDER)):
            made = one.make(FOLDER, Path(folder, str(number)))
            rows.append(one.fields() | verdict_fields(verify(made, one.key)))
    text = ",\n".join(json.dumps(row, sort_keys=True) for row in rows)
    (FOLDER / "vectors.json").write_text(f"[\n{text}\n]\n", "utf-8")


if __name__ == "__main__":
    main()
