"""What another maker's RTSP server sends is recorded picture by picture, nothing lost."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from tests.support.system import System, wait_for

from vms.common.model.media import Codec
from vms.common.sei_stamp import STAMP_UUID, pack_sei_stamp, unpack_sei_stamp
from vms.common.stamp import draw_stamp
from vms.format.annexb import split_annexb, to_annexb, to_length_prefixed
from vms.format.sei import build_stamp_sei, find_user_data

SERVER = Path(__file__).with_name("gst_server.py")
PYTHON = "/usr/bin/python3"
PICTURES = 200
ENCODERS = {"h264": ("libx264", Codec.H264), "h265": ("libx265", Codec.H265)}


def _gstreamer_is_there() -> bool:
    check = (
        "import gi; gi.require_version('GstRtspServer', '1.0'); "
        "from gi.repository import GstRtspServer"
    )
    try:
        return not subprocess.run(
            [PYTHON, "-c", check], capture_output=True, check=False
        ).returncode
    except OSError:
        return False


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not _gstreamer_is_there(),
        reason="needs gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-good and -bad, python3-gi",
    ),
]


def write_clip(path: Path, codec: str) -> None:
    """An MP4 of PICTURES stamped pictures at 25 a second, a key picture each second."""
    encoder, kind = ENCODERS[codec]
    with av.open(str(path), "w") as file:
        track = file.add_stream(encoder, rate=25)
        track.width, track.height, track.pix_fmt = 640, 360, "yuv420p"
        track.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "25"}
        if codec == "h265":
            track.options["x265-params"] = "keyint=25:bframes=0:log-level=none"
        ramp = np.linspace(40, 200, 640, dtype=np.uint8)
        number = 0
        for index in range(PICTURES):
            picture = np.full((540, 640), 128, np.uint8)
            picture[:360] = np.roll(ramp, index * 8)
            draw_stamp(picture[:360], index, index * 40)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = index
            for packet in track.encode(frame):
                number += _mux(file, packet, kind, number)
        for packet in track.encode(None):
            number += _mux(file, packet, kind, number)
    assert number == PICTURES


def _mux(file: av.container.OutputContainer, packet: av.Packet, kind: Codec, number: int) -> int:
    nals = split_annexb(bytes(packet))
    sei = build_stamp_sei(kind, STAMP_UUID, pack_sei_stamp(number, 1))
    first_slice = next(i for i, nal in enumerate(nals) if _is_slice(nal, kind))
    stamped = av.Packet(
        to_annexb(to_length_prefixed([*nals[:first_slice], sei, *nals[first_slice:]]))
    )
    stamped.pts, stamped.dts = packet.pts, packet.dts
    stamped.time_base, stamped.stream = packet.time_base, packet.stream
    stamped.is_keyframe = packet.is_keyframe
    file.mux(stamped)
    return 1


def _is_slice(nal: bytes, kind: Codec) -> bool:
    if kind is Codec.H264:
        return 1 <= nal[0] & 0x1F <= 5
    return (nal[0] >> 1) & 0x3F < 32


@contextmanager
def gstreamer(path: Path, codec: str) -> Iterator[str]:
    command = [PYTHON, str(SERVER), str(path), codec]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            assert line.startswith("ready "), line
            yield f"rtsp://127.0.0.1:{line.split()[1]}/clip"
        finally:
            server.kill()


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_every_picture_is_recorded(tmp_path: Path, codec: str, transport: str) -> None:
    clip = tmp_path / "clip.mp4"
    write_clip(clip, codec)
    data = tmp_path / "data"
    with gstreamer(clip, codec) as url, System(data, "--no-demo").wait_ready() as system:
        client = system.client()
        stream = {"name": "main", "url": url, "transport": transport, "recording": "continuous"}
        client.post("/api/v1/cameras", json={"name": "Gst", "streams": [stream]}).raise_for_status()
        wait_for(lambda: len(segments(data)) >= 2, 60, "the second run, after the clip's end")
        time.sleep(0.5)
    first = segments(data)[0]
    assert numbers(first, ENCODERS[codec][1]) == list(range(PICTURES))
    if probe := shutil.which("ffprobe"):
        done = subprocess.run(
            [probe, "-v", "warning", "-count_packets",
             "-show_entries", "stream=nb_read_packets", first],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        assert f"nb_read_packets={PICTURES}" in done.stdout


def segments(data: Path) -> list[Path]:
    found = (data / "recordings").rglob("*.mkv")
    return sorted(found)


def numbers(path: Path, kind: Codec) -> list[int]:
    found = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            payload = find_user_data(bytes(packet), kind, STAMP_UUID) if packet.size else None
            if payload and (stamp := unpack_sei_stamp(payload)):
                found.append(stamp.number)
    return found
