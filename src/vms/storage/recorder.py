"""Records every stream as its mode wants it. Event loop side.

Subscribes to the media of each stream that is to be recorded now or soon, hands what
comes to the writing threads, tells them what to write (`Orders`), keeps the catalog's rows
in step, and accounts for what was missed. Follows the cameras, the calendar and the events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from vms.bus import subjects
from vms.bus.port import Bus, Delivery, Subscription
from vms.common.clock import Clock
from vms.common.errors import CatalogError
from vms.common.lifecycle import stop_task
from vms.common.model.camera import Camera, RecordingMode, StreamConfig, StreamState
from vms.common.model.media import Codec, Medium
from vms.common.model.messages import ConfigChanged
from vms.common.model.segment import SegmentRow
from vms.common.wallclock import Step, WallClock
from vms.storage import metrics
from vms.storage.alarms import Alarms
from vms.storage.clock_shift import ClockShift
from vms.storage.crew import Crew
from vms.storage.ledger import Ledger
from vms.storage.modes import Standing, standing
from vms.storage.recorder_ports import RecorderCatalog, RecordingState
from vms.storage.rows import RowKeeper
from vms.storage.segment_sync import FileSync
from vms.storage.settings import StorageSettings
from vms.storage.sight import SETTLE_NS, Entry, Heard, Key
from vms.storage.stream_recorder import Expected, Watcher
from vms.storage.syncer import Syncers
from vms.storage.triggers import TriggerDesk
from vms.storage.volume import Volume
from vms.storage.volumes import Volumes
from vms.storage.wallclock import ClockWatch

__all__ = ["Recorder", "RecorderCatalog", "RecordingState"]

log = structlog.get_logger(__name__)

_RELOAD_EVERY_S = 60.0
_TICK_S = 1.0
_KEEP_EVERY_S = 1.0
_STOP_THREADS_S = 1.5
_STOP_SYNCERS_S = 1.0
_STOP_ROWS_S = 1.0


class _Postman(Watcher):
    """Carries news of files from a syncing thread to the event loop."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._loop = asyncio.get_running_loop()

    def opened(self, file: FileSync) -> None:
        self._loop.call_soon_threadsafe(self._recorder.rows.opened, file.row())

    def closed(self, row: SegmentRow) -> None:
        self._loop.call_soon_threadsafe(self._recorder.rows.closed, row)

    def broken(self, file: FileSync) -> None:
        self._loop.call_soon_threadsafe(self._recorder.broken.append, file.row())


