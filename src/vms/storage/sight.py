"""What keeps a stream from being recorded, judged from what its parts say."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from vms.bus.port import Subscription
from vms.common.model.camera import StreamState, StreamStatus
from vms.common.model.evidence import GapCause
from vms.storage import metrics
from vms.storage.inbox import Lane
from vms.storage.stream_recorder import StreamRecorder
from vms.storage.writer import WriterThread

log = structlog.get_logger(__name__)

_NS = 1_000_000_000
SETTLE_NS = 3 * _NS
"""How far behind now all is known of a stream whose disk keeps up."""
_STUCK_NS = 10 * _NS
"""Units that wait longer for the disk than this are not counted on."""
_MUTE_NS = 10 * _NS
_KEEP_NS = 30 * _NS

Reason = tuple[GapCause, str]


@dataclass(slots=True)
class Entry:
    """One stream that is listened to, and the plain numbers told of it so far."""

    lane: Lane
    recorder: StreamRecorder
    thread: WriterThread
    subscription: Subscription | None = None
    counted: dict[str, int] = field(default_factory=dict)
    shed: int = 0
    missed: int = 0

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

    def count(self, key: tuple[str, str]) -> None:
        """Carry the plain numbers of the hot path over to the metrics."""
        recorder, lane = self.recorder, self.lane
        now = {
            "units": recorder.written_units, "bytes": recorder.written_bytes,
            "queue": lane.lost, "bus": lane.missed, **recorder.lost,
        }  # fmt: skip
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
        metrics.RECORDING.labels(*key).set(1 if recorder.file is not None else 0)

    def trouble(self, now_ns: int) -> Reason | None:
        """What the disk, or the way to it, does to the stream now."""
        lane = self.lane
        shed, self.shed = lane.lost - self.shed, lane.lost
        missed, self.missed = lane.missed - self.missed, lane.missed
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
