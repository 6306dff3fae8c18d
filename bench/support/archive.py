"""A large archive to seek in, of few bytes: all rows, and the files that are asked for.

The catalog has a row for every hour of every camera. Of the hours that will be looked at there
are files: an index of its true size (a line for each group of 2 s), and a recording of its
true length whose bytes are there at the head, for the first three groups (what FFmpeg reads as
it opens a file), around the instant, and at the end (the cues); elsewhere it is a hole.
"""

from __future__ import annotations

import io
import os
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from vms.catalog.port import Catalog
from vms.common.model.media import Codec, CodecParameters
from vms.common.model.segment import SegmentRow
from vms.format import h264
from vms.format import index as indexes
from vms.format.annexb import split_annexb, to_length_prefixed
from vms.format.index import Group, IndexEnd, IndexHeader, SegmentIndex
from vms.format.mkv import MkvWriter, cluster_size_patch, encode_note
from vms.storage.volume import Volume, index_path

FPS, GOP_S, HOUR = 25, 2, 3600
GROUPS = HOUR // GOP_S
SECOND = 1_000_000_000
START_NS = 1_790_000_000 // HOUR * HOUR * SECOND
_SIZE = (640, 360)
_DIFFERENT = 4

Pictures = list[tuple[bool, bytes]]


@dataclass(frozen=True, slots=True)
class Media:
    """Groups of 2 s at a constant bit rate, one after another again and again."""

    parameters: CodecParameters
    groups: list[Pictures]
    sizes: list[int]
    """Bytes of each group in a file."""

    def key_size(self, group: int) -> int:
        return len(self.groups[group % _DIFFERENT][0][1])


@dataclass(frozen=True, slots=True)
class Place:
    """An instant to look for, the row whose file holds it, and the group it lies in."""

    row: SegmentRow
    at_ns: int
    group: int


def encode(bit_rate: int = 4_000_000) -> Media:
    """A few groups of H.264, filled up to the bit rate."""
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = _SIZE
    encoder.pix_fmt, encoder.bit_rate = "yuv420p", bit_rate
    encoder.time_base, encoder.framerate = Fraction(1, FPS), Fraction(FPS)
    encoder.gop_size, encoder.thread_count = FPS * GOP_S, 1
    kilobits = bit_rate // 1000
    encoder.options = {
        "preset": "ultrafast",
        "x264-params": "scenecut=0:bframes=0:log-level=none:nal-hrd=cbr:filler=1:"
        f"vbv-maxrate={kilobits}:vbv-bufsize={kilobits}",
    }
    packets = []
    noise = np.random.default_rng(1).integers(0, 255, (*_SIZE[::-1], 3), np.uint8)
    for number in range(_DIFFERENT * GOP_S * FPS):
        frame = av.VideoFrame.from_ndarray(np.roll(noise, number * 3, 1), format="rgb24")
        frame = frame.reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    pictures = [
        (bool(one.is_keyframe), to_length_prefixed(split_annexb(bytes(one)))) for one in packets
    ]
    count = FPS * GOP_S
    groups = [pictures[at : at + count] for at in range(0, len(pictures), count)]
    parameters = h264.parameters(h264.parameter_sets_in(pictures[0][1]), float(FPS))
    media = Media(parameters, groups, [])
    for number in range(_DIFFERENT):
        media.sizes.append(len(_group(media, number, 1000, START_NS)))
    return media


