"""Makes recordings whole that a killed process or a refusing disk left open.

Everything that reached the file stays, up to the last whole picture or audio frame. Only
the tail is read: from the last group that the index knows. Blocking; runs in a thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import structlog

from vms.common.errors import ParseError, StorageError
from vms.common.model.segment import SegmentRow
from vms.format import index as indexes
from vms.format.index import IndexEnd, Rebuilder, SegmentIndex
from vms.format.mkv import Layout, cluster_size_patch
from vms.format.mkv_reader import Header, MkvReader
from vms.storage.metrics import SEGMENTS
from vms.storage.volume import Volume, index_path

log = structlog.get_logger(__name__)

_CHUNK = 1 << 20
_MAX_HEAD = 8 << 20


class StillWritten(StorageError):
    """A living process has the file open for recording."""


def mend_row(volume: Volume, row: SegmentRow) -> SegmentRow | None:
    """Make the file of an open row whole; the closed row, or None where nothing is left.

    A file that holds no picture is removed. Raises StorageError, StillWritten.
    """
    path = volume.path(row.path)
    try:
        with _locked(path) as descriptor:
            try:
                index = _mend(descriptor, path)
            except ParseError as error:
                return _unreadable(path, descriptor, row, error)
    except FileNotFoundError:
        log.warning("recording is gone, its row is removed", path=row.path)
        return None
    except OSError as error:
        raise volume.error(f"refuses the mending of {row.path}", error) from error
    SEGMENTS.labels("mended").inc()
    end = index.end
    assert end is not None
    log.info("recording mended", path=row.path, pictures=end.frames, size=end.size)
    return replace(
        row, end_ns=end.end_ns, size=end.size, frames=end.frames, key_frames=end.key_frames,
        closed=True,
    )  # fmt: skip


def mend_orphan(volume: Volume, relative: str) -> SegmentRow | None:
    """Make a file whole that the catalog does not know; its row, or None: nothing is left.

    Raises StorageError, StillWritten.
    """
    path = volume.path(relative)
    try:
        with _locked(path) as descriptor:
            index = _mend(descriptor, path)
    except ParseError as error:
        raise StorageError(f"{path} is no recording of ours: {error}") from error
    except OSError as error:
        raise volume.error(f"refuses the mending of {relative}", error) from error
    end, header = index.end, index.header
    assert end is not None
    SEGMENTS.labels("mended").inc()
    return SegmentRow(
        id=header.segment, camera=header.camera, stream=header.stream, run=header.run,
        path=relative, start_ns=header.start_ns, end_ns=end.end_ns, size=end.size,
        frames=end.frames, key_frames=end.key_frames, codec=header.codec, width=header.width,
        height=header.height, closed=True,
    )  # fmt: skip


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StillWritten(f"{path} is being written by a living process") from None
        yield descriptor
    finally:
        os.close(descriptor)


def _unreadable(
    path: Path, descriptor: int, row: SegmentRow, error: ParseError
) -> SegmentRow | None:
    size = os.fstat(descriptor).st_size
    if not row.frames and size < _CHUNK:
        log.warning("recording without a picture removed", path=row.path, reason=str(error))
        for gone in (path, index_path(path)):
            gone.unlink(missing_ok=True)
        return None
    log.error("recording cannot be mended, left as it is", path=row.path, reason=str(error))
    SEGMENTS.labels("given up").inc()
    return replace(row, size=size, closed=True)


def _mend(descriptor: int, path: Path) -> SegmentIndex:
    """The whole index of the file, which is whole as well when this returns.

    Raises ParseError where the file holds no picture of ours, OSError.
    """
    header, layout, first = read_head(descriptor)
    if layout is None:
        raise ParseError("its head is not as this system writes it")
    reader, rebuilder = MkvReader(first, header), None
    known = _known_index(path, header, os.fstat(descriptor).st_size)
    if known is not None:
        # The last group is read again: what ended it may not have reached the file.
        start = known.groups.pop().offset
        reader = MkvReader(start, header)
        rebuilder = Rebuilder(reader, known)
        _walk(descriptor, start, rebuilder)
    if rebuilder is None or not rebuilder.found:
        # After a power cut the index may know of pictures that the file does not have.
        reader = MkvReader(first, header)
        rebuilder = Rebuilder(reader)
        _walk(descriptor, first, rebuilder)
    index = rebuilder.finish()
    _close_file(descriptor, layout, reader, rebuilder, index)
    _write_index(path, index)
    return index


def _walk(descriptor: int, at: int, rebuilder: Rebuilder) -> None:
    """Read the file from `at` to its end, or to where it is damaged."""
    while chunk := os.pread(descriptor, _CHUNK, at):
        at += len(chunk)
        try:
            rebuilder.feed(chunk)
        except ParseError as error:
            log.warning("recording ends in damage", offset=at, reason=str(error))
            return


def _known_index(path: Path, header: Header, size: int) -> SegmentIndex | None:
    """What the index beside the file says of its first `size` bytes, if it belongs to it."""
    try:
        known = indexes.parse(read_bounded(index_path(path), indexes.MAX_BYTES))
    except (OSError, ParseError):
        return None
    if indexes.tags(known.header) != {
        name: value for name, value in header.tags.items() if name.startswith("VMS_")
    }:
        return None
    known.end = None
    while known.groups and known.groups[-1].offset + known.groups[-1].size > size:
        known.groups.pop()
    return known if known.groups else None


def _close_file(
    descriptor: int, layout: Layout, reader: MkvReader, rebuilder: Rebuilder, index: SegmentIndex
) -> None:
    duration_ms = rebuilder.last_ms + rebuilder.interval_ms
    cues_at = reader.behind or reader.whole_end
    os.ftruncate(descriptor, cues_at)
    points = [(group.media_ms, group.offset) for group in index.groups]
    tail, patches = layout.closing(cues_at, points, duration_ms)
    try:
        _write_at(descriptor, tail, cues_at)
    except OSError:
        # No room for cues: players seek without them, only more slowly.
        os.ftruncate(descriptor, cues_at)
        tail, patches = layout.closing(cues_at, (), duration_ms)
    for cluster, end in reader.unsized:
        patches.append(cluster_size_patch(cluster, end))
    for offset, piece in patches:
        os.pwrite(descriptor, piece, offset)
    last = index.groups[-1]
    index.end = IndexEnd(
        end_ns=last.wall_ns + (duration_ms - last.media_ms) * 1_000_000,
        duration_ms=duration_ms,
        size=cues_at + len(tail),
        frames=sum(group.pictures for group in index.groups),
        key_frames=len(index.groups),
    )


def _write_at(descriptor: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        done = os.pwrite(descriptor, rest, at)
        rest, at = rest[done:], at + done


def _write_index(path: Path, index: SegmentIndex) -> None:
    """Replace the index beside the file, at once or not at all."""
    target = index_path(path)
    draft = target.with_name(target.name + ".new")
    try:
        draft.write_bytes(indexes.encode(index))
        draft.replace(target)
    except OSError as error:
        # The file is whole; its index is made again when somebody needs it.
        log.warning("index not written", path=str(target), error=str(error))
        with contextlib.suppress(OSError):
            draft.unlink()


def read_head(descriptor: int) -> tuple[Header, Layout | None, int]:
    """(what stands ahead of the clusters, where it stands, the first cluster's offset).

    Raises ParseError where there is no cluster, OSError.
    """
    reader = MkvReader()
    at = 0
    while reader.first_cluster is None and at < _MAX_HEAD:
        chunk = os.pread(descriptor, 1 << 14, at)
        if not chunk:
            break
        at += len(chunk)
        try:
            reader.feed(chunk)
        except ParseError:
            if reader.first_cluster is None:
                raise
    if reader.first_cluster is None:
        raise ParseError("a file without a picture")
    return reader.header, reader.layout, reader.first_cluster


def read_bounded(path: Path, limit: int) -> bytes:
    """A whole file of at most `limit` bytes. Raises OSError, ParseError."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ParseError(f"{path} has more than {limit} bytes")
    return data


def rebuild_index(descriptor: int) -> SegmentIndex:
    """The index of a file from the file alone. Raises ParseError, OSError."""
    rebuilder = Rebuilder(MkvReader())
    _walk(descriptor, 0, rebuilder)
    return rebuilder.finish()
