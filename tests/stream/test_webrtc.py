"""WHEP and WebRTC end to end with aiortc: real HTTP, ICE, DTLS and SRTP; frames decoded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from tests.support.stream_server import Live, live_server
from tests.support.stream_units import Camera, encode

WHEP = "/api/v1/cameras/front/streams/main/whep"
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


@pytest.fixture
async def live(tmp_path) -> AsyncIterator[Live]:
    async with live_server(tmp_path) as server:
        yield server


@contextlib.asynccontextmanager
async def playing(camera: Camera) -> AsyncIterator[None]:
    task = asyncio.create_task(camera.play())
    try:
        yield
    finally:
        task.cancel()


@contextlib.asynccontextmanager
async def watching(live: Live) -> AsyncIterator[tuple[MediaStreamTrack, str]]:
    """An aiortc viewer: its video track and its session's address."""
    peer = RTCPeerConnection()
    try:
        transceiver = peer.addTransceiver("video", direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        answer = await live.http.post(WHEP, content=peer.localDescription.sdp, headers=SDP)
        assert answer.status_code == 201, answer.text
        await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        yield transceiver.receiver.track, answer.headers["location"]
    finally:
        await peer.close()


async def brightness(track: MediaStreamTrack, count: int) -> list[int]:
    """The numbers of pictures, as their brightness tells them."""
    async with asyncio.timeout(10):
        frames = [await track.recv() for _ in range(count)]
    return [round((frame.to_ndarray()[:240].mean() - 17.5) / 4) for frame in frames]


async def test_a_viewer_starts_with_the_kept_group_and_goes_on_live(live):
    camera = Camera(live.bus, encode())
    camera.publish(30)
    async with playing(camera), watching(live) as (track, location):
        numbers = await brightness(track, 20)
        # Pictures 25 to 29 are kept from before; the next came live; none is missing.
        assert numbers == [n % 50 for n in range(25, 45)]
        assert (await live.http.delete(location)).status_code == 204
        assert not live.service.webrtc.viewers
        assert (await live.http.delete(location)).status_code == 404
