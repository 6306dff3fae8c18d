"""aiortc as a viewer of the stream room, over HTTP or straight at its WebRTC server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from tests.support.stream_units import Camera

from vms.bus import subjects
from vms.bus.memory import MemoryBus
from vms.stream.hub import Hub, Hubs
from vms.stream.settings import StreamSettings, WebRtcSettings
from vms.stream.webrtc.dtls import PROFILE_CM, PROFILE_GCM, Identity
from vms.stream.webrtc.server import Answered, WebRtcServer

Rewrite = Callable[[str], str]


def same(text: str) -> str:
    return text


class Stage:
    """Hubs and a WebRTC server on loopback, without HTTP."""

    def __init__(self, settings: WebRtcSettings, profiles: tuple[bytes, ...]) -> None:
        self.bus = MemoryBus()
        self.hubs = Hubs(StreamSettings(webrtc=settings))
        self.server = WebRtcServer(settings, Identity(profiles))

    @property
    def hub(self) -> Hub:
        hub = self.hubs.find("front", "main")
        assert hub is not None
        return hub

    def offer(self, sdp: str) -> Answered:
        return self.server.offer(self.hub, sdp, "somebody")


@contextlib.asynccontextmanager
async def stage(
    profiles: tuple[bytes, ...] = (PROFILE_GCM, PROFILE_CM), **webrtc: float
) -> AsyncIterator[Stage]:
    settings = WebRtcSettings(host="127.0.0.1", port=0, **webrtc)
    made = Stage(settings, profiles)
    await made.bus.subscribe(subjects.MEDIA_ALL, made.hubs.on_media)
    made.server.start()
    try:
        yield made
    finally:
        made.server.close()
        await made.bus.close()


@contextlib.asynccontextmanager
async def playing(camera: Camera, rate: float = 25.0) -> AsyncIterator[None]:
    task = asyncio.create_task(camera.play(rate))
    try:
        yield
    finally:
        task.cancel()


@contextlib.asynccontextmanager
async def peer(
    ask: Callable[[str], Answered],
    offer: Rewrite = same,
    answer: Rewrite = same,
    audio: bool = False,
) -> AsyncIterator[RTCPeerConnection]:
    """A connected viewer. `offer` and `answer` change the SDP on its way."""
    connection = RTCPeerConnection()
    try:
        connection.addTransceiver("video", direction="recvonly")
        if audio:
            connection.addTransceiver("audio", direction="recvonly")
        await connection.setLocalDescription(await connection.createOffer())
        answered = ask(offer(connection.localDescription.sdp))
        await connection.setRemoteDescription(RTCSessionDescription(answer(answered.sdp), "answer"))
        yield connection
    finally:
        await connection.close()


def track(connection: RTCPeerConnection, kind: str = "video") -> MediaStreamTrack:
    return next(
        t.receiver.track for t in connection.getTransceivers() if t.receiver.track.kind == kind
    )


async def brightness(source: MediaStreamTrack, count: int) -> list[int]:
    """Numbers of the next pictures, as their brightness tells them (see stream_units)."""
    async with asyncio.timeout(10):
        frames = [await source.recv() for _ in range(count)]
    return [round((f.to_ndarray()[: f.height].mean() - 17.5) / 4) for f in frames]
