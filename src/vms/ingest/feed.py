"""From what a source gives to published access units: Runs, numbers and times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from vms.bus import subjects
from vms.common.clock import AnchoredClock, Clock
from vms.common.model.camera import TrackInfo
from vms.common.model.media import AccessUnit, CodecParameters, Medium
from vms.common.model.messages import Message
from vms.common.wallclock import Anchor, WallClock
from vms.ingest.runid import new_run_id
from vms.ingest.timeline import Timeline

log = structlog.get_logger(__name__)

Publish = Callable[[str, Message], None]


class Feed:
    """The units of one stream, over all its Runs. One call per unit; nothing is queued.

    What it counts is read by the puller now and then, so that a unit costs no metric call.
    All times are of the Run's anchored clock, in nanoseconds.
    """

    def __init__(
        self, camera: str, stream: str, publish: Publish, clock: Clock, jump_seconds: float
    ) -> None:
        self._camera = camera
        self._stream = stream
        self._subject = subjects.media(camera, stream)
        self._publish = publish
        self._clock = clock
        self._jump = jump_seconds
        self.run = ""
        self.runs = 0
        self.units = 0
        self.bytes = 0
        self.damaged = 0
        self.pictures = 0
        """Units of the track that tells whether the stream lives: video if there is any."""
        self.interval_ns = 0
        """Usual time between two pictures, 0 before the second."""
        self.on_unit: Callable[[], None] | None = None
        """Called once, with the next unit of the watched track, and then forgotten."""
        self._parameters: list[CodecParameters] = []
        self._lines: list[Timeline] = []
        self._numbers: list[int] = []
        self._watched = 0
        self._has_video = False
        self._anchor: Anchor | AnchoredClock = _anchor(clock)
        self._last = 0
        self._last_key = 0
        self._units_before = 0
        self._jumped = False

    def start(self, tracks: Sequence[CodecParameters]) -> None:
        """Begin the first Run of a connection with these tracks."""
        self._parameters = list(tracks)
        kinds = [parameters.medium for parameters in tracks]
        self._has_video = Medium.VIDEO in kinds
        self._watched = kinds.index(Medium.VIDEO) if self._has_video else 0
        self.interval_ns = 0
        self._begin_run()

    def unit(
        self,
        track: int,
        parameters: CodecParameters,
        data: bytes,
        ticks: int,
        key: bool,
        damaged: bool,
        capture_ns: int | None,
    ) -> None:
        """Number, place and publish one unit (see `source.UnitSink`)."""
        if key and track == self._watched and (self._jumped or self._is_stepped()):
            why = "camera time jumped" if self._jumped else "the clock stepped"
            log.warning(f"{why}, run begins", camera=self._camera, stream=self._stream)
            self._begin_run()
        arrival = self._anchor.now_ns()
        pts = self._lines[track].place(ticks, arrival)
        if pts is None:
            # The group of pictures goes on: what follows its key picture needs it.
            self._jumped = True
            pts = self._lines[track].anew(ticks, arrival)
        number = self._numbers[track]
        self._numbers[track] = number + 1
        if parameters is not self._parameters[track]:
            self._parameters[track] = parameters
        self.units += 1
        self.bytes += len(data)
        if damaged:
            self.damaged += 1
        if track == self._watched:
            self._note_picture(arrival, key)
        self._publish(
            self._subject,
            AccessUnit(
                self._camera,
                self._stream,
                track,
                self.run,
                number,
                parameters,
                data,
                pts,
                arrival,
                capture_ns,
                key,
                damaged,
            ),
        )

    def silence_ns(self) -> int:
        """Time since the last picture, or since the Run began."""
        return self._anchor.now_ns() - self._last

    def without_key_ns(self) -> int:
        """Time since the last key picture, or since the Run began; 0 where there is no video."""
        return self._anchor.now_ns() - self._last_key if self._has_video else 0

    @property
    def units_in_run(self) -> int:
        return self.units - self._units_before

    def track_infos(self, frame_rate: float) -> tuple[TrackInfo, ...]:
        """The tracks as last known; a rate the camera does not state is the measured one."""
        return tuple(
            TrackInfo(
                parameters.codec,
                parameters.width,
                parameters.height,
                parameters.frame_rate or (frame_rate if index == self._watched else 0.0),
                parameters.clock_rate,
                parameters.channels,
            )
            for index, parameters in enumerate(self._parameters)
        )

    def _note_picture(self, arrival: int, key: bool) -> None:
        self.pictures += 1
        gap = arrival - self._last
        self._last = arrival
        if key:
            self._last_key = arrival
        if self.interval_ns:
            self.interval_ns += (gap - self.interval_ns) >> 3
        elif self._numbers[self._watched] > 1:
            self.interval_ns = gap
        if self.on_unit is not None:
            called, self.on_unit = self.on_unit, None
            called()

    def _is_stepped(self) -> bool:
        """Whether the line of time goes on elsewhere than this Run's."""
        return isinstance(self._clock, WallClock) and self._clock.anchor is not self._anchor

    def _begin_run(self) -> None:
        self._anchor = _anchor(self._clock)
        now = self._anchor.now_ns()
        self.run = new_run_id(now)
        if isinstance(self._clock, WallClock):
            self._clock.note_run(self._camera, self._stream, self.run)
        self.runs += 1
        self._last = self._last_key = now
        self._units_before = self.units
        self._jumped = False
        self._numbers = [0] * len(self._parameters)
        self._lines = [
            Timeline(parameters.clock_rate, now, self._jump) for parameters in self._parameters
        ]


def _anchor(clock: Clock) -> Anchor | AnchoredClock:
    """What a Run is stamped by: it takes no part in a later step of the clock."""
    return clock.anchor if isinstance(clock, WallClock) else AnchoredClock(clock)
