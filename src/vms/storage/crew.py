"""Which thread writes which stream: each volume has writing threads of its own.

So a disk that stands still holds no stream of another one. A stream belongs to the volume
that `Volumes` names for it. Where that becomes another, the stream is moved: at once, and
with all that waits in its lane, where the old disk takes nothing; else at its next key
picture, so that no picture is lost. All of it belongs to the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from vms.common.errors import StorageError
from vms.storage.inbox import Lane
from vms.storage.settings import StorageSettings
from vms.storage.sieve import Budget
from vms.storage.sight import Berth, Entry, Key
from vms.storage.stream_recorder import StreamRecorder, Watcher
from vms.storage.syncer import Syncers
from vms.storage.volume import Volume
from vms.storage.volume_state import Tier
from vms.storage.volumes import Volumes
from vms.storage.writer import WriterThread

log = structlog.get_logger(__name__)

_HELD_S = 3.0
"""A thread that writes to a disk for longer than this at once is held by it."""


class Crew:
    """The threads are made as they are needed; `stop` ends them."""

    def __init__(
        self,
        volumes: Volumes,
        settings: StorageSettings,
        watcher: Watcher,
        syncers: Syncers,
        now_ns: Callable[[], int],
    ) -> None:
        self._volumes = volumes
        self._settings = settings
        self._watcher = watcher
        self._syncers = syncers
        self._now_ns = now_ns
        self._threads: dict[str, list[WriterThread]] = {}
        self._budgets: dict[WriterThread, Budget] = {}
        fast = sum(volume.tier is Tier.FAST for volume in volumes)
        self._share = settings.writer_threads * max(1, fast)

    def assign(self, key: Key) -> Entry:
        """A place for a stream that nobody writes yet."""
        return Entry(key, self._berth(key, self._wanted(key)))

    def follow(self, entry: Entry) -> None:
        """See that the stream is written to the volume it belongs to now. To be called about
        once a second."""
        berth = entry.berth
        target = self._wanted(entry.key, berth.volume)
        if target is berth.volume:
            entry.stay()
            return
        coming = entry.coming
        if coming is None or coming.volume is not target:
            entry.stay()
            coming = self._berth(entry.key, target, berth.recorder)
            log.info(
                "another volume takes the stream", camera=entry.key[0], stream=entry.key[1],
                volume=target.name, before=berth.volume.name,
            )  # fmt: skip
        if berth.recorder.file is None or berth.thread.is_held():
            entry.move(coming)
        else:
            entry.coming = coming

    def _wanted(self, key: Key, now: Volume | None = None) -> Volume:
        """Where the stream belongs; where no volume can take it, where it is, or its home."""
        try:
            return self._volumes.to_write(*key)
        except StorageError:
            return now or self._volumes.home(*key)

    def _berth(self, key: Key, volume: Volume, before: StreamRecorder | None = None) -> Berth:
        settings = self._settings
        thread = min(self._of(volume), key=lambda thread: thread.load)
        lane = Lane(thread.inbox, settings.queue_bytes, settings.queue_units)
        recorder = StreamRecorder(
            *key,
            volume,
            settings,
            self._watcher,
            budget=self._budgets[thread],
            syncers=self._syncers,
        )
        if before is not None:
            recorder.orders, recorder.expected = before.orders, before.expected
        return Berth(volume, thread, lane, recorder)

    def _of(self, volume: Volume) -> list[WriterThread]:
        found = self._threads.get(volume.name)
        if found is None:
            count = self._settings.writer_threads
            found = [self._begin(volume, number) for number in range(count)]
            self._threads[volume.name] = found
        return found

    def _begin(self, volume: Volume, number: int) -> WriterThread:
        settings = self._settings
        thread = WriterThread(
            f"storage-writer-{volume.name}-{number}",
            settings.total_queue_bytes // self._share,
            settings.linger_ms / 1000,
            self._now_ns,
        )
        self._budgets[thread] = Budget(settings.total_pre_roll_bytes // self._share)
        volume.watch_holder(thread, _HELD_S)
        thread.start()
        return thread

    async def stop(self, limit: float) -> list[str]:
        """Have all threads write what waits, and close their files; the volumes that hold
        theirs for longer than `limit` seconds."""
        threads = [(name, thread) for name, some in self._threads.items() for thread in some]
        for _, thread in threads:
            thread.stop()
        joined = await asyncio.gather(
            *(asyncio.to_thread(thread.join, limit) for _, thread in threads)
        )
        for name, thread in threads:
            self._volumes.named(name).forget_holder(thread)
        return sorted({name for (name, _), done in zip(threads, joined, strict=True) if not done})
