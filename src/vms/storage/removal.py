"""Deletes recordings so that no kill at any point leaves a row without its file, or a file
that nobody knows.

A volume has a journal, written in place so that it needs no space on a full disk:

    1. the journal names the files, and is synced;
    2. their rows go, in a transaction that spares what is held (so that no hold comes late);
    3. the files go, and the folders are synced;
    4. the journal is emptied.

After a kill the journal is read again: a file that its row still names stays; one whose row
is gone, or names another place, goes, if it is that recording still by its index. Moving a
file to another volume is kept safe by the same journals: both name the file before its row
moves, and it stays only where the row says that it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from vms.common.clock import Clock
from vms.common.errors import NotFound, StorageError, VmsError
from vms.common.model.segment import SegmentRow
from vms.storage.hand import Hand
from vms.storage.metrics import REMOVED_BYTES
from vms.storage.volume import Volume, fsync_folder, index_path
from vms.storage.volume_state import NO_SPACE
from vms.storage.volumes import Volumes

log = structlog.get_logger(__name__)

JOURNAL = ".vms-deleting"
_JOURNAL_BYTES = 64 * 1024
_BATCH = 100
_LONGEST_PATH = 400
_LONGEST_LINE = 64 * 1024
_JOIN_NS = 2_000_000_000
_REMEMBERED = 2000

Key = TypeVar("Key")


class RemovalSegments(Protocol):
    """What is needed of the catalog's segments."""

    async def get(self, segment_id: str) -> SegmentRow: ...

    async def remove_unheld(self, segment_ids: Iterable[str], now_ns: int) -> set[str]: ...

    async def move(self, segment_id: str, volume: str, path: str) -> None: ...


Gone = Callable[[Sequence[SegmentRow]], None]
"""Hears, in a thread, of recordings that were deleted: what was made of them goes too."""


def nothing(_rows: Sequence[SegmentRow]) -> None:
    return


def forget_previews(root: Path) -> Gone:
    """Removes the previews below `root` (the data directory) of what was deleted."""

    def gone(rows: Sequence[SegmentRow]) -> None:
        # What decodes takes long to load, and a start must not wait for it.
        from vms.storage.preview import forget

        for camera, start, end in _spans(rows):
            try:
                forget(root, camera, start, end)
            except VmsError as error:
                log.warning("previews of deleted footage stay", error=str(error))

    return gone


def _spans(rows: Iterable[SegmentRow]) -> list[tuple[str, int, int]]:
    """(camera, start, end) of footage that joins, so that each folder is looked through once
    for all of it."""
    found: list[tuple[str, int, int]] = []
    for row in sorted(rows, key=lambda row: (row.camera, row.start_ns)):
        if found and found[-1][0] == row.camera and row.start_ns <= found[-1][2] + _JOIN_NS:
            found[-1] = (row.camera, found[-1][1], max(found[-1][2], row.end_ns))
        else:
            found.append((row.camera, row.start_ns, row.end_ns))
    return found


