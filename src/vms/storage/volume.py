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

import contextlib
import errno
import fcntl
import math
import os
import re
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog

from vms.common.errors import StorageError
from vms.common.model.camera import check_id
from vms.storage.volume_state import (
    DISK_FAILS,
    MARKER,
    NO_SPACE,
    Busy,
    Look,
    Tier,
    VolumeState,
    advice,
    full,
    gone,
    other,
)

__all__ = ["INDEX_SUFFIX", "MARKER", "Volume", "fsync_folder", "index_path"]

log = structlog.get_logger(__name__)

INDEX_SUFFIX = ".index.jsonl"
_MAIN = "main"
_MAX_TAKEN = 1000
_CHECK_EVERY_S = 1.0
_HANGS_AFTER_S = 2.0
_PROBE = b"vms" * 1024
_IDENTITY = re.compile(r"[0-9a-f]{32}")


class Volume:
    """One root directory. Methods may be called from any thread.

    Once `watch` was called, a thread of its own looks at the disk; `check`, `problem`,
    `hangs` and `seen` then touch no disk, so that none of them waits for a dead one.
    """

    def __init__(
        self,
        root: Path,
        min_free_bytes: int,
        name: str = _MAIN,
        tier: Tier = Tier.FAST,
        max_bytes: int | None = None,
    ) -> None:
        self.root = root
        self.name = name
        self.tier = tier
        self.floor = min_free_bytes
        """Bytes that stay free."""
        self.max_bytes = max_bytes
        self.identity = ""
        """What its marker is known to say; empty: not known, so that a new one may be made."""
        self.well_since = -1e9
        """When it was last found to work again, in seconds of `time.monotonic`."""
        self.turns = 0
        """How often it came to work again: who was refused may try at once."""
        self.pressed = threading.Event()
        """Set where the disk said that nothing more fits; whoever frees space clears it."""
        self.seen = Look()
        self._checked = -_CHECK_EVERY_S
        self._suspect = False
        self._watcher: threading.Thread | None = None
        self._wake = threading.Event()
        self._looked = threading.Event()
        self._ending = threading.Event()
        self._ready = False
        self._began: float | None = None
        self._holders: dict[Busy, float] = {}
        self._hung = False

    def prepare(self) -> str:
        """Make the root and its marker where it is new; the marker's id. Raises StorageError.

        A volume whose `identity` is known is never made anew: what is empty then is the
        place where its disk should be.
        """
        identity = self._make()
        self.check(now=True)
        return identity

    def _make(self) -> str:
        try:
            if not self.identity:
                self.root.mkdir(parents=True, exist_ok=True)
            found = self._marker()
            if found is None and self.identity:
                raise StorageError(gone(self.root))
            if not found:
                # An empty marker is how a person says: this new disk is to be that volume.
                found = uuid.uuid4().hex
                self._write_marker(found)
            elif self.identity and found != self.identity:
                raise StorageError(other(self.root, found, self.identity))
            self._probe()
        except OSError as error:
            raise self.error("cannot be used", error) from error
        self.identity = found
        return found

    def _marker(self) -> str | None:
        """What the marker says; "" where it is empty or unreadable text, None where missing."""
        try:
            with open(self.root / MARKER, "rb") as file:
                text = file.read(100).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return None
        return text if _IDENTITY.fullmatch(text) else ""

    def _write_marker(self, identity: str) -> None:
        temporary = self.root / f"{MARKER}.new"
        with open(temporary, "wb") as file:
            file.write(f"{identity}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.root / MARKER)
        fsync_folder(self.root)

    def _probe(self) -> None:
        """Write, sync and remove a small file. Raises OSError."""
        probe = self.root / f".probe-{uuid.uuid4().hex[:8]}"
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                os.write(descriptor, _PROBE)
                os.fsync(descriptor)
            except OSError as error:
                if error.errno not in NO_SPACE:
                    raise
        finally:
            os.close(descriptor)
            with contextlib.suppress(FileNotFoundError):
                probe.unlink()

    def error(self, what: str, error: OSError) -> StorageError:
        """The sentence for an operating system error on this volume, which is then looked at."""
        if error.errno in NO_SPACE:
            self.pressed.set()
            self._wake.set()
        elif error.errno in DISK_FAILS:
            self._suspect = True
            self._wake.set()
        return StorageError(f"volume {self.root} {what}: {advice(error)}")

    def free_bytes(self) -> int:
        """Raises OSError."""
        stat = os.statvfs(self.root)
        return stat.f_bavail * stat.f_frsize

    def watch(self, prepared: Callable[[str], None] | None = None) -> None:
        """Look at the disk about once a second, in a thread of its own, until `unwatch`.

        `prepared` is called there with the marker's id once the volume can be used.
        """
        if self._watcher is None or self._ending.is_set():
            self._ending = threading.Event()
            args = (prepared, self._ending)
            name = f"volume-{self.name}"
            self._watcher = threading.Thread(target=self._watch, args=args, name=name, daemon=True)
            self._watcher.start()

    def unwatch(self) -> None:
        """End the thread; one that the disk holds ends when the disk lets it."""
        self._ending.set()
        self._wake.set()

    def look_soon(self) -> None:
        """Have the watching thread look at once: there may be room again."""
        self._wake.set()

    def wait_looked(self, limit: float) -> bool:
        """Wait until the watching thread has looked once; False after `limit` seconds."""
        return self._looked.wait(limit)

    def _watch(self, prepared: Callable[[str], None] | None, ending: threading.Event) -> None:
        while not ending.is_set():
            self._began = time.monotonic()
            try:
                self._turn(prepared)
            except Exception as error:
                # What nobody foresaw must not end the watch: nothing would be written again.
                self._take(Look(VolumeState.FAILED, f"volume {self.root}: {error}"))
            finally:
                held = time.monotonic() - self._began > _HANGS_AFTER_S
                self._began = None
                self._note_hang(held or self.hangs())
                self._looked.set()
            self._wake.wait(_CHECK_EVERY_S)
            self._wake.clear()

    def _note_hang(self, hangs: bool) -> None:
        """A disk that answers again is not trusted at once."""
        before, self._hung = self._hung, hangs
        if before != hangs:
            self.well_since = time.monotonic()
            self.turns += 1
            said = "hangs" if hangs else "answers again"
            log.warning(f"volume {said}", volume=self.name, path=str(self.root))

    def _turn(self, prepared: Callable[[str], None] | None) -> None:
        if not self._ready or self.seen.state is VolumeState.MISSING:
            known = self.identity
            try:
                identity = self._make()
            except StorageError as error:
                missing = bool(known) and self._is_gone()
                state = VolumeState.MISSING if missing else VolumeState.FAILED
                self._take(Look(state, str(error), self.seen.total, self.seen.free))
                return
            if prepared is not None and not (self._ready and identity == known):
                prepared(identity)
            self._ready = True
        self._take(self._look())

    def _is_gone(self) -> bool:
        try:
            return self._marker() != self.identity
        except OSError:
            return False

    def hangs(self) -> bool:
        """Whether the disk has not answered for seconds."""
        now, began = time.monotonic(), self._began
        if began is not None and now - began > _HANGS_AFTER_S:
            return True
        return any(
            (since := busy.busy_since) and now - since > limit
            for busy, limit in list(self._holders.items())
        )

    def watch_holder(self, busy: Busy, limit_s: float) -> None:
        """Take the disk for hanging where it holds that thread for longer than `limit_s`."""
        self._holders[busy] = limit_s

    def forget_holder(self, busy: Busy) -> None:
        self._holders.pop(busy, None)

    def look_no_more(self) -> None:
        """Where no thread looks: keep to what was seen, so that nobody waits for the disk."""
        self._checked = math.inf

    def is_away(self) -> bool:
        """Whether its recordings cannot be read either: unmounted, or another disk."""
        return self.seen.state is VolumeState.MISSING

    def problem(self) -> str:
        """Why it cannot be written to, as a sentence; empty while it can.

        Touches no disk where a thread looks at it; else looks itself, once a second at most.
        """
        self._look_unwatched()
        if self.hangs():
            return (
                f"volume {self.root} does not answer: "
                "look at the disk, or at the network and the server it lies on"
            )
        if self._watcher is not None and not self._looked.is_set():
            return f"volume {self.root} has not answered yet"
        return self.seen.problem

    def state(self) -> VolumeState:
        return VolumeState.FAILED if self.hangs() else self.seen.state

    def check(self, now: bool = False) -> None:
        """Raise StorageError where the volume is gone, failed or full.

        Looks itself, at most once a second, where no thread does. A disk that does not
        answer is not refused here: where there is another, `Volumes` names that.
        """
        self._look_unwatched(now)
        if problem := self.seen.problem or (
            "" if self._watcher is None or self._looked.is_set() else self.problem()
        ):
            raise StorageError(problem)

    def _look_unwatched(self, now: bool = False) -> None:
        clock = time.monotonic()
        if now or (self._watcher is None and clock - self._checked >= _CHECK_EVERY_S):
            self._checked = clock
            self._take(self._look())

    def _take(self, look: Look) -> None:
        before, self.seen = self.seen, look
        if before.problem and not look.problem:
            self.well_since = time.monotonic()
            self.turns += 1
            log.info("volume can be used again", volume=self.name, path=str(self.root))
        elif look.problem and before.state is not look.state:
            log.error("volume cannot be used", volume=self.name, problem=look.problem)

    def _look(self) -> Look:
        total, free = self.seen.total, self.seen.free
        try:
            stat = os.statvfs(self.root)
            total, free = stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize
            marker = self._marker()
            if marker is None:
                return Look(VolumeState.MISSING, gone(self.root), total, free)
            if self.identity and marker != self.identity:
                return Look(
                    VolumeState.MISSING, other(self.root, marker, self.identity), total, free
                )
            if stat.f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            if self._suspect or self.seen.state is VolumeState.FAILED:
                # Reading may still work where writing does not.
                self._probe()
                self._suspect = False
        except FileNotFoundError:
            return Look(VolumeState.MISSING, gone(self.root), total, free)
        except OSError as error:
            problem = str(self.error("cannot be used", error))
            self._wake.clear()
            return Look(VolumeState.FAILED, problem, total, free)
        if free < self.floor:
            return Look(VolumeState.FULL, full(self.root, free, self.floor), total, free)
        return Look(VolumeState.OK, "", total, free)

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


def fsync_folder(folder: Path) -> None:
    """Make names made and removed in `folder` durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
