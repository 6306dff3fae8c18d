"""The newest key picture of a stream as a JPEG: decoded in a thread, kept for a second."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import av.error
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from vms.common.errors import ParseError
from vms.common.model.media import AccessUnit, Codec, Medium
from vms.format.annexb import START_CODE, to_annexb
from vms.stream.errors import NoMedia
from vms.stream.hub import Hub

_KEPT_SECONDS = 1.0
_KEPT = 256
_LIMIT = 10.0
_DECODERS = {Codec.H264: "h264", Codec.H265: "hevc"}

_Name = tuple[str, str, int]


class Snapshots:
    """Asked twice within a second, or by many at once, a picture is decoded once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="snapshot")
        self._kept: OrderedDict[_Name, tuple[float, asyncio.Future[bytes]]] = OrderedDict()

    async def jpeg(self, hub: Hub, width: int = 0) -> bytes:
        """The JPEG, `width` pixels wide (0: as the camera sends it).

        Raises NoMedia where no key picture is kept or it does not decode.
        """
        key = next((u for u in hub.gop if u.key and u.parameters.medium is Medium.VIDEO), None)
        if key is None:
            raise NoMedia("no key picture came from the camera yet; try again in a moment")
        name = (hub.camera, hub.stream, width)
        now = time.monotonic()
        made, future = self._kept.get(name, (0.0, None))
        if future is None or now - made > _KEPT_SECONDS or future.cancelled():
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._pool, _to_jpeg, key, width)
            self._kept[name] = (now, future)
            self._kept.move_to_end(name)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        try:
            return await asyncio.wait_for(asyncio.shield(future), _LIMIT)
        except (av.error.FFmpegError, ParseError, TimeoutError) as error:
            raise NoMedia(f"the newest key picture does not decode: {error}") from error

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _to_jpeg(unit: AccessUnit, width: int) -> bytes:
    frame = _decode(unit)
    if not 0 < width < frame.width:
        width = frame.width
    height = max(2, frame.height * width // frame.width // 2 * 2)
    width = max(2, width // 2 * 2)
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": "3", "qmax": "5"}
    shown = frame.reformat(width, height, "yuvj420p")
    shown.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(shown), *encoder.encode(None)])


def _decode(unit: AccessUnit) -> VideoFrame:
    decoder = av.CodecContext.create(_DECODERS[unit.parameters.codec], "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    sets = b"".join(START_CODE + nal for nal in unit.parameters.parameter_sets)
    frames = [*decoder.decode(av.Packet(sets + to_annexb(unit.data))), *decoder.decode(None)]
    if not frames:
        raise ParseError("the decoder gave no picture")
    return frames[0]
