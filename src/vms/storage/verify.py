"""Whether recordings are as they were written: file, index, chain and row against each other.

Every byte that matters is read: groups of pictures by their hashes, what stands ahead of and
behind them by what their writer would have put there. A fault names the file, and the span of
time that it touches. Blocking, but for `Verifier`, which reads in a thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from vms.common.errors import ParseError, StorageError
from vms.common.model.segment import SegmentRow
from vms.format import index as indexes
from vms.format.index import SegmentIndex
from vms.format.mkv import Layout
from vms.format.mkv_reader import Header
from vms.storage.mend import read_head
from vms.storage.trust import is_as_hashed, read_bounded
from vms.storage.volume import Volume, index_path
from vms.storage.volumes import Volumes

_MOST_SAID = 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a recording; the span is in UTC nanoseconds."""

    volume: str
    path: str
    start_ns: int
    end_ns: int
    what: str


def verify(volume: Volume, row: SegmentRow) -> list[Fault]:
    """All faults of a closed recording; none: it is as it was written.

    Raises StorageError where the disk does not let it be read.
    """
    check = _Check(volume.name, row)
    path = volume.path(row.path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return [check.fault("the file is gone")]
    except OSError as error:
        raise volume.error(f"cannot read {row.path}", error) from error
    try:
        try:
            index = indexes.parse(read_bounded(index_path(path), indexes.MAX_BYTES))
            indexes.check(index)
        except FileNotFoundError:
            return [check.fault("its index is gone (it is made anew by: vms storage rebuild)")]
        except ParseError as error:
            return [check.fault(f"its index is damaged: {error}")]
        check.run(descriptor, index)
    except OSError as error:
        raise volume.error(f"cannot read {row.path}", error) from error
    finally:
        os.close(descriptor)
    return check.faults


class _Check:
    def __init__(self, volume: str, row: SegmentRow) -> None:
        self._volume = volume
        self._row = row
        self.faults: list[Fault] = []

    def fault(self, what: str, start_ns: int | None = None, end_ns: int | None = None) -> Fault:
        row = self._row
        return Fault(
            self._volume,
            row.path,
            row.start_ns if start_ns is None else start_ns,
            row.end_ns if end_ns is None else end_ns,
            what,
        )

    def _say(self, what: str, start_ns: int | None = None, end_ns: int | None = None) -> None:
        self.faults.append(self.fault(what, start_ns, end_ns))

    def run(self, descriptor: int, index: SegmentIndex) -> None:
        self._row_against(index)
        try:
            header, layout, first = read_head(descriptor)
        except ParseError as error:
            self._say(f"its head is damaged: {error}")
        else:
            self._head_against(header, index)
            self._places(index, first)
            self._behind(descriptor, layout, index)
        self._groups(descriptor, index)

    def _row_against(self, index: SegmentIndex) -> None:
        row, end = self._row, index.end
        if end is None:
            self._say("its index has no end, though the catalog says that it is closed")
            return
        of_index = {
            "id": index.header.segment, "camera": index.header.camera,
            "stream": index.header.stream, "size": end.size, "pictures": end.frames,
            "key pictures": end.key_frames, "digest": end.link,
        }  # fmt: skip
        of_row = {
            "id": row.id, "camera": row.camera, "stream": row.stream, "size": row.size,
            "pictures": row.frames, "key pictures": row.key_frames, "digest": row.digest,
        }  # fmt: skip
        odd = [name for name, value in of_index.items() if value != of_row[name]]
        if odd:
            self._say(f"catalog and index differ: {', '.join(odd)}")

    def _head_against(self, header: Header, index: SegmentIndex) -> None:
        wanted = indexes.tags(index.header)
        if any(header.tags.get(name) != value for name, value in wanted.items()):
            self._say("its head names another recording than its index")
        track = header.tracks.get(1)
        said = index.header.codec, index.header.width, index.header.height
        if track is None or (track.codec, track.width, track.height) != said:
            self._say("its head describes other pictures than its index")

    def _places(self, index: SegmentIndex, first: int) -> None:
        """Nothing may stand between the groups: their hashes would not speak of it."""
        at = first
        for group in index.groups:
            if group.offset != at:
                self._say(
                    f"bytes {at} to {group.offset} belong to no group of pictures",
                    group.wall_ns, group.wall_ns,
                )  # fmt: skip
            at = group.offset + group.size

    def _behind(self, descriptor: int, layout: Layout | None, index: SegmentIndex) -> None:
        """Seek positions, duration and cues are as closing the file makes them."""
        end, tail_at = index.end, index.tail
        if end is None or tail_at is None:
            return
        size = os.fstat(descriptor).st_size
        if size != end.size:
            self._say(f"it has {size} bytes and should have {end.size}")
            return
        if layout is None:
            self._say("its head is not as this system writes it")
            return
        points = [(group.media_ms, group.offset) for group in index.groups]
        found = os.pread(descriptor, size - tail_at, tail_at)
        for cues in (points, ()):
            tail, patches = layout.closing(tail_at, cues, end.duration_ms)
            pieces = [(tail_at, tail), *patches]
            if len(tail) == len(found) and all(
                os.pread(descriptor, len(piece), at) == piece for at, piece in pieces
            ):
                return
        self._say("its seek positions, duration or cues were changed")

    def _groups(self, descriptor: int, index: SegmentIndex) -> None:
        """One fault for groups that follow one another."""
        if index.header.schema == 1:
            return
        began: int | None = None
        for group in index.groups:
            good = is_as_hashed(descriptor, group)
            if not good and began is None:
                began = group.wall_ns
            elif good and began is not None:
                self._say("pictures are not those that were written", began, group.wall_ns)
                began = None
        if began is not None:
            self._say("pictures are not those that were written", began)


@dataclass(slots=True)
class Verdict:
    """`size` in bytes; `unread` are recordings that the disk did not let be read, with why."""

    files: int = 0
    size: int = 0
    unhashed: int = 0
    faulty: int = 0
    faults: list[Fault] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    failures: int = 0

    @property
    def good(self) -> bool:
        return not self.faulty and not self.failures


async def verify_all(
    volumes: Volumes,
    rows: Iterable[SegmentRow],
    tell: Callable[[Verdict], None] = lambda _verdict: None,
) -> Verdict:
    """Verify the closed ones of `rows`, one after the other. `tell` is called after each."""
    verdict = Verdict()
    for row in rows:
        if not row.closed:
            continue
        try:
            found = await asyncio.to_thread(verify, volumes.of(row), row)
        except StorageError as error:
            verdict.failures += 1
            if len(verdict.unread) < _MOST_SAID:
                verdict.unread.append((row.path, str(error)))
        else:
            verdict.faulty += bool(found)
            verdict.faults += found[: max(0, _MOST_SAID - len(verdict.faults))]
        verdict.files += 1
        verdict.size += row.size
        verdict.unhashed += not row.digest
        tell(verdict)
    return verdict
