"""A whole MP4 (ISO/IEC 14496-12): the media in one `mdat`, and behind it the tables.

The media is written as it comes, each track's samples in decoding order and in chunks; then
`moov` says where everything lies and when it is shown. An edit list gives the part that is
shown, so that a file may begin between two key pictures: what lies ahead of its start is
decoded and not shown. G.711 stands as `alaw` and `ulaw` (QuickTime File Format), one byte a
sample of each channel: players show it, browsers do not.

Memory: some 24 bytes a sample while the file is written.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters, Medium
from vms.format.fmp4 import Track, box, full, media_boxes, sample_entry, track_header

MOVIE_SCALE = 90_000
_EPOCH_1904_S = 2_082_844_800
_G711 = frozenset({Codec.PCMA, Codec.PCMU})

Counts = NDArray[np.int64]


def is_g711(track: Track) -> bool:
    """Such a track has one sample for each byte."""
    return isinstance(track, CodecParameters) and track.codec in _G711


@dataclass(slots=True)
class Table:
    """What is known of one track's samples, in decoding order.

    `scale` is ticks a second. `shown` holds when each sample is shown, in ticks; of G.711 it
    stays empty. `keys` are the places of key pictures, from 0. Each chunk is (offset in the
    file, how many samples).
    """

    track: Track
    scale: int
    shown: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("I"))
    keys: array[int] = field(default_factory=lambda: array("I"))
    chunk_offsets: array[int] = field(default_factory=lambda: array("Q"))
    chunk_counts: array[int] = field(default_factory=lambda: array("I"))
    last_duration: int = 0
    """How long the last sample is shown."""

    @property
    def count(self) -> int:
        return sum(self.chunk_counts) if is_g711(self.track) else len(self.shown)


def start(media_size: int = 0) -> bytes:
    """`ftyp` and the head of `mdat`; of a fixed length, to be put in place again with
    `media_size` in bytes once that is known."""
    ftyp = box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isom", b"iso2", b"mp41")
    return ftyp + struct.pack(">I4sQ", 1, b"mdat", media_size + 16)


def movie(
    tables: Sequence[Table], from_ns: int, until_ns: int, start_ns: int = 0, title: str = ""
) -> bytes:
    """`moov` of a file that shows its media from `from_ns` until `until_ns`.

    Both are on the line of `shown`. `start_ns` is UTC of what is shown first. Raises
    ParseError where a track has no sample entry.
    """
    wanted = [table for table in tables if table.count]
    if not wanted:
        raise ParseError("an MP4 needs at least one sample")
    lasts = _ticks(until_ns - from_ns, MOVIE_SCALE)
    made = min((1 << 32) - 1, start_ns // 10**9 + _EPOCH_1904_S) if start_ns else 0
    header = full(
        b"mvhd", 1, 0,
        struct.pack(">QQIQ", made, made, MOVIE_SCALE, lasts),
        struct.pack(">IH10x9I24xI", 0x10000, 0x100, 0x10000, 0, 0, 0, 0x10000, 0, 0, 0,
                    0x40000000, len(wanted) + 1),
    )  # fmt: skip
    traks = [_trak(n, table, from_ns, lasts) for n, table in enumerate(wanted, 1)]
    name = _title(title) if title else b""
    return box(b"moov", header, *traks, name)


def _title(title: str) -> bytes:
    data = box(b"data", struct.pack(">II", 1, 0), title.encode())
    handler = full(b"hdlr", 0, 0, bytes(4), b"mdirappl", bytes(9))
    meta = full(b"meta", 0, 0, handler, box(b"ilst", box(b"\xa9nam", data)))
    return box(b"udta", meta)


def _ticks(time_ns: int, scale: int) -> int:
    return (time_ns * scale + 500_000_000) // 1_000_000_000


def _trak(number: int, table: Table, from_ns: int, lasts: int) -> bytes:
    decoded, offsets, delay = _times(table)
    durations = np.append(np.diff(decoded), max(1, table.last_duration))
    begins = _ticks(from_ns, table.scale)
    first = int(decoded[0]) if len(decoded) else 0
    whole = int(durations.sum()) if len(decoded) else table.count
    parts = [
        full(b"stsd", 0, 0, struct.pack(">I", 1), sample_entry(table.track)),
        _stts(durations) if len(decoded) else _runs(b"stts", [(table.count, 1)]),
    ]
    if delay or (len(offsets) and offsets.any()):
        parts.append(_runs(b"ctts", _run_lengths(offsets)))
    if table.track.medium is Medium.VIDEO:
        parts.append(_words(b"stss", np.frombuffer(table.keys, np.uint32) + 1))
    parts += [_stsc(table), _stsz(table), _co64(table)]
    return box(
        b"trak",
        track_header(number, table.track, lasts),
        box(b"edts", _elst(begins - first, delay, lasts, table.scale)),
        media_boxes(table.track, table.scale, whole, box(b"stbl", *parts)),
    )


def _times(table: Table) -> tuple[Counts, Counts, int]:
    """(times of decoding, how much later each is shown, what was added to all of these).

    Samples come in decoding order, so the n-th is decoded when the n-th earliest is shown.
    """
    shown = np.frombuffer(table.shown, np.int64).astype(np.int64)
    if table.track.medium is Medium.AUDIO or not len(shown):
        return shown, np.zeros(0, np.int64), 0
    place = np.arange(len(shown))
    decoded = np.maximum.accumulate(np.sort(shown) - place) + place
    offsets = shown - decoded
    delay = int(max(0, -offsets.min()))
    return decoded, offsets + delay, delay


def _elst(skipped: int, delay: int, lasts: int, scale: int) -> bytes:
    """Shows `lasts` ticks of the movie from `skipped` ticks of the track on."""
    edits = b""
    if skipped < 0:
        wait = -skipped * MOVIE_SCALE // scale
        edits = struct.pack(">QqI", wait, -1, 0x10000)
        lasts, skipped = max(0, lasts - wait), 0
    edits += struct.pack(">QqI", lasts, skipped + delay, 0x10000)
    return full(b"elst", 1, 0, struct.pack(">I", len(edits) // 20), edits)


def _run_lengths(values: Counts) -> list[tuple[int, int]]:
    changes = np.flatnonzero(np.diff(values)) + 1
    starts = np.concatenate(([0], changes))
    counts = np.diff(np.append(starts, len(values)))
    return list(zip(counts.tolist(), values[starts].tolist(), strict=True))


def _stts(durations: Counts) -> bytes:
    return _runs(b"stts", _run_lengths(durations))


def _runs(kind: bytes, runs: Sequence[tuple[int, int]]) -> bytes:
    table = np.array(runs, dtype=">u4").tobytes()
    return full(kind, 0, 0, struct.pack(">I", len(runs)), table)


def _words(kind: bytes, values: Any) -> bytes:
    return full(kind, 0, 0, struct.pack(">I", len(values)), values.astype(">u4").tobytes())


def _stsc(table: Table) -> bytes:
    counts = np.frombuffer(table.chunk_counts, np.uint32).astype(np.int64)
    rows, first = [], 1
    for run, samples in _run_lengths(counts):
        rows.append((first, samples, 1))
        first += run
    body = np.array(rows, dtype=">u4").tobytes()
    return full(b"stsc", 0, 0, struct.pack(">I", len(rows)), body)


def _stsz(table: Table) -> bytes:
    if is_g711(table.track):
        channels = table.track.channels if isinstance(table.track, CodecParameters) else 1
        return full(b"stsz", 0, 0, struct.pack(">II", channels or 1, table.count))
    sizes = np.frombuffer(table.sizes, np.uint32).astype(">u4").tobytes()
    return full(b"stsz", 0, 0, struct.pack(">II", 0, len(table.sizes)), sizes)


def _co64(table: Table) -> bytes:
    offsets = np.frombuffer(table.chunk_offsets, np.uint64).astype(">u8").tobytes()
    return full(b"co64", 0, 0, struct.pack(">I", len(table.chunk_offsets)), offsets)
