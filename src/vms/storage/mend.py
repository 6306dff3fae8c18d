"""Makes recordings whole that a killed process or a refusing disk left open.

Everything that reached the file stays, up to the last whole picture or audio frame. Only
the tail is read: the groups that were written last are held against their hashes in the
index, and what stands behind the last good one is read anew. An index whose chain of hashes
is broken is not believed at all: the whole file is read. What is made whole is synced ahead
of what speaks of it: the file, then its index, then (by the caller) its row. Blocking; runs
in a thread.
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
from vms.format.index import IndexEnd, SegmentIndex
from vms.format.index_rebuild import Rebuilder
from vms.format.mkv import Layout, cluster_size_patch
from vms.format.mkv_reader import Header, MkvReader
from vms.storage.clock_fit import ClockFit
from vms.storage.metrics import SEGMENTS
from vms.storage.trust import (
    good_groups,
    impossible_from,
    read_bounded,
    read_index,
)
from vms.storage.volume import Volume, fsync_folder, index_path

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
        if _is_another(path, row):
            log.warning("recording is gone, its name was taken by another", path=row.path)
            return None
        with _locked(path) as descriptor:
            try:
                whole = _whole(descriptor, path, row.mode)
            except ParseError as error:
                return _unreadable(path, descriptor, row, error)
    except FileNotFoundError:
        log.warning("recording is gone, its row is removed", path=row.path)
        return None
    except OSError as error:
        raise volume.error(f"refuses the mending of {row.path}", error) from error
    return row_of(whole, row.path, row.volume)


def _is_another(path: Path, row: SegmentRow) -> bool:
    """Whether the file says that it is not the row's: that one never reached the disk."""
    with path.open("rb") as file:
        try:
            header, _, _ = read_head(file.fileno())
        except ParseError:
            return False
    found = header.tags.get(indexes.TAG_NAMES["segment"], "")
    return bool(found) and found != row.id


def mend_orphan(volume: Volume, relative: str) -> SegmentRow | None:
    """Make a file whole that the catalog does not know; its row, or None: nothing is left.

    Nothing is written where file and index are whole. Raises StorageError, StillWritten.
    """
    path = volume.path(relative)
    try:
        with _locked(path) as descriptor:
            try:
                whole = _whole(descriptor, path, _mode_of(path))
            except ParseError as error:
                if not _is_stump(descriptor):
                    raise StorageError(f"{path} is no recording of ours: {error}") from error
                _remove(path, relative, error)
                return None
    except OSError as error:
        raise volume.error(f"refuses the mending of {relative}", error) from error
    return row_of(whole, relative, volume.name)


def read_orphan(volume: Volume, relative: str) -> SegmentRow | None:
    """As `mend_orphan`, but writes nothing: None where the file is to be mended first.

    Raises StorageError, StillWritten.
    """
    path = volume.path(relative)
    try:
        with _locked(path, os.O_RDONLY) as descriptor:
            header, _, first = read_head(descriptor)
            index = _finished(descriptor, path, header, first)
    except ParseError as error:
        raise StorageError(f"{path} is no recording of ours: {error}") from error
    except OSError as error:
        raise volume.error(f"refuses the reading of {relative}", error) from error
    return None if index is None else row_of(index, relative, volume.name)


def row_of(index: SegmentIndex, relative: str, volume: str) -> SegmentRow:
    """The row of a closed recording, by its whole index alone."""
    header, end = index.header, index.end
    assert end is not None
    return SegmentRow(
        id=header.segment, camera=header.camera, stream=header.stream, run=header.run,
        path=relative, start_ns=header.start_ns, end_ns=end.end_ns, size=end.size,
        frames=end.frames, key_frames=end.key_frames, codec=header.codec, width=header.width,
        height=header.height, closed=True, volume=volume, digest=end.link,
        clock_offset_ns=end.clock_offset_ns, clock_drift_ppb=end.clock_drift_ppb, mode=end.mode,
    )  # fmt: skip


@contextlib.contextmanager
def _locked(path: Path, access: int = os.O_RDWR) -> Iterator[int]:
    # What is no file, such as a pipe, must not hold whoever opens it.
    flags = access | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags)
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
    if not row.frames and os.fstat(descriptor).st_size < _CHUNK:
        _remove(path, row.path, error)
        return None
    log.error("recording cannot be mended, left as it is", path=row.path, reason=str(error))
    SEGMENTS.labels("given up").inc()
    return replace(row, size=os.fstat(descriptor).st_size, closed=True)


def _is_stump(descriptor: int) -> bool:
    """Whether it is a file of ours without a picture, or nothing but zeros."""
    size = os.fstat(descriptor).st_size
    if size >= _CHUNK:
        return False
    data = os.pread(descriptor, size, 0)
    if not data.strip(b"\0"):
        return True
    reader = MkvReader()
    try:
        return not reader.feed(data) and reader.layout is not None
    except ParseError:
        return False


def _remove(path: Path, relative: str, error: ParseError) -> None:
    log.warning("recording without a picture removed", path=relative, reason=str(error))
    for gone in (path, index_path(path)):
        gone.unlink(missing_ok=True)


