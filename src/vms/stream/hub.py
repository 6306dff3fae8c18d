"""A hub per stream: the last group of pictures, and those who want each unit as it comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

import structlog

from vms.bus.port import Delivery
from vms.common.model.camera import StreamState, StreamStatus
from vms.common.model.media import AccessUnit, CodecParameters, Medium
from vms.stream import metrics
from vms.stream.settings import StreamSettings

log = structlog.get_logger(__name__)

_MAX_GOP_UNITS = 20_000
_MAX_TRACKS = 8


class Listener(Protocol):
    """Takes units in the order in which they came. Neither call may block or raise."""

    def on_unit(self, unit: AccessUnit) -> None: ...

    def on_end(self) -> None:
        """The stream is over; the listener is no longer in the hub."""
        ...


class Hub:
    """What is known of one stream, live.

    `gop` holds the units of all tracks from the last key picture on, oldest first; it is
    empty before the first key picture and while a group is too large to keep. `tracks`
    are the newest codec parameters by track number.
    """

    def __init__(self, camera: str, stream: str, max_bytes: int) -> None:
        self.camera = camera
        self.stream = stream
        self.tracks: dict[int, CodecParameters] = {}
        self.gop: list[AccessUnit] = []
        self.reordered = False
        """Whether pictures come in another order than they are shown (B-frames)."""
        self.last_monotonic = time.monotonic()
        self.max_bytes = max_bytes
        self._bytes = 0
        self._last_pts: dict[int, tuple[str, int]] = {}
        self._listeners: dict[Listener, None] = {}
        self._ended = False

    def put(self, unit: AccessUnit) -> None:
        """Take one unit and hand it on."""
        self.last_monotonic = time.monotonic()
        track = unit.track
        if self.tracks.get(track) is not unit.parameters and not self._learn(unit):
            return
        if unit.parameters.codec.medium is Medium.VIDEO:
            self._watch_order(unit)
            if unit.key:
                self.gop = [unit]
                self._bytes = len(unit.data)
            elif self.gop:
                self._append(unit)
        elif self.gop:
            self._append(unit)
        for listener in tuple(self._listeners):
            listener.on_unit(unit)

    def _learn(self, unit: AccessUnit) -> bool:
        if unit.track not in self.tracks and len(self.tracks) >= _MAX_TRACKS:
            return False
        self.tracks[unit.track] = unit.parameters
        return True

    def _watch_order(self, unit: AccessUnit) -> None:
        run, pts = self._last_pts.get(unit.track, ("", 0))
        if run == unit.run and 0 < pts - unit.pts < 2 * unit.parameters.clock_rate:
            self.reordered = True
        elif unit.key and run != unit.run:
            self.reordered = False
        self._last_pts[unit.track] = (unit.run, unit.pts)

    def _append(self, unit: AccessUnit) -> None:
        self._bytes += len(unit.data)
        if self._bytes > self.max_bytes or len(self.gop) >= _MAX_GOP_UNITS:
            self.gop = []
            metrics.gops_too_large.inc()
            return
        self.gop.append(unit)

    @property
    def video(self) -> CodecParameters | None:
        """The parameters of the first video track."""
        return next(self._of(Medium.VIDEO), None)

    @property
    def audio(self) -> CodecParameters | None:
        return next(self._of(Medium.AUDIO), None)

    def _of(self, medium: Medium) -> Iterator[CodecParameters]:
        return (
            self.tracks[n] for n in sorted(self.tracks) if self.tracks[n].codec.medium is medium
        )

    def silent_for(self) -> float:
        """Seconds since the last unit."""
        return time.monotonic() - self.last_monotonic

    def add(self, listener: Listener) -> None:
        self._listeners[listener] = None

    def remove(self, listener: Listener) -> None:
        self._listeners.pop(listener, None)

    def end(self) -> None:
        """The stream is over: let go of everything and tell the listeners."""
        if self._ended:
            return
        self._ended = True
        self.gop.clear()
        listeners, self._listeners = tuple(self._listeners), {}
        for listener in listeners:
            listener.on_end()


class Hubs:
    """The hubs of all streams, fed from the bus. They come with the first unit and end
    when their stream is switched off or silent for long."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._hubs: dict[tuple[str, str], Hub] = {}

    def on_media(self, delivery: Delivery) -> None:
        """A sink for `subjects.MEDIA_ALL`."""
        unit = delivery.message
        if not isinstance(unit, AccessUnit):
            return
        if delivery.missed:
            metrics.missed.inc(delivery.missed)
        name = (unit.camera, unit.stream)
        hub = self._hubs.get(name)
        if hub is None:
            hub = self._hubs[name] = Hub(*name, self._settings.gop_max_bytes)
            metrics.hubs.set(len(self._hubs))
        hub.put(unit)

    def on_state(self, delivery: Delivery) -> None:
        """A sink for `subjects.STATE_ALL`: a stream that is switched off ends at once."""
        state = delivery.message
        if isinstance(state, StreamState) and state.status is StreamStatus.DISABLED:
            hub = self.find(state.camera, state.stream)
            if hub is not None:
                self._end(hub, "switched off")

    def find(self, camera: str, stream: str) -> Hub | None:
        """The hub of a stream, None where nothing came from it (for long)."""
        return self._hubs.get((camera, stream))

    def sweep(self) -> None:
        """End the hubs of silent streams; call it every few seconds."""
        for hub in list(self._hubs.values()):
            if hub.silent_for() > self._settings.silence_seconds:
                self._end(hub, "silent")

    def close(self) -> None:
        for hub in list(self._hubs.values()):
            self._end(hub, "server stops")

    def _end(self, hub: Hub, reason: str) -> None:
        self._hubs.pop((hub.camera, hub.stream), None)
        metrics.hubs.set(len(self._hubs))
        log.info("stream hub ended", camera=hub.camera, stream=hub.stream, reason=reason)
        hub.end()
