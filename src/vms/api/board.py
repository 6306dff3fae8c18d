"""The states of all streams, as ingest last told them, and who wants to hear of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from vms.bus.port import Delivery
from vms.common.clock import Clock
from vms.common.model.camera import Camera, StreamState, StreamStatus
from vms.common.model.messages import ConfigChanged

_SECOND = 1_000_000_000
_STALE_NS = 10 * _SECOND
_FORGET_NS = 60 * _SECOND
_MAX_CHANGES = 256

Key = tuple[str, str]


@dataclass(slots=True, eq=False)
class Watcher:
    """What one socket has yet to send: the newest state of each stream, and notices.

    A slow reader gets fewer, newer states; it holds at most one for each stream.
    """

    states: dict[Key, StreamState] = field(default_factory=dict)
    changes: dict[ConfigChanged, None] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self) -> tuple[list[StreamState], list[ConfigChanged]]:
        taken = list(self.states.values()), list(self.changes)
        self.states.clear()
        self.changes.clear()
        self.ready.clear()
        return taken


@dataclass(slots=True)
class _Entry:
    state: StreamState
    heard: int
    stale: bool = False


class StateBoard:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[Key, _Entry] = {}
        self._watchers: set[Watcher] = set()
        self._began = (clock.monotonic_ns(), clock.now_ns())
        self._changed: dict[str, tuple[int, int]] = {}

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    def take_delivery(self, delivery: Delivery) -> None:
        """The sink of the bus, for states and configuration notices."""
        message = delivery.message
        if isinstance(message, StreamState):
            key = (message.camera, message.stream)
            known = self._entries.get(key)
            self._entries[key] = _Entry(message, self._clock.monotonic_ns())
            if known is None or known.stale or known.state != message:
                self._tell(key, message)
        elif isinstance(message, ConfigChanged):
            if message.kind == "camera":
                self._changed[message.id] = (self._clock.monotonic_ns(), self._clock.now_ns())
            for watcher in self._watchers:
                if len(watcher.changes) < _MAX_CHANGES:
                    watcher.changes[message] = None
                watcher.ready.set()

    def age(self) -> None:
        """Turn states that nobody repeats into OFFLINE; forget them later. Called each second."""
        now = self._clock.monotonic_ns()
        for key, entry in list(self._entries.items()):
            silence = now - entry.heard
            if silence > _FORGET_NS:
                del self._entries[key]
            elif silence > _STALE_NS and not entry.stale:
                entry.stale = True
                entry.state = self._silent(entry.state)
                self._tell(key, entry.state)
        for camera in [c for c, (at, _) in self._changed.items() if now - at > _FORGET_NS]:
            del self._changed[camera]

    def tell_again(self, keys: Sequence[Key]) -> None:
        """Something that is shown beside these states changed."""
        for key in keys:
            if entry := self._entries.get(key):
                self._tell(key, entry.state)

    def of(self, camera: Camera) -> dict[str, StreamState]:
        """The state of each configured stream, also of those nobody has told of."""
        return {s.name: self._of_stream(camera, s.name) for s in camera.streams}

    @contextmanager
    def watch(self) -> Iterator[Watcher]:
        watcher = Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def _of_stream(self, camera: Camera, stream: str) -> StreamState:
        entry = self._entries.get((camera.id, stream))
        if entry is not None and camera.enabled:
            silent = self._clock.monotonic_ns() - entry.heard > _STALE_NS
            return self._silent(entry.state) if silent and not entry.stale else entry.state
        at, since_ns = self._changed.get(camera.id, self._began)
        if not camera.enabled:
            return StreamState(camera.id, stream, StreamStatus.DISABLED, since_ns)
        if self._clock.monotonic_ns() - at < _STALE_NS:
            return StreamState(camera.id, stream, StreamStatus.CONNECTING, since_ns)
        return StreamState(camera.id, stream, StreamStatus.OFFLINE, since_ns, _NOBODY)

    def _silent(self, state: StreamState) -> StreamState:
        if state.status is StreamStatus.DISABLED:
            return state
        return replace(
            state,
            status=StreamStatus.OFFLINE,
            since_ns=self._clock.now_ns(),
            reason=_NOBODY,
            bitrate=0,
            frame_rate=0.0,
        )

    def _tell(self, key: Key, state: StreamState) -> None:
        for watcher in self._watchers:
            watcher.states[key] = state
            watcher.ready.set()


_NOBODY = "no report from the ingest role for 10 s; check that it runs"