class Disk:
    """What is done on the disk of a volume. Blocking. All raise OSError, StorageError."""

    def prepare(self, volume: Volume) -> None:
        """Make room for the journal while there is some."""
        path = volume.root / JOURNAL
        if not path.exists() or path.stat().st_size < _JOURNAL_BYTES:
            _write(path, bytes(_JOURNAL_BYTES))
            fsync_folder(volume.root)

    def note(self, volume: Volume, entries: Mapping[str, str]) -> None:
        """Say which recordings (id to path) are about to be deleted; none: nothing is."""
        text = json.dumps(entries).encode()
        if len(text) > _JOURNAL_BYTES:
            raise StorageError(f"{len(entries)} recordings are too many to delete at once")
        _write(volume.root / JOURNAL, text.ljust(_JOURNAL_BYTES, b"\0"))

    def noted(self, volume: Volume) -> dict[str, str]:
        """What the journal names; nothing where it was torn before anything was deleted."""
        try:
            with open(volume.root / JOURNAL, "rb") as file:
                text = file.read(_JOURNAL_BYTES).rstrip(b"\0")
            found = json.loads(text) if text else {}
        except (FileNotFoundError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {str(key): str(value) for key, value in found.items()}

    def is_of(self, volume: Volume, segment_id: str, path: str) -> bool:
        """Whether what lies at `path` is that recording, by its index, which goes last: a
        name that became free may be another's by now."""
        try:
            with open(index_path(volume.path(path)), "rb") as file:
                header = json.loads(file.readline(_LONGEST_LINE))
        except (FileNotFoundError, ValueError, RecursionError):
            return False
        return isinstance(header, dict) and header.get("segment") == segment_id

    def unlink(self, volume: Volume, paths: Iterable[str]) -> None:
        """Remove recordings with their indexes, and make that durable."""
        folders = set()
        for relative in paths:
            recording = volume.path(relative)
            folders.add(recording.parent)
            for path in (recording, index_path(recording)):
                path.unlink(missing_ok=True)
        for folder in folders:
            with contextlib.suppress(FileNotFoundError):
                fsync_folder(folder)

    def tidy(self, volume: Volume, folders: Iterable[Path]) -> None:
        """Remove day folders that hold nothing any more."""
        for folder in folders:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def free(self, volume: Volume) -> int:
        return volume.free_bytes()


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.pwrite(descriptor, data, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Remover:
    """Belongs to the event loop; the disk's work is done in a thread for each volume."""

    def __init__(
        self,
        volumes: Volumes,
        segments: RemovalSegments,
        clock: Clock,
        gone: Gone = nothing,
        disk: Disk | None = None,
    ) -> None:
        self._volumes = volumes
        self._segments = segments
        self._clock = clock
        self._gone = gone
        self._disk = disk or Disk()
        self._hands = {volume.name: Hand(volume.name) for volume in volumes}
        self._locks = {volume.name: asyncio.Lock() for volume in volumes}
        self._recovered: set[str] = set()
        self._touched: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._moved: OrderedDict[str, None] = OrderedDict()
        self.removed = 0
        self.removed_bytes = 0

    async def free(self, volume: Volume) -> int:
        """Bytes free now. Raises StorageError, OSError."""
        async with self._locks[volume.name]:
            return await self._hands[volume.name].do(lambda: self._disk.free(volume))

    def has_touched(self, volume: str, path: str) -> bool:
        """Whether that file is being deleted or moved, or was just now: whoever finds it
        without a row is not to give it one."""
        return (volume, path) in self._touched

    async def remove(self, rows: Sequence[SegmentRow]) -> list[SegmentRow]:
        """Delete closed recordings that nothing holds; those that are gone.

        Rows on volumes that cannot be used stay for later. Raises CatalogError.
        """
        gone: list[SegmentRow] = []
        by_volume: dict[str, list[SegmentRow]] = {}
        for row in rows:
            if row.closed and len(row.path) <= _LONGEST_PATH:
                by_volume.setdefault(row.volume, []).append(row)
        try:
            for name, some in by_volume.items():
                await self._remove_of(name, some, gone)
        finally:
            if gone:
                self.removed += len(gone)
                self.removed_bytes += sum(row.size for row in gone)
            for row in gone:
                REMOVED_BYTES.labels(row.volume).inc(row.size)
                await asyncio.to_thread(self._gone, gone)
        return gone

    async def _remove_of(
        self, name: str, rows: Sequence[SegmentRow], gone: list[SegmentRow]
    ) -> None:
        try:
            volume = self._volumes.of(rows[0])
            for i in range(0, len(rows), _BATCH):
                async with self._locks[name]:
                    await self._recover(volume)
                    gone += await self._remove(volume, rows[i : i + _BATCH])
        except OSError as error:
            log.error("recordings not deleted", volume=name, error=error.strerror)
        except StorageError as error:
            log.error("recordings not deleted", volume=name, error=str(error))

    async def recover(self, volume: Volume) -> None:
        """Finish what a kill interrupted; once for each volume.

        Raises StorageError, OSError, CatalogError.
        """
        async with self._locks[volume.name]:
            await self._recover(volume)

    async def _recover(self, volume: Volume) -> None:
        if volume.name in self._recovered:
            return
        hand, disk = self._hands[volume.name], self._disk
        noted = await hand.do(lambda: disk.noted(volume))
        left = []
        for key, path in noted.items():
            if not await self._is_at(volume, key, path) and await hand.do(
                partial(disk.is_of, volume, key, path)
            ):
                left.append(path)
        if left:
            log.info(
                "deleting goes on where it was interrupted", volume=volume.name, left=len(left)
            )
            self._touch(volume, left)
            await hand.do(lambda: disk.unlink(volume, left))
        if noted:
            await hand.do(lambda: disk.note(volume, {}))
        with contextlib.suppress(OSError):
            # A full disk may have no room for it; deleting goes on without.
            await hand.do(lambda: disk.prepare(volume))
        self._recovered.add(volume.name)

    async def _is_at(self, volume: Volume, segment_id: str, path: str) -> bool:
        try:
            row = await self._segments.get(segment_id)
        except NotFound:
            return False
        return (row.volume, row.path) == (volume.name, path)

    async def _remove(self, volume: Volume, rows: Sequence[SegmentRow]) -> list[SegmentRow]:
        hand, disk = self._hands[volume.name], self._disk
        # A row may have moved since it was read: then its file is not to be looked for here.
        entries = {
            row.id: row.path
            for row in rows
            if row.id not in self._moved or await self._is_at(volume, row.id, row.path)
        }
        self._recovered.discard(volume.name)
        try:
            await hand.do(lambda: disk.note(volume, entries))
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            # Without a journal a kill may leave files to be adopted again; that is better
            # than a disk that stays full.
            log.warning("no room for the journal of deleting", volume=volume.name)
        self._touch(volume, entries.values())
        ids = await self._segments.remove_unheld(entries, self._clock.now_ns())
        gone = [row for row in rows if row.id in ids]
        paths = [row.path for row in gone]
        await hand.do(lambda: disk.unlink(volume, paths))
        await hand.do(lambda: disk.note(volume, {}))
        self._recovered.add(volume.name)
        folders = {volume.path(path).parent for path in paths}
        old = [folder for folder in folders if folder.name < self._yesterday()]
        await hand.do(lambda: disk.tidy(volume, old))
        return gone

    async def relocate(
        self, row: SegmentRow, target: Volume, path: str, place: Callable[[], None]
    ) -> None:
        """Make `path` on `target` the place of a closed recording, and delete it where it was.

        `place` puts the whole and durable copy there; it is called in the target's thread.
        `path` must be a name that nothing else can have. Whatever fails, the recording stays
        where its row says. Raises StorageError, OSError, CatalogError, NotFound, Conflict.
        """
        source = self._volumes.of(row)
        async with self._both(source, target):
            await self._recover(source)
            await self._recover(target)
            if not await self._is_at(source, row.id, row.path):
                raise NotFound(f"{row.path} was deleted or moved meanwhile")
            self._recovered -= {source.name, target.name}
            self._touch(target, [path])
            self._touch(source, [row.path])
            disk, at_target, at_source = (
                self._disk, self._hands[target.name], self._hands[source.name]
            )  # fmt: skip
            await at_target.do(lambda: disk.note(target, {row.id: path}))
            await at_source.do(lambda: disk.note(source, {row.id: row.path}))
            await at_target.do(place)
            self._remember(self._moved, row.id)
            await self._segments.move(row.id, target.name, path)
            await at_source.do(lambda: disk.unlink(source, [row.path]))
            await at_source.do(lambda: disk.note(source, {}))
            await at_target.do(lambda: disk.note(target, {}))
            self._recovered |= {source.name, target.name}

    @contextlib.asynccontextmanager
    async def _both(self, source: Volume, target: Volume) -> AsyncIterator[None]:
        """Always in the same order, so that nobody waits for one who waits for him."""
        first, second = sorted((source.name, target.name))
        async with self._locks[first], self._locks[second]:
            yield

    def _touch(self, volume: Volume, paths: Iterable[str]) -> None:
        for path in paths:
            self._remember(self._touched, (volume.name, path))

    @staticmethod
    def _remember(memory: OrderedDict[Key, None], key: Key) -> None:
        memory[key] = None
        while len(memory) > _REMEMBERED:
            memory.popitem(last=False)

    def _yesterday(self) -> str:
        """Folders of days before it get no new files."""
        now = datetime.fromtimestamp(self._clock.now_ns() / 1e9, UTC)
        return f"{now - timedelta(days=1):%Y-%m-%d}"
