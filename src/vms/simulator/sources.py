"""What a simulated camera can show: a live scene, a loop encoded beforehand, or a file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error

from vms.common.errors import ConfigError, ParseError
from vms.common.model.media import Codec, CodecParameters
from vms.common.stamp import LIGHT
from vms.format import h264, h265
from vms.format.annexb import split_annexb, split_length_prefixed
from vms.simulator.encode import PARAMETER_SETS, Encoded, Encoder, Encoding
from vms.simulator.gallery import view_named
from vms.simulator.packets import Item, Programme, Unit, video_unit
from vms.simulator.render import Renderer

_SECOND = 1_000_000_000
_LOOP_GRAIN = 6.0


@dataclass(frozen=True, slots=True)
class Scene(Encoding):
    """A scene drawn and encoded as it is sent; cameras with an equal one share the encoder.

    `view` is a name of `scenery.VIEWS`; `title` is burnt in (the view's name if empty);
    `stamp_light` is the luma of the stamp's light cells.
    """

    view: str = "parking"
    title: str = ""
    stamp_light: int = LIGHT

    def __post_init__(self) -> None:
        Encoding.__post_init__(self)
        _check_view(self.view)


@dataclass(frozen=True, slots=True)
class Loop(Encoding):
    """A scene encoded once for a process and played round and round: nearly free to send."""

    width: int = 1920
    height: int = 1080
    fps: float = 25.0
    bitrate: int = 4_000_000
    seconds: float = 4.0
    view: str = "parking"
    title: str = ""

    def __post_init__(self) -> None:
        Encoding.__post_init__(self)
        _check_view(self.view)
        if not 0 < self.seconds <= 600:
            raise ConfigError(f"a loop of {self.seconds:g} s must be above 0 and at most 600 s")


@dataclass(frozen=True, slots=True)
class File:
    """The first H.264 or H.265 track of a file, round and round, at its own pace."""

    path: Path


Source = Scene | Loop | File

_programmes: dict[Source, Programme] = {}
_lock = threading.Lock()


def _check_view(view: str) -> None:
    view_named(view)


def programme(source: Loop | File) -> Programme:
    """The units of a loop or file, made once for a process. Slow: call it in a thread.

    Raises ConfigError where a file cannot be played.
    """
    with _lock:
        found = _programmes.get(source)
        if found is None:
            found = _loop(source) if isinstance(source, Loop) else _file(source)
            _programmes[source] = found
    return found


def parameters_of(codec: Codec, parameter_sets: tuple[bytes, ...], fps: float) -> CodecParameters:
    """Codec parameters of raw parameter sets."""
    if codec is Codec.H264:
        return h264.parameters(parameter_sets, fps)
    return h265.parameters(parameter_sets, fps)


def _loop(loop: Loop) -> Programme:
    encoded = _encode_loop(loop)
    frame_ns = _SECOND / loop.fps
    items = tuple(
        Item(
            video_unit(loop.codec, unit.parameter_sets, unit.nals, key=unit.key),
            round(index * frame_ns),
            round((unit.pts - unit.dts) * frame_ns),
        )
        for index, unit in enumerate(encoded)
    )
    sets = next(unit.parameter_sets for unit in encoded if unit.key)
    parameters = parameters_of(loop.codec, sets, loop.fps)
    return Programme(parameters, items, round(len(items) * frame_ns))


def _encode_loop(loop: Loop) -> list[Encoded]:
    """Noise that changes all over the picture makes the encoder use its bitrate."""
    renderer = Renderer(
        loop.view, loop.width, loop.height, loop.title, grain=_LOOP_GRAIN, everywhere=True
    )
    encoder = Encoder(loop)
    start_ns = 1_900_000_000 * _SECOND
    frames = max(1, round(loop.seconds * loop.fps))
    units: list[Encoded] = []
    for number in range(frames):
        picture = renderer.draw(number, start_ns + round(number * _SECOND / loop.fps))
        units += encoder.encode(picture)
    return [*units, *encoder.flush()]


def _file(file: File) -> Programme:
    try:
        with av.open(str(file.path)) as container:
            if not container.streams.video:
                raise ConfigError(f"{file.path} has no video")
            return _demuxed(file.path, container, container.streams.video[0])
    except (OSError, av.error.FFmpegError, ParseError) as error:
        raise ConfigError(f"cannot play {file.path}: {error}") from error


def _demuxed(
    path: Path, container: av.container.InputContainer, stream: av.VideoStream
) -> Programme:
    codecs = {"h264": Codec.H264, "hevc": Codec.H265}
    codec = codecs.get(stream.codec_context.name)
    if codec is None:
        name = stream.codec_context.name
        raise ConfigError(f"{path} has {name} video; only H.264 and H.265 can be played")
    split, sets = _framing(codec, stream.codec_context.extradata or b"")
    rate = float(stream.average_rate or 25)
    tick_ns = float(stream.time_base or Fraction(1, 90_000)) * _SECOND
    items: list[Item] = []
    first = 0
    for packet in container.demux(stream):
        if not packet.size or packet.dts is None:
            continue
        unit = _file_unit(codec, split(bytes(packet)), sets, key=packet.is_keyframe)
        if not items:
            first = packet.dts
            if not unit.key:
                raise ConfigError(f"{path} does not begin with a key frame")
        pts = packet.pts if packet.pts is not None else packet.dts
        at = round((packet.dts - first) * tick_ns)
        items.append(Item(unit, at, max(0, round((pts - packet.dts) * tick_ns))))
    if not items:
        raise ConfigError(f"{path} holds no pictures")
    duration = items[-1].at_ns + round(_SECOND / rate)
    return Programme(parameters_of(codec, sets, rate), tuple(items), duration)


def _framing(
    codec: Codec, extradata: bytes
) -> tuple[Callable[[bytes], Sequence[bytes | memoryview]], tuple[bytes, ...]]:
    """How the file separates NAL units, and its parameter sets."""
    if extradata[:1] == b"\x01":
        sets, size = (h264.parse_avcc if codec is Codec.H264 else h265.parse_hvcc)(extradata)
        if size != 4:
            raise ParseError(f"NAL lengths of {size} bytes")
        return split_length_prefixed, sets
    kinds = PARAMETER_SETS[codec]
    nal_type = (h264 if codec is Codec.H264 else h265).nal_type
    return split_annexb, tuple(n for n in split_annexb(extradata) if nal_type(n) in kinds)


def _file_unit(
    codec: Codec, nals: Sequence[bytes | memoryview], sets: tuple[bytes, ...], *, key: bool
) -> Unit:
    """Every key picture gets the parameter sets, as cameras send them."""
    nal_type = (h264 if codec is Codec.H264 else h265).nal_type
    unwanted = PARAMETER_SETS[codec] | {9 if codec is Codec.H264 else 35}
    slices = [bytes(nal) for nal in nals if nal_type(nal) not in unwanted]
    if not slices:
        raise ParseError("an access unit without a picture")
    return video_unit(codec, sets if key else (), slices, key=key)
