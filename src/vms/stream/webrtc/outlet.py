"""From a hub to all its WebRTC viewers: packetised once, sealed and sent to each."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from vms.common.errors import ParseError
from vms.common.model.media import AccessUnit, Medium
from vms.stream import metrics
from vms.stream.hub import Hub
from vms.stream.timeline import Timeline
from vms.stream.webrtc.negotiate import Plan
from vms.stream.webrtc.pictures import Picture, RtpTrack, Variant, again
from vms.stream.webrtc.viewer import Flow, Viewer

log = structlog.get_logger(__name__)

_delay = metrics.server_delay.labels("webrtc")


class Outlet:
    """The viewers of one stream. It listens to the hub while there are any.

    `end(viewer, reason)` is called for each viewer that can watch no longer, and
    `behind(viewer)` for one whose packets wait for their turn.
    """

    def __init__(
        self,
        hub: Hub,
        end: Callable[[Viewer, str], None],
        behind: Callable[[Viewer], None],
    ) -> None:
        self.hub = hub
        self.viewers: dict[str, Viewer] = {}
        self._end = end
        self._behind = behind
        self._timeline = Timeline()
        self._video_number, self._video = self._track(Medium.VIDEO)
        self._audio_number, self._audio = self._track(Medium.AUDIO)
        self._connected: list[Viewer] = []

    def _track(self, medium: Medium) -> tuple[int, RtpTrack | None]:
        for number, parameters in sorted(self.hub.tracks.items()):
            if parameters.codec.medium is medium:
                return number, RtpTrack(parameters, self._timeline)
        return -1, None

    @property
    def video_ssrc(self) -> int:
        return self._video.ssrc if self._video else 0

    @property
    def audio_ssrc(self) -> int:
        return self._audio.ssrc if self._audio else 0

    def add(self, viewer: Viewer, delay_ms: tuple[int, int] | None) -> None:
        """A viewer that negotiated; it is sent media once it is connected."""
        if not self.viewers:
            self.hub.add(self)
        self.viewers[viewer.id] = viewer
        plan: Plan = viewer.plan
        if self._video is not None:
            variant = Variant(plan.video.payload.number)
            if delay_ms is not None and plan.video.playout:
                least, most = (value // 10 for value in delay_ms)
                variant = Variant(variant.payload_type, plan.video.playout, least << 12 | most)
            viewer.video = Flow(self._video, variant)
        if self._audio is not None and plan.audio is not None:
            viewer.audio = Flow(self._audio, Variant(plan.audio.payload.number))

    def remove(self, viewer: Viewer) -> None:
        self.viewers.pop(viewer.id, None)
        if viewer in self._connected:
            self._connected.remove(viewer)
        if not self.viewers:
            self.hub.remove(self)

    def connected(self, viewer: Viewer) -> None:
        """The viewer's keys are there: show it the newest pictures at once."""
        self._connected.append(viewer)
        viewer.begin(self._kept())

    def refresh(self, viewer: Viewer) -> None:
        """The viewer asks for a key picture."""
        metrics.plis.inc()
        if viewer.repeat(self._kept()):
            metrics.plis_answered.inc()

    def _kept(self) -> list[Picture]:
        units = [unit for unit in self.hub.gop if unit.track == self._video_number]
        if not units or self._video is None:
            return []
        if not self._video.newest:
            # Nothing came since the first viewer: time starts with the newest kept picture.
            self._video.follow(units[-1])
        try:
            return again(units, self._video)
        except ParseError as error:
            log.warning("kept pictures cannot be sent", camera=self.hub.camera, error=str(error))
            return []

    def on_unit(self, unit: AccessUnit) -> None:
        if unit.track == self._video_number and self._video is not None:
            self._on_picture(self._video, unit)
        elif unit.track == self._audio_number and self._audio is not None:
            self._on_frame(self._audio, unit)

    def _on_picture(self, track: RtpTrack, unit: AccessUnit) -> None:
        if unit.parameters.codec is not track.codec:
            self._end_all("the stream changed its encoding")
            return
        if not self._connected:
            track.follow(unit)
            return
        picture = self._packets(track, unit)
        if picture is None:
            return
        for viewer in self._connected:
            viewer.send_video(picture)
            if viewer.queued:
                self._behind(viewer)
        _delay.observe((time.time_ns() - unit.arrival_ns) / 1e9)

    def _on_frame(self, track: RtpTrack, unit: AccessUnit) -> None:
        if unit.parameters.codec is not track.codec or not self._connected:
            return
        frame = self._packets(track, unit)
        if frame is not None:
            for viewer in self._connected:
                viewer.send_audio(frame)

    def _packets(self, track: RtpTrack, unit: AccessUnit) -> Picture | None:
        try:
            return track.picture(unit)
        except ParseError as error:
            log.warning("unit cannot be sent", camera=unit.camera, error=str(error))
            return None

    def on_end(self) -> None:
        self._end_all("the stream ended")

    def _end_all(self, reason: str) -> None:
        for viewer in list(self.viewers.values()):
            self._end(viewer, reason)
