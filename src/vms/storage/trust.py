"""What of an index may be believed: its chain of hashes, and the bytes that it speaks of."""

from __future__ import annotations

import os
from pathlib import Path

import structlog

from vms.common.errors import ParseError
from vms.common.model.segment import MAX_SEGMENT_NS
from vms.format import index as indexes
from vms.format.index import Group, SegmentIndex
from vms.format.mkv_digest import GroupHasher
from vms.format.mkv_reader import Header
from vms.storage.volume import index_path

log = structlog.get_logger(__name__)

_CHUNK = 1 << 20
_LONGEST_MS = MAX_SEGMENT_NS // 1_000_000
DOUBTED = 8 << 20
"""Bytes at the end of what the index knows that a power cut may have kept from the disk
though the index, written later, reached it."""


def read_index(path: Path, header: Header) -> SegmentIndex | None:
    """The index beside the file, if its chain holds and it belongs to that file."""
    try:
        index = indexes.parse(read_bounded(index_path(path), indexes.MAX_BYTES))
        indexes.check(index)
    except OSError:
        return None
    except ParseError as error:
        log.warning("index is not believed, it is made anew", path=str(path), reason=str(error))
        return None
    return index if indexes.tags(index.header) == indexes.known_tags(header.tags) else None


def good_groups(descriptor: int, index: SegmentIndex, doubted: int = DOUBTED) -> int:
    """How many groups are in the file as the index says.

    Read and hashed are the last ones only, of `doubted` bytes together, and at least one.
    Raises OSError.
    """
    groups = index.groups
    if index.header.schema == 1:
        return len(groups)
    good, place = len(groups), len(groups)
    while place and doubted > 0:
        place -= 1
        group = groups[place]
        doubted -= group.size
        if not is_as_hashed(descriptor, group):
            good = place
    return good


def impossible_from(index: SegmentIndex) -> int | None:
    """Where the first group begins whose media times cannot be, None: all of them can.

    Nothing ties the bytes behind the index to a hash: a damaged time is still a number. The
    first group is never one: without it nothing would be left.
    """
    groups = index.groups
    for place, group in enumerate(groups):
        if place + 1 < len(groups):
            following = groups[place + 1]
            if not 0 <= following.media_ms - group.media_ms <= _LONGEST_MS:
                return following.offset
        # The step to the group that follows is sound, so this one lies within.
        if place and group.gap_ms > _LONGEST_MS:
            return group.offset
    return None


def is_as_hashed(descriptor: int, group: Group) -> bool:
    """Whether the group's bytes in the file are those the index speaks of. Raises OSError."""
    hasher = GroupHasher()
    at, end = group.offset, group.offset + group.size
    try:
        while at < end:
            chunk = os.pread(descriptor, min(_CHUNK, end - at), at)
            if not chunk:
                return False
            hasher.feed(chunk)
            at += len(chunk)
        return hasher.hexdigest() == group.digest
    except ParseError:
        return False


def read_bounded(path: Path, limit: int) -> bytes:
    """A whole file of at most `limit` bytes. Raises OSError, ParseError."""
    with path.open("rb", buffering=0) as file:
        # Room for the limit is not taken where the file is known to be smaller.
        most = min(os.fstat(file.fileno()).st_size, limit) + 1
        parts, size = [], 0
        while size <= limit and (part := file.read(most)):
            parts.append(part)
            size += len(part)
    if size > limit:
        raise ParseError(f"{path} has more than {limit} bytes")
    return parts[0] if len(parts) == 1 else b"".join(parts)
