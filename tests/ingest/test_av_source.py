"""Sources that are not RTSP: files and HTTP, through FFmpeg, as the same access units."""

from __future__ import annotations

import asyncio
import functools
import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from tests.support.ingest_rig import QUICK, camera, ingesting
from tests.support.ingest_tls import self_signed

from vms.common.model.camera import StreamStatus
from vms.common.model.media import Codec
from vms.format.annexb import split_length_prefixed
from vms.ingest.address import parse_address
from vms.ingest.av_source import AvSource
from vms.ingest.settings import TlsVerify

RATE = 25


def film(path: Path, codec: str, seconds: float = 1.0, audio: bool = True, **options: str) -> Path:
    """A short film with or without sound."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=RATE, options={"g": "10", **options})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        if codec == "mjpeg":
            video.pix_fmt = "yuvj420p"
        sound = container.add_stream("aac", rate=16_000) if audio else None
        if sound is not None:
            sound.layout = "mono"
        for number in range(int(seconds * RATE)):
            plane = np.full((270, 320), (number * 9) % 200 + 20, np.uint8)
            frame = av.VideoFrame.from_ndarray(plane, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            samples = np.zeros((1, int(16_000 * seconds)), np.float32)
            tone = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            tone.sample_rate, tone.pts = 16_000, 0
            container.mux(sound.encode(tone))
            container.mux(sound.encode(None))
    return path


def files(root: Path) -> object:
    return QUICK.model_copy(update={"file_roots": (root,)})


@pytest.mark.parametrize(
    ("name", "encoder", "codec"),
    [
        ("a.mp4", "libx264", Codec.H264),
        ("b.ts", "libx264", Codec.H264),
        ("c.mkv", "libx265", Codec.H265),
        ("d.ts", "libx265", Codec.H265),
    ],
)
async def test_a_file_plays_a_camera_round_and_round(
    tmp_path: Path, name: str, encoder: str, codec: Codec
) -> None:
    options = {"x265-params": "log-level=none"} if codec is Codec.H265 else {}
    file = film(tmp_path / name, encoder, **options)
    door = camera("door", file.as_uri())
    async with ingesting(door, settings=files(tmp_path)) as rig:
        began = time.monotonic()
        units = await rig.units_of("door", 60)
        passed = time.monotonic() - began
        sound = await rig.units_of("door", 20, track=1)
        state = await rig.status("door", StreamStatus.ONLINE)
    assert 1.2 < passed < 5
    assert len({unit.run for unit in (*units, *sound)}) == 1
    assert units[0].key
    assert units[0].parameters.codec is codec
    assert (units[0].parameters.width, units[0].parameters.height) == (320, 180)
    assert len(units[-1].parameters.parameter_sets) >= 2
    assert all(split_length_prefixed(unit.data) for unit in units)
    times = sorted(unit.pts for unit in units[:50])
    assert max(b - a for a, b in pairwise(times)) <= 0.2 * 90_000
    assert sound[0].parameters.codec is Codec.AAC
    assert sound[-1].parameters.config
    assert state.reason == ""


async def test_units_decode(tmp_path: Path) -> None:
    file = film(tmp_path / "a.mp4", "libx264", audio=False, bf="2")
    async with ingesting(camera("door", file.as_uri()), settings=files(tmp_path)) as rig:
        units = await rig.units_of("door", 25)
    decoder = av.CodecContext.create("h264", "r")
    start = b"\x00\x00\x00\x01"
    stream = b"".join(start + nal for nal in units[0].parameters.parameter_sets)
    for unit in units:
        stream += b"".join(start + bytes(nal) for nal in split_length_prefixed(unit.data))
    frames = [f for packet in decoder.parse(stream) for f in decoder.decode(packet)]
    frames += decoder.decode(None)
    assert len(frames) >= 24


async def test_only_allowed_files(tmp_path: Path) -> None:
    inside = tmp_path / "films"
    inside.mkdir()
    outside = film(tmp_path / "a.mp4", "libx264", audio=False)
    (inside / "link.mp4").symlink_to(outside)
    urls = (outside.as_uri(), (inside / "link.mp4").as_uri(), f"{inside.as_uri()}/../a.mp4")
    for url in urls:
        async with ingesting(camera("door", url), settings=files(inside)) as rig:
            state = await rig.status("door", StreamStatus.HELD)
            assert "ingest.file_roots" in state.reason


async def test_what_cannot_be_used(tmp_path: Path) -> None:
    film(tmp_path / "a.mkv", "mjpeg", audio=False)
    (tmp_path / "b.mp4").write_bytes(b"hello" * 100)
    listing = tmp_path / "c.mp4"
    listing.write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    cases = {
        "a.mkv": "video in mjpeg",
        "b.mp4": "gives nothing that can be read",
        "c.mp4": "gives nothing that can be read",
        "none.mp4": "does not exist",
    }
    for name, says in cases.items():
        url = (tmp_path / name).as_uri()
        async with ingesting(camera("door", url), settings=files(tmp_path)) as rig:
            state = await rig.status("door", StreamStatus.OFFLINE)
            assert says in state.reason


@contextmanager
def web(root: Path, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Files over HTTP or HTTPS."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if "locked" in self.path:
                self.send_error(401)
            else:
                super().do_GET()

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(root))
    )
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_http_and_hls(tmp_path: Path) -> None:
    film(tmp_path / "a.ts", "libx264", audio=False)
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\na.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / "live.m3u8").write_text(playlist)
    secret = film(tmp_path / "secret.ts", "libx264", audio=False)
    evil = playlist.replace("a.ts", secret.as_uri())
    (tmp_path / "evil.m3u8").write_text(evil)
    with web(tmp_path) as base:
        names = ("a.ts", "live.m3u8", "evil.m3u8", "locked.ts", "none.ts")
        cameras = [camera(name.replace(".", "-"), f"{base}/{name}") for name in names]
        async with ingesting(*cameras) as rig:
            await rig.units_of("a-ts", 20)
            await rig.units_of("live-m3u8", 20)
            locked = await rig.status("locked-ts", StreamStatus.HELD)
            missing = await rig.status("none-ts", StreamStatus.OFFLINE)
            assert "password" in locked.reason
            assert "does not exist" in missing.reason
            assert not rig.of("evil-m3u8")


async def test_https_is_verified_as_asked(tmp_path: Path) -> None:
    context, authority, _ = self_signed(tmp_path)
    film(tmp_path / "a.ts", "libx264", audio=False)
    with web(tmp_path, context) as base:
        door = camera("door", f"{base}/a.ts")
        async with ingesting(door) as rig:
            await rig.units_of("door", 5)
        full = QUICK.model_copy(update={"tls_verify": TlsVerify.FULL})
        async with ingesting(door, settings=full) as rig:
            await rig.status("door", StreamStatus.OFFLINE)
            assert not rig.units
        trusting = full.model_copy(update={"tls_ca_file": authority})
        async with ingesting(door, settings=trusting) as rig:
            await rig.units_of("door", 5)
        pinned = QUICK.model_copy(update={"tls_pins": {"127.0.0.1": "0" * 64}})
        async with ingesting(door, settings=pinned) as rig:
            assert "full" in (await rig.status("door", StreamStatus.HELD)).reason


async def test_password_stays_out_of_errors() -> None:
    url = "http://127.0.0.1:9/x"
    door = camera("door", url, username="admin", password="hunter2")
    async with ingesting(door) as rig:
        state = await rig.status("door", StreamStatus.OFFLINE)
        assert "cannot be reached" in state.reason
        assert "hunter2" not in repr(rig.states)


async def test_ends_at_once_when_told(tmp_path: Path) -> None:
    file = film(tmp_path / "a.mp4", "libx264", 2.0, audio=False)
    source = AvSource(parse_address(file.as_uri(), files(tmp_path)), QUICK)

    class Nothing:
        def unit(self, *_: object) -> None:
            pass

    await source.open()
    running = asyncio.create_task(source.run(Nothing()))
    await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.wait([running])
    began = time.monotonic()
    await source.close()
    await source.close()
    assert time.monotonic() - began < 5
    assert source._thread is not None
    source._thread.join(5)
    assert not source._thread.is_alive()
