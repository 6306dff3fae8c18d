"""Real encoded streams for the storage tests: small pictures by PyAV, as AccessUnits."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import numpy as np

from vms.common.model.media import AccessUnit, Codec, CodecParameters
from vms.format import aac, h264, h265
from vms.format.annexb import split_annexb, to_length_prefixed

START_NS = 1_790_000_000_000_000_000
"""2026-09-21 14:13:20 UTC."""
SECOND = 1_000_000_000
Packet = tuple[int, bool, bytes]
"""(presentation time in ticks, key, data as AccessUnit.data has it)."""


def picture(number: int, width: int = 160, height: int = 96) -> av.VideoFrame:
    """A picture whose brightness and bar say its number modulo 64."""
    image = np.full((height, width, 3), (number * 3) % 192, dtype=np.uint8)
    image[:, : 1 + number % 64 * width // 64] = (250, 60, 60)
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")


@lru_cache(maxsize=16)
def encode_video(
    codec: Codec = Codec.H264,
    pictures: int = 50,
    gop: int = 10,
    fps: int = 25,
    b_frames: int = 0,
    width: int = 160,
    height: int = 96,
) -> tuple[CodecParameters, tuple[Packet, ...]]:
    """Parameters, and packets in decoding order with times in ticks of 90 kHz."""
    name = "libx264" if codec is Codec.H264 else "libx265"
    options: dict[str, str] = {"preset": "ultrafast"}
    if codec is Codec.H264:
        options["x264-params"] = f"scenecut=0:bframes={b_frames}:b-adapt=0:log-level=none"
    else:
        options["x265-params"] = (
            f"scenecut=0:bframes={b_frames}:b-adapt=0:log-level=none:pools=1:open-gop=0"
        )
    encoder: Any = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, fps), Fraction(fps)
    encoder.gop_size, encoder.options, encoder.thread_count = gop, options, 1
    packets = []
    for number in range(pictures):
        frame = picture(number, width, height)
        frame.pts, frame.time_base = number, Fraction(1, fps)
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    rows = [(int(p.pts) * 90_000 // fps, bool(p.is_keyframe), bytes(p)) for p in packets]
    module = h264 if codec is Codec.H264 else h265
    first = to_length_prefixed(split_annexb(rows[0][2]))
    parameters = module.parameters(module.parameter_sets_in(first), float(fps))
    return parameters, tuple(
        (pts, key, to_length_prefixed(split_annexb(data))) for pts, key, data in rows
    )


@lru_cache(maxsize=4)
def encode_aac(
    seconds: float = 2.0, rate: int = 16_000
) -> tuple[CodecParameters, tuple[Packet, ...]]:
    """A tone as AAC; times in ticks of the sampling rate."""
    encoder: Any = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", "fltp"
    encoder.time_base = Fraction(1, rate)
    packets = []
    for start in range(0, int(seconds * rate), 1024):
        tone = np.sin(np.arange(start, start + 1024) * 2 * np.pi * 440 / rate) * 0.3
        frame = av.AudioFrame.from_ndarray(
            tone.astype(np.float32).reshape(1, -1), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    config = aac.build_config(rate, 1)
    rows = tuple((int(p.pts), True, bytes(p)) for p in packets if p.pts >= 0)
    return CodecParameters(Codec.AAC, rate, config=config, channels=1), rows


def g711(
    codec: Codec = Codec.PCMU, seconds: float = 2.0
) -> tuple[CodecParameters, tuple[Packet, ...]]:
    """Frames of 20 ms whose bytes differ."""
    frames = tuple(
        (n * 160, True, bytes((n + i) % 256 for i in range(160))) for n in range(int(seconds * 50))
    )
    return CodecParameters(codec, 8000, channels=1), frames


def units(
    parameters: CodecParameters,
    packets: Sequence[Packet],
    *,
    track: int = 0,
    run: str = "run1",
    start_ns: int = START_NS,
    first_number: int = 0,
    camera: str = "front",
    stream: str = "main",
    pts_from: int = 0,
    capture_offset_ns: int | None = None,
) -> list[AccessUnit]:
    """AccessUnits that arrive when they are due, the first at `start_ns`."""
    made: list[AccessUnit] = []
    earliest = 0
    for number, (pts, key, data) in enumerate(packets):
        due = pts * SECOND // parameters.clock_rate
        earliest = max(earliest, due)
        arrival = start_ns + earliest
        made.append(
            AccessUnit(
                camera=camera,
                stream=stream,
                track=track,
                run=run,
                number=first_number + number,
                parameters=parameters,
                data=data,
                pts=pts_from + pts,
                arrival_ns=arrival,
                capture_ns=None if capture_offset_ns is None else arrival + capture_offset_ns,
                key=key,
            )
        )
    return made


def merged(*tracks: Sequence[AccessUnit]) -> list[AccessUnit]:
    """Units of several tracks as they arrive."""
    return sorted((u for track in tracks for u in track), key=lambda u: u.arrival_ns)
