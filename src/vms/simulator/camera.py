"""A simulated camera: its streams, who may see them, and how it behaves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from vms.common.model.camera import check_id
from vms.common.model.media import Codec, CodecParameters
from vms.simulator.audio import sound
from vms.simulator.faults import Faults
from vms.simulator.feed import Feed, ProgrammeFeed, SceneFeed, Timebase
from vms.simulator.sources import File, Loop, Scene, Source, programme
from vms.simulator.studio import Studio

BASIC, MD5, MD5_QOP, SHA256 = "basic", "md5", "md5-qop", "sha-256"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a camera speaks RTSP. Times in seconds.

    `schemes` are the ways it lets a client say who it is, in the order it offers them.
    `keep_alive`: what keeps a session alive besides PLAY: any of options, get_parameter,
    set_parameter, rtcp. `rtp_start` fixes the first sequence number and timestamp.
    `get_parameter` False: it answers that it does not know the method.
    """

    schemes: tuple[str, ...] = (MD5,)
    session_timeout: float = 60.0
    keep_alive: frozenset[str] = frozenset({"options", "get_parameter", "set_parameter", "rtcp"})
    get_parameter: bool = True
    report_interval: float = 3.0
    udp: bool = True
    tcp: bool = True
    rtp_start: tuple[int, int] | None = None
    max_sessions: int = 1000
    absolute_control: bool = False
    answer_delay: float = 0.0


class Studios:
    """The studios of a simulator: one per distinct scene, made when first wanted."""

    def __init__(self) -> None:
        self._made: dict[Scene, Studio] = {}
        self._lock = asyncio.Lock()

    async def of(self, scene: Scene) -> Studio:
        async with self._lock:
            found = self._made.get(scene)
            if found is None:
                parameters = await asyncio.to_thread(Studio.parameters_of, scene)
                found = self._made[scene] = Studio(scene, parameters)
            return found

    async def close(self) -> None:
        made, self._made = list(self._made.values()), {}
        await asyncio.gather(*(asyncio.to_thread(studio.close) for studio in made))


@dataclass(slots=True)
class SimStream:
    """One encoding that a camera offers. Feeds are made when the first client asks."""

    name: str
    source: Source
    audio: Codec | None
    faults: Faults
    timebase: Timebase
    studios: Studios
    phase: float
    """Where between two pictures of others its own lie, 0 to 1."""
    offset: float
    """Seconds by which a live scene is late here."""
    video_feed: Feed | None = None
    audio_feed: Feed | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def feeds(self) -> tuple[Feed, ...]:
        """The feeds of its tracks, video first. ConfigError where the source has none."""
        async with self._lock:
            if self.video_feed is None:
                self.video_feed = await self._video()
            if self.audio is not None and self.audio_feed is None:
                made = await asyncio.to_thread(sound, self.audio)
                self.audio_feed = ProgrammeFeed(made, self.timebase, self.faults, aligned=True)
        tracks = (self.video_feed, self.audio_feed)
        return tuple(feed for feed in tracks if feed is not None)

    async def _video(self) -> Feed:
        source = self.source
        if isinstance(source, Scene):
            studio = await self.studios.of(source)
            return SceneFeed(studio, self.timebase, self.faults, self.offset)
        made = await asyncio.to_thread(programme, source)
        step = made.duration_ns / len(made.items)
        phase_ns = round(self.phase * step)
        return ProgrammeFeed(made, self.timebase, self.faults, phase_ns=phase_ns)

    async def parameters(self) -> tuple[CodecParameters, ...]:
        """What its description says of each track."""
        return tuple(feed.parameters for feed in await self.feeds())

    async def switch(self, source: Loop | File | Scene) -> None:
        """Show another source from its next key picture on, in the same sessions."""
        async with self._lock:
            old, self.source = self.video_feed, source
            self.video_feed = await self._video()
        if old is not None:
            old.hand_over(self.video_feed)

    def close(self) -> None:
        for feed in (self.video_feed, self.audio_feed):
            if feed is not None:
                feed.close()


@dataclass(slots=True)
class SimCamera:
    """A camera under `/id/stream`. Its fields may be changed while it runs."""

    id: str
    streams: Mapping[str, SimStream]
    username: str
    password: str
    behaviour: Behaviour
    faults: Faults
    dead: bool = False

    def __post_init__(self) -> None:
        check_id(self.id)
        for name in self.streams:
            check_id(name, "stream name")
