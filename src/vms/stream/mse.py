"""Live fragmented MP4 for Media Source Extensions: built once, sent to every viewer.

A viewer gets what its browser must know (JSON), the init segment, the fragments since the
last key picture, and then one fragment per picture as it comes. One that is too slow loses
whole groups of pictures, is told how many fragments it lost, and costs the others nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable

import structlog

from vms.common.errors import ParseError
from vms.common.model.media import AccessUnit, CodecParameters, Medium
from vms.format import fmp4
from vms.stream import metrics
from vms.stream.errors import NoMedia, NotPlayable, TooManyViewers
from vms.stream.hub import Hub
from vms.stream.settings import StreamSettings
from vms.stream.timeline import Timeline

log = structlog.get_logger(__name__)

_delay = metrics.server_delay.labels("mse")
_dropped = metrics.dropped.labels("mse")
_START_NS = 10_000_000_000
"""Decoding times start here, so that those of reordered pictures stay positive."""
_REORDER = 4
"""Pictures by which decoding runs ahead of showing where there are B-frames."""

Message = str | bytes


class MseViewer:
    """The queue of one viewer: `put` by the channel, `next` by its socket."""

    def __init__(self, max_bytes: int, max_units: int) -> None:
        self.lost = 0
        """Fragments that this viewer did not get."""
        self._max_bytes = max_bytes
        self._max_units = max_units
        self._first: deque[Message] = deque()
        self._live: deque[Message] = deque()
        self._bytes = 0
        self._unsaid = 0
        self._waits_for_key = False
        self._closed = ""
        self._wake: asyncio.Event = asyncio.Event()

    def begin(self, messages: list[Message], waits_for_key: bool) -> None:
        """Queue what comes before the first live fragment; it has no bound of its own."""
        self._first.clear()
        self._live.clear()
        self._bytes = 0
        self._first.extend(messages)
        self._waits_for_key = waits_for_key
        self._wake.set()

    def put(self, fragment: bytes, starts_group: bool, is_video: bool) -> None:
        """The next live fragment."""
        if self._waits_for_key and not starts_group:
            if is_video:
                self._lose(1)
            return
        full = len(self._live) >= self._max_units or self._bytes > self._max_bytes
        if full and not starts_group:
            self._lose(len(self._live) + 1)
            self._live.clear()
            self._bytes = 0
            self._waits_for_key = True
            return
        if full:
            self._lose(len(self._live))
            self._live.clear()
            self._bytes = 0
        self._waits_for_key = False
        if self._unsaid:
            self._live.append(json.dumps({"dropped": self._unsaid}))
            self._unsaid = 0
        self._live.append(fragment)
        self._bytes += len(fragment)
        self._wake.set()

    def _lose(self, count: int) -> None:
        self.lost += count
        self._unsaid += count
        _dropped.inc(count)

    def close(self, reason: str) -> None:
        """No more will come; `next` gives what is left and then None."""
        self._closed = self._closed or reason
        self._wake.set()

    @property
    def reason(self) -> str:
        """Why it was closed; empty while it is not."""
        return self._closed

    async def next(self) -> Message | None:
        """The next message to send; None once closed."""
        while not self._first and not self._live:
            if self._closed:
                return None
            self._wake.clear()
            await self._wake.wait()
        if self._first:
            return self._first.popleft()
        message = self._live.popleft()
        if isinstance(message, bytes):
            self._bytes -= len(message)
        return message


class _Track:
    """Times of one track on the way into fragments."""

    def __init__(self, number: int, parameters: CodecParameters) -> None:
        self.number = number
        self.parameters = parameters
        self.rate = parameters.clock_rate
        self.interval = round(self.rate / (parameters.frame_rate or 25.0))
        if parameters.medium is Medium.AUDIO:
            self.interval = self.rate // 50
        self._next = 0
        self._last_pts = 0
        self._key_pts = 0
        self._since_key = 0

    def times(self, pts: int, key: bool, reordered: bool) -> tuple[int, int, int]:
        """(decoding time, duration, composition offset) of the next unit, in ticks.

        The duration is the distance to the unit before: to wait for the next one would
        cost a picture of delay.
        """
        if not reordered:
            if self._last_pts:
                self.interval = min(max(pts - self._last_pts, 1), 10 * self.rate)
            self._last_pts = pts
            decode = max(pts, self._next)
            self._next = decode + 1
            return decode, self.interval, pts - decode
        # Decoding times are not sent by cameras: they are spread evenly between keys.
        if key:
            if self._key_pts and self._since_key:
                spread = (pts - self._key_pts) // self._since_key
                self.interval = min(max(spread, 1), self.rate)
            self._key_pts, self._since_key = pts, 0
            decode = max(pts - _REORDER * self.interval, self._next)
        else:
            decode = self._next
        self._since_key += 1
        self._next = decode + self.interval
        return decode, self.interval, pts - decode


class MseChannel:
    """Fragments of one stream, for all its viewers. It listens to the hub while it has any."""

    def __init__(self, hub: Hub, on_empty: Callable[[MseChannel], None]) -> None:
        self.hub = hub
        self.viewers: set[MseViewer] = set()
        self._on_empty = on_empty
        self._timeline = Timeline(_START_NS)
        self._tracks: dict[int, _Track] = {}
        self._opening: list[Message] = []
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._sequence = 0

    def add(self, viewer: MseViewer) -> None:
        """Raises NotPlayable or NoMedia."""
        if not self.viewers:
            self._start()
        viewer.begin([*self._opening, *self._kept], not self._kept)
        self.viewers.add(viewer)

    def remove(self, viewer: MseViewer) -> None:
        self.viewers.discard(viewer)
        if not self.viewers:
            self.hub.remove(self)
            self._on_empty(self)

    def _start(self) -> None:
        self._configure()
        self._kept.clear()
        for unit in self.hub.gop:
            self._fragment(unit)
        self.hub.add(self)

    def _configure(self) -> None:
        """Choose tracks, and make what a viewer must get first."""
        chosen = _playable(self.hub)
        tracks = [parameters for _, parameters in chosen]
        try:
            init = fmp4.init_segment(tracks)
            mime = fmp4.mime_type(tracks)
        except ParseError as error:
            raise NotPlayable(f"the stream cannot be put into MP4: {error}") from error
        self._tracks = {
            number: _Track(i, parameters) for i, (number, parameters) in enumerate(chosen, 1)
        }
        video = tracks[0]
        about = {"mime": mime, "width": video.width, "height": video.height}
        self._opening = [json.dumps(about), init]

    def on_unit(self, unit: AccessUnit) -> None:
        track = self._tracks.get(unit.track)
        if track is None:
            return
        if track.parameters is not unit.parameters and not self._adopt(track, unit):
            return
        made = self._fragment(unit)
        if made is None:
            return
        is_video = unit.parameters.medium is Medium.VIDEO
        for viewer in self.viewers:
            viewer.put(made, unit.key and is_video, is_video)
        if is_video:
            _delay.observe((time.time_ns() - unit.arrival_ns) / 1e9)

    def _adopt(self, track: _Track, unit: AccessUnit) -> bool:
        """New parameters: begin again for everybody where they matter to a player."""
        if _same(track.parameters, unit.parameters):
            track.parameters = unit.parameters
            return True
        try:
            self._configure()
        except (NotPlayable, NoMedia) as error:
            self._close_all(str(error))
            return False
        self._kept.clear()
        self._kept_bytes = 0
        about = json.loads(str(self._opening[0]))
        opening = [json.dumps({"reset": True, **about}), *self._opening[1:]]
        for viewer in self.viewers:
            viewer.begin(list(opening), True)
        return True

    def _fragment(self, unit: AccessUnit) -> bytes | None:
        track = self._tracks.get(unit.track)
        if track is None or (unit.damaged and unit.parameters.medium is Medium.VIDEO):
            # Players give up on a picture that does not decode, so it is not shown to them.
            return None
        pts = self._timeline.ticks(unit, track.rate)
        is_video = unit.parameters.medium is Medium.VIDEO
        decode, duration, offset = track.times(pts, unit.key, is_video and self.hub.reordered)
        self._sequence += 1
        key = unit.key or not is_video
        made = fmp4.fragment(self._sequence, track.number, decode, duration, unit.data, key, offset)
        self._keep(made, unit.key and is_video)
        return made

    def _keep(self, made: bytes, starts_group: bool) -> None:
        if starts_group:
            self._kept = [made]
            self._kept_bytes = len(made)
        elif self._kept:
            self._kept.append(made)
            self._kept_bytes += len(made)
            if self._kept_bytes > self.hub.max_bytes:
                self._kept = []

    def on_end(self) -> None:
        self._close_all("the stream ended")

    def _close_all(self, reason: str) -> None:
        for viewer in list(self.viewers):
            viewer.close(reason)


class MseServer:
    """The channels of all streams of this process, and how many may watch."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._channels: dict[tuple[str, str], MseChannel] = {}
        self._gauge = metrics.viewers.labels("mse")

    @property
    def viewers(self) -> int:
        return sum(len(channel.viewers) for channel in self._channels.values())

    def open(self, hub: Hub) -> tuple[MseChannel, MseViewer]:
        """A viewer of `hub`; `channel.remove(viewer)` when it leaves.

        Raises NotPlayable, NoMedia or TooManyViewers.
        """
        settings = self._settings
        if self.viewers >= settings.mse_max_viewers:
            raise TooManyViewers(f"{settings.mse_max_viewers} viewers are connected already")
        name = (hub.camera, hub.stream)
        channel = self._channels.get(name)
        if channel is None or channel.hub is not hub:
            channel = MseChannel(hub, self._forget)
        viewer = MseViewer(settings.mse_queue_bytes, settings.mse_queue_units)
        channel.add(viewer)
        self._channels[name] = channel
        self._gauge.set(self.viewers)
        return channel, viewer

    def leave(self, channel: MseChannel, viewer: MseViewer) -> None:
        channel.remove(viewer)
        self._gauge.set(self.viewers)
        reason = "slow or closed by us" if viewer.reason else "viewer left"
        metrics.viewers_ended.labels("mse", reason).inc()

    def _forget(self, channel: MseChannel) -> None:
        name = (channel.hub.camera, channel.hub.stream)
        if self._channels.get(name) is channel:
            del self._channels[name]


def _playable(hub: Hub) -> list[tuple[int, CodecParameters]]:
    """The first video track, and the first audio track that MP4 carries."""
    found: dict[Medium, tuple[int, CodecParameters]] = {}
    for number, parameters in sorted(hub.tracks.items()):
        if parameters.codec in fmp4.PLAYABLE:
            found.setdefault(parameters.medium, (number, parameters))
    if Medium.VIDEO not in found:
        raise NoMedia("the stream has no video yet")
    return [found[medium] for medium in (Medium.VIDEO, Medium.AUDIO) if medium in found]


def _same(one: CodecParameters, other: CodecParameters) -> bool:
    return (one.codec, one.parameter_sets, one.config, one.clock_rate) == (
        other.codec,
        other.parameter_sets,
        other.config,
        other.clock_rate,
    )