def _mode_of(path: Path) -> str:
    """Why the file was recorded, as far as its index says; the index may not know yet."""
    try:
        end = indexes.parse(read_bounded(index_path(path), indexes.MAX_BYTES)).end
    except (OSError, ParseError):
        end = None
    return "continuous" if end is None else end.mode


def _whole(descriptor: int, path: Path, mode: str) -> SegmentIndex:
    """The whole index of the file, which is whole as well when this returns.

    Raises ParseError where the file holds no picture of ours, OSError.
    """
    header, layout, first = read_head(descriptor)
    index = _finished(descriptor, path, header, first)
    if index is None:
        index = _mend(descriptor, path, header, layout, first, mode)
        SEGMENTS.labels("mended").inc()
        assert index.end is not None
        log.info("recording mended", path=str(path), pictures=index.end.frames, size=index.end.size)
    return index


def _finished(descriptor: int, path: Path, header: Header, first: int) -> SegmentIndex | None:
    """The index beside the file where both are whole already; None: there is work to do."""
    size = os.fstat(descriptor).st_size
    index = read_index(path, header)
    if index is None or index.end is None or index.end.size != size or not index.groups:
        return None
    if index.groups[0].offset != first or (index.tail or 0) > size:
        return None
    frames = sum(group.pictures for group in index.groups)
    if (index.end.frames, index.end.key_frames) != (frames, len(index.groups)):
        return None
    return index if len(index.groups) == good_groups(descriptor, index, 1) else None


def _mend(
    descriptor: int, path: Path, header: Header, layout: Layout | None, first: int, mode: str
) -> SegmentIndex:
    if layout is None:
        raise ParseError("its head is not as this system writes it")
    reader, rebuilder = _read(descriptor, path, header, first)
    index = rebuilder.finish()
    end = impossible_from(index)
    if end is not None:
        log.warning("recording ends in damage", offset=end, reason="a time that cannot be")
        reader, rebuilder = _read(descriptor, path, header, first, end)
        index = rebuilder.finish()
    _close_file(descriptor, layout, reader, rebuilder, index, mode)
    os.fsync(descriptor)
    _write_index(path, index)
    return index


def _read(
    descriptor: int, path: Path, header: Header, first: int, end: int | None = None
) -> tuple[MkvReader, Rebuilder]:
    """Read what the index does not know, up to offset `end` (None: all there is)."""
    known = _known_index(descriptor, path, header)
    if known is not None:
        # The last group is read again: what ended it may not have reached the file.
        start = known.groups.pop().offset
        reader = MkvReader(start, header)
        rebuilder = Rebuilder(reader, known)
        _walk(descriptor, start, rebuilder, end)
        if rebuilder.found:
            return reader, rebuilder
    # After a power cut the index may know of pictures that the file does not have.
    reader = MkvReader(first, header)
    rebuilder = Rebuilder(reader)
    _walk(descriptor, first, rebuilder, end)
    return reader, rebuilder


def _walk(descriptor: int, at: int, rebuilder: Rebuilder, end: int | None = None) -> None:
    """Read the file from `at` to `end` (None: its own), or to where it is damaged."""
    stop = os.fstat(descriptor).st_size if end is None else end
    while chunk := os.pread(descriptor, max(0, min(_CHUNK, stop - at)), at):
        at += len(chunk)
        try:
            rebuilder.feed(chunk)
        except ParseError as error:
            log.warning("recording ends in damage", offset=at, reason=str(error))
            return


def _known_index(descriptor: int, path: Path, header: Header) -> SegmentIndex | None:
    """What the index beside the file rightly says of it; None: nothing."""
    known = read_index(path, header)
    if known is None:
        return None
    known.end = None
    size = os.fstat(descriptor).st_size
    while known.groups and known.groups[-1].offset + known.groups[-1].size > size:
        known.groups.pop()
    del known.groups[good_groups(descriptor, known) :]
    return known if known.groups else None


def _close_file(
    descriptor: int,
    layout: Layout,
    reader: MkvReader,
    rebuilder: Rebuilder,
    index: SegmentIndex,
    mode: str,
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
    last, clock = index.groups[-1], ClockFit()
    for group in index.groups:
        clock.note(group.wall_ns, group.camera_ns)
    clock_offset, drift = clock.result()
    index.end = IndexEnd(
        end_ns=last.wall_ns + (duration_ms - last.media_ms) * 1_000_000,
        duration_ms=duration_ms,
        size=cues_at + len(tail),
        frames=sum(group.pictures for group in index.groups),
        key_frames=len(index.groups),
        mode=mode,
        clock_offset_ns=clock_offset,
        clock_drift_ppb=drift,
    )
    index.end = replace(index.end, link=indexes.last_link(index))


def _write_at(descriptor: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        done = os.pwrite(descriptor, rest, at)
        rest, at = rest[done:], at + done


def _write_index(path: Path, index: SegmentIndex) -> None:
    """Replace the index beside the file, at once or not at all, and durably."""
    target = index_path(path)
    draft = target.with_name(target.name + ".new")
    try:
        with draft.open("wb") as file:
            file.write(indexes.encode(index))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        fsync_folder(target.parent)
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


def rebuild_index(descriptor: int) -> SegmentIndex:
    """The index of a file from the file alone. Raises ParseError, OSError."""
    rebuilder = Rebuilder(MkvReader())
    _walk(descriptor, 0, rebuilder)
    return rebuilder.finish()
