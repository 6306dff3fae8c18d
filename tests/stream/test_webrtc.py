"""WebRTC end to end with aiortc: real ICE, DTLS, SRTP; frames decoded."""

from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from tests.support.stream_units import Camera, encode
from vms.bus import subjects
from vms.bus.memory import MemoryBus
from vms.stream.hub import Hubs
from vms.stream.settings import StreamSettings, WebRtcSettings
from vms.stream.webrtc.server import WebRtcServer


async def test_frames_arrive():
    settings = StreamSettings(webrtc=WebRtcSettings(host="127.0.0.1", port=0))
    bus = MemoryBus()
    hubs = Hubs(settings)
    await bus.subscribe(subjects.MEDIA_ALL, hubs.on_media)
    server = WebRtcServer(settings.webrtc)
    server.start()
    camera = Camera(bus, encode())
    camera.publish(10)
    playing = asyncio.create_task(camera.play())
    pc = RTCPeerConnection()
    transceiver = pc.addTransceiver("video", direction="recvonly")
    await pc.setLocalDescription(await pc.createOffer())
    answered = server.offer(hubs.find("front", "main"), pc.localDescription.sdp, "u1")
    print(pc.localDescription.sdp)
    print(answered.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answered.sdp, "answer"))
    track = transceiver.receiver.track
    async with asyncio.timeout(10):
        for _ in range(40):
            frame = await track.recv()
            print(frame.pts, frame.to_ndarray()[:240].mean())
    await pc.close()
    await asyncio.sleep(0.1)
    assert not server.viewers
    playing.cancel()
    server.close()
