"""Trying an address: tracks, a picture, and clear words where there are none."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import av
import pytest
from tests.support.ingest_hostile import SDP, HandMade, serving
from tests.support.ingest_rig import QUICK, SMALL, ingesting
from tests.support.ingest_tls import self_signed

from vms.common.errors import SourceStalled
from vms.common.model.camera import Transport
from vms.common.model.media import Codec
from vms.common.secret import Secret
from vms.ingest.probe import probe
from vms.simulator.server import Simulator

NO = Secret("")


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
async def test_tells_tracks_and_shows_a_picture(simulator: Simulator, codec: Codec) -> None:
    wide = replace(SMALL, width=1280, height=720, codec=codec)
    simulator.add_camera("door", wide, "admin", "secret", audio=Codec.PCMU)
    async with ingesting() as rig:
        reply = await rig.command(
            "probe", url=simulator.url("door"), username="admin", password="secret"
        )
    assert reply.error == ""
    video, sound = reply.body["tracks"]
    assert (video["codec"], video["width"], video["height"]) == (codec, 1280, 720)
    assert video["frame_rate"] == 25.0
    assert (sound["codec"], sound["clock_rate"]) == ("pcmu", 8000)
    assert reply.body["server"]
    assert reply.body["elapsed_ms"] < 5000
    jpeg = base64.b64decode(reply.body["snapshot_jpeg_base64"])
    with av.open(io.BytesIO(jpeg), format="mjpeg") as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == (640, 360)
    assert frame.to_ndarray(format="gray").std() > 5


async def test_udp(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    found = await probe(simulator.url("door"), "", NO, Transport.UDP, QUICK)
    assert found.tracks[0].width == 320


async def test_wrong_password_and_wrong_transport(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL, "admin", "secret")
    async with ingesting() as rig:
        url = simulator.url("door")
        wrong = await rig.command("probe", url=url, username="admin", password="hunter2")
        assert "user name or password" in wrong.error
        assert "hunter2" not in wrong.error
        assert "tcp or udp" in (await rig.command("probe", url=url, transport="smoke")).error
        assert "must be text" in (await rig.command("probe", url=7)).error
        inside = await rig.command("probe", url=url.replace("://", "://admin:secret@"))
        assert inside.body["ok"]


async def test_no_key_picture_is_said(simulator: Simulator) -> None:
    simulator.add_camera("door", SMALL)
    simulator.faults("door").no_key = True
    settings = QUICK.model_copy(update={"probe_timeout": 2.0})
    found = await probe(simulator.url("door"), "", NO, Transport.TCP, settings)
    assert "no key frame" in found.note
    assert found.snapshot_jpeg == b""


async def test_nothing_comes() -> None:
    settings = QUICK.model_copy(update={"probe_timeout": 0.6})
    async with serving(HandMade(sdp=SDP.format(name="H265"))) as url:
        with pytest.raises(SourceStalled, match="no picture"):
            await probe(url, "", NO, Transport.TCP, settings)


async def test_certificate_can_be_learnt(tmp_path: Path) -> None:
    context, _, fingerprint = self_signed(tmp_path)
    async with Simulator(tls=context) as simulator:
        simulator.add_camera("door", SMALL)
        found = await probe(simulator.url("door"), "", NO, Transport.TCP, QUICK)
    assert found.tls_fingerprint == fingerprint
