"""The threads that write. Each serves the lanes given to it, so that a hundred streams
cost one wake-up, and a disk that stands still stops no event loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from vms.common.model.media import AccessUnit, Medium
from vms.storage.inbox import Inbox, Lane
from vms.storage.metrics import WRITE_SECONDS
from vms.storage.stream_recorder import StreamRecorder

log = structlog.get_logger(__name__)

_TICK_S = 1.0
_AT_EASE = 50
"""Streams up to which a writer lingers no longer than its setting says."""
_MANY = 75
"""Streams from which on it lingers longest: several pictures of each in one write."""
_LONGEST_LINGER_S = 0.2
_NEVER = 1 << 63
_HELD_S = 1.0


class WriterThread:
    """Starts with `start`; ends with `stop`, after closing every file."""

    def __init__(
        self, name: str, max_bytes: int, linger_s: float, now_ns: Callable[[], int]
    ) -> None:
        self.inbox = Inbox(max_bytes)
        self._linger = self._wait = linger_s
        self._now_ns = now_ns
        self._recorders: dict[Lane, StreamRecorder] = {}
        self._leaving: set[Lane] = set()
        self._shedding: set[Lane] = set()
        self._stopping = False
        self.busy_since = 0.0
        """Since when (`time.monotonic`) it writes what it writes now; 0: it does not."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def load(self) -> int:
        """How many streams it serves."""
        return len(self._recorders)

    def is_held(self) -> bool:
        """Whether the disk takes nothing of it just now."""
        since = self.busy_since
        return bool(since) and time.monotonic() - since > _HELD_S

    def serves(self, lane: Lane) -> bool:
        """Whether it is not done with the lane yet."""
        return lane in self._recorders

    def add(self, lane: Lane, recorder: StreamRecorder) -> None:
        """Serve this lane from now on. Called by the event loop."""
        self._recorders[lane] = recorder
        self._pace()

    def remove(self, lane: Lane) -> None:
        """Write what waits in the lane, close its file, and serve it no more."""
        self._leaving.add(lane)
        lane.nudge()

    def stop(self) -> None:
        """Have the thread write what waits, close all files and end. Does not wait."""
        self._stopping = True
        self.inbox.ring()

    def join(self, timeout: float) -> bool:
        """Wait for the end; False where the disk holds the thread longer than that."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        ready = self.inbox.ready
        ticked = time.monotonic()
        busy = False
        while not self._stopping:
            # To be rung for each unit costs more than to write it: two switches between
            # threads. One sleep gathers what several cameras send.
            if busy:
                time.sleep(self._wait)
            else:
                self.inbox.wait(_TICK_S)
            served = 0
            oldest = _NEVER
            while ready:
                self.busy_since = time.monotonic()
                oldest = min(oldest, self._serve(ready.popleft()))
                served += 1
            self.busy_since = 0.0
            busy = served > 1
            if oldest < _NEVER:
                WRITE_SECONDS.observe((self._now_ns() - oldest) / 1e9)
            if time.monotonic() - ticked >= _TICK_S:
                ticked = time.monotonic()
                self._tick()
        while ready:
            self._serve(ready.popleft())
        for recorder in list(self._recorders.values()):
            self._guarded(recorder, recorder.close)

    def _pace(self) -> None:
        """Many streams are gathered longer: fewer system calls for the same pictures."""
        many = (len(self._recorders) - _AT_EASE) / (_MANY - _AT_EASE)
        self._wait = max(self._linger, _LONGEST_LINGER_S * min(1.0, many))

    def _serve(self, lane: Lane) -> int:
        """Write what waits in the lane; when the oldest of it came."""
        units = lane.take()
        recorder = self._recorders.get(lane)
        if recorder is None:
            return _NEVER
        oldest = units[0].arrival_ns if units else _NEVER
        file = recorder.file
        if lane in self._shedding or (file is not None and file.full):
            units = self._shed(lane, recorder, units)
        if units:
            try:
                recorder.write(units)
            except Exception as error:
                self._failed(recorder, error)
        if lane in self._leaving:
            self._leaving.discard(lane)
            self._shedding.discard(lane)
            self._recorders.pop(lane, None)
            self._pace()
            self._guarded(recorder, recorder.close)
        return oldest

    def _shed(
        self, lane: Lane, recorder: StreamRecorder, units: list[AccessUnit]
    ) -> list[AccessUnit]:
        """What is left of `units` where the disk does not keep up: from a key picture on,
        once it does again. The rest is counted; what was written stays decodable."""
        file = recorder.file
        full = file is not None and file.full
        first = len(units)
        if not full:
            keys = (place for place, unit in enumerate(units) if begins_group(unit))
            first = next(keys, first)
        if first < len(units):
            self._shedding.discard(lane)
        elif lane not in self._shedding:
            self._shedding.add(lane)
            log.warning(
                "the disk does not keep up, groups of pictures shed",
                camera=recorder.camera, stream=recorder.stream,
            )  # fmt: skip
        recorder.lost["disk"] += first
        return units[first:]

    def _tick(self) -> None:
        now = self._now_ns()
        for recorder in list(self._recorders.values()):
            self.busy_since = time.monotonic()
            self._guarded(recorder, lambda recorder=recorder: recorder.tick(now))  # type: ignore[misc]
        self.busy_since = 0.0

    def _guarded(self, recorder: StreamRecorder, action: Callable[[], None]) -> None:
        """One stream's unforeseen failure must not stop the others."""
        try:
            action()
        except Exception as error:
            self._failed(recorder, error)

    def _failed(self, recorder: StreamRecorder, error: Exception) -> None:
        recorder.give_up(error)
        log.exception(
            "recorder failed, it begins a new file",
            camera=recorder.camera,
            stream=recorder.stream,
        )


def begins_group(message: object) -> bool:
    """Whether it is a key picture: what comes from it on can be decoded."""
    return (
        type(message) is AccessUnit
        and message.key
        and message.parameters.codec.medium is Medium.VIDEO
    )
