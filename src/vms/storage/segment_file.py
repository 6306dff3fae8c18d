"""One recording being written: the MKV file. Thread side.

Units are placed with `add` and reach the file with `flush`: one system call for all of
them, straight from the bytes that the camera sent. What has been flushed survives the
death of the process; `syncer` makes it durable, writes the index beside it, and tells.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Sequence
from typing import Protocol

from vms.common.model.media import AccessUnit, CodecParameters
from vms.common.model.segment import SegmentRow
from vms.format import index as indexes
from vms.format.index import Chain, Group, IndexHeader, largest_step
from vms.format.mkv import MkvWriter, Patch, encode_note
from vms.storage.segment_sync import Ending, FileSync, Hears, Written
from vms.storage.volume import Volume, index_path

_IOV_MAX = 1000
MAX_UNIT = 64 * 1024 * 1024
"""A unit above this is not written: what reads the file would refuse it."""


class Keeper(Protocol):
    """What makes files durable: `syncer.Syncer`."""

    @property
    def full(self) -> bool: ...

    def add(self, file: FileSync, /) -> None: ...

    def grew(self, count: int, /) -> None: ...


class SegmentFile:
    """Open, being written; after `close`, `abandon`, `discard` or a StorageError it is spent."""

    __slots__ = ("_damaged", "_ended", "_group_at", "_group_camera_ns", "_group_ms",
                 "_group_wall_ns", "_groups", "_interval_ms", "_keeper", "_mkv", "_oldest_ns",
                 "_parts", "_times", "_volume", "_writer", "frames", "header", "id",
                 "key_frames", "last_wall_ns", "max_ms", "path", "size", "sync")  # fmt: skip

    def __init__(
        self,
        volume: Volume,
        key: AccessUnit,
        tracks: Sequence[CodecParameters],
        lead_ms: int,
        on_the_hour: bool,
        keeper: Keeper,
        hears: Hears,
        mode: str = "continuous",
    ) -> None:
        """Create the files for a recording that begins with the picture `key`.

        `tracks[0]` are its parameters; `mode` is why it is recorded, as the index says it.
        `hears` is told of it by whoever runs `keeper`. Raises StorageError, ParseError.
        """
        self.id = uuid.uuid4().hex
        # The file's zero lies `lead_ms` ahead of its first key picture.
        self.header = IndexHeader(
            self.id,
            key.camera,
            key.stream,
            key.run,
            key.parameters.codec,
            key.parameters.width,
            key.parameters.height,
            key.arrival_ns,
            max(0, key.pts_ns - lead_ms * 1_000_000),
        )
        self._writer = MkvWriter(
            tracks,
            key.arrival_ns - lead_ms * 1_000_000,
            f"{key.camera} {key.stream}",
            indexes.tags(self.header),
            bytes.fromhex(self.id),
        )
        self._volume = volume
        self._keeper = keeper
        self.size = 0
        self.frames = 0
        self.key_frames = 0
        self.max_ms = lead_ms
        self.last_wall_ns = key.arrival_ns
        self._parts: list[bytes] = []
        self._groups: list[tuple[int, Group]] = []
        self._oldest_ns = 0
        self._times: list[int] = []
        self._damaged = 0
        self._group_at = 0
        self._group_ms = lead_ms
        self._group_wall_ns = 0
        self._group_camera_ns: int | None = None
        self._interval_ms = indexes.DEFAULT_INTERVAL_MS
        self._ended = False
        self.path, self._mkv = volume.create(key.camera, key.stream, key.arrival_ns, on_the_hour)
        self.sync = self._begin(hears, mode)
        keeper.add(self.sync)

    def _begin(self, hears: Hears, mode: str) -> FileSync:
        """Write the heads of both files. Raises StorageError; they are gone then."""
        recording = self._volume.root / self.path
        chain = Chain(self.header)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        index = -1
        try:
            index = os.open(index_path(recording), flags, 0o640)
            _write_all(self._mkv, self._writer.head)
            _write_all(index, chain.head)
        except OSError as error:
            for descriptor in (self._mkv, index):
                if descriptor >= 0:
                    os.close(descriptor)
            for path in (recording, index_path(recording)):
                with contextlib.suppress(OSError):
                    path.unlink()
            raise self._volume.error("refuses a new recording", error) from error
        self.size = len(self._writer.head)
        return FileSync(
            self.id, self.header, self._volume, self.path, mode, self._mkv, index, hears, chain
        )

    def add(self, unit: AccessUnit, track: int, ms: int) -> None:
        """Place one unit of the file's track number `track` at `ms` (at least 0)."""
        data = unit.data
        note = b""
        if track == 1:
            if unit.key:
                note = self._begin_group(unit, ms)
            self.frames += 1
            self._times.append(ms)
            if unit.damaged:
                self._damaged += 1
            if ms > self.max_ms:
                self.max_ms = ms
            self.last_wall_ns = unit.arrival_ns
        if not self._parts:
            self._oldest_ns = unit.arrival_ns
        self._parts.append(self._writer.block(track, ms, unit.key, len(data), note))
        self._parts.append(data)

    def _begin_group(self, unit: AccessUnit, ms: int) -> bytes:
        """Finish the group before; returns the note ahead of the new key picture."""
        at = self._writer.position
        self._finish_group(at, ms)
        self.key_frames += 1
        self._group_at = at
        self._group_ms = ms
        # Readers search by these times, so that they never run backwards.
        self._group_wall_ns = max(self._group_wall_ns, unit.arrival_ns)
        camera = unit.capture_ns
        self._group_camera_ns = camera if camera is not None and camera >= 0 else None
        return encode_note(self._group_wall_ns, self._group_camera_ns)

    def _finish_group(self, end: int, next_ms: int | None) -> None:
        """The group that is open, if any, ends at offset `end`, ahead of what comes next."""
        times = self._times
        if not times:
            return
        if len(times) > 1 and self.max_ms > self._group_ms:
            self._interval_ms = max(1, (self.max_ms - self._group_ms) // (len(times) - 1))
        group = Group(
            self._group_wall_ns,
            self._group_camera_ns,
            self._group_ms,
            self._group_at,
            end - self._group_at,
            len(times),
            self._damaged,
            largest_step(times, next_ms),
        )
        self._groups.append((len(self._parts), group))
        self._times = []
        self._damaged = 0

    def flush(self) -> None:
        """Hand everything placed to the kernel. Raises StorageError; the file is then spent.

        Raises as well where what was handed over before did not reach the disk.
        """
        failed = self.sync.failed
        if failed is not None:
            raise failed
        parts, groups = self._parts, self._groups
        if not parts:
            return
        self._parts, self._groups = [], []
        before = self.size
        try:
            self._write_parts(parts)
            self.size = self._writer.position
            self._patch(self._writer.take_patches())
        except OSError as error:
            raise self._volume.error(f"refuses to take more of {self.path}", error) from error
        end = self.last_wall_ns + self._interval_ms * 1_000_000
        grown = self.size - before
        self._log(Written(
            parts, groups, self._oldest_ns, grown, self.size, self.frames, self.key_frames, end,
        ))  # fmt: skip

    def _write_parts(self, parts: Sequence[bytes]) -> None:
        done = os.writev(self._mkv, parts) if len(parts) <= _IOV_MAX else 0
        if done != self._writer.position - self.size:
            # The kernel took only a part, as it does where a disk is nearly full.
            _write_all(self._mkv, memoryview(b"".join(parts))[done:])

    def _log(self, written: Written) -> None:
        self._ended = written.ending is not None
        self.sync.log.append(written)
        self._keeper.grew(written.bytes)

    def _patch(self, patches: Sequence[Patch]) -> None:
        for offset, piece in patches:
            os.pwrite(self._mkv, piece, offset)

    @property
    def full(self) -> bool:
        """Whether the disk is too far behind for more to be written."""
        return self._keeper.full

    @property
    def interval_ms(self) -> int:
        """How long one picture is shown, from the last whole group."""
        return self._interval_ms

    def row(self) -> SegmentRow:
        """The file as the catalog is to know it now: what is durable. Any thread may ask."""
        return self.sync.row()

    def close(self, end_ns: int | None = None) -> None:
        """Make the file whole. `end_ns`: when what follows it begins. Raises StorageError.

        It is closed, and its watcher told, once it is durable.
        """
        try:
            self.flush()
            self._finish_group(self.size, None)
            duration_ms = self.max_ms + self._interval_ms
            tail, patches = self._writer.finish(duration_ms)
            if end_ns is not None:
                self.last_wall_ns = end_ns - self._interval_ms * 1_000_000
            before, groups = self.size, self._groups
            _write_all(self._mkv, tail)
            self._patch(patches)
        except OSError as error:
            self.abandon()
            raise self._volume.error(f"refuses the end of {self.path}", error) from error
        except BaseException:
            self.abandon()
            raise
        self._groups = []
        self.size = self._writer.position
        end = self.last_wall_ns + self._interval_ms * 1_000_000
        self._log(Written(
            [tail], groups, self._oldest_ns, self.size - before, self.size, self.frames,
            self.key_frames, end, Ending.CLOSE, duration_ms,
        ))  # fmt: skip

    def abandon(self) -> None:
        """Let go of the files as they are: whoever mends files makes them whole."""
        self._let_go(Ending.ABANDON)

    def discard(self) -> None:
        """Let go of the files and remove them: nothing came to be in them."""
        self._let_go(Ending.DISCARD)

    def _let_go(self, ending: Ending) -> None:
        if not self._ended:
            last = self.last_wall_ns + self._interval_ms * 1_000_000
            self._log(
                Written([], [], 0, 0, self.size, self.frames, self.key_frames, last, ending)
            )  # fmt: skip


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
