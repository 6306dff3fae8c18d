"""Access units of really encoded pictures, as ingest would publish them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import av
import numpy as np

from vms.bus import subjects
from vms.bus.port import Bus
from vms.common.model.media import AccessUnit, Codec, CodecParameters
from vms.format import h264, h265
from vms.format.annexb import split_annexb, to_length_prefixed

_ENCODERS = {
    Codec.H264: ("libx264", "x264-params", "repeat-headers=1:scenecut=0:threads=1"),
    Codec.H265: ("libx265", "x265-params", "repeat-headers=1:scenecut=0:log-level=none:pools=1"),
}


@dataclass(frozen=True)
class Encoded:
    """One picture, encoded; `pts` in ticks of 90 kHz."""

    data: bytes
    pts: int
    key: bool


@cache
def encode(
    codec: Codec = Codec.H264,
    count: int = 50,
    size: tuple[int, int] = (320, 240),
    gop: int = 25,
    profile: str = "baseline",
    b_frames: int = 0,
    kilobits: int = 500,
) -> tuple[CodecParameters, tuple[Encoded, ...]]:
    """`count` pictures at 25 a second whose brightness tells their number: 16 + 4 * (n % 50)."""
    name, option, base = _ENCODERS[codec]
    width, height = size
    context = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = Fraction(1, 90_000)
    context.framerate = Fraction(25, 1)
    context.bit_rate = kilobits * 1000
    options = {"preset": "ultrafast", "g": str(gop), "bf": str(b_frames), option: base}
    if not b_frames:
        options["tune"] = "zerolatency"
    if codec is Codec.H264:
        options["profile"] = profile
        if profile == "high":
            options[option] += ":8x8dct=1:cabac=1"
    else:
        options[option] += f":keyint={gop}:min-keyint={gop}:bframes={b_frames}"
    context.options = options
    noise = np.random.default_rng(1).integers(0, 16, (height, width), dtype=np.uint8)
    packets = []
    for number in range(count):
        frame = av.VideoFrame(width, height, "yuv420p")
        plane = np.frombuffer(frame.planes[0], np.uint8).reshape(height, frame.planes[0].line_size)
        plane[:, :width] = 16 + 4 * (number % 50) + np.roll(noise, number * 3, axis=1) // 4
        for chroma in frame.planes[1:]:
            np.frombuffer(chroma, np.uint8)[:] = 128
        frame.pts = number * 3600
        frame.time_base = Fraction(1, 90_000)
        packets += context.encode(frame)
    packets += context.encode(None)
    module = h264 if codec is Codec.H264 else h265
    units = []
    parameters: CodecParameters | None = None
    for packet in packets:
        data = to_length_prefixed(split_annexb(bytes(packet)))
        if parameters is None:
            parameters = module.parameters(module.parameter_sets_in(data), 25.0)
        units.append(Encoded(data, packet.pts or 0, packet.is_keyframe))
    assert parameters is not None
    return parameters, tuple(units)


class Camera:
    """Publishes units of an encoded clip to a bus, over and over, in a row of pictures."""

    def __init__(
        self,
        bus: Bus,
        clip: tuple[CodecParameters, tuple[Encoded, ...]],
        camera: str = "front",
        stream: str = "main",
        run: str = "r1",
    ) -> None:
        self.bus = bus
        self.parameters, self.units = clip
        self.camera, self.stream, self.run = camera, stream, run
        self.number = 0
        self.damage_next = False

    def unit(self) -> AccessUnit:
        """The next unit, as if it had arrived now."""
        turn, place = divmod(self.number, len(self.units))
        source = self.units[place]
        unit = AccessUnit(
            camera=self.camera,
            stream=self.stream,
            track=0,
            run=self.run,
            number=self.number,
            parameters=self.parameters,
            data=source.data,
            pts=source.pts + turn * len(self.units) * 3600,
            arrival_ns=time.time_ns(),
            key=source.key,
        )
        self.number += 1
        return unit

    def publish(self, count: int = 1) -> None:
        for _ in range(count):
            unit = self.unit()
            if self.damage_next:
                unit = replace(unit, damaged=True)
                self.damage_next = False
            self.bus.publish(subjects.media(self.camera, self.stream), unit)

    async def play(self, rate: float = 25.0) -> None:
        """Publish in real time until cancelled."""
        start, first = time.monotonic(), self.number
        while True:
            self.publish()
            await asyncio.sleep(max(0.0, start + (self.number - first) / rate - time.monotonic()))


def decode(codec: Codec, parts: Iterable[bytes]) -> list[av.VideoFrame]:
    """Frames of length-prefixed access units."""
    from vms.format.annexb import to_annexb

    context = av.CodecContext.create("h264" if codec is Codec.H264 else "hevc", "r")
    frames: list[av.VideoFrame] = []
    for part in parts:
        frames += context.decode(av.Packet(to_annexb(part)))
    return frames + context.decode(None)


def encode_audio(
    name: str, rate: int, layout: str = "mono"
) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Decoder configuration, and twenty frames of a tone as (pts, data)."""
    context = av.CodecContext.create(name, "w")
    context.sample_rate, context.layout, context.format = rate, layout, "fltp"
    if name == "libopus":
        context.format = "flt"
    context.time_base = Fraction(1, rate)
    context.open()
    size = context.frame_size
    packets = []
    tone = np.sin(np.arange(size * 20) / 20).astype(np.float32)
    for i in range(20):
        frame = av.AudioFrame.from_ndarray(
            tone[None, i * size : (i + 1) * size], context.format.name, layout
        )
        frame.sample_rate, frame.pts = rate, i * size
        packets += context.encode(frame)
    packets += context.encode(None)
    return context.extradata or b"", [(max(0, p.pts), bytes(p)) for p in packets]
