"""A still picture from a recording, as JPEG: a key picture, or the one shown at an instant.

Blocking; runs in threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError

from vms.common.errors import StorageError
from vms.common.model.media import Codec, CodecParameters
from vms.format.annexb import START_CODE, to_annexb
from vms.format.mkv_reader import Block
from vms.storage.masking import Outline, Painter

DECODERS = {Codec.H264: "h264", Codec.H265: "hevc"}
_MILLISECOND = Fraction(1, 1000)


def to_jpeg(
    parameters: CodecParameters, data: bytes, width: int = 0, masks: Sequence[Outline] = ()
) -> bytes:
    """Decode one key picture; `width` in pixels scales it down, 0: as it is.

    `masks` are painted over it. Raises StorageError where it cannot be decoded.
    """
    return jpeg_of(key_frame(parameters, data), width, masks)


def key_frame(parameters: CodecParameters, data: bytes) -> av.VideoFrame:
    """One key picture decoded. Raises StorageError."""
    decoder = _decoder(parameters)
    try:
        frames = [*decoder.decode(_packet(parameters, data, True)), *decoder.decode(None)]
    except FFmpegError as error:
        raise StorageError(f"the key picture cannot be decoded: {error}") from error
    if not frames:
        raise StorageError("the key picture gives no image")
    found: av.VideoFrame = frames[0]
    return found


def frame_at(
    parameters: CodecParameters, pictures: Iterable[Block], at_ms: int
) -> tuple[av.VideoFrame, int]:
    """(the picture shown at `at_ms` of the file's time, when it began to be shown).

    `pictures` are those of one group in decoding order, read no further than is needed.
    Pictures that cannot be decoded are passed over. Raises StorageError where none can.
    """
    decoder = _decoder(parameters)
    decoder.thread_count = 2
    found: av.VideoFrame | None = None
    for frame in _frames(decoder, parameters, pictures):
        if frame.pts is None:
            continue
        if found is not None and frame.pts > at_ms:
            break
        found = frame
    if found is None:
        raise StorageError("no picture of that group can be decoded")
    return found, int(found.pts or 0)


def _frames(
    decoder: Any, parameters: CodecParameters, pictures: Iterable[Block]
) -> Iterable[av.VideoFrame]:
    for block in pictures:
        packet = _packet(parameters, block.data, block.key)
        packet.pts, packet.time_base = block.time_ns // 1_000_000, _MILLISECOND
        try:
            yield from decoder.decode(packet)
        except FFmpegError:
            continue
    try:
        yield from decoder.decode(None)
    except FFmpegError:
        return


def _decoder(parameters: CodecParameters) -> Any:
    decoder: Any = av.CodecContext.create(DECODERS[parameters.codec], "r")
    decoder.thread_count = 1
    return decoder


def _packet(parameters: CodecParameters, data: bytes, key: bool) -> av.Packet[Any]:
    # Ahead of a key picture, as some cameras send the parameter sets once only.
    sets = parameters.parameter_sets if key else ()
    return av.Packet(b"".join(START_CODE + nal for nal in sets) + to_annexb(data))


def jpeg_of(frame: av.VideoFrame, width: int = 0, masks: Sequence[Outline] = ()) -> bytes:
    """A frame as JPEG, masked, `width` pixels wide at most. Raises StorageError."""
    if masks:
        frame = Painter(masks, frame.width, frame.height).paint(frame)
    if not 0 < width < frame.width:
        width = frame.width
    height = max(2, frame.height * width // frame.width)
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    try:
        picture = frame.reformat(width, height, "yuvj420p")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
        encoder.time_base = Fraction(1, 25)
        encoder.options = {"q:v": "4", "strict": "unofficial"}
        picture.pts = 0
        packets = [*encoder.encode(picture), *encoder.encode(None)]
    except FFmpegError as error:
        raise StorageError(f"the picture cannot be made a JPEG: {error}") from error
    return b"".join(bytes(packet) for packet in packets)
