"""Moves recordings that have grown old from the fast volumes to the archive.

A recording is copied at a bounded speed, the copy is read back from its disk and held against
the hashes of its index, made durable, and only then does its row name the new place and the
old file go (`removal.Remover.relocate`). A kill at any point leaves the recording where its
row says; half a copy is swept away at the next start. A volume that is away is left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import structlog

from vms.common.clock import Clock
from vms.common.errors import Conflict, NotFound, StorageError
from vms.common.model.segment import SegmentRow
from vms.storage.hand import Hand
from vms.storage.removal import Remover
from vms.storage.retention_plan import DAY_NS
from vms.storage.settings import StorageSettings
from vms.storage.verify import verify
from vms.storage.volume import Volume, fsync_folder, index_path
from vms.storage.volume_state import Tier, VolumeState
from vms.storage.volumes import Volumes

log = structlog.get_logger(__name__)

FOLDER = ".vms-moving"
"""Where half copies lie, on the volume that they are copied to."""
_PIECE = 4 << 20
_PAGE = 50
_EVERY_S = 10.0
_LATER_NS = 3_600_000_000_000
_YOUNG_NS = 600_000_000_000
_VERIFY_S = 300.0
_MOST_FAILED = 1000


class MoverSegments(Protocol):
    """What is needed of the catalog's segments."""

    async def page(
        self,
        limit: int,
        after: tuple[int, str] = (-1, ""),
        camera: str | None = None,
        volume: str | None = None,
    ) -> list[SegmentRow]: ...


RunsLow = Callable[[Volume], bool]
Ask = Callable[[str, int], None]


class Mover:
    """`run` until cancelled. Belongs to the event loop; the disks' work is done in threads."""

    def __init__(
        self,
        volumes: Volumes,
        segments: MoverSegments,
        remover: Remover,
        clock: Clock,
        settings: StorageSettings,
        runs_low: RunsLow = lambda _volume: False,
        ask: Ask = lambda _name, _size: None,
    ) -> None:
        """`runs_low`: whether a fast volume should be relieved of what is not old yet.
        `ask`: room is wanted on that volume; 0: no more."""
        self._volumes = volumes
        self._segments = segments
        self._remover = remover
        self._clock = clock
        self._per_second = settings.archive_bytes_per_second
        self._after = settings.archive_after_days
        self._runs_low = runs_low
        self._ask = ask
        self._hands = {v.name: Hand(f"{v.name}-mover") for v in volumes}
        self._checks = {v.name: Hand(f"{v.name}-check", _VERIFY_S) for v in volumes}
        self._swept: set[str] = set()
        self._failed: dict[str, int] = {}
        self.moved = 0
        self.moved_bytes = 0

    async def run(self) -> None:
        """Raises CatalogError."""
        if not any(volume.tier is Tier.ARCHIVE for volume in self._volumes):
            return
        while True:
            await self.tick()
            await self._clock.sleep(_EVERY_S)

    async def tick(self) -> int:
        """Move all that should be; how many were. Raises CatalogError."""
        count = 0
        for volume in self._volumes:
            if volume.tier is Tier.FAST:
                count += await self._relieve(volume)
        return count

    async def _relieve(self, source: Volume) -> int:
        count = 0
        after = (-1, "")
        while self._can_read(source):
            rows = await self._segments.page(_PAGE, after, volume=source.name)
            for row in rows:
                if not self._should_move(row, source):
                    return count
                if not self._is_spent(row):
                    target = self._target(row)
                    if target is None:
                        return count
                    count += await self._try(row, source, target)
            if len(rows) < _PAGE:
                break
            after = (rows[-1].start_ns, rows[-1].id)
        return count

    def _should_move(self, row: SegmentRow, source: Volume) -> bool:
        age = self._clock.now_ns() - row.end_ns
        if self._after is not None and age >= self._after * DAY_NS:
            return True
        return age >= _YOUNG_NS and self._runs_low(source)

    def _is_spent(self, row: SegmentRow) -> bool:
        """Whether moving it failed just now."""
        failed = self._failed.get(row.id)
        return failed is not None and self._clock.monotonic_ns() - failed < _LATER_NS

    @staticmethod
    def _can_read(volume: Volume) -> bool:
        return volume.state() in (VolumeState.OK, VolumeState.FULL)

    def _target(self, row: SegmentRow) -> Volume | None:
        """The archive with the most room; None where none has enough: room is asked for."""
        archives = [
            volume
            for volume in self._volumes
            if volume.tier is Tier.ARCHIVE and volume.state() in (VolumeState.OK, VolumeState.FULL)
        ]
        if not archives:
            return None
        best = max(archives, key=lambda volume: volume.seen.free - volume.floor)
        wanted = row.size + index_bytes(row)
        if best.seen.free - best.floor < wanted:
            self._ask(best.name, wanted)
            return None
        self._ask(best.name, 0)
        return best

    async def _try(self, row: SegmentRow, source: Volume, target: Volume) -> bool:
        try:
            await self._move(row, source, target)
        except (OSError, StorageError, Conflict) as error:
            text = error.strerror if isinstance(error, OSError) else str(error)
            log.error("recording not moved to the archive", path=row.path, error=text)
            while len(self._failed) >= _MOST_FAILED:
                self._failed.pop(next(iter(self._failed)))
            self._failed[row.id] = self._clock.monotonic_ns()
            return False
        except NotFound:
            # Deleted meanwhile.
            return False
        self._failed.pop(row.id, None)
        self.moved += 1
        self.moved_bytes += row.size
        log.info("recording moved", path=row.path, volume=target.name, size=row.size)
        return True

    async def _move(self, row: SegmentRow, source: Volume, target: Volume) -> None:
        reads, writes = self._hands[source.name], self._hands[target.name]
        await self._sweep(target)
        name = hashlib.blake2b(row.id.encode(), digest_size=8).hexdigest()
        draft = f"{FOLDER}/{name}.mkv"
        copy = _Copy(source.path(row.path), target.path(draft))
        try:
            await writes.do(copy.begin)
            while await self._piece(copy, reads, writes):
                pass
            await writes.do(copy.finish)
            await self._check(row, source, target, draft)
            path = path_there(row, name)
            await self._remover.relocate(
                row, target, path, lambda: copy.place(target.path(path))
            )  # fmt: skip
        finally:
            # In the thread that may still be writing, behind that.
            await asyncio.shield(_quietly(writes, copy.discard))

    async def _piece(self, copy: _Copy, reads: Hand, writes: Hand) -> bool:
        """Copy a few MiB, no faster than allowed; False at the end."""
        began = self._clock.monotonic_ns()
        data = await reads.do(copy.read)
        if not data:
            return False
        await writes.do(lambda: copy.write(data))
        took = (self._clock.monotonic_ns() - began) / 1e9
        await self._clock.sleep(max(0.0, len(data) / self._per_second - took))
        return True

    async def _check(self, row: SegmentRow, source: Volume, target: Volume, draft: str) -> None:
        """The copy as it is on its disk, against index, chain and row.

        What is damaged already is moved as it is. Raises StorageError where the copy is not
        what was read.
        """
        moved = replace(row, volume=target.name, path=draft)
        faults = await self._checks[target.name].do(lambda: verify(target, moved))
        if not faults:
            return
        before = await self._checks[source.name].do(lambda: verify(source, row))
        if [fault.what for fault in before] != [fault.what for fault in faults]:
            raise StorageError(f"the copy on volume {target.name} is damaged: {faults[0].what}")
        log.warning("a damaged recording is moved", path=row.path, fault=faults[0].what)

    async def _sweep(self, target: Volume) -> None:
        """Remove half copies of before, once for each volume."""
        if target.name not in self._swept:
            folder = target.root / FOLDER
            await self._hands[target.name].do(lambda: shutil.rmtree(folder, ignore_errors=True))
            self._swept.add(target.name)


