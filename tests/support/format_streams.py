"""Real streams for the tests of the formats: encoded by PyAV, a few pictures each."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import av
import numpy as np
from av.video.frame import VideoFrame

from vms.format.annexb import split_annexb, to_length_prefixed


@cache
def encode_video(
    codec: str,
    width: int = 320,
    height: int = 240,
    pictures: int = 12,
    options: tuple[tuple[str, str], ...] = (),
    rate: Fraction = Fraction(25),
    pixel_format: str = "yuv420p",
    profile: str = "",
) -> tuple[bytes, ...]:
    """Access units of length-prefixed NAL units; `codec` is libx264 or libx265."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height = width, height
    context.pix_fmt = pixel_format
    context.time_base = 1 / rate
    context.framerate = rate
    if profile:
        context.profile = profile
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    chosen = {"preset": "ultrafast", "tune": "zerolatency", **quiet}
    chosen.update(dict(options))
    context.options = {name: value for name, value in chosen.items() if value}
    units: list[bytes] = []
    random = np.random.default_rng(7)
    noise = random.integers(0, 255, (height, width, 3), dtype=np.uint8)
    for number in range(pictures):
        image = np.roll(noise, number * 8, axis=1)
        frame = VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixel_format)
        frame.pts = number
        units += [bytes(packet) for packet in context.encode(frame)]
    units += [bytes(packet) for packet in context.encode(None)]
    return tuple(to_length_prefixed(split_annexb(unit)) for unit in units)


def decode_video(codec: str, units: list[bytes]) -> list[np.ndarray]:
    """Decodes access units given in Annex B; luma of each picture in output order."""
    from vms.format.annexb import to_annexb

    context = av.CodecContext.create(codec, "r")
    frames = []
    for unit in units:
        frames += context.decode(av.Packet(to_annexb(unit)))
    frames += context.decode(None)
    return [frame.to_ndarray()[: frame.height] for frame in frames]


@cache
def encode_aac(
    rate: int = 16000, layout: str = "mono", frames: int = 8
) -> tuple[bytes, list[bytes]]:
    """(AudioSpecificConfig, raw AAC frames)."""
    context = av.CodecContext.create("aac", "w")
    context.sample_rate = rate
    context.layout = layout
    context.format = "fltp"
    context.time_base = Fraction(1, rate)
    context.open()
    out: list[bytes] = []
    channels = len(context.layout.channels)
    random = np.random.default_rng(3)
    for number in range(frames):
        samples = random.uniform(-0.5, 0.5, (channels, 1024)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate = rate
        frame.pts = number * 1024
        out += [bytes(packet) for packet in context.encode(frame)]
    out += [bytes(packet) for packet in context.encode(None)]
    config = bytes(context.extradata or b"")
    return config, out
