"""The threads that bring what was written to the disk: one for each volume.

The promise: what has come is durable `sync_seconds` after it came, at the latest. A turn
goes over all files that grew, step by step and not file by file, so that the disk works on
all of them at once: have it begin to write, hash meanwhile, sync the recordings, write and
sync the index lines of whole groups, then tell. Turns begin early enough for the longest of
the last ones. A disk that stands still holds this thread alone; the writing threads look
at `full`, and shed.

Syncing each file costs little once the writing was begun for all: on ext4 the first sync
commits the journal for the others too. `syncfs` would cost less still, but waits for all
that other programs have written, and its error names no file.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog

from vms.storage.metrics import SYNC_FAILED, SYNC_SECONDS, UNSYNCED_BYTES
from vms.storage.segment_sync import Ending, FileSync
from vms.storage.volume import Volume, fsync_folder

log = structlog.get_logger(__name__)

_IDLE_S = 1.0
_SHARE = 0.6
"""Of the promise: the longest wait before a turn begins. The rest is for the writer, which
gathers for up to 0.2 s, and for the turn."""
_REMEMBERED = 8
_SOONEST_S = 0.02
_MOST_FOLDERS = 4096
_HELD_S = 6.0
"""A turn that takes longer than this is held by the disk."""

Trouble = Callable[[Volume, str], None]
"""Told, on a syncing thread, of a volume that did not keep what was written to it."""


def _no_trouble(_volume: Volume, _text: str) -> None:
    return


class Syncer:
    """Of one volume. Without `start` it works in the thread that writes, at each flush."""

    def __init__(
        self,
        volume: Volume,
        sync_s: float,
        max_unsynced: int,
        trouble: Trouble = _no_trouble,
    ) -> None:
        """`max_unsynced`: bytes written and not durable, beyond which `full` says so."""
        self.volume = volume
        self.lag_s = 0.0
        """From the flush to the disk, of the oldest bytes of the last turn."""
        self.busy_since = 0.0
        """Since when (`time.monotonic`) it works at a turn; 0: it does not."""
        self._sync_s = sync_s
        self._max = max_unsynced
        self._trouble = trouble
        self._thread: threading.Thread | None = None
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._new: deque[FileSync] = deque()
        self._files: list[FileSync] = []
        self._oldest = 0.0
        self._lock = threading.Lock()
        self._unsynced = 0
        self._took: deque[float] = deque((0.0,), maxlen=_REMEMBERED)
        self._folders: set[Path] = set()
        self._metric = UNSYNCED_BYTES.labels(volume.name)

    def start(self) -> None:
        self._thread = threading.Thread(
            target=self._run, name=f"storage-syncer-{self.volume.name}", daemon=True
        )
        self._thread.start()
        self.volume.watch_holder(self, _HELD_S)

    def stop(self) -> None:
        """Have the thread make durable what was written, and end. Does not wait."""
        self._stopping.set()
        self._bell.set()

    def join(self, timeout: float) -> bool:
        """Wait for the end; False where the disk holds the thread longer than that."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        self.volume.forget_holder(self)
        return not self._thread.is_alive()

    @property
    def unsynced(self) -> int:
        """Bytes written and not durable."""
        return self._unsynced

    @property
    def full(self) -> bool:
        """Whether the disk is too far behind for more to be written."""
        return self._unsynced > self._max

    def add(self, file: FileSync) -> None:
        """Care for this file from now on. Called by a writing thread, as the next."""
        self._new.append(file)

    def grew(self, count: int) -> None:
        """`count` bytes more were written and stand in a file's log."""
        with self._lock:
            self._unsynced += count
        if not self._oldest:
            self._oldest = time.monotonic()
            self._bell.set()
        if self._thread is None:
            self.turn()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._bell.wait(_IDLE_S)
            self._bell.clear()
            if self._oldest:
                self._stopping.wait(self._wait_s())
                self._guarded_turn()
        self._guarded_turn()

    def _wait_s(self) -> float:
        """How long until the next turn has to begin."""
        due = self._oldest + self._sync_s * _SHARE - 1.5 * max(self._took)
        return max(_SOONEST_S, due - time.monotonic())

    def _guarded_turn(self) -> None:
        self.busy_since = time.monotonic()
        try:
            self.turn()
        except Exception:
            # What nobody foresaw must not end the syncing of all other files.
            log.exception("syncing failed", volume=str(self.volume.root))
        finally:
            self.busy_since = 0.0

    def turn(self) -> None:
        """Make durable what was written until now."""
        began, oldest = time.monotonic(), self._oldest
        self._oldest = 0.0
        while self._new:
            self._files.append(self._new.popleft())
        files = [file for file in self._files if file.take()]
        if not files:
            return
        taken = sum(written.bytes for file in files for written in file.taken)
        alive = [file for file in files if not self._is_lost(file)]
        for file in alive:
            file.start_writing()
        for step in (
            FileSync.hash, FileSync.sync_data, self._sync_folders, FileSync.write_index,
            FileSync.sync_index, FileSync.settle,
        ):  # fmt: skip
            alive = [file for file in alive if self._try(file, step)]
        if any(file.ended for file in files):
            self._files = [file for file in self._files if not file.ended]
        with self._lock:
            self._unsynced -= taken
        ended = time.monotonic()
        self._took.append(ended - began)
        self._metric.set(self._unsynced)
        if oldest:
            self.lag_s = ended - oldest
            SYNC_SECONDS.observe(self.lag_s)

    def _is_lost(self, file: FileSync) -> bool:
        """Whether nothing more is to be made durable of it: it failed, or came to nothing."""
        if file.failed is None and file.ending is not Ending.DISCARD:
            return False
        file.drop_taken()
        return True

    def _try(self, file: FileSync, step: Callable[[FileSync], None]) -> bool:
        """One step for one file. A failure ends that file, and is never tried again."""
        try:
            step(file)
        except OSError as error:
            self._give_up(file, error)
            return False
        except Exception as error:
            log.exception("syncing failed", path=file.path)
            self._give_up(file, OSError(0, f"{type(error).__name__}: {error}"))
            return False
        return True

    def _give_up(self, file: FileSync, error: OSError) -> None:
        if file.ended:
            return
        SYNC_FAILED.inc()
        failed = file.fail(error)
        log.error("what was written was not kept", path=file.path, error=str(failed))
        self._trouble(self.volume, str(failed))

    def _sync_folders(self, file: FileSync) -> None:
        """Make the names durable that lead to a new file. Raises OSError."""
        if file.durable is not None:
            return
        own, *above = file.folders()
        fsync_folder(own)
        if len(self._folders) > _MOST_FOLDERS:
            self._folders.clear()
        for folder in above:
            # A folder is synced again once one that was not known was made in it.
            if own in self._folders:
                break
            fsync_folder(folder)
            self._folders.add(own)
            own = folder


class Syncers:
    """The syncers of all volumes, made as they are needed. Any thread may ask."""

    def __init__(
        self,
        sync_s: float,
        max_unsynced: int,
        trouble: Trouble = _no_trouble,
        threaded: bool = True,
    ) -> None:
        """`threaded` False: each flush is made durable before it returns."""
        self._sync_s = sync_s
        self._max = max_unsynced
        self._trouble = trouble
        self._threaded = threaded
        self._lock = threading.Lock()
        self._of: dict[Path, Syncer] = {}

    def of(self, volume: Volume) -> Syncer:
        with self._lock:
            found = self._of.get(volume.root)
            if found is None:
                found = Syncer(volume, self._sync_s, self._max, self._trouble)
                self._of[volume.root] = found
                if self._threaded:
                    found.start()
            return found

    def stop(self, limit: float) -> list[str]:
        """End all, once the writing threads ended; the volumes that hold theirs longer.

        Takes at most `limit` seconds.
        """
        deadline = time.monotonic() + limit
        with self._lock:
            syncers = list(self._of.values())
        for syncer in syncers:
            syncer.stop()
        return [
            syncer.volume.name
            for syncer in syncers
            if not syncer.join(max(0.0, deadline - time.monotonic()))
        ]
