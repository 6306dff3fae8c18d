"""Where a stream is written, and what keeps it from being recorded, judged from what its
parts say."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from vms.bus.port import Delivery, Subscription
from vms.common.model.camera import StreamState, StreamStatus
from vms.common.model.evidence import GapCause
from vms.storage import metrics
from vms.storage.cover import Span
from vms.storage.inbox import Lane
from vms.storage.stream_recorder import StreamRecorder
from vms.storage.volume import Volume
from vms.storage.writer import WriterThread, begins_group

log = structlog.get_logger(__name__)

_NS = 1_000_000_000
SETTLE_NS = 3 * _NS
"""How far behind now all is known of a stream whose disk keeps up."""
_STUCK_NS = 10 * _NS
"""Units that wait longer for the disk than this are not counted on."""
_MUTE_NS = 10 * _NS
_KEEP_NS = 30 * _NS
_MOST_PAST = 4

Reason = tuple[GapCause, str]


Key = tuple[str, str]
"""Camera and stream."""


@dataclass(slots=True, eq=False)
class Berth:
    """Where a stream is written: a volume, one of its threads, and what waits for that."""

    volume: Volume
    thread: WriterThread
    lane: Lane
    recorder: StreamRecorder

    def begin(self) -> None:
        self.thread.add(self.lane, self.recorder)

    def end(self) -> None:
        """Close the file once what waits is written; does not wait."""
        self.thread.remove(self.lane)

    def numbers(self) -> dict[str, int]:
        """What was written and what was lost, as plain numbers."""
        recorder, lane = self.recorder, self.lane
        return {
            "units": recorder.written_units, "bytes": recorder.written_bytes,
            "queue": lane.lost, "bus": lane.missed, **recorder.lost,
        }  # fmt: skip


@dataclass(slots=True)
class Entry:
    """One stream that is listened to, where it is written, and what was told of it so far.

    `coming` takes over from `berth` with the next key picture; `past` are those that it was
    moved from, while they still write what they have.
    """

    key: Key
    berth: Berth
    subscription: Subscription | None = None
    coming: Berth | None = None
    past: list[Berth] = field(default_factory=list)
    base: dict[str, int] = field(default_factory=dict)
    why: str = ""
    """What was wrong with the disk that it was moved from just now."""
    counted: dict[str, int] = field(default_factory=dict)
    shed: int = 0
    missed: int = 0

    @property
    def recorder(self) -> StreamRecorder:
        return self.berth.recorder

    @property
    def lane(self) -> Lane:
        return self.berth.lane

    def sink(self, delivery: Delivery) -> None:
        """Take what the bus delivers; never waits."""
        if self.coming is not None and begins_group(delivery.message):
            self._turn(self.coming)
        self.berth.lane.sink(delivery)

    def stay(self) -> None:
        """Forget what was to come."""
        self.coming = None

    def move(self, coming: Berth) -> None:
        """Go on elsewhere now, with what waits here."""
        before = self.berth
        self.why = before.recorder.problem or before.volume.problem()
        self._turn(coming)
        lost = before.lane.hand_over(coming.lane)
        self.base = {**self.base, "disk": self.base.get("disk", 0) + lost}

    def _turn(self, coming: Berth) -> None:
        before, self.berth, self.coming = self.berth, coming, None
        self.shed = self.missed = 0
        coming.begin()
        before.end()
        self.past.append(before)
        while len(self.past) > _MOST_PAST:
            self._forget(self.past[0])

    def end(self) -> None:
        """Nothing more comes: have the file closed."""
        self.stay()
        self.berth.end()

    def spans(self) -> list[Span]:
        """Which time is in files since the last call, in order."""
        done = [berth for berth in self.past if not berth.thread.serves(berth.lane)]
        spans = [span for berth in self.past for span in berth.recorder.cover.take()]
        for berth in done:
            self._forget(berth)
        return spans + self.recorder.cover.take()

    def _forget(self, berth: Berth) -> None:
        self.past.remove(berth)
        self.base = _sum(self.base, berth.numbers())

    def numbers(self) -> dict[str, int]:
        """What was written and what was lost, wherever that was."""
        total = self.base
        for berth in (*self.past, self.berth):
            total = _sum(total, berth.numbers())
        return total

    def oldest_ns(self) -> int | None:
        """Arrival of the oldest unit on its way to the disk; None: nothing waits."""
        busy = self.recorder.busy_ns
        if busy is not None:
            return busy
        try:
            return self.lane.units[0].arrival_ns
        except IndexError:
            return None

    def horizon_ns(self, now_ns: int) -> int:
        """Up to when what is in files, and what is not, is known."""
        oldest = self.oldest_ns()
        settled = now_ns - SETTLE_NS
        if oldest is None or now_ns - oldest > _STUCK_NS:
            return settled
        return min(settled, oldest)

    def count(self) -> None:
        """Carry the plain numbers of the hot path over to the metrics."""
        key, now = self.key, self.numbers()
        for name, value in now.items():
            grown = value - self.counted.get(name, 0)
            if not grown:
                continue
            if name == "units":
                metrics.WRITTEN_UNITS.labels(*key).inc(grown)
            elif name == "bytes":
                metrics.WRITTEN_BYTES.labels(*key).inc(grown)
            else:
                metrics.LOST_UNITS.labels(*key, name).inc(grown)
        if now["queue"] > self.counted.get("queue", 0):
            log.warning(
                "disk too slow, groups of pictures shed", camera=key[0], stream=key[1],
                units=now["queue"] - self.counted.get("queue", 0),
            )  # fmt: skip
        self.counted = now
        metrics.RECORDING.labels(*key).set(1 if self.recorder.file is not None else 0)

    def trouble(self, now_ns: int) -> Reason | None:
        """What the disk, or the way to it, does to the stream now."""
        lane = self.lane
        shed, self.shed = lane.lost - self.shed, lane.lost
        missed, self.missed = lane.missed - self.missed, lane.missed
        if self.why:
            why = self.why
            if self.recorder.file is not None:
                self.why = ""
            return GapCause.DISK, why
        if self.recorder.problem:
            return GapCause.DISK, self.recorder.problem
        oldest = self.oldest_ns()
        if shed > 0 or (oldest is not None and now_ns - oldest > _STUCK_NS):
            return GapCause.DISK, "the disk is too slow: groups of pictures were shed"
        if missed > 0:
            return GapCause.PROCESS, "pictures were lost on their way from ingest to storage"
        return None


@dataclass(slots=True)
class Heard:
    """What ingest said last of a stream. `since`: monotonic nanoseconds, as `heard`."""

    since: int
    state: StreamState | None = None
    heard: int = 0
    _last: Reason | None = None
    _last_at: int = 0

    def take(self, state: StreamState, now: int) -> None:
        self.state, self.heard = state, now
        reason = _reason(state)
        if reason is not None:
            self._last, self._last_at = reason, now

    def trouble(self, now: int) -> Reason | None:
        """What ingest knows, or that it is silent. `now`: monotonic nanoseconds."""
        if now - max(self.heard, self.since) > _MUTE_NS:
            return GapCause.PROCESS, "nothing is heard of ingest"
        state = self.state
        if state is None:
            return None
        reason = _reason(state)
        if reason is None and state.status is StreamStatus.CONNECTING:
            # Between two tries: what failed the last one still does.
            return self._last if now - self._last_at < _KEEP_NS else None
        return reason


def _reason(state: StreamState) -> Reason | None:
    said = state.reason
    match state.status:
        case StreamStatus.OFFLINE | StreamStatus.HELD | StreamStatus.STALLED:
            usual = GapCause.SETTINGS if state.status is StreamStatus.HELD else GapCause.CAMERA
            return _cause(state.fault, usual), said or state.status.value
        case StreamStatus.ONLINE if said.startswith("no key frame"):
            return GapCause.CAMERA, said
        case StreamStatus.DISABLED:
            return GapCause.SETTINGS, said or "switched off"
        case _:
            return None


def _cause(fault: str, usual: GapCause) -> GapCause:
    try:
        return GapCause(fault) if fault else usual
    except ValueError:
        return usual


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + value for name, value in other.items()}
