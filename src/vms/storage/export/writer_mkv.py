"""A cut of a recording whose groups of pictures are the recording's very bytes.

Only the head and the cues are made anew. Times in the file go on counting from the zero of
the recording, since they stand in the bytes that are kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from vms.common.errors import ParseError, StorageError
from vms.format import index as indexes
from vms.format.mkv import MkvWriter, cluster_size_patch
from vms.format.mkv_digest import GroupHasher
from vms.format.mkv_reader import Header, MkvReader
from vms.storage.export.case import Slot
from vms.storage.export.pieces import Piece
from vms.storage.export.planner import FilePlan, groups_of
from vms.storage.footage import VolumeOf
from vms.storage.recording import Recording
from vms.storage.volume import Volume

_CHUNK = 1 << 20


def write_mkv(
    plan: FilePlan,
    volume_of: VolumeOf,
    slot: Slot,
    title: str,
    altered: Callable[[indexes.Group], None] = lambda _: None,
) -> list[Piece]:
    """Write it; its pieces, one for each group. Raises NotFound, StorageError, OSError.

    `altered` is told of each group whose bytes are not those that were hashed as it was
    recorded. It is written all the same: whoever verifies it finds out as well.
    """
    (part,) = plan.parts
    volume = volume_of(part.row)
    with Recording(volume, part.row) as recording:
        groups, header = groups_of(recording, part), recording.index.header
        ends = [*(group.wall_ns for group in groups[1:]), plan.end_ns]
        tracks = recording.tracks
        if sorted(tracks) != list(range(1, len(tracks) + 1)):
            raise StorageError(f"the recording {part.row.path} has tracks that are not ours")
        writer = MkvWriter(
            [tracks[number] for number in sorted(tracks)],
            recording.header.date_ns or header.start_ns,
            title,
            indexes.tags(header),
        )
        slot.write(writer.head)
        pieces, points = [Piece(0, slot.position)], []
        with _opened(volume, part.row.path) as source:
            for number, (group, ends_ns) in enumerate(zip(groups, ends, strict=True), part.first):
                at = slot.position
                if not _copy(source, group, slot, part.row.path):
                    altered(group)
                points.append((group.media_ms, at))
                pieces.append(
                    Piece(at, group.size, group.wall_ns // 10**6, -(-ends_ns // 10**6), number)
                )
            _give_sizes(source, groups[-1], recording.header, slot)
        duration_ms = groups[-1].media_ms + (plan.end_ns - groups[-1].wall_ns) // 10**6
    cues_at = slot.position
    tail, patches = writer.layout.closing(cues_at, points, duration_ms)
    slot.write(tail)
    for offset, data in patches:
        slot.patch(offset, data)
    if tail:
        pieces.append(Piece(cues_at, len(tail)))
    return pieces


class _Source:
    def __init__(self, volume: Volume, path: str) -> None:
        try:
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
            self.descriptor = os.open(volume.path(path), flags)
        except OSError as error:
            raise volume.error(f"cannot read {path}", error) from error

    def __enter__(self) -> int:
        return self.descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


_opened = _Source


def _copy(source: int, group: indexes.Group, slot: Slot, path: str) -> bool:
    """Whether they are the bytes that the index speaks of, as far as it has hashes."""
    at, end = group.offset, group.offset + group.size
    hasher = GroupHasher() if group.digest else None
    while at < end:
        data = os.pread(source, min(_CHUNK, end - at), at)
        if not data:
            raise StorageError(f"the recording {path} ends early, at {at}")
        slot.write(data)
        hasher = _fed(hasher, data)
        at += len(data)
    if not group.digest:
        return True
    try:
        return hasher is not None and hasher.hexdigest() == group.digest
    except ParseError:
        return False


def _fed(hasher: GroupHasher | None, data: bytes) -> GroupHasher | None:
    try:
        if hasher is not None:
            hasher.feed(data)
    except ParseError:
        return None
    return hasher


def _give_sizes(source: int, group: indexes.Group, header: Header, slot: Slot) -> None:
    """The last cluster of a file that grows may have no size yet: behind it come cues here.

    A group's hash takes each cluster's size as unknown, so that this changes no hash.
    """
    reader = MkvReader(group.offset, header)
    at, end = group.offset, group.offset + group.size
    while at < end:
        data = os.pread(source, min(_CHUNK, end - at), at)
        if not data:
            return
        reader.feed(data)
        at += len(data)
    moved = slot.position - end
    unsized = list(reader.unsized)
    if reader.open_cluster and reader.cluster is not None:
        unsized.append((reader.cluster, end))
    for cluster, cluster_end in unsized:
        slot.patch(*cluster_size_patch(cluster + moved, cluster_end + moved))
