"""Tries an address once: what does it give, and what does it look like?"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from vms.common.clock import Clock, SystemClock
from vms.common.errors import ParseError, SourceStalled, SourceUnreachable
from vms.common.model.camera import TrackInfo, Transport
from vms.common.model.media import Codec, CodecParameters, Medium
from vms.common.secret import Secret
from vms.format.annexb import to_annexb
from vms.ingest.address import shown
from vms.ingest.settings import IngestSettings
from vms.ingest.source import Source
from vms.ingest.sources import make_source

_WIDEST = 640
_DECODE_LIMIT = 5.0
_MOST_PIXELS = 64_000_000


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What an address gave. `note` is a sentence where something is not as it should be."""

    tracks: tuple[TrackInfo, ...]
    server: str
    tls_fingerprint: str
    note: str
    elapsed_ms: int
    snapshot_jpeg: bytes = b""

    def as_json(self) -> dict[str, Any]:
        """JSON values: ok, tracks, server, tls_fingerprint, note, elapsed_ms, and
        snapshot_jpeg_base64 where there is a picture."""
        found: dict[str, Any] = {
            "ok": True,
            "tracks": [asdict(track) for track in self.tracks],
            "server": self.server,
            "tls_fingerprint": self.tls_fingerprint,
            "note": self.note,
            "elapsed_ms": self.elapsed_ms,
        }
        if self.snapshot_jpeg:
            found["snapshot_jpeg_base64"] = base64.b64encode(self.snapshot_jpeg).decode()
        return found


async def probe(
    url: str,
    username: str,
    password: Secret,
    transport: Transport,
    settings: IngestSettings,
    clock: Clock | None = None,
) -> ProbeResult:
    """Connect, wait for a key picture, leave; the picture is at most 640 pixels wide.

    Raises VmsError with a sentence for people.
    """
    clock = clock or SystemClock()
    started = clock.monotonic_ns()
    source = make_source(url, transport, username, password, settings, clock)
    try:
        async with asyncio.timeout(settings.probe_timeout):
            waiter = await _first_key(source, settings)
    except TimeoutError:
        raise SourceUnreachable(
            f"{shown(url)} did not answer within {settings.probe_timeout:g} s; "
            f"check address, port and network"
        ) from None
    finally:
        await source.close()
    elapsed = (clock.monotonic_ns() - started) // 1_000_000
    jpeg = await snapshot(*waiter.key) if waiter.key is not None else b""
    return ProbeResult(
        tuple(_describe(parameters) for parameters in waiter.parameters),
        source.server,
        source.certificate,
        waiter.note or source.stats.note,
        elapsed,
        jpeg,
    )


async def _first_key(source: Source, settings: IngestSettings) -> _KeyWaiter:
    """Run `source` until a key picture came. Raises SourceStalled where no unit comes at all."""
    waiter = _KeyWaiter(list(await source.open()))
    running = asyncio.ensure_future(source.run(waiter))
    try:
        waits: set[asyncio.Future[Any]] = {running, waiter.done}
        await asyncio.wait(
            waits, timeout=settings.probe_timeout * 0.7, return_when=asyncio.FIRST_COMPLETED
        )
        if running.done() and not waiter.done.done():
            running.result()
        if not waiter.units:
            note = f" ({source.stats.note})" if source.stats.note else ""
            raise SourceStalled(f"it agreed to play and sent no picture{note}; try TCP, or UDP")
        if not waiter.done.done():
            waiter.note = "no key frame came; set a shorter key frame interval in the camera"
        return waiter
    finally:
        running.cancel()
        await asyncio.wait([running], timeout=1.0)
        if running.done() and not running.cancelled():
            running.exception()


class _KeyWaiter:
    """A sink that waits for the first whole key picture."""

    def __init__(self, parameters: list[CodecParameters]) -> None:
        self.parameters = parameters
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.key: tuple[CodecParameters, bytes] | None = None
        self.units = 0
        self.note = ""
        self._audio_only = all(entry.medium is Medium.AUDIO for entry in parameters)

    def unit(
        self,
        track: int,
        parameters: CodecParameters,
        data: bytes,
        ticks: int,
        key: bool,
        damaged: bool,
        capture_ns: int | None,
    ) -> None:
        self.parameters[track] = parameters
        self.units += 1
        if self.done.done() or not (key and not damaged):
            return
        if parameters.medium is Medium.VIDEO:
            self.key = (parameters, data)
            self.done.set_result(None)
        elif self._audio_only:
            self.done.set_result(None)


def _describe(parameters: CodecParameters) -> TrackInfo:
    return TrackInfo(
        parameters.codec.value,
        parameters.width,
        parameters.height,
        round(parameters.frame_rate, 3),
        parameters.clock_rate,
        parameters.channels,
    )


async def snapshot(parameters: CodecParameters, data: bytes) -> bytes:
    """A small JPEG of a key picture, empty where it cannot be decoded."""
    if parameters.width * parameters.height > _MOST_PIXELS:
        return b""
    try:
        async with asyncio.timeout(_DECODE_LIMIT):
            return await asyncio.to_thread(decode_jpeg, parameters, data)
    except (TimeoutError, FFmpegError, ParseError, ValueError):
        return b""


def decode_jpeg(parameters: CodecParameters, data: bytes) -> bytes:
    """Decode one key picture and encode it as JPEG, at most 640 pixels wide; for a thread."""
    name = "h264" if parameters.codec is Codec.H264 else "hevc"
    decoder = VideoCodecContext.create(name, "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    sets = b"".join(b"\x00\x00\x00\x01" + nal for nal in parameters.parameter_sets)
    frames = [*decoder.decode(av.Packet(sets + to_annexb(data))), *decoder.decode(None)]
    if not frames:
        return b""
    picture = frames[0]
    width = min(_WIDEST, picture.width) & ~1
    height = max(2, round(picture.height * width / picture.width) & ~1)
    small = picture.reformat(width, height, "yuvj420p")
    small.pts = 0
    encoder = VideoCodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": "3", "qmax": "6"}
    return b"".join(bytes(packet) for packet in encoder.encode(small))
