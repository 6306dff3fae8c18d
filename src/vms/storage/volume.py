"""A volume: the directory tree that recordings lie in, and whether it can be used.

    <root>/.vms-volume                     marks the tree as one of ours
    <root>/cameras/<camera>/<YYYY-MM-DD>/  dates by UTC
        video_14.mkv                       main, begun on the hour
        video_14-23-05.mkv                 main, begun at 14:23:05 (camera came, settings changed)
        video_14_sub.mkv                   the stream `sub`
        video_14.2.mkv                     where that name was taken already
        video_14.index.jsonl               the index of video_14.mkv

A name is only a name: all times are in the catalog, the index and the file. No file is
ever opened for recording that exists already.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from vms.common.errors import StorageError
from vms.common.model.camera import check_id
from vms.storage.metrics import DISK_FREE

MARKER = ".vms-volume"
INDEX_SUFFIX = ".index.jsonl"
_MAIN = "main"
_MAX_TAKEN = 1000
_CHECK_EVERY_S = 1.0


class Volume:
    """One root directory. Methods may be called from any thread."""

    def __init__(self, root: Path, min_free_bytes: int) -> None:
        self.root = root
        self._min_free = min_free_bytes
        self._checked = -_CHECK_EVERY_S
        self._problem = ""

    def prepare(self) -> None:
        """Make the root and its marker where missing. Raises StorageError."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not (self.root / MARKER).exists():
                (self.root / MARKER).write_text(f"{uuid.uuid4().hex}\n")
            probe = self.root / f".probe-{uuid.uuid4().hex[:8]}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise self.error("cannot be used", error) from error
        self.check(now=True)

    def error(self, what: str, error: OSError) -> StorageError:
        """The sentence for an operating system error on this volume."""
        advice = {
            errno.ENOSPC: "free space there, or set storage.root to another disk",
            errno.EDQUOT: "raise the quota, or set storage.root to another disk",
            errno.EACCES: "let this user write there, or set storage.root",
            errno.EPERM: "let this user write there, or set storage.root",
            errno.EROFS: "mount it for writing (the kernel does this after disk errors)",
            errno.ENOTDIR: "storage.root must name a directory",
            errno.EEXIST: "storage.root must name a directory",
            errno.EIO: "the disk reports an error: look at the kernel's log and replace it",
        }.get(error.errno or 0, "look at the disk and at storage.root")
        reason = error.strerror or type(error).__name__
        return StorageError(f"volume {self.root} {what}: {reason}; {advice}")

    def free_bytes(self) -> int:
        """Raises OSError."""
        stat = os.statvfs(self.root)
        return stat.f_bavail * stat.f_frsize

    def check(self, now: bool = False) -> None:
        """Raise StorageError where the volume is gone or full; looked up once a second."""
        clock = time.monotonic()
        if now or clock - self._checked >= _CHECK_EVERY_S:
            self._checked = clock
            self._problem = self._look()
        if self._problem:
            raise StorageError(self._problem)

    def _look(self) -> str:
        try:
            free = self.free_bytes()
            os.stat(self.root / MARKER)
        except FileNotFoundError:
            return (
                f"volume {self.root} is not there (its {MARKER} is missing): "
                "mount it again, or restart after setting storage.root"
            )
        except OSError as error:
            return str(self.error("cannot be used", error))
        DISK_FREE.labels(str(self.root)).set(free)
        if free < self._min_free:
            return (
                f"volume {self.root} is full: {free >> 20} MiB are free and "
                f"{self._min_free >> 20} MiB must stay so (storage.min_free_bytes); "
                "free space there, or set storage.root to another disk"
            )
        return ""

    def path(self, relative: str) -> Path:
        """Where a row's file lies. Raises StorageError for a path that leads out of the root."""
        parts = relative.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise StorageError(f"the catalog names {relative[:100]!r}, which is no recording")
        return self.root.joinpath(*parts)

    def create(self, camera: str, stream: str, start_ns: int, on_the_hour: bool) -> tuple[str, int]:
        """Create and lock a new file; (its path below the root, its descriptor).

        Raises StorageError, InvalidIdentifier.
        """
        check_id(camera)
        check_id(stream, "stream name")
        self.check()
        began = datetime.fromtimestamp(start_ns // 1_000_000_000, UTC)
        folder = f"cameras/{camera}/{began:%Y-%m-%d}"
        stem = f"video_{began:%H}" if on_the_hour else f"video_{began:%H-%M-%S}"
        if stream != _MAIN:
            stem += f"_{stream}"
        try:
            os.makedirs(self.root / folder, exist_ok=True)
            for taken in range(1, _MAX_TAKEN):
                relative = f"{folder}/{stem}{f'.{taken}' if taken > 1 else ''}.mkv"
                try:
                    return relative, self._open_new(relative)
                except FileExistsError:
                    continue
        except OSError as error:
            raise self.error("refuses a new recording", error) from error
        raise StorageError(f"{self.root / folder} holds {_MAX_TAKEN} files named {stem}: move some")

    def _open_new(self, relative: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.root / relative, flags, 0o640)
        # Says to whoever mends files after a crash that this one has a living writer.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor


def index_path(recording: Path) -> Path:
    """The index beside a recording."""
    return recording.with_name(recording.name.removesuffix(".mkv") + INDEX_SUFFIX)
