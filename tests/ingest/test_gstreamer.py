"""Another maker's RTSP server: sign-in, TLS, sound, both transports, nothing lost."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support import ingest_tls
from tests.support.ingest_rig import QUICK, camera, ingesting

from vms.common.model.camera import StreamStatus, Transport
from vms.common.model.media import Codec

SERVER = Path(ingest_tls.__file__).with_name("ingest_gst.py")
PYTHON = "/usr/bin/python3"
NEEDED = ("x264enc", "x265enc", "voaacenc", "opusenc", "alawenc", "rtph265pay")


def _missing() -> str:
    check = (
        "import sys, gi; gi.require_version('GstRtspServer', '1.0'); "
        "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
        f"print([n for n in {NEEDED!r} if not Gst.ElementFactory.find(n)])"
    )
    try:
        done = subprocess.run([PYTHON, "-c", check], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return "the system's python3"
    if done.returncode:
        return "gir1.2-gst-rtsp-server-1.0 and python3-gi"
    return "" if done.stdout.strip() == "[]" else f"GStreamer's {done.stdout.strip()}"


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing := _missing()), reason=f"needs {missing}"),
]


@asynccontextmanager
async def gstreamer(*arguments: str) -> AsyncIterator[int]:
    server = await asyncio.create_subprocess_exec(
        PYTHON, str(SERVER), *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        async with asyncio.timeout(20):
            line = (await server.stdout.readline()).decode()
        assert line.startswith("ready "), line
        yield int(line.split()[1])
    finally:
        server.kill()
        await server.wait()


@pytest.mark.parametrize(
    ("video", "audio", "sign_in", "transport"),
    [
        (Codec.H264, Codec.AAC, "digest", Transport.TCP),
        (Codec.H264, Codec.PCMA, "basic", Transport.UDP),
        (Codec.H265, Codec.OPUS, "none", Transport.TCP),
        (Codec.H265, Codec.AAC, "digest", Transport.UDP),
    ],
)
async def test_live(video: Codec, audio: Codec, sign_in: str, transport: Transport) -> None:
    async with gstreamer(video, audio, sign_in) as port:
        url = f"rtsp://127.0.0.1:{port}/live"
        one = camera("door", url, transport, "admin", "secret")
        async with ingesting(one) as rig:
            await rig.until(lambda: len(rig.of("door")) >= 60, 25)
            await rig.until(lambda: len(rig.of("door", 1)) >= 40, 5)
            await rig.until(lambda: rig.state("door").clock_offset_ns is not None, 10)
            state = rig.state("door")
        units, sound = rig.of("door"), rig.of("door", 1)
    assert units[0].key
    assert {unit.parameters.codec for unit in units} == {video}
    assert {unit.parameters.codec for unit in sound} == {audio}
    assert (units[0].parameters.width, units[0].parameters.height) == (640, 360)
    assert not any(unit.damaged for unit in units)
    assert [unit.number for unit in units] == list(range(len(units)))
    steps = {b.pts - a.pts for a, b in pairwise(units)}
    assert steps <= {3599, 3600, 3601}
    assert state.packets_lost == 0
    assert state.reconnects == 0
    assert abs(state.clock_offset_ns or 0) < 200_000_000


async def test_wrong_password() -> None:
    async with gstreamer("h264", "pcma", "digest") as port:
        one = camera("door", f"rtsp://127.0.0.1:{port}/live", Transport.TCP, "admin", "no")
        async with ingesting(one) as rig:
            state = await rig.status("door", StreamStatus.HELD)
            assert "user name or password" in state.reason


async def test_tls(tmp_path: Path) -> None:
    _, certificate, fingerprint = ingest_tls.self_signed(tmp_path)
    pinned = QUICK.model_copy(update={"tls_pins": {"127.0.0.1": fingerprint}})
    async with gstreamer("h264", "pcma", "basic", str(certificate)) as port:
        one = camera("door", f"rtsps://127.0.0.1:{port}/live", Transport.TCP, "admin", "secret")
        async with ingesting(one, settings=pinned) as rig:
            await rig.until(lambda: len(rig.of("door")) >= 20, 15)
            assert not any(unit.damaged for unit in rig.of("door"))
