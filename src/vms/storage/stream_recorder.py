"""Decides for one stream which units go into which file. Thread side.

A file begins at a key picture. A new one begins with a new Run, on the hour (or the part
of it that is set) at the next key picture, where parameters change, where the camera's
time jumps, where the mode changes, and where the disk is to be another. At the start of a
Run units are held for a moment, so that the first file has the audio track too; one that
comes later is in the next file, at the next key picture. Which groups of pictures are
written at all, `Sieve` decides by the `orders` of the event loop.

An undying outer part around disposable files: a disk that refuses ends the file, is
reported, and is tried again, ever more seldom, at key pictures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from vms.common.errors import InvalidIdentifier, ParseError, StorageError
from vms.common.model.media import AccessUnit, Codec, CodecParameters, Medium
from vms.common.model.segment import SegmentRow
from vms.common.retry import Backoff
from vms.storage.cover import Cover
from vms.storage.metrics import SEGMENTS
from vms.storage.segment_file import MAX_UNIT, SegmentFile
from vms.storage.segment_sync import FileSync, SyncFailed
from vms.storage.settings import StorageSettings
from vms.storage.sieve import CONTINUOUS, Budget, Orders, Sieve
from vms.storage.syncer import Syncers
from vms.storage.timeline import Timeline, TrackTime, lateness
from vms.storage.volume import Volume
from vms.storage.volumes import Volumes

log = structlog.get_logger(__name__)

_HOUR_NS = 3_600_000_000_000
_MINUTE_NS = 60_000_000_000
_FOLLOWS_NS = 2_000_000_000
_MAX_HELD = 2000


@dataclass(slots=True)
class Expected:
    """What ingest says of a Run: how many tracks, and whether audio is among them."""

    run: str
    audio: bool
    tracks: int


class Watcher:
    """Hears of files, on the syncing thread, once they are durable. The base does nothing."""

    def opened(self, file: FileSync) -> None: ...

    def closed(self, row: SegmentRow) -> None: ...

    def broken(self, file: FileSync) -> None: ...


class StreamRecorder:
    """`write` and `close` belong to the writing thread; other threads may read the fields."""

    def __init__(
        self,
        camera: str,
        stream: str,
        volumes: Volumes | Volume,
        settings: StorageSettings,
        watcher: Watcher,
        monotonic: Callable[[], float] = time.monotonic,
        budget: Budget | None = None,
        syncers: Syncers | None = None,
    ) -> None:
        """`budget`: what may wait for events in all streams of the writing thread.

        `syncers` makes files durable; None: that is done at each flush.
        """
        self.camera = camera
        self.stream = stream
        self.orders: Orders = CONTINUOUS
        """Set by the event loop, as settings, calendar and events want it."""
        self.expected: Expected | None = None
        """Set by the event loop, as ingest tells."""
        self.problem = ""
        """Why nothing is recorded, as a sentence; empty while all is well."""
        self.file: SegmentFile | None = None
        self.written_units = 0
        self.written_bytes = 0
        self.lost = {"disk": 0, "time": 0}
        self.cover = Cover()
        self.busy_ns: int | None = None
        """Arrival of the oldest unit of those being written now."""
        self.sieve = Sieve(settings.pre_roll_bytes, budget or Budget(settings.total_pre_roll_bytes))
        self._volumes = Volumes([volumes]) if isinstance(volumes, Volume) else volumes
        self._on: Volume | None = None
        self._settings = settings
        self._watcher = watcher
        self._syncers = syncers or Syncers(
            settings.sync_seconds, settings.unsynced_bytes, threaded=False
        )
        self._monotonic = monotonic
        self._period_ns = settings.rotation_minutes * _MINUTE_NS
        self._wait_ns = int(settings.start_wait_s * 1e9)
        self._run = ""
        self._video: int | None = None
        self._known: dict[int, CodecParameters] = {}
        self._newest: dict[int, AccessUnit] = {}
        self._held: list[AccessUnit] | None = None
        self._tracks: dict[int, TrackTime] = {}
        self._period = 0
        self._rotate = False
        self._mode = ""
        self._late_ms = 0
        self._backoff = Backoff(first=1.0, longest=30.0)
        self._not_before = 0.0

    def write(self, units: Sequence[AccessUnit]) -> None:
        """Write what has come. Never raises for the disk: see `problem`."""
        orders = self.orders
        self.busy_ns = units[0].arrival_ns if units else None
        try:
            if not orders.audio:
                units = [u for u in units if u.parameters.codec.medium is Medium.VIDEO]
            if orders.always and self.sieve.idle:
                for unit in units:
                    self._take(unit)
            else:
                self._sift(units, orders)
            if self.file is not None:
                self.file.flush()
        except (StorageError, ParseError, InvalidIdentifier) as error:
            self._fail(error, len(units))
        finally:
            self.busy_ns = None

    def _sift(self, units: Sequence[AccessUnit], orders: Orders) -> None:
        """Write of the units, and of what waits, what the orders want."""
        for unit in self.sieve.sift(units, orders):
            if unit is not None:
                self._take(unit)
            else:
                self._flush_held()
                self._close_file(None)

    def _take(self, unit: AccessUnit) -> None:
        track = self._tracks.get(unit.track)
        file = self.file
        if file is None or track is None or unit.run != self._run:
            self._take_first(unit)
            return
        if unit.parameters is not track.parameters and not self._same_parameters(unit, track):
            return
        if unit.key and track.number == 1 and self._should_rotate(unit):
            self._begin(unit)
            return
        ms, jumped = track.place(unit)
        if jumped:
            self._note_jump(unit)
        if track.number == 1:
            if ms < file.max_ms:
                self._late_ms = lateness(file.max_ms, ms, self._late_ms)
        else:
            self._newest[unit.track] = unit
            self._late_ms = lateness(file.max_ms, ms, self._late_ms)
        self._put(file, unit, track.number, ms)

    def _put(self, file: SegmentFile, unit: AccessUnit, number: int, ms: int) -> None:
        size = len(unit.data)
        if ms < 0 or size > MAX_UNIT:
            # Shown before the file's first picture, as leading pictures of a stream joined
            # in its middle are: they cannot be decoded.
            self.lost["time"] += 1
            return
        file.add(unit, number, ms)
        self.written_units += 1
        self.written_bytes += size
        if number == 1:
            self.cover.note(unit)

    def _same_parameters(self, unit: AccessUnit, track: TrackTime) -> bool:
        """Whether the unit may go on in this file; else it began or waits for another."""
        new = unit.parameters
        if new == track.parameters:
            track.parameters = new
            return True
        self._known[unit.track] = new
        if track.number == 1 and unit.key:
            self._begin(unit)
            return False
        self._rotate = True
        # Pictures carry their parameter sets; sound of another kind would be noise.
        return track.number == 1

    def _should_rotate(self, unit: AccessUnit) -> bool:
        return (
            self._rotate
            or unit.arrival_ns // self._period_ns != self._period
            or self._mode != self._label()
        )

    def _label(self) -> str:
        """Why what comes now is recorded, as rows say it."""
        return "continuous" if self.orders.always else "event"

    def _note_jump(self, unit: AccessUnit) -> None:
        self._rotate = True
        log.warning(
            "media time jumped, a new file begins at the next key picture",
            camera=self.camera, stream=self.stream, track=unit.track, number=unit.number,
        )  # fmt: skip

    def _take_first(self, unit: AccessUnit) -> None:
        """A unit for which no file, or no track of the file, is there yet."""
        if unit.run != self._run:
            self._close_file(None)
            self._flush_held()
            self._close_file(None)
            self._run = unit.run
            self._video = None
            self._known = {}
            self._newest = {}
            self._held = None
            self._late_ms = 0
        video = unit.parameters.codec.medium is Medium.VIDEO
        if video:
            if self._video is None:
                self._video = unit.track
            elif self._video != unit.track:
                return
        else:
            if unit.track not in self._known and self.file is not None:
                self._rotate = True
            self._newest[unit.track] = unit
        self._known[unit.track] = unit.parameters
        if self.file is not None:
            return
        if self._held is None:
            if not (video and unit.key):
                return
            if self._monotonic() < self._not_before:
                self.lost["disk"] += 1
                return
            self._held = []
        self._held.append(unit)
        if self._is_complete(unit):
            self._flush_held()

    def _is_complete(self, unit: AccessUnit) -> bool:
        """Whether all tracks are known that are likely to come."""
        held = self._held
        assert held
        if len(self._known) > 1 or len(held) > _MAX_HELD:
            return True
        expected = self.expected
        if expected is not None and expected.run == self._run and not expected.audio:
            return True
        return unit.arrival_ns - held[0].arrival_ns >= self._wait_ns

    def _flush_held(self) -> None:
        held, self._held = self._held, None
        if not held:
            return
        self._begin(held[0])
        for unit in held[1:]:
            self._take(unit)

    def _begin(self, key: AccessUnit) -> None:
        """Begin a new file with the key picture, ending the one before."""
        before = self.file
        period = key.arrival_ns // self._period_ns
        follows = (
            before is not None
            and before.header.run == key.run
            and 0 <= key.arrival_ns - before.last_wall_ns < _FOLLOWS_NS
        )
        on_the_hour = (
            follows and period != self._period and period * self._period_ns % _HOUR_NS == 0
        )
        self._close_file(key.arrival_ns if follows else None)
        others = {t: p for t, p in self._known.items() if t != key.track and _complete(p)}
        timeline = Timeline(key, others, self._newest, self._late_ms)
        self._known[key.track] = key.parameters
        self._mode = self._label()
        self._on = self._volumes.to_write(self.camera, self.stream)
        file = SegmentFile(
            self._on,
            key,
            (key.parameters, *others.values()),
            timeline.lead_ms,
            on_the_hour,
            self._syncers.of(self._on),
            self._watcher,
            self._mode,
        )
        self._tracks = timeline.tracks
        self._period = period
        self._rotate = False
        self._video = key.track
        try:
            ms, _ = self._tracks[key.track].place(key)
            self._put(file, key, 1, ms)
            file.flush()
        except StorageError:
            file.discard()
            raise
        self.file = file
        SEGMENTS.labels("opened").inc()
        if self.problem:
            log.info("recording again", camera=self.camera, stream=self.stream)
        self.problem = ""
        self._backoff.reset()

    def _close_file(self, end_ns: int | None) -> None:
        file, self.file = self.file, None
        self._tracks = {}
        if file is None:
            return
        try:
            file.close(end_ns)
        except StorageError:
            SEGMENTS.labels("given up").inc()
            raise
        SEGMENTS.labels("closed").inc()

    def _fail(self, error: Exception, units: int) -> None:
        """The disk refused: let the file go, report, and try again later."""
        file, self.file = self.file, None
        self._tracks = {}
        self._held = None
        self.lost["disk"] += units
        if file is not None:
            file.abandon()
            SEGMENTS.labels("given up").inc()
        delay = self._backoff.next()
        if isinstance(error, SyncFailed) and error.kept:
            # It took some of the file: a new one may begin with the next key picture.
            delay = 0.0
        if self._on is not None and self._volumes.should_move(
            self.camera, self.stream, self._on.name
        ):
            # Another disk can take it: from the next key picture on.
            delay = 0.0
        self._not_before = self._monotonic() + delay
        if str(error) != self.problem:
            log.error(
                "not recording", camera=self.camera, stream=self.stream, error=str(error),
                next_try_s=round(delay, 1),
            )  # fmt: skip
        self.problem = str(error)

    def tick(self, now_ns: int) -> None:
        """Called about once a second: a start held for sound that never comes goes ahead."""
        try:
            if not self.sieve.idle:
                # An event must not wait for a camera that stands still.
                self._sift((), self.orders)
            if self._held and now_ns - self._held[0].arrival_ns > self._wait_ns + 500_000_000:
                self._flush_held()
            if self.file is not None:
                self.file.flush()
                self._check_volume()
        except (StorageError, ParseError, InvalidIdentifier) as error:
            self._fail(error, 0)

    def _check_volume(self) -> None:
        """Raises StorageError where no more may be written; what is written is made whole."""
        assert self._on is not None
        try:
            self._on.check()
        except StorageError:
            self._close_file(None)
            raise
        if self._volumes.should_move(self.camera, self.stream, self._on.name):
            self._rotate = True

    def give_up(self, error: Exception) -> None:
        """After an error that nobody foresaw: begin anew with another file."""
        self._fail(error, 0)

    def close(self) -> None:
        """End the file. Nothing is written after this."""
        try:
            self._flush_held()
            self._close_file(None)
        except (StorageError, ParseError, InvalidIdentifier) as error:
            self._fail(error, 0)


def _complete(track: CodecParameters) -> bool:
    """Whether a decoder could begin; AAC without its configuration is but noise."""
    return track.codec is not Codec.AAC or bool(track.config)