def index_bytes(row: SegmentRow) -> int:
    """About what the index takes: a line for each key picture."""
    return 4096 + 400 * row.key_frames


def path_there(row: SegmentRow, name: str) -> str:
    """The recording's path on the archive: one that no recorder makes, and no other row has."""
    return f"{row.path.removesuffix('.mkv')}.{name}.mkv"


async def _quietly(hand: Hand, work: Callable[[], None]) -> None:
    with contextlib.suppress(OSError, StorageError):
        await hand.do(work)


class _Copy:
    """A recording and its index on their way. Blocking; raises OSError, StorageError."""

    def __init__(self, source: Path, draft: Path) -> None:
        self._source = source
        self._draft = draft
        self._reading = -1
        self._writing = -1
        self._at = 0
        self._index = b""

    def begin(self) -> None:
        self._draft.parent.mkdir(exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        self._writing = os.open(self._draft, flags, 0o640)

    def read(self) -> bytes:
        """The next piece; empty at the end."""
        if self._reading < 0:
            self._reading = os.open(self._source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        data = os.pread(self._reading, _PIECE, self._at)
        # What is read once is not worth the memory of what is played.
        os.posix_fadvise(self._reading, self._at, len(data), os.POSIX_FADV_DONTNEED)
        self._at += len(data)
        if not data:
            self._index = index_path(self._source).read_bytes()
        return data

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._writing, view) :]

    def finish(self) -> None:
        """Make it durable, and have it read from the disk itself from now on."""
        os.fsync(self._writing)
        os.posix_fadvise(self._writing, 0, 0, os.POSIX_FADV_DONTNEED)
        with open(index_path(self._draft), "wb") as file:
            file.write(self._index)
            file.flush()
            os.fsync(file.fileno())

    def place(self, final: Path) -> None:
        """Give both files their names, durably. Raises StorageError where the recording was
        re-stamped meanwhile."""
        if index_path(self._source).read_bytes() != self._index:
            raise StorageError(f"{self._source.name} was changed while it was copied")
        final.parent.mkdir(parents=True, exist_ok=True)
        os.replace(index_path(self._draft), index_path(final))
        os.replace(self._draft, final)
        for folder in (final.parent, *final.parents[1:4]):
            fsync_folder(folder)

    def discard(self) -> None:
        """Close the files, and remove what was not placed."""
        for descriptor in (self._reading, self._writing):
            if descriptor >= 0:
                os.close(descriptor)
        self._reading = self._writing = -1
        for path in (self._draft, index_path(self._draft)):
            path.unlink(missing_ok=True)
