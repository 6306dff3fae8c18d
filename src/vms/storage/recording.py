"""A recording opened for reading, also while it grows. Blocking; used in threads."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from threading import Lock
from typing import TypeVar

from vms.common.errors import NotFound, ParseError, StorageError
from vms.common.model.media import CodecParameters
from vms.common.model.segment import SegmentRow
from vms.format import index as indexes
from vms.format import index_quick
from vms.format.index import Group, IndexHeader, SegmentIndex
from vms.format.index_quick import Groups, QuickIndex
from vms.format.index_rebuild import Rebuilder
from vms.format.mkv_reader import Block, MkvReader
from vms.storage.mend import read_head, rebuild_index
from vms.storage.trust import read_bounded
from vms.storage.volume import Volume, index_path

T = TypeVar("T")

_FIRST_READ = 1 << 17
_READ = 1 << 20
"""The first picture is shown by little; what follows is read in ever larger pieces."""
_MAX_CACHED = 16


class Recording:
    """One file and its index. `close` it, or use it in a `with`.

    `index` holds the groups that are whole. `growing` is the group behind them, as far as
    it is in the file now: a file being written has one, and so has a file cut off. Of the
    index's file only what is used is looked at; where that is not as it should be, the index
    is made again from the recording.
    """

    def __init__(self, volume: Volume, row: SegmentRow) -> None:
        """Raises NotFound where the file is gone, StorageError where it cannot be read."""
        self.row = row
        path = volume.path(row.path)
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise NotFound(f"the recording {row.path} is gone from volume {volume.root}") from None
        except OSError as error:
            raise volume.error(f"cannot read {row.path}", error) from error
        try:
            self.header, _, self._first = read_head(self._descriptor)
            self.growing: Group | None = None
            self.end_ns = row.end_ns
            self._take(self._read_index(volume))
        except ParseError as error:
            self.close()
            raise StorageError(f"the recording {row.path} cannot be read: {error}") from error
        except OSError as error:
            self.close()
            raise volume.error(f"cannot read {row.path}", error) from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    @property
    def index(self) -> QuickIndex:
        """All of it, looked at. The methods here take less time. Raises StorageError."""
        self._of_groups(lambda _: self._index.look())
        return self._index

    @property
    def index_header(self) -> IndexHeader:
        return self._index.header

    @property
    def whole_groups(self) -> int:
        """How many groups are whole."""
        return len(self._index.groups)

    @property
    def tail(self) -> int:
        """Where the whole groups end in the file."""
        last = self._of_groups(lambda groups: groups[-1] if groups else None)
        return last.offset + last.size if last else 0

    @property
    def tracks(self) -> dict[int, CodecParameters]:
        """Parameters by the track's number in the file."""
        return self.header.tracks

    def _read_index(self, volume: Volume) -> QuickIndex:
        path = index_path(volume.path(self.row.path))
        try:
            stat = os.stat(path)
            key = (str(path), stat.st_mtime_ns, stat.st_size)
            index = _CACHE.get(key)
            if index is None:
                index = index_quick.read(read_bounded(path, indexes.MAX_BYTES))
                if index.end is not None:
                    _CACHE.put(key, index)
            if index.header.camera == self.row.camera and index.header.stream == self.row.stream:
                return index
        except (OSError, ParseError):
            pass
        return index_quick.of(rebuild_index(self._descriptor))

    def _take(self, index: QuickIndex) -> None:
        """Raises ParseError where it holds no picture."""
        self._index = index
        if index.end is not None:
            self.end_ns = index.end.end_ns
        else:
            self._read_tail(index)
        if not self._index.groups and self.growing is None:
            raise ParseError("it holds no picture")

    def _of_groups(self, use: Callable[[Groups], T]) -> T:
        """What `use` makes of the whole groups: once more where the index is not believed."""
        try:
            return use(self._index.groups)
        except ParseError:
            pass
        try:
            self.growing = None
            self._take(index_quick.of(rebuild_index(self._descriptor)))
            return use(self._index.groups)
        except (OSError, ParseError) as error:
            raise StorageError(f"the recording {self.row.path} cannot be read: {error}") from error

    def _read_tail(self, index: QuickIndex) -> None:
        """Find what is in the file behind the index, and when its last picture was."""
        groups = index.groups
        start = groups[-1].offset if groups else self._first
        # One group before those that are read: what can be is judged by it.
        before = groups[-2:-1]
        known = SegmentIndex(index.header, before)
        reader = MkvReader(start, self.header)
        rebuilder = Rebuilder(reader, known)
        for chunk in self._chunks(start, None):
            try:
                rebuilder.feed(chunk)
            except ParseError:
                break
        read = rebuilder.finish().groups
        last = read[-1]
        shown_ms = rebuilder.last_ms + rebuilder.interval_ms - last.media_ms
        self.end_ns = last.wall_ns + shown_ms * 1_000_000
        self.growing = last
        whole = max(0, len(groups) - 1)
        self._index = QuickIndex(
            index.header, groups.followed_by(whole, read[len(before) : -1]), None, index.whole
        )

    def _chunks(self, start: int, end: int | None) -> Iterator[bytes]:
        at, size = start, _FIRST_READ
        while end is None or at < end:
            want = size if end is None else min(size, end - at)
            chunk = os.pread(self._descriptor, want, at)
            if not chunk:
                return
            at += len(chunk)
            size = min(size * 2, _READ)
            yield chunk

    def groups(self) -> list[Group]:
        """All groups, the growing one last. `first` and `between` give some in less time."""
        return self.between(0, 1 << 62)

    def first(self, count: int) -> list[Group]:
        """The first groups, `count` of them or as many as there are."""
        found = self._of_groups(lambda groups: groups[:count])
        if self.growing is not None and len(found) < count:
            found.append(self.growing)
        return found

    def between(self, start: int, end: int) -> list[Group]:
        """The groups that begin at or behind offset `start` and before `end`."""
        found = self._of_groups(
            lambda groups: groups[groups.ahead_of(start) : groups.ahead_of(end)]
        )
        growing = self.growing
        if growing is not None and start <= growing.offset < end:
            found.append(growing)
        return found

    def at(self, wall_ns: int) -> Group:
        """The group that holds the instant; the first where all begin later."""
        found = self._of_groups(lambda groups: _at(groups, wall_ns))
        growing = self.growing
        if growing is not None and (found is None or wall_ns >= growing.wall_ns):
            return growing
        return found or self.first(1)[0]

    def next(self, wall_ns: int, beyond_ns: int = -1) -> Group | None:
        """The first whole group that begins at or after `wall_ns`, and after `beyond_ns`."""

        def find(groups: Groups) -> Group | None:
            place = max(groups.before(wall_ns), groups.until(beyond_ns))
            return groups[place] if place < len(groups) else None

        return self._of_groups(find)

    def blocks(self, start: int, end: int) -> Iterator[list[Block]]:
        """The blocks of whole groups from offset `start` to `end`, a piece at a time.

        Ends early where the file does. Raises StorageError.
        """
        reader = MkvReader(start, self.header)
        try:
            for chunk in self._chunks(start, end):
                yield reader.feed(chunk)
        except (OSError, ParseError) as error:
            raise StorageError(f"the recording {self.row.path} breaks off: {error}") from error

    def key_block(self, group: Group) -> Block:
        """The first picture of a group, which decodes alone. Raises StorageError."""
        for blocks in self.blocks(group.offset, group.offset + group.size):
            for block in blocks:
                if block.track == 1:
                    return block
        raise StorageError(f"the recording {self.row.path} has no picture at {group.offset}")


def _at(groups: Groups, wall_ns: int) -> Group | None:
    """The last that begins at or before the instant, else the first; None: there is none."""
    return groups[max(0, groups.until(wall_ns) - 1)] if groups else None


class _Cache:
    """Indexes of closed recordings, parsed: they do not change."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._rows: OrderedDict[tuple[str, int, int], QuickIndex] = OrderedDict()

    def get(self, key: tuple[str, int, int]) -> QuickIndex | None:
        with self._lock:
            found = self._rows.get(key)
            if found is not None:
                self._rows.move_to_end(key)
            return found

    def put(self, key: tuple[str, int, int], index: QuickIndex) -> None:
        with self._lock:
            self._rows[key] = index
            while len(self._rows) > self._limit:
                self._rows.popitem(last=False)


_CACHE = _Cache(_MAX_CACHED)
