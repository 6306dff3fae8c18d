"""One recording being written: the MKV file and the index beside it. Thread side.

Units are placed with `add` and reach the file with `flush`: one system call for all of
them, straight from the bytes that the camera sent. What has been flushed survives the
death of the process.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Sequence

from vms.common.model.media import AccessUnit, CodecParameters
from vms.common.model.segment import SegmentRow
from vms.format import index as indexes
from vms.format.index import Chain, Group, IndexEnd, IndexHeader, largest_step
from vms.format.mkv_digest import GroupHasher
from vms.format.mkv import MkvWriter, Patch, encode_note
from vms.storage.volume import Volume, index_path

_IOV_MAX = 1000
MAX_UNIT = 64 * 1024 * 1024
"""A unit above this is not written: what reads the file would refuse it."""


class SegmentFile:
    """Open, being written; after `close` or a StorageError it is spent."""

    __slots__ = ("_damaged", "_group_at", "_group_camera_ns", "_group_ms", "_group_wall_ns",
                 "_chain", "_hasher", "_index", "_interval_ms", "_times", "_mkv", "_parts", "_pictures", "_volume",
                 "_writer", "frames", "header", "id", "key_frames", "last_wall_ns", "max_ms",
                 "path", "size")  # fmt: skip

    def __init__(
        self,
        volume: Volume,
        key: AccessUnit,
        tracks: Sequence[CodecParameters],
        lead_ms: int,
        on_the_hour: bool,
    ) -> None:
        """Create the files for a recording that begins with the picture `key`.

        `tracks[0]` are its parameters. Raises StorageError, ParseError.
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
        self.path, self._mkv = volume.create(key.camera, key.stream, key.arrival_ns, on_the_hour)
        self._index = -1
        self._parts: list[bytes] = [self._writer.head]
        self.size = 0
        self.frames = 0
        self.key_frames = 0
        self.max_ms = lead_ms
        self.last_wall_ns = key.arrival_ns
        self._pictures = 0
        self._damaged = 0
        self._chain = Chain(self.header)
        self._hasher = GroupHasher()
        self._times: list[int] = []
        self._group_at = 0
        self._group_ms = lead_ms
        self._group_wall_ns = 0
        self._group_camera_ns: int | None = None
        self._interval_ms = indexes.DEFAULT_INTERVAL_MS
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._index = os.open(index_path(volume.root / self.path), flags, 0o640)
            os.write(self._index, self._chain.head)
        except OSError as error:
            self.discard()
            raise volume.error("refuses a new index", error) from error

    def add(self, unit: AccessUnit, track: int, ms: int) -> None:
        """Place one unit of the file's track number `track` at `ms` (at least 0)."""
        data = unit.data
        note = b""
        if track == 1:
            if unit.key:
                note = self._begin_group(unit, ms)
            self.frames += 1
            self._pictures += 1
            self._times.append(ms)
            if unit.damaged:
                self._damaged += 1
            if ms > self.max_ms:
                self.max_ms = ms
            self.last_wall_ns = unit.arrival_ns
        head = self._writer.block(track, ms, unit.key, len(data), note)
        self._hasher.feed(head + data)
        self._parts.append(head)
        self._parts.append(data)

    def _begin_group(self, unit: AccessUnit, ms: int) -> bytes:
        """Finish the group before; returns the note ahead of the new key picture."""
        at = self._writer.position
        line = self._finish_group(at, ms)
        if line:
            self._write_index(line)
        self.key_frames += 1
        self._group_at = at
        self._group_ms = ms
        # Readers search by these times, so that they never run backwards.
        self._group_wall_ns = max(self._group_wall_ns, unit.arrival_ns)
        camera = unit.capture_ns
        self._group_camera_ns = camera if camera is not None and camera >= 0 else None
        return encode_note(self._group_wall_ns, self._group_camera_ns)

    def _finish_group(self, end: int, next_ms: int | None = None) -> bytes:
        """The index line of the group that ends at `end`; empty where there is none."""
        if not self._pictures:
            return b""
        if self._pictures > 1 and self.max_ms > self._group_ms:
            self._interval_ms = max(1, (self.max_ms - self._group_ms) // (self._pictures - 1))
        line = self._chain.group(
            Group(
                self._group_wall_ns,
                self._group_camera_ns,
                self._group_ms,
                self._group_at,
                end - self._group_at,
                self._pictures,
                self._damaged,
                largest_step(self._times, next_ms),
                self._hasher.hexdigest(),
            )
        )
        self._pictures = self._damaged = 0
        self._times = []
        self._hasher = GroupHasher()
        return line

    def _write_index(self, line: bytes) -> None:
        """Pictures first, then the line that speaks of them: it never promises too much."""
        self.flush()
        try:
            os.write(self._index, line)
        except OSError as error:
            raise self._volume.error("refuses the index", error) from error

    def flush(self) -> None:
        """Hand everything placed to the kernel. Raises StorageError; the file is then spent."""
        parts = self._parts
        if not parts:
            return
        self._parts = []
        expected = self._writer.position - self.size
        try:
            done = os.writev(self._mkv, parts) if len(parts) <= _IOV_MAX else 0
            if done != expected:
                self._write_rest(parts, done)
            self.size += expected
            patches = self._writer.take_patches()
            if patches:
                self._patch(patches)
        except OSError as error:
            raise self._volume.error(f"refuses to take more of {self.path}", error) from error

    def _write_rest(self, parts: Sequence[bytes], done: int) -> None:
        """The kernel took only a part, as it does where a disk is nearly full."""
        rest = memoryview(b"".join(parts))[done:]
        while rest:
            rest = rest[os.write(self._mkv, rest) :]

    def _patch(self, patches: Sequence[Patch]) -> None:
        for offset, piece in patches:
            os.pwrite(self._mkv, piece, offset)

    @property
    def interval_ms(self) -> int:
        """How long one picture is shown, from the last whole group."""
        return self._interval_ms

    def row(self, closed: bool = False, end_ns: int | None = None) -> SegmentRow:
        """The file as the catalog is to know it now. Any thread may ask."""
        header = self.header
        end = self.last_wall_ns + self._interval_ms * 1_000_000 if end_ns is None else end_ns
        return SegmentRow(
            id=self.id,
            camera=header.camera,
            stream=header.stream,
            run=header.run,
            path=self.path,
            start_ns=header.start_ns,
            end_ns=max(end, header.start_ns + 1),
            size=self.size,
            frames=self.frames,
            key_frames=self.key_frames,
            codec=header.codec,
            width=header.width,
            height=header.height,
            closed=closed,
        )

    def close(self, end_ns: int | None = None) -> SegmentRow:
        """Make the file whole. `end_ns`: when what follows it begins. Raises StorageError."""
        try:
            self.flush()
            line = self._finish_group(self.size)
            duration_ms = self.max_ms + self._interval_ms
            tail, patches = self._writer.finish(duration_ms)
            self._parts = [tail]
            self.flush()
            self._patch(patches)
            row = self.row(closed=True, end_ns=end_ns)
            end = IndexEnd(row.end_ns, duration_ms, row.size, row.frames, row.key_frames)
            os.write(self._index, line + self._chain.end(end))
        except OSError as error:
            raise self._volume.error(f"refuses the end of {self.path}", error) from error
        finally:
            self.abandon()
        return row

    def abandon(self) -> None:
        """Let go of the files as they are: whoever mends files makes them whole."""
        for descriptor in (self._index, self._mkv):
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self._index = self._mkv = -1

    def discard(self) -> None:
        """Let go of the files and remove them: nothing came to be in them."""
        self.abandon()
        recording = self._volume.root / self.path
        for path in (recording, index_path(recording)):
            with contextlib.suppress(OSError):
                path.unlink()
