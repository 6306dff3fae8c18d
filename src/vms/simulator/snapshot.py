"""The picture that a camera gives as JPEG."""

from __future__ import annotations

import time
from fractions import Fraction

import av
import av.error

from vms.common.errors import ConfigError
from vms.common.stamp import LIGHT
from vms.simulator.render import Renderer
from vms.simulator.sources import File, Scene, Source


def snapshot(source: Source) -> bytes:
    """A JPEG of what `source` shows now. Slow: call it in a thread. Raises ConfigError."""
    frame = _of_file(source) if isinstance(source, File) else _of_scene(source)
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height = frame.width, frame.height
    context.pix_fmt = "yuvj420p"
    context.time_base = Fraction(1, 25)
    context.options = {"qmin": "3", "qmax": "3"}
    jpeg = frame.reformat(format="yuvj420p")
    jpeg.pts = 0
    return b"".join(bytes(p) for p in (*context.encode(jpeg), *context.encode(None)))


def _of_scene(source: Source) -> av.VideoFrame:
    assert not isinstance(source, File)
    light = source.stamp_light if isinstance(source, Scene) else LIGHT
    renderer = Renderer(source.view, source.width, source.height, source.title, stamp_light=light)
    return renderer.draw(0, time.time_ns()).frame


def _of_file(source: File) -> av.VideoFrame:
    try:
        with av.open(str(source.path)) as container:
            return next(container.decode(video=0))
    except (OSError, av.error.FFmpegError, StopIteration) as error:
        raise ConfigError(f"cannot show {source.path}: {error}") from error
