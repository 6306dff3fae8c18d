"""Records every stream that is set to be recorded. Event loop side.

Subscribes to the media of each such stream, hands what comes to the writing threads, and
keeps the catalog's rows in step. Follows the cameras as they are added and changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from vms.bus import subjects
from vms.bus.port import Bus, Delivery, Subscription
from vms.common.clock import Clock
from vms.common.errors import CatalogError
from vms.common.lifecycle import stop_task
from vms.common.model.camera import Camera, RecordingMode, StreamState
from vms.common.model.media import Codec, Medium
from vms.common.model.messages import ConfigChanged
from vms.common.model.segment import SegmentRow
from vms.storage import metrics
from vms.storage.inbox import Lane
from vms.storage.rows import RowKeeper, SegmentRows
from vms.storage.segment_file import SegmentFile
from vms.storage.settings import StorageSettings
from vms.storage.stream_recorder import Expected, StreamRecorder, Watcher
from vms.storage.volume import Volume
from vms.storage.writer import WriterThread

log = structlog.get_logger(__name__)

_RELOAD_EVERY_S = 60.0
_COUNT_EVERY_S = 2.0
_STOP_THREADS_S = 2.5
_STOP_ROWS_S = 1.0

Key = tuple[str, str]
"""Camera and stream."""


class CameraRows(Protocol):
    async def list(self) -> tuple[Camera, ...]: ...


class RecorderCatalog(Protocol):
    """What the recorder needs of the catalog."""

    @property
    def cameras(self) -> CameraRows: ...

    @property
    def segments(self) -> SegmentRows: ...


@dataclass(frozen=True, slots=True)
class RecordingState:
    """Whether a stream is being recorded now, and if not, why, as a sentence.

    `problem` is what the disk or the stream's bytes refuse; `reason` may also be but a wait.
    """

    camera: str
    stream: str
    recording: bool
    reason: str
    problem: str
    segment: str
    written_units: int
    written_bytes: int
    lost_units: int


@dataclass(slots=True)
class _Entry:
    lane: Lane
    recorder: StreamRecorder
    thread: WriterThread
    subscription: Subscription | None = None
    counted: dict[str, int] = field(default_factory=dict)


class _Postman(Watcher):
    """Carries news of files from a writing thread to the event loop."""

    def __init__(self, recorder: Recorder, loop: asyncio.AbstractEventLoop) -> None:
        self._recorder = recorder
        self._loop = loop

    def opened(self, file: SegmentFile) -> None:
        self._loop.call_soon_threadsafe(self._recorder.rows.opened, file.row())

    def closed(self, row: SegmentRow) -> None:
        self._loop.call_soon_threadsafe(self._recorder.rows.closed, row)

    def broken(self, file: SegmentFile) -> None:
        self._loop.call_soon_threadsafe(self._recorder.broken.append, file.row())


class Recorder:
    """`start`, then `run` until cancelled, then `stop`."""

    def __init__(
        self,
        bus: Bus,
        catalog: RecorderCatalog,
        volume: Volume,
        settings: StorageSettings,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._catalog = catalog
        self._volume = volume
        self._settings = settings
        self._clock = clock
        self._entries: dict[Key, _Entry] = {}
        self._threads: list[WriterThread] = []
        self._subscriptions: list[Subscription] = []
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.broken: list[SegmentRow] = []
        """Rows of files that the disk refused to take more of; to be mended."""
        self.rows = RowKeeper(catalog.segments, bus, clock, settings.extend_seconds, self._growing)

    async def start(self) -> None:
        """Begin to record. Raises BusError; a catalog that is away is asked again later."""
        settings = self._settings
        self._postman = _Postman(self, asyncio.get_running_loop())
        for number in range(settings.writer_threads):
            thread = WriterThread(
                f"storage-writer-{number}",
                settings.total_queue_bytes // settings.writer_threads,
                settings.linger_ms / 1000,
                self._clock.now_ns,
            )
            thread.start()
            self._threads.append(thread)
        self._subscriptions = [
            await self._bus.subscribe(subjects.STATE_ALL, self._take_state),
            await self._bus.subscribe(subjects.CONFIG_ALL, self._take_notice),
        ]
        await self._reload()
        self._tasks = [
            asyncio.create_task(self._follow_cameras(), name="storage-cameras"),
            asyncio.create_task(self._count(), name="storage-count"),
            asyncio.create_task(self.rows.run(), name="storage-rows"),
        ]

    async def stop(self) -> None:
        """Close all files and tell the catalog; takes at most some four seconds."""
        for subscription in self._subscriptions:
            await subscription.close()
        for entry in self._entries.values():
            if entry.subscription is not None:
                await entry.subscription.close()
        for thread in self._threads:
            thread.stop()
        joined = await asyncio.gather(
            *(asyncio.to_thread(thread.join, _STOP_THREADS_S) for thread in self._threads)
        )
        for task in self._tasks:
            await stop_task(task)
        if not all(joined):
            log.error("the disk holds a writing thread; its files are mended at the next start")
        # Lets what the threads posted last come in.
        await asyncio.sleep(0)
        self._count_once()
        for key in self._entries:
            metrics.RECORDING.labels(*key).set(0)
        try:
            async with asyncio.timeout(_STOP_ROWS_S):
                await self.rows.flush()
        except TimeoutError:
            log.error("the catalog does not answer; rows are mended at the next start")

    def states(self) -> list[RecordingState]:
        """How recording stands, for people and for health checks."""
        listed = []
        for (camera, stream), entry in sorted(self._entries.items()):
            recorder, file = entry.recorder, entry.recorder.file
            reason = recorder.problem or ("" if file else "waiting for a key picture")
            lost = entry.lane.lost + entry.lane.missed + sum(recorder.lost.values())
            listed.append(
                RecordingState(
                    camera, stream, file is not None, reason, recorder.problem,
                    file.path if file else "", recorder.written_units,
                    recorder.written_bytes, lost,
                )
            )  # fmt: skip
        return listed

    def _growing(self) -> Iterable[SegmentRow]:
        for entry in self._entries.values():
            file = entry.recorder.file
            if file is not None:
                yield file.row()

    def _take_notice(self, delivery: Delivery) -> None:
        if isinstance(delivery.message, ConfigChanged) and delivery.message.kind == "camera":
            self._changed.set()

    def _take_state(self, delivery: Delivery) -> None:
        state = delivery.message
        if not isinstance(state, StreamState) or not state.tracks:
            return
        entry = self._entries.get((state.camera, state.stream))
        if entry is None:
            return
        expected = entry.recorder.expected
        if expected is None or expected.run != state.run or len(state.tracks) != expected.tracks:
            audio = any(_is_audio(track.codec) for track in state.tracks)
            entry.recorder.expected = Expected(state.run, audio, len(state.tracks))

    async def _follow_cameras(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_RELOAD_EVERY_S if self._entries else 5.0):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            await self._reload()

    async def _reload(self) -> None:
        """Begin and end recordings so that they are as the cameras' settings say."""
        try:
            cameras = await self._catalog.cameras.list()
        except CatalogError as error:
            log.error("cameras cannot be read, recording goes on as it was", error=str(error))
            return
        wanted = {
            (camera.id, stream.name)
            for camera in cameras
            if camera.enabled
            for stream in camera.streams
            if stream.recording is not RecordingMode.OFF
        }
        for key in self._entries.keys() - wanted:
            await self._end(key)
        for key in sorted(wanted - self._entries.keys()):
            await self._begin(key)

    async def _begin(self, key: Key) -> None:
        settings = self._settings
        thread = min(self._threads, key=lambda thread: thread.load)
        lane = Lane(thread.inbox, settings.queue_bytes, settings.queue_units)
        recorder = StreamRecorder(*key, self._volume, settings, self._postman)
        thread.add(lane, recorder)
        entry = self._entries[key] = _Entry(lane, recorder, thread)
        metrics.RECORDING.labels(*key).set(0)
        entry.subscription = await self._bus.subscribe(subjects.media(*key), lane.sink)

    async def _end(self, key: Key) -> None:
        entry = self._entries.pop(key)
        if entry.subscription is not None:
            await entry.subscription.close()
        entry.thread.remove(entry.lane)
        metrics.forget(*key)

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(_COUNT_EVERY_S)
            self._count_once()

    def _count_once(self) -> None:
        for key, entry in self._entries.items():
            self._count_entry(key, entry)

    def _count_entry(self, key: Key, entry: _Entry) -> None:
        """Carry the plain numbers of the hot path over to the metrics."""
        recorder, lane = entry.recorder, entry.lane
        now = {
            "units": recorder.written_units, "bytes": recorder.written_bytes,
            "queue": lane.lost, "bus": lane.missed, **recorder.lost,
        }  # fmt: skip
        for name, value in now.items():
            grown = value - entry.counted.get(name, 0)
            if not grown:
                continue
            if name == "units":
                metrics.WRITTEN_UNITS.labels(*key).inc(grown)
            elif name == "bytes":
                metrics.WRITTEN_BYTES.labels(*key).inc(grown)
            else:
                metrics.LOST_UNITS.labels(*key, name).inc(grown)
        if now["queue"] > entry.counted.get("queue", 0):
            log.warning(
                "disk too slow, groups of pictures shed", camera=key[0], stream=key[1],
                units=now["queue"] - entry.counted.get("queue", 0),
            )  # fmt: skip
        entry.counted = now
        metrics.RECORDING.labels(*key).set(1 if recorder.file is not None else 0)


def _is_audio(codec: str) -> bool:
    try:
        return Codec(codec).medium is Medium.AUDIO
    except ValueError:
        return False
