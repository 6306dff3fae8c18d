"""Verifies a case, offline and in bounded memory: what was altered, missing or added.

What is judged, in this order:
- the ZIP: each byte around the files is as `zip_layout` makes it;
- the signature: the manifest is as the owner of the key wrote it, and is it that key;
- each file: its SHA-256 is what the manifest says; of footage, piece by piece, so that an
  altered byte is located to its span;
- the chain: footage whose bytes are the recording's is what the recording's index says,
  and the index was not changed since it was written.

web/verify says the same of the same case: what is changed here is changed there too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from vms.common.errors import ParseError
from vms.format import index as indexes
from vms.format.mkv_digest import GroupHasher
from vms.storage.export import manifest as manifests
from vms.storage.export import pieces as piece_lists
from vms.storage.export import signing
from vms.storage.export.manifest import MANIFEST, SIGNATURE, Listed, Manifest, Media
from vms.storage.export.pieces import Piece
from vms.storage.export.source import Source, crc_of, open_source, read_whole

MAX_FINDINGS = 1000
Progress = Callable[[int, int], None]
"""Called with (bytes read, bytes in all)."""


class What(StrEnum):
    """What is wrong."""

    UNREADABLE = "unreadable"
    CONTAINER = "container"
    SIGNATURE = "signature"
    KEY = "key"
    ALTERED = "altered"
    MISSING = "missing"
    ADDED = "added"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class Finding:
    """`path` is empty where it is about the case as a whole. The span in epoch milliseconds
    is that of the footage concerned, None where it is none or unknown."""

    what: What
    path: str = ""
    start_ms: int | None = None
    end_ms: int | None = None
    text: str = ""


@dataclass(slots=True)
class Verdict:
    """`fingerprint` is that of the key that signed the manifest, empty where none did."""

    findings: list[Finding] = field(default_factory=list)
    fingerprint: str = ""
    manifest: Manifest | None = None
    unproven: list[str] = field(default_factory=list)
    """Files of footage that are what was signed, but no chain ties them to the recording."""

    @property
    def ok(self) -> bool:
        return not self.findings

    def add(self, finding: Finding) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)


def verify(path: Path, expected_key: str = "", progress: Progress | None = None) -> Verdict:
    """Judge the case at `path`, a ZIP or the folder it was unpacked to.

    `expected_key` is a fingerprint in hex, empty: any key. Raises OSError where the disk
    cannot be read; all that is wrong with the case itself is in the verdict.
    """
    verdict = Verdict()
    try:
        source = open_source(path)
    except ParseError as error:
        verdict.add(Finding(What.UNREADABLE, text=str(error)))
        return verdict
    try:
        _Check(source, verdict, progress).run(expected_key)
    finally:
        source.close()
    return verdict


class _Check:
    def __init__(self, source: Source, verdict: Verdict, progress: Progress | None) -> None:
        self._source = source
        self._verdict = verdict
        self._progress = progress
        self._all = sum(source.sizes.values())
        self._done = 0
        self._whole: set[str] = set()

    def run(self, expected_key: str) -> None:
        source, verdict = self._source, self._verdict
        try:
            data = read_whole(source, MANIFEST, manifests.MAX_BYTES)
            manifest = verdict.manifest = manifests.parse(data)
        except ParseError as error:
            verdict.add(Finding(What.UNREADABLE, MANIFEST, text=str(error)))
            return
        self._judge_signature(data, expected_key)
        self._judge_container(manifest, data)
        for other in manifest.others:
            self._judge_other(other)
        for media in manifest.media:
            self._judge_media(media)
        known = {MANIFEST, SIGNATURE, *(f.path for f in (*manifest.media, *manifest.others))}
        for name in sorted(source.sizes.keys() - known):
            verdict.add(Finding(What.ADDED, name, text="it is not part of the case"))

    def _judge_signature(self, data: bytes, expected_key: str) -> None:
        verdict = self._verdict
        try:
            found = signing.parse(read_whole(self._source, SIGNATURE, signing.MAX_SIGNATURE_FILE))
        except ParseError as error:
            verdict.add(Finding(What.SIGNATURE, SIGNATURE, text=str(error)))
            return
        if not signing.verify(found, data):
            text = "the manifest is not as it was signed"
            verdict.add(Finding(What.SIGNATURE, MANIFEST, text=text))
            return
        verdict.fingerprint = signing.fingerprint(found.key)
        if expected_key and verdict.fingerprint != expected_key:
            text = f"it was signed by another key: {verdict.fingerprint}"
            verdict.add(Finding(What.KEY, SIGNATURE, text=text))

    def _judge_container(self, manifest: Manifest, data: bytes) -> None:
        sums = {one.path: one.crc32 for one in (*manifest.media, *manifest.others)}
        sums[MANIFEST] = crc_of(data)
        if SIGNATURE in self._source.sizes and not self._verdict.findings:
            signature = read_whole(self._source, SIGNATURE, signing.MAX_SIGNATURE_FILE)
            sums[SIGNATURE] = crc_of(signature)
        if problem := self._source.container_problem(sums):
            self._verdict.add(Finding(What.CONTAINER, text=problem))

    def _read(self, name: str) -> Iterator[bytes]:
        for data in self._source.chunks(name):
            self._done += len(data)
            if self._progress is not None:
                self._progress(self._done, self._all)
            yield data

    def _is_there(self, one: Listed, start_ms: int | None, end_ms: int | None) -> bool:
        if one.path in self._source.sizes:
            return True
        text = "it is missing"
        self._verdict.add(Finding(What.MISSING, one.path, start_ms, end_ms, text))
        return False

    def _hashes(self, one: Listed) -> bool:
        digest = sha256()
        for data in self._read(one.path):
            digest.update(data)
        return self._source.sizes[one.path] == one.size and digest.hexdigest() == one.sha256

    def _judge_other(self, one: Listed) -> None:
        if not self._is_there(one, None, None):
            return
        if self._hashes(one):
            self._whole.add(one.path)
        else:
            self._verdict.add(Finding(What.ALTERED, one.path, text="its bytes were changed"))

    def _judge_media(self, media: Media) -> None:
        if not self._is_there(media, media.start_ms, media.end_ms):
            return
        try:
            listed = self._pieces(media)
        except ParseError as error:
            text = f"{media.pieces}: {error}"
            self._verdict.add(Finding(What.ALTERED, media.pieces, text=text))
            listed = None
        if listed is None:
            if not self._hashes(media):
                text = "its bytes were changed; where, nothing is left to tell"
                start, end = media.start_ms, media.end_ms
                self._verdict.add(Finding(What.ALTERED, media.path, start, end, text))
            return
        proof = _Proof(self._groups(media)) if media.index else None
        before = len(self._verdict.findings)
        self._judge_pieces(media, listed, proof)
        if proof is None and len(self._verdict.findings) == before:
            self._verdict.unproven.append(media.path)

    def _pieces(self, media: Media) -> list[Piece] | None:
        if media.pieces not in self._whole:
            return None
        data = read_whole(self._source, media.pieces, piece_lists.MAX_BYTES)
        return piece_lists.parse(data, media.size)

    def _groups(self, media: Media) -> indexes.SegmentIndex | None:
        """The recording's index, once it is known to be whole; what is wrong is noted."""
        if media.index not in self._whole:
            return None
        try:
            index = indexes.parse(read_whole(self._source, media.index, indexes.MAX_BYTES))
            last = indexes.check(index)
        except ParseError as error:
            self._chain(media, f"its recording's index is not whole: {error}")
            return None
        if media.last and last != media.last:
            self._chain(media, "its recording's index is not the one that was kept")
            return None
        return index

    def _chain(
        self, media: Media, text: str, start: int | None = None, end: int | None = None
    ) -> None:
        span = (media.start_ms, media.end_ms) if start is None else (start, end)
        self._verdict.add(Finding(What.CHAIN, media.path, *span, text))

    def _judge_pieces(self, media: Media, listed: list[Piece], proof: _Proof | None) -> None:
        altered: list[Piece] = []
        stream = _Taker(self._read(media.path))
        for piece in listed:
            digest, hasher = sha256(), proof.begin(piece) if proof else None
            for data in stream.take(piece.size):
                digest.update(data)
                if hasher is not None:
                    hasher = _fed(hasher, data)
            if digest.hexdigest() != piece.digest:
                altered.append(piece)
                continue
            self._tell(media, altered)
            altered = []
            if proof is not None and (wrong := proof.judge(piece, hasher)):
                self._chain(media, wrong, piece.start_ms, piece.end_ms)
        self._tell(media, altered)
        for _ in stream.rest():
            pass
        if self._source.sizes[media.path] > media.size:
            text = "bytes were added to its end"
            self._verdict.add(Finding(What.ALTERED, media.path, text=text))

    def _tell(self, media: Media, altered: list[Piece]) -> None:
        """Pieces that follow one another are one finding."""
        if not altered:
            return
        starts = [one.start_ms for one in altered if one.start_ms is not None]
        ends = [one.end_ms for one in altered if one.end_ms is not None]
        first, last = altered[0], altered[-1]
        text = f"bytes {first.offset} to {last.offset + last.size - 1} were changed"
        start, end = (min(starts), max(ends)) if starts else (None, None)
        self._verdict.add(Finding(What.ALTERED, media.path, start, end, text))