def _group(media: Media, number: int, offset: int, zero_ns: int) -> bytes:
    """The bytes of group `number` of a file, at `offset` in it."""
    writer = MkvWriter((media.parameters,), zero_ns)
    writer.position = offset
    out = io.BytesIO()
    first_ms = number * GOP_S * 1000
    for place, (key, data) in enumerate(media.groups[number % _DIFFERENT]):
        wall_ns = zero_ns + number * GOP_S * SECOND
        note = encode_note(wall_ns, wall_ns) if key else b""
        out.write(writer.block(1, first_ms + place * 1000 // FPS, key, len(data), note) + data)
    patches = [*writer.take_patches(), cluster_size_patch(writer.cluster, writer.position)]
    for at, patch in patches:
        out.seek(at - offset)
        out.write(patch)
    return out.getvalue()


def rows(cameras: int, days: int) -> Iterator[SegmentRow]:
    """A row for each hour of each camera, the oldest first."""
    for hour in range(days * 24):
        start_ns = START_NS + hour * HOUR * SECOND
        for number in range(cameras):
            camera = f"cam-{number}"
            name = f"{camera}/main/{hour // 24:03}/{hour % 24:02}"
            size = 1_800_000_000
            yield SegmentRow(
                uuid.UUID(int=hour << 64 | number).hex, camera, "main", "run", f"{name}.mkv",
                start_ns, start_ns + HOUR * SECOND, size, HOUR * FPS, GROUPS, Codec.H264, *_SIZE,
                True, digest="5e" * 32,
            )  # fmt: skip


async def fill(catalog: Catalog, made: Sequence[SegmentRow]) -> None:
    for at in range(0, len(made), 5000):
        await catalog.segments.add_many(made[at : at + 5000])


def places(made: Sequence[SegmentRow], count: int, seed: int = 1) -> list[Place]:
    """Instants at random, each in an hour of its own."""
    chance = random.Random(seed)
    found = []
    for row in chance.sample(made, count):
        # Not within the first or last groups, which FFmpeg reads anyhow.
        group = chance.randrange(5, GROUPS - 5)
        at_ns = row.start_ns + group * GOP_S * SECOND + chance.randrange(GOP_S * SECOND)
        found.append(Place(row, at_ns, group))
    return found


def build(volume: Volume, media: Media, place: Place, *, growing: bool = False) -> int:
    """Write the file and the index of a place; the bytes that they take on the disk.

    `growing`: as while it is written, up to a group behind the instant.
    """
    row = place.row
    header = IndexHeader(row.id, row.camera, row.stream, row.run, row.codec, *_SIZE, row.start_ns)
    writer = MkvWriter((media.parameters,), row.start_ns, row.camera, indexes.tags(header))
    offsets = [len(writer.head)]
    for number in range(GROUPS):
        offsets.append(offsets[-1] + media.sizes[number % _DIFFERENT])
    last = place.group + 2 if growing else GROUPS
    groups = [
        Group(
            row.start_ns + number * GOP_S * SECOND, row.start_ns + number * GOP_S * SECOND,
            number * GOP_S * 1000, offsets[number], offsets[number + 1] - offsets[number],
            GOP_S * FPS, 0, 1000 // FPS, f"{number:064x}",
        )
        for number in range(last)
    ]  # fmt: skip
    end = IndexEnd(row.end_ns, HOUR * 1000, offsets[-1], GROUPS * GOP_S * FPS, GROUPS)
    path = volume.path(row.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = indexes.encode(SegmentIndex(header, groups, None if growing else end))
    index_path(path).write_bytes(text)
    there = {0, 1, 2, place.group, place.group + 1, place.group + 2} & set(range(last + growing))
    with path.open("wb") as file:
        file.write(writer.head)
        for number in sorted(there):
            file.seek(offsets[number])
            file.write(_group(media, number, offsets[number], row.start_ns))
        if not growing:
            points = [(group.media_ms, group.offset) for group in groups]
            tail, patches = writer.layout.closing(offsets[GROUPS], points, HOUR * 1000)
            for at, data in [(offsets[GROUPS], tail), *patches]:
                file.seek(at)
                file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return path.stat().st_blocks * 512 + len(text)


def forget(volume: Volume, row: SegmentRow) -> None:
    """Take the files of a row out of the page cache."""
    path = volume.path(row.path)
    for one in (path, index_path(path)):
        drop(one)


def drop(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
