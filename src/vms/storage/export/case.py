"""Writes what an export gives: one file, or the ZIP of a case, straight to its place.

Each file of a case is written into the ZIP itself, so that an export takes its size on the
disk once. What was finished stays when the process dies: the next one cuts the ZIP behind
the last finished file and goes on.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from vms.common.errors import StorageError
from vms.storage.export.manifest import Listed
from vms.storage.export.pieces import Piece
from vms.storage.export.zip_layout import Entry, ending, is_name, local_header, local_size

_CHUNK = 1 << 20

Tick = Callable[[int], None]
"""Called with how many bytes were written since; raises where the export is to end."""


class Slot:
    """The place of one file: offsets count from its own first byte."""

    def __init__(self, descriptor: int, base: int, tick: Tick) -> None:
        self._descriptor = descriptor
        self.base = base
        self.position = 0
        self._tick = tick

    def write(self, *parts: bytes) -> None:
        """Append. Raises OSError, and what `tick` does."""
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self.put(self.position, data)
        self.position += len(data)
        self._tick(len(data))

    def patch(self, offset: int, data: bytes) -> None:
        """Replace bytes that were written. Raises OSError."""
        if not 0 <= offset <= self.position - len(data):
            raise ValueError(f"{len(data)} bytes at {offset} are not in the file")
        self.put(offset, data)

    def put(self, offset: int, data: bytes) -> None:
        """Write at an offset, and count nothing. Raises OSError."""
        rest, at = memoryview(data), self.base + offset
        while rest:
            done = os.pwrite(self._descriptor, rest, at)
            rest, at = rest[done:], at + done


class Box:
    """The file that an export writes; `close` it. Errors: StorageError, OSError."""

    def __init__(
        self, path: Path, done: Sequence[Entry] = (), tick: Tick = lambda _: None, *, bare: bool
    ) -> None:
        """`bare`: the file itself and no ZIP. `done` are the entries that are kept."""
        self.entries = list(done)
        self._bare = bare
        self._tick = tick
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, 0o600)
        try:
            if os.fstat(self._descriptor).st_size < self._end:
                raise StorageError(f"{path} is shorter than what was written of it")
            os.ftruncate(self._descriptor, self._end)
        except BaseException:
            self.close()
            raise

    @property
    def _end(self) -> int:
        return self.entries[-1].end if self.entries else 0

    @property
    def _whole(self) -> int:
        """Bytes of what is finished, without the directory."""
        return self.entries[-1].size if self._bare and self.entries else self._end

    def begin(self, name: str) -> Slot:
        """The place of the next file; give it to `finish` when it is written."""
        if not is_name(name):
            raise StorageError(f"no file of a case may be called {name[:80]!r}")
        return Slot(
            self._descriptor, self._end + (0 if self._bare else local_size(name)), self._tick
        )

    def finish(self, name: str, slot: Slot, pieces: Sequence[Piece]) -> tuple[Listed, list[Piece]]:
        """(what to list, the pieces with their hashes), by what the disk gives back.

        `pieces` cover the file; only their hashes are looked for.
        """
        whole, crc, at, hashed = sha256(), 0, 0, []
        for piece in pieces:
            digest = sha256()
            for data in self._read(slot.base + piece.offset, piece.size):
                digest.update(data)
                whole.update(data)
                crc = zlib.crc32(data, crc)
            hashed.append(replace(piece, digest=digest.hexdigest()))
            at += piece.size
            self._tick(0)
        if at != slot.position:
            raise StorageError(f"the pieces of {name} cover {at} bytes of {slot.position}")
        entry = Entry(name, slot.position, crc, self._end)
        if not self._bare:
            Slot(self._descriptor, 0, self._tick).put(entry.offset, local_header(entry))
        os.fdatasync(self._descriptor)
        self.entries.append(entry)
        return Listed(name, entry.size, whole.hexdigest(), f"{crc:08x}"), hashed

    def _read(self, at: int, count: int) -> Iterator[bytes]:
        end = at + count
        while at < end:
            data = os.pread(self._descriptor, min(_CHUNK, end - at), at)
            if not data:
                raise StorageError("what was written cannot be read back")
            at += len(data)
            yield data

    def add(self, name: str, data: bytes) -> Listed:
        """A small file, whole."""
        slot = self.begin(name)
        slot.write(data)
        listed, _ = self.finish(name, slot, [Piece(0, len(data))] if data else [])
        return listed

    def end(self) -> int:
        """Make the file whole; its size in bytes."""
        # Behind the last file may stand what is left of one that could not be written.
        os.ftruncate(self._descriptor, self._whole)
        if not self._bare:
            tail, at = ending(self.entries, self._end), self._end
            Slot(self._descriptor, at, self._tick).write(tail)
        os.fsync(self._descriptor)
        return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