class _Proof:
    """Ties pieces to the groups of the recording's index."""

    def __init__(self, index: indexes.SegmentIndex | None) -> None:
        self._index = index

    def begin(self, piece: Piece) -> GroupHasher | None:
        hashed = self._index is not None and self._index.header.schema > 1
        return GroupHasher() if hashed and piece.group is not None else None

    def judge(self, piece: Piece, hasher: GroupHasher | None) -> str:
        """What is wrong with a piece whose own hash is right; empty: nothing."""
        if self._index is None or piece.group is None or self._index.header.schema == 1:
            return ""
        groups = self._index.groups
        if piece.group >= len(groups):
            return "its recording's index has no such group of pictures"
        group = groups[piece.group]
        if group.wall_ns // 1_000_000 != piece.start_ms:
            return "its recording's index gives it another time"
        try:
            digest = hasher.hexdigest() if hasher is not None else ""
        except ParseError:
            digest = ""
        return "" if digest == group.digest else "it is not what was recorded"


def _fed(hasher: GroupHasher, data: bytes) -> GroupHasher | None:
    try:
        hasher.feed(data)
    except ParseError:
        return None
    return hasher


class _Taker:
    """Gives a stream of chunks by counts of bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def take(self, count: int) -> Iterator[bytes]:
        while count:
            if not self._left:
                data = next(self._chunks, b"")
                if not data:
                    return
                self._left = memoryview(data)
            part, self._left = self._left[:count], self._left[count:]
            count -= len(part)
            yield bytes(part)

    def rest(self) -> Iterator[bytes]:
        yield bytes(self._left)
        self._left = memoryview(b"")
        yield from self._chunks
