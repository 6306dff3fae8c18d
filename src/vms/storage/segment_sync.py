"""What makes one recording durable: its hashes, its index, and the order of syncing.

The writing thread only puts what it wrote into `log`; all else belongs to the syncing
thread (`syncer`), step by step, so that what speaks of bytes never comes ahead of them:
the recording is synced, then the index lines of whole groups are written and synced, then
`durable` tells the catalog. The first time, the directories are synced as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog

from vms.common.errors import StorageError
from vms.common.model.segment import SegmentRow
from vms.format.index import Chain, Group, IndexEnd, IndexHeader
from vms.storage.clock_fit import ClockFit
from vms.storage.volume import Volume, index_path

log = structlog.get_logger(__name__)
T = TypeVar("T")

_START_WRITING = 2
"""SYNC_FILE_RANGE_WRITE of <linux/fs.h>."""


class SyncFailed(StorageError):
    """What was written did not reach the disk. `kept`: whether some of the file did before."""

    def __init__(self, message: str, kept: bool) -> None:
        super().__init__(message)
        self.kept = kept


class Ending(Enum):
    """How the writing thread lets go of a file."""

    CLOSE = "close"
    ABANDON = "abandon"
    """As it is: whoever mends files makes it whole."""
    DISCARD = "discard"
    """And remove it: nothing came to be in it."""


@dataclass(slots=True)
class Written:
    """What one flush put into the file. Nothing of it changes once it is in the log.

    `groups` are the groups that ended in it, each with how many of `parts` came before its
    end; `arrival_ns` is that of the oldest unit. The rest is the file as it then stood.
    """

    parts: list[bytes]
    groups: list[tuple[int, Group]]
    arrival_ns: int
    bytes: int
    size: int
    frames: int
    key_frames: int
    end_ns: int
    ending: Ending | None = None
    duration_ms: int = 0


class Hears(Protocol):
    """Who is told of files, on the syncing thread."""

    def opened(self, file: FileSync, /) -> None:
        """The file is durable for the first time."""

    def closed(self, row: SegmentRow, /) -> None:
        """It is whole and durable."""

    def broken(self, file: FileSync, /) -> None:
        """It was let go of as it is, after a failure: to be mended."""


@dataclass(slots=True, eq=False)
class FileSync:
    """One recording and its index. Fields may be read by any thread."""

    id: str
    header: IndexHeader
    volume: Volume
    path: str
    mode: str
    data: int
    index: int
    hears: Hears
    chain: Chain
    log: deque[Written] = field(default_factory=deque)
    durable: Written | None = None
    """The file as it lies on the disk; None: nothing of it is known to."""
    failed: SyncFailed | None = None
    ended: bool = False
    clock: ClockFit = field(default_factory=ClockFit)
    _taken: list[Written] = field(default_factory=list)
    _lines: list[bytes] = field(default_factory=list)
    _hash: Any = field(default_factory=sha256)
    _synced: int = 0

    def row(self, closed: bool = False) -> SegmentRow:
        """The file as the catalog is to know it: what is durable, and no more."""
        now = self.durable or _NOTHING
        header = self.header
        offset, drift = self.clock.result() if closed else (None, None)
        return SegmentRow(
            id=self.id,
            camera=header.camera,
            stream=header.stream,
            run=header.run,
            path=self.path,
            start_ns=header.start_ns,
            end_ns=max(now.end_ns, header.start_ns + 1),
            size=now.size,
            frames=now.frames,
            key_frames=now.key_frames,
            codec=header.codec,
            width=header.width,
            height=header.height,
            closed=closed,
            volume=self.volume.name,
            digest=self.chain.link if closed else "",
            clock_offset_ns=offset,
            clock_drift_ppb=drift,
            mode=self.mode,
        )

    def take(self) -> bool:
        """Take what was written since; False: nothing was. Called by the syncing thread."""
        log, taken = self.log, self._taken
        while log:
            taken.append(log.popleft())
        return bool(taken)

    @property
    def taken(self) -> list[Written]:
        return self._taken

    @property
    def ending(self) -> Ending | None:
        """How the file ends with what was taken; None: it goes on."""
        return self._taken[-1].ending if self._taken else None

    def start_writing(self) -> None:
        """Have the disk begin, and wait for nothing."""
        _sync_file_range(self.data, 0, 0, _START_WRITING)

    def hash(self) -> None:
        """Hash what was taken, and make the lines of the groups that ended in it."""
        run: list[bytes] = []
        for written in self._taken:
            done = 0
            for upto, group in written.groups:
                run += written.parts[done:upto]
                done = upto
                self._hash.update(b"".join(run))
                run = []
                self._lines.append(self.chain.group(_with_digest(group, self._hash.hexdigest())))
                self.clock.note(group.wall_ns, group.camera_ns)
                self._hash = sha256()
            run += written.parts[done:]
        self._hash.update(b"".join(run))

    def sync_data(self) -> None:
        """Raises OSError."""
        os.fdatasync(self.data)
        self._synced = self._taken[-1].size

    def write_index(self) -> None:
        """Raises OSError."""
        last = self._taken[-1]
        if last.ending is Ending.CLOSE:
            offset, drift = self.clock.result()
            self._lines.append(
                self.chain.end(
                    IndexEnd(
                        max(last.end_ns, self.header.start_ns + 1), last.duration_ms, last.size,
                        last.frames, last.key_frames, self.mode, offset, drift,
                    )
                )
            )  # fmt: skip
        if self._lines:
            rest = memoryview(b"".join(self._lines))
            while rest:
                rest = rest[os.write(self.index, rest) :]

    def sync_index(self) -> None:
        """Raises OSError."""
        if self._lines or self.durable is None:
            os.fdatasync(self.index)
        self._lines.clear()

    def settle(self) -> None:
        """All that was taken is durable: tell, and let go of the file where it ended."""
        first = self.durable is None
        self.durable = last = self._taken[-1]
        last.parts.clear()
        self._taken = []
        if first:
            _tell(self.hears.opened, self)
        if last.ending is not None:
            self.release(last.ending)

    def fail(self, error: OSError) -> SyncFailed:
        """The disk did not keep it. What is not known to be durable is believed no more.

        The kernel calls pages clean that it could not write: to sync again proves nothing.
        So the file ends where it was last durable, and what is cached of it is dropped.
        """
        kept = self.durable
        sentence = self.volume.error(f"did not keep what was written to {self.path}", error)
        self.failed = SyncFailed(str(sentence), kept is not None)
        self._cut()
        self.drop_taken()
        return self.failed

    def _cut(self) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(self.data, self._synced)
        with contextlib.suppress(OSError):
            os.posix_fadvise(self.data, 0, 0, os.POSIX_FADV_DONTNEED)

    def drop_taken(self) -> None:
        """Of a file that failed: nothing more is made durable; it may end."""
        ending = self.ending
        self._taken = []
        self._lines.clear()
        if ending is not None:
            self.release(Ending.ABANDON if self.durable else Ending.DISCARD)

    def release(self, ending: Ending) -> None:
        """Let go of the files. Their writer is unlocked by this: so it comes ahead of telling."""
        self.ended = True
        row = self.row(closed=True) if ending is Ending.CLOSE else None
        if self.failed is not None:
            # The writing thread may have written on before it saw.
            self._cut()
        for descriptor in (self.index, self.data):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        if row is not None:
            _tell(self.hears.closed, row)
        elif ending is Ending.ABANDON:
            _tell(self.hears.broken, self)
        else:
            recording = self.volume.root / self.path
            for path in (recording, index_path(recording)):
                with contextlib.suppress(OSError):
                    path.unlink()

    def folders(self) -> list[Path]:
        """The directories whose names lead to the file, the innermost first."""
        found = self.volume.root / self.path
        return [found.parents[n] for n in range(self.path.count("/") + 1)]


_NOTHING = Written([], [], 0, 0, 0, 0, 0, 0)


def _tell(hear: Callable[[T], None], news: T) -> None:
    """Who hears may be ending already: that is no fault of the file."""
    try:
        hear(news)
    except Exception as error:
        log.warning("news of a recording was not heard", error=str(error))


def _with_digest(group: Group, digest: str) -> Group:
    return Group(
        group.wall_ns, group.camera_ns, group.media_ms, group.offset, group.size,
        group.pictures, group.damaged, group.gap_ms, digest,
    )  # fmt: skip


def _find_sync_file_range() -> object:
    try:
        function = ctypes.CDLL(None).sync_file_range
    except (AttributeError, OSError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function


_found = _find_sync_file_range()


def _sync_file_range(descriptor: int, offset: int, count: int, flags: int) -> None:
    """A hint only: where it is missing or fails, syncing says what is wrong."""
    if callable(_found):
        _found(descriptor, offset, count, flags)