class Recorder:
    """`start`, then `run` until cancelled, then `stop`."""

    def __init__(
        self,
        bus: Bus,
        catalog: RecorderCatalog,
        volumes: Volumes | Volume,
        settings: StorageSettings,
        clock: Clock,
        alarms: Alarms | None = None,
    ) -> None:
        """`alarms`: where wrong clocks are told; None: nowhere."""
        self._bus = bus
        self._catalog = catalog
        self._volumes = Volumes([volumes]) if isinstance(volumes, Volume) else volumes
        self._settings = settings
        self._clock = clock
        self._configured: dict[Key, StreamConfig] = {}
        self._standing: dict[Key, Standing] = {}
        self._entries: dict[Key, Entry] = {}
        self._heard: dict[Key, Heard] = {}
        self.syncers = Syncers(settings.sync_seconds, settings.unsynced_bytes, self._trouble)
        self._crew: Crew | None = None
        self._subscriptions: list[Subscription] = []
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._resumed = False
        self.on_trouble: Callable[[str, str], None] = lambda _volume, _text: None
        """Called on a syncing thread with a volume's name and why it lost what was written."""
        self.broken: list[SegmentRow] = []
        """Rows of files that the disk refused to take more of; to be mended."""
        self.rows = RowKeeper(catalog.segments, bus, clock, settings.extend_seconds, self._growing)
        self.events = TriggerDesk(catalog.events, clock, self._news)
        self.ledger = Ledger(catalog, clock)
        self.clocks = ClockWatch(
            alarms or Alarms(bus, clock), clock, catalog.segments, catalog.holds, self._volumes.path
        )
        self.notes = ClockShift(catalog, self.events, self.ledger)
        self._wall = clock if isinstance(clock, WallClock) else None

    async def start(self) -> None:
        """Begin to record. Raises BusError; a catalog that is away is asked again later."""
        if self._wall is not None:
            self._wall.listeners.append(self._stepped)
        self._crew = Crew(
            self._volumes, self._settings, _Postman(self), self.syncers, self._clock.now_ns
        )
        self._subscriptions = [
            await self._bus.subscribe(subjects.STATE_ALL, self._take_state),
            await self._bus.subscribe(subjects.CONFIG_ALL, self._take_notice),
            await self._bus.subscribe(subjects.EVENTS_ALL, self.events.sink),
        ]
        await self._reload()
        self._tasks = [
            asyncio.create_task(self._follow_cameras(), name="storage-cameras"),
            asyncio.create_task(self._tick(), name="storage-tick"),
            asyncio.create_task(self.rows.run(), name="storage-rows"),
            asyncio.create_task(self._keep(), name="storage-ledger"),
            asyncio.create_task(self._keep_time(), name="storage-time"),
        ]

    async def stop(self) -> None:
        """Close all files and tell the catalog; takes at most some four seconds."""
        if self._wall is not None and self._stepped in self._wall.listeners:
            self._wall.listeners.remove(self._stepped)
        for subscription in self._subscriptions:
            await subscription.close()
        for entry in self._entries.values():
            if entry.subscription is not None:
                await entry.subscription.close()
        writing = await self._crew.stop(_STOP_THREADS_S) if self._crew is not None else []
        held = await asyncio.to_thread(self.syncers.stop, _STOP_SYNCERS_S)
        if held:
            log.error("volumes do not sync; files are mended at the next start", volumes=held)
        for task in self._tasks:
            await stop_task(task)
        if writing:
            log.error("volumes hold their writer; files are mended at the next start",
                      volumes=writing)  # fmt: skip
        # Lets what the threads posted last come in.
        await asyncio.sleep(0)
        self._count_once()
        self._account(final=True)
        for key in self._entries:
            metrics.RECORDING.labels(*key).set(0)
        try:
            async with asyncio.timeout(_STOP_ROWS_S):
                await self.rows.flush()
                await self.events.flush()
                if self._resumed:
                    await self.ledger.flush(final=True)
        except TimeoutError:
            log.error("the catalog does not answer; rows are mended at the next start")

    def states(self) -> list[RecordingState]:
        """How recording stands, for people and for health checks."""
        return [self._state(*item) for item in sorted(self._standing.items())]

    def _state(self, key: Key, standing: Standing) -> RecordingState:
        entry = self._entries.get(key)
        mode, expected = standing.mode.value, standing.expected
        if entry is None:
            return RecordingState(*key, False, standing.note, "", "", 0, 0, 0, mode, expected)
        recorder, file = entry.recorder, entry.recorder.file
        waiting = "" if file else "waiting for a key picture"
        reason = recorder.problem or standing.note or waiting
        numbers = entry.numbers()
        units, size = numbers.pop("units"), numbers.pop("bytes")
        return RecordingState(
            *key, file is not None, reason, recorder.problem, file.path if file else "",
            units, size, sum(numbers.values()), mode, expected,
        )  # fmt: skip

    def _trouble(self, volume: Volume, text: str) -> None:
        """A syncing thread tells of a volume that did not keep what was written to it."""
        self.on_trouble(volume.name, text)

    def _growing(self) -> Iterable[SegmentRow]:
        for entry in self._entries.values():
            file = entry.recorder.file
            if file is not None and file.sync.durable is not None:
                yield file.row()

    def _take_notice(self, delivery: Delivery) -> None:
        if isinstance(delivery.message, ConfigChanged) and delivery.message.kind == "camera":
            self._changed.set()

    def _take_state(self, delivery: Delivery) -> None:
        state = delivery.message
        if not isinstance(state, StreamState):
            return
        key = (state.camera, state.stream)
        heard = self._heard.get(key)
        if heard is not None:
            heard.take(state, self._clock.monotonic_ns())
        entry = self._entries.get(key)
        if entry is None or not state.tracks:
            return
        expected = entry.recorder.expected
        if expected is None or expected.run != state.run or len(state.tracks) != expected.tracks:
            audio = any(_is_audio(track.codec) for track in state.tracks)
            entry.recorder.expected = Expected(state.run, audio, len(state.tracks))

    def _news(self, camera: str) -> None:
        """Events of the camera began or ended: its recorders must know at once."""
        for key in self._configured:
            if key[0] == camera:
                self._order(key)

    def _stepped(self, step: Step) -> None:
        """The machine's clock was set."""
        self.notes.stepped(step, {camera for camera, _ in self._configured})

    async def _follow_cameras(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_RELOAD_EVERY_S if self._resumed else 5.0):
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
        if not self._resumed:
            await self._resume(cameras)
        self._configure(cameras)
        await self._apply()

    async def _resume(self, cameras: Sequence[Camera]) -> None:
        """Account for the time before this process; recording does not wait for it."""
        try:
            await self.ledger.resume(cameras)
            await self.events.close_left_open(self.ledger.died_ns)
        except CatalogError as error:
            log.error("gaps cannot be read, trying again", error=str(error))
            return
        self._resumed = True
        self.rows.heard = self.ledger.mended

    def _configure(self, cameras: Sequence[Camera]) -> None:
        wanted = {
            (camera.id, stream.name): stream
            for camera in cameras
            if camera.enabled
            for stream in camera.streams
            if stream.recording is not RecordingMode.OFF
        }
        now, mono = self._clock.now_ns(), self._clock.monotonic_ns()
        for key in self._configured.keys() - wanted.keys():
            self._standing.pop(key, None)
            self._heard.pop(key, None)
            self.ledger.leave(key, now)
            self.clocks.forget(*key)
        for key in wanted.keys() - self._configured.keys():
            self._heard[key] = Heard(mono)
        self._configured = wanted

    def _order(self, key: Key) -> None:
        """Have the stream's recorder do what is to be done now, where one is at work."""
        now = self._clock.now_ns()
        found = standing(key[0], self._configured[key], self.events, now)
        before = self._standing.get(key)
        self._standing[key] = found
        if self._resumed:
            self.ledger.of(key).expect(now, found.expected)
        entry = self._entries.get(key)
        if entry is not None and found.orders is not None and entry.recorder.orders != found.orders:
            entry.recorder.orders = found.orders
        if before is not None and before.note != found.note:
            log.info(
                "recording changes", camera=key[0], stream=key[1], mode=found.mode.value,
                note=found.note,
            )  # fmt: skip

    async def _apply(self) -> None:
        """Listen to the streams that are to be recorded, now or soon, and to no other."""
        for key in sorted(self._configured):
            self._order(key)
        wanted = {key for key, found in self._standing.items() if found.orders is not None}
        for key in self._entries.keys() - wanted:
            await self._end(key)
        for key in sorted(wanted - self._entries.keys()):
            await self._begin(key)

    async def _begin(self, key: Key) -> None:
        assert self._crew is not None
        entry = self._crew.assign(key)
        orders = self._standing[key].orders
        if orders is not None:
            entry.recorder.orders = orders
        entry.berth.begin()
        self._entries[key] = entry
        metrics.RECORDING.labels(*key).set(0)
        entry.subscription = await self._bus.subscribe(subjects.media(*key), entry.sink)

    async def _end(self, key: Key) -> None:
        entry = self._entries.pop(key)
        if entry.subscription is not None:
            await entry.subscription.close()
        entry.end()
        if key not in self._configured:
            metrics.forget(*key)

    def _follow_volumes(self) -> None:
        assert self._crew is not None
        for entry in self._entries.values():
            self._crew.follow(entry)

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(_TICK_S)
            try:
                self.clocks.tick()
                self.events.tick()
                await self._apply()
                self._follow_volumes()
                self._count_once()
                self._account()
            except Exception:
                # One stream's unforeseen trouble must not end what all the others live by.
                log.exception("accounting for recordings failed")

    async def _keep(self) -> None:
        """Write what the desk and the ledger know; apart, since a catalog may be slow."""
        while True:
            await self._clock.sleep(_KEEP_EVERY_S)
            await self.events.flush()
            if self._resumed:
                await self.ledger.flush()
            await self.notes.settle(self._clock.now_ns())

    async def _keep_time(self) -> None:
        """Put right what wrong clocks stamped; apart, since a disk may hold it."""
        while True:
            await self._clock.sleep(_KEEP_EVERY_S)
            try:
                await self.clocks.settle([*self._configured])
            except Exception:
                log.exception("footage of a wrong clock cannot be put right")

    def _account(self, final: bool = False) -> None:
        """Tell the ledger what is in files and what is in the way."""
        if not self._resumed:
            return
        now, mono = self._clock.now_ns(), self._clock.monotonic_ns()
        for key in self._configured:
            entry, heard, account = self._entries.get(key), self._heard[key], self.ledger.of(key)
            if heard.state is not None:
                self.clocks.camera(*key, heard.state.clock_offset_ns)
            if entry is None:
                account.advance(now)
                continue
            trouble = entry.trouble(now) or heard.trouble(mono)
            if trouble is not None:
                account.trouble(now, *trouble)
            account.limit_ns = entry.recorder.cover.limit_ns
            # What is ahead of now was stamped before the clock was set back.
            spans = [span for span in entry.spans() if span[1] <= now + SETTLE_NS]
            account.advance(now if final else entry.horizon_ns(now), spans)

    def _count_once(self) -> None:
        for entry in self._entries.values():
            entry.count()


def _is_audio(codec: str) -> bool:
    try:
        return Codec(codec).medium is Medium.AUDIO
    except ValueError:
        return False
