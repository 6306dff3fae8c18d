"""Live video over HTTP: what WHEP answers, who may ask, snapshots."""

from __future__ import annotations

import asyncio
import io
import socket

import av
import pytest
from aiortc import RTCPeerConnection
from tests.support.stream_offers import CHROMIUM
from tests.support.stream_peer import brightness, peer, playing, track
from tests.support.stream_server import Live, live_server
from tests.support.stream_units import Camera, encode

from vms.catalog.port import Role
from vms.common.model.media import Codec
from vms.stream.settings import StreamSettings, WebRtcSettings
from vms.stream.webrtc.server import Answered

WHEP = "/api/v1/cameras/front/streams/main/whep"
SNAPSHOT = "/api/v1/cameras/front/streams/main/snapshot.jpg"
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
RESTART = (
    "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\n"
)


@pytest.fixture
async def live(tmp_path):
    async with live_server(tmp_path) as server:
        yield server


async def ask(live: Live, offer: str = CHROMIUM, **headers: str):
    return await live.http.post(WHEP, content=offer, headers=SDP | headers)


async def test_a_session_from_offer_to_delete(live):
    camera = Camera(live.bus, encode())
    camera.publish(30)
    connection = RTCPeerConnection()
    connection.addTransceiver("video", direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    answer = await ask(live, connection.localDescription.sdp)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/sdp"
    location = answer.headers["location"]
    assert location.startswith("/api/v1/whep/")
    assert answer.headers["etag"].startswith('"')
    await connection.close()

    def answered(sdp: str) -> Answered:
        return live.service.webrtc.offer(live.service.hub("front", "main"), sdp, "x")

    async with playing(camera), peer(answered) as viewer:
        seen = await brightness(track(viewer), 10)
        assert seen == list(range(seen[0], seen[0] + 10))
    assert (await live.http.delete(location)).status_code == 204
    assert (await live.http.delete(location)).status_code == 404


@pytest.mark.parametrize(("offer", "headers", "status"), [
    ("not sdp", {}, 400),
    (CHROMIUM, {"Content-Type": "text/plain"}, 415),
    ("v=0\r\n" + "a=x\r\n" * 20_000, {}, 413),
    (CHROMIUM.replace("H264", "VP9"), {}, 406),
    ("\udcff".encode("utf-8", "surrogateescape"), {}, 400),
])  # fmt: skip
async def test_offers_that_are_refused(live, offer, headers, status):
    Camera(live.bus, encode()).publish(1)
    answer = await ask(live, offer, **headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["detail"]
    assert not live.service.webrtc.viewers


async def test_b_frames_and_silence_say_what_they_are(live):
    assert (await ask(live)).status_code == 503
    camera = Camera(live.bus, encode(profile="high", b_frames=2))
    camera.publish(20)
    answer = await ask(live)
    assert answer.status_code == 406
    assert "B-frames" in answer.json()["detail"]
    live.service.hub("front", "main").last_monotonic -= 11
    answer = await ask(live)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"


async def test_only_those_who_may_watch_do(live):
    Camera(live.bus, encode()).publish(1)
    assert (await ask(live, Authorization="")).status_code == 401
    guest = {"Authorization": f"Bearer {await live.add_user('guest', Role.VIEWER)}"}
    assert (await ask(live, **guest)).status_code == 404
    assert (await live.http.get(SNAPSHOT, headers=guest)).status_code == 404
    await live.catalog.grants.replace("guest", ["front"])
    live.auth.access.forget()
    answer = await ask(live, **guest)
    assert answer.status_code == 201
    location = answer.headers["location"]
    # Another user's session is as good as none.
    assert (await live.http.delete(location)).status_code == 404
    await live.catalog.grants.replace("guest", [])
    async with asyncio.timeout(5):
        while live.service.webrtc.viewers:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_trickle_and_ice_restart(live):
    Camera(live.bus, encode()).publish(1)
    answer = await ask(live)
    location, tag = answer.headers["location"], answer.headers["etag"]
    trickle = "a=ice-ufrag:4ZcD\r\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlPc\r\nm=video 9 RTP/AVP 0\r\n"
    trickle += "a=mid:0\r\na=candidate:1 1 udp 2122260223 192.0.2.9 5000 typ host\r\n"

    async def patch(body: str, **headers: str):
        return await live.http.patch(location, content=body, headers=FRAGMENT | headers)

    assert (await patch(trickle, **{"If-Match": tag})).status_code == 204
    assert (await patch(trickle)).status_code == 204
    assert (await patch(trickle, **{"If-Match": '"other"'})).status_code == 412
    assert (await patch("rubbish")).status_code == 400
    assert (await patch(RESTART)).status_code == 412
    restarted = await patch(RESTART, **{"If-Match": "*"})
    assert restarted.status_code == 200
    assert restarted.headers["content-type"] == FRAGMENT["Content-Type"]
    assert restarted.headers["etag"] != tag
    viewer = live.service.webrtc.viewers[0]
    assert f"a=ice-ufrag:{viewer.credentials[-1].ufrag}" in restarted.text
    assert viewer.credentials[-1].remote_ufrag == "EsAw"
    assert len(viewer.credentials) == 2
    assert (await patch(trickle, **{"If-Match": tag})).status_code == 412


async def test_options_say_what_is_taken(live):
    answer = await live.http.options(WHEP)
    assert answer.status_code == 204
    assert answer.headers["accept-post"] == "application/sdp"
    assert "DELETE" in (await live.http.options("/api/v1/whep/x")).headers["allow"]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
async def test_a_snapshot_is_the_newest_key_picture(live, codec):
    assert (await live.http.get(SNAPSHOT)).status_code == 503
    camera = Camera(live.bus, encode(codec, count=30, size=(640, 480)))
    camera.publish(30)
    answer, small = await asyncio.gather(
        live.http.get(SNAPSHOT), live.http.get(SNAPSHOT, params={"width": 161})
    )
    assert answer.headers["content-type"] == "image/jpeg"
    for body, size in ((answer.content, (640, 480)), (small.content, (160, 120))):
        with av.open(io.BytesIO(body), format="jpeg_pipe") as container:
            frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == size
        grey = frame.to_ndarray(format="gray")
        assert abs(grey.mean() - 125) < 15
    assert (await live.http.get(SNAPSHOT)).content == answer.content


async def test_a_key_picture_that_does_not_decode_is_no_snapshot(live):
    from dataclasses import replace

    camera = Camera(live.bus, encode())
    unit = replace(camera.unit(), data=b"\0\0\0\4\x65\1\2\3")
    live.bus.publish("vms.media.front.main", unit)
    answer = await live.http.get(SNAPSHOT)
    assert answer.status_code == 503
    assert "decode" in answer.json()["detail"]


async def test_a_udp_port_in_use_leaves_the_other_ways(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        webrtc = WebRtcSettings(host="127.0.0.1", port=other.getsockname()[1])
        async with live_server(tmp_path, StreamSettings(webrtc=webrtc)) as live:
            Camera(live.bus, encode()).publish(1)
            answer = await ask(live)
            assert answer.status_code == 406
            assert "MSE" in answer.json()["detail"]
            assert (await live.http.get(SNAPSHOT)).status_code == 200
