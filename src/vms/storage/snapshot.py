"""A still picture from a recording: one key picture decoded, as JPEG. Blocking."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError

from vms.common.errors import StorageError
from vms.common.model.media import Codec, CodecParameters
from vms.format.annexb import to_annexb

_NAMES = {Codec.H264: "h264", Codec.H265: "hevc"}
_START_CODE = b"\0\0\0\1"


def to_jpeg(parameters: CodecParameters, data: bytes, width: int = 0) -> bytes:
    """Decode one key picture; `width` in pixels scales it down, 0: as it is.

    Raises StorageError where it cannot be decoded.
    """
    try:
        frame = _decode(parameters, data)
        if frame is None:
            raise StorageError("the key picture gives no image")
        return _encode(frame, width)
    except FFmpegError as error:
        raise StorageError(f"the key picture cannot be decoded: {error}") from error


def _decode(parameters: CodecParameters, data: bytes) -> av.VideoFrame | None:
    decoder: Any = av.CodecContext.create(_NAMES[parameters.codec], "r")
    decoder.thread_count = 1
    # Ahead of the picture, as some cameras send the parameter sets once only.
    head = b"".join(_START_CODE + nal for nal in parameters.parameter_sets)
    frames = [*decoder.decode(av.Packet(head + to_annexb(data))), *decoder.decode(None)]
    return frames[0] if frames else None


def _encode(frame: av.VideoFrame, width: int) -> bytes:
    if not 0 < width < frame.width:
        width = frame.width
    height = max(2, frame.height * width // frame.width)
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    picture = frame.reformat(width, height, "yuvj420p")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"q:v": "4", "strict": "unofficial"}
    picture.pts = 0
    packets = [*encoder.encode(picture), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
