"""Encoding pictures as cameras do: one encoder, by PyAV, with the settings of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from vms.common.errors import ConfigError
from vms.common.model.media import Codec
from vms.format import h264, h265
from vms.format.annexb import split_annexb

Plane = NDArray[np.uint8]

_ENCODERS = {Codec.H264: "libx264", Codec.H265: "libx265"}
# What an encoder adds that says nothing of the picture: AUD and its own SEI.
_DROPPED = {Codec.H264: frozenset({6, 9}), Codec.H265: frozenset({35, 39, 40})}
PARAMETER_SETS = {Codec.H264: frozenset({7, 8}), Codec.H265: frozenset({32, 33, 34})}
_NAL_TYPE = {Codec.H264: h264.nal_type, Codec.H265: h265.nal_type}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How pictures are encoded. Size in pixels (even), `bitrate` in bit/s, `gop` in pictures.

    `gop` 0 means one second. Raises ConfigError where nothing could be encoded so.
    """

    width: int = 1280
    height: int = 720
    fps: float = 15.0
    bitrate: int = 2_000_000
    codec: Codec = Codec.H264
    gop: int = 0
    b_frames: int = 0

    def __post_init__(self) -> None:
        if self.codec not in _ENCODERS:
            raise ConfigError(f"codec {self.codec} is not one for video; use h264 or h265")
        if not (128 <= self.width <= 8192 and 64 <= self.height <= 8192):
            raise ConfigError(f"size {self.width}x{self.height} must be 128x64 to 8192x8192")
        if self.width % 2 or self.height % 2:
            raise ConfigError(f"size {self.width}x{self.height} must be even")
        if not 0.5 <= self.fps <= 240:
            raise ConfigError(f"fps {self.fps:g} must be 0.5 to 240")
        if not 10_000 <= self.bitrate <= 500_000_000:
            raise ConfigError(f"bitrate {self.bitrate} must be 10 000 to 500 000 000 bit/s")
        if not 0 <= self.b_frames <= 7:
            raise ConfigError(f"b_frames {self.b_frames} must be 0 to 7")

    @property
    def key_interval(self) -> int:
        """Pictures from one key picture to the next."""
        return self.gop or max(1, round(self.fps))


@dataclass(slots=True)
class Picture:
    """A buffer for one picture in YUV 4:2:0 that the encoder reads in place."""

    frame: av.VideoFrame
    y: Plane
    u: Plane
    v: Plane


@dataclass(frozen=True, slots=True)
class Encoded:
    """One access unit. `pts` and `dts` count pictures; `dts` is the order of sending."""

    nals: tuple[bytes, ...]
    parameter_sets: tuple[bytes, ...]
    key: bool
    pts: int
    dts: int


def new_picture(width: int, height: int) -> Picture:
    """A grey picture with views of its planes; writing to the views draws."""
    frame = av.VideoFrame(width, height, "yuv420p")
    views: list[Plane] = []
    for plane in frame.planes:
        raw = np.frombuffer(cast(Any, plane), np.uint8)
        views.append(raw.reshape(plane.height, plane.line_size)[:, : plane.width])
    views[0][:] = 16
    views[1][:] = 128
    views[2][:] = 128
    return Picture(frame, *views)


class Encoder:
    """Encodes pictures of one stream in order; used from one thread at a time."""

    def __init__(self, settings: Encoding) -> None:
        self.settings = settings
        self._nal_type = _NAL_TYPE[settings.codec]
        self._context = _open(settings)
        self._sent = 0

    def encode(self, picture: Picture, *, key: bool = False) -> Iterator[Encoded]:
        """Encode the next picture; gives what is ready (one unit, if there are no B-frames)."""
        picture.frame.pts = self._sent
        self._sent += 1
        picture.frame.pict_type = (
            av.video.frame.PictureType.I if key else av.video.frame.PictureType.NONE
        )
        for packet in self._context.encode(picture.frame):
            yield self._unit(packet)

    def flush(self) -> Iterator[Encoded]:
        """What is left in the encoder; it takes no more pictures afterwards."""
        for packet in self._context.encode(None):
            yield self._unit(packet)

    def _unit(self, packet: av.Packet[Any]) -> Encoded:
        dropped, sets = _DROPPED[self.settings.codec], PARAMETER_SETS[self.settings.codec]
        slices: list[bytes] = []
        parameter_sets: list[bytes] = []
        for nal in split_annexb(bytes(packet)):
            kind = self._nal_type(nal)
            if kind in sets:
                parameter_sets.append(bytes(nal))
            elif kind not in dropped:
                slices.append(bytes(nal))
        return Encoded(
            tuple(slices),
            tuple(parameter_sets),
            packet.is_keyframe,
            packet.pts if packet.pts is not None else 0,
            packet.dts if packet.dts is not None else 0,
        )


def _open(settings: Encoding) -> av.VideoCodecContext:
    name = _ENCODERS[settings.codec]
    try:
        context = cast(av.VideoCodecContext, av.CodecContext.create(name, "w"))
    except (ValueError, av.error.FFmpegError) as error:
        raise ConfigError(f"this build of PyAV has no encoder {name}: {error}") from error
    rate = Fraction(settings.fps).limit_denominator(1001)
    context.width, context.height = settings.width, settings.height
    context.pix_fmt = "yuv420p"
    context.framerate = rate
    context.time_base = 1 / rate
    context.bit_rate = settings.bitrate
    context.gop_size = settings.key_interval
    context.thread_count = 1
    context.options = (_x264 if settings.codec is Codec.H264 else _x265)(settings)
    return context


def _x264(settings: Encoding) -> dict[str, str]:
    kilobits = settings.bitrate // 1000
    parameters = (
        f"keyint={settings.key_interval}:min-keyint=1:scenecut=0:repeat-headers=1:threads=1:"
        f"sliced-threads=0:slices=1:bframes={settings.b_frames}:b-adapt=0:"
        f"vbv-maxrate={kilobits}:vbv-bufsize={max(1, kilobits // 2)}"
    )
    options = {"preset": "ultrafast", "forced-idr": "1", "x264-params": parameters}
    if settings.b_frames == 0:
        options |= {"tune": "zerolatency", "profile": "baseline"}
    return options


def _x265(settings: Encoding) -> dict[str, str]:
    kilobits = settings.bitrate // 1000
    parameters = (
        f"keyint={settings.key_interval}:min-keyint=1:scenecut=0:open-gop=0:repeat-headers=1:"
        f"info=0:pools=none:frame-threads=1:log-level=none:bframes={settings.b_frames}:"
        f"b-adapt=0:vbv-maxrate={kilobits}:vbv-bufsize={max(1, kilobits // 2)}"
    )
    options = {"preset": "ultrafast", "forced-idr": "1", "x265-params": parameters}
    if settings.b_frames == 0:
        options["tune"] = "zerolatency"
    return options
