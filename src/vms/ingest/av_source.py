"""Sources that are not RTSP, read by FFmpeg (PyAV) in a thread of their own.

PyAV takes the interpreter's lock on every poll of a socket where it is given `timeout=`, and
on every line of FFmpeg's log after `av.logging.set_level`: neither is used here. Time limits
are FFmpeg's own options.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from vms.common.errors import (
    ConfigError,
    ParseError,
    SourceAuthError,
    SourceError,
    SourceProtocolError,
    SourceRefused,
    SourceUnreachable,
)
from vms.common.model.media import CodecParameters, Medium
from vms.common.secret import join_credentials
from vms.ingest.address import Address
from vms.ingest.av_packets import AvTrack, AvUnit, codec_of
from vms.ingest.settings import IngestSettings, TlsVerify
from vms.ingest.source import SourceStats, UnitSink

_READ_TIMEOUT_US = "5000000"
_IN_FLIGHT = 256
"""Units that may wait for the event loop."""
_LEAVE = 0.8
_BAD_PACKETS = 100
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,hls,flv,live_flv,avi,h264,hevc"
_PROTOCOLS = {
    "http": "http,https,tcp,tls,crypto",
    "https": "http,https,tcp,tls,crypto",
    "rtmp": "rtmp,tcp",
    "file": "file",
}


class AvSource:
    """See `source.Source`. A file plays in real time, again and again."""

    def __init__(self, address: Address, settings: IngestSettings) -> None:
        self._address = address
        self._settings = settings
        self._stats = SourceStats()
        self._stop = threading.Event()
        self._go = threading.Event()
        self._room = threading.Semaphore(_IN_FLIGHT)
        self._sink: UnitSink | None = None
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[Sequence[CodecParameters]] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread: threading.Thread | None = None

    @property
    def stats(self) -> SourceStats:
        return self._stats

    @property
    def server(self) -> str:
        return ""

    @property
    def certificate(self) -> str:
        return ""

    async def open(self) -> Sequence[CodecParameters]:
        if self._address.scheme == "https" and self._address.host in self._settings.tls_pins:
            raise ConfigError(
                f"the certificate of {self._address.host} in ingest.tls_pins cannot be checked "
                f'for https media; remove it and set ingest.tls_verify to "full"'
            )
        self._thread = threading.Thread(
            target=self._work, name=f"av {self._address.host or self._address.scheme}", daemon=True
        )
        self._thread.start()
        waits: set[asyncio.Future[Any]] = {self._opened, self._ended}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not self._opened.done():
            self._ended.result()
            raise SourceProtocolError(f"{self._address.shown} could not be opened")
        return self._opened.result()

    async def run(self, sink: UnitSink) -> None:
        self._sink = sink
        self._go.set()
        await asyncio.wait([self._ended])
        self._ended.result()

    async def close(self) -> None:
        """Tell the thread to end; one that waits in FFmpeg ends by itself at its time limit."""
        self._sink = None
        self._stop.set()
        self._go.set()
        if self._thread is not None and not self._ended.done():
            await asyncio.wait([self._ended], timeout=_LEAVE)
        if self._ended.done() and not self._ended.cancelled():
            self._ended.exception()

    # -- in the thread ----------------------------------------------------------------

    def _work(self) -> None:
        error: SourceError | None = None
        try:
            self._read()
        except SourceError as failed:
            error = failed
        except (FFmpegError, ParseError, OSError, ValueError) as failed:
            error = self._explain(failed)
        except Exception as failed:
            error = SourceProtocolError(f"{self._address.shown}: {type(failed).__name__}")
        self._post(_finish, self._ended, error)

    def _read(self) -> None:
        with self._open_container() as container:
            tracks = self._tracks(container)
            self._post(_finish, self._opened, [track.parameters for track in tracks.values()])
            self._go.wait()
            finite = self._address.scheme == "file" or (container.duration or 0) > 0
            pace = _Pace(self._stop) if finite else None
            while not self._stop.is_set():
                self._play(container, tracks, pace)
                if self._address.scheme != "file":
                    return
                self._rewind(container, tracks)

    def _open_container(self) -> InputContainer:
        address = self._address
        if address.scheme == "v4l2":
            return av.open(
                str(address.path), format="v4l2", options={"input_format": "h264"}, mode="r"
            )
        options = {
            "rw_timeout": _READ_TIMEOUT_US,
            "protocol_whitelist": _PROTOCOLS[address.scheme],
            "format_whitelist": _FORMATS,
        }
        if address.path is not None:
            return av.open(str(address.path), options=options, mode="r")
        if address.scheme == "https" and self._settings.tls_verify is TlsVerify.FULL:
            authorities = self._settings.tls_ca_file or ssl.get_default_verify_paths().cafile
            options |= {"tls_verify": "1", "ca_file": str(authorities)}
        url = join_credentials(address.url, address.username, address.password)
        return av.open(url, options=options, mode="r")

    def _tracks(self, container: InputContainer) -> dict[int, AvTrack]:
        """The first video and the first audio that we can carry, by stream index."""
        chosen: dict[Medium, AvTrack] = {}
        unknown: dict[str, str] = {}
        streams: list[VideoStream | AudioStream] = [
            *container.streams.video,
            *container.streams.audio,
        ]
        for stream in streams:
            codec = codec_of(stream)
            if codec is None:
                unknown.setdefault(stream.type, stream.codec_context.name)
            elif codec.medium not in chosen and (
                codec.medium is Medium.VIDEO or self._settings.audio
            ):
                chosen[codec.medium] = AvTrack(len(chosen), stream, codec)
        if Medium.VIDEO not in chosen and ("video" in unknown or not chosen):
            what = f"video in {unknown['video']}" if "video" in unknown else "no video"
            raise SourceRefused(
                f"{self._address.shown} offers {what}; only H.264 and H.265 can be taken"
            )
        if "audio" in unknown and Medium.AUDIO not in chosen and self._settings.audio:
            self._stats.note = f"audio in {unknown['audio']} is left out"
        return {track.stream_index: track for track in chosen.values()}

    def _play(
        self, container: InputContainer, tracks: dict[int, AvTrack], pace: _Pace | None
    ) -> None:
        bad = 0
        for packet in container.demux([container.streams[index] for index in tracks]):
            if self._stop.is_set():
                return
            track = tracks[packet.stream_index]
            due = track.decode_time(packet)
            if pace is not None and due is not None and not pace.wait(due):
                return
            try:
                unit = track.unit(packet)
            except ParseError:
                bad += 1
                self._stats.packets_refused += 1
                if bad > _BAD_PACKETS:
                    raise
                continue
            if unit is not None:
                while not self._room.acquire(timeout=1.0):
                    if self._stop.is_set():
                        return
                self._post(self._deliver, track.index, unit)

    def _rewind(self, container: InputContainer, tracks: dict[int, AvTrack]) -> None:
        played = [track for track in tracks.values() if track.begin is not None]
        if not played:
            raise SourceProtocolError(f"{self._address.shown} holds no media")
        rates = [track.parameters.clock_rate for track in played]
        end = max(track.end / rate for track, rate in zip(played, rates, strict=True))
        begin = min((track.begin or 0) / rate for track, rate in zip(played, rates, strict=True))
        for track in tracks.values():
            track.shift += round(max(end - begin, 0.01) * track.parameters.clock_rate)
        container.seek(0)

    def _post(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            self._stop.set()

    def _explain(self, error: Exception) -> SourceError:
        """FFmpeg's error without the address it puts in, which may hold a password."""
        where = self._address.shown
        said = getattr(error, "strerror", None) or type(error).__name__
        name = type(error).__name__
        if name == "HTTPUnauthorizedError":
            return SourceAuthError(f"{where} refuses the user name or password; set both again")
        if name in ("HTTPNotFoundError", "FileNotFoundError"):
            return SourceRefused(f"{where} does not exist; check the path of the address")
        if isinstance(error, PermissionError):
            return SourceRefused(f"{where} may not be read; check its permissions")
        if isinstance(error, ParseError):
            return SourceProtocolError(f"{where} holds broken media: {error}")
        if isinstance(error, TimeoutError | ConnectionError) or said == "Input/output error":
            return SourceUnreachable(
                f"{where} cannot be reached: {said}; check address and network"
            )
        return SourceProtocolError(f"{where} gives nothing that can be read: {said}")

    # -- in the event loop ------------------------------------------------------------

    def _deliver(self, track: int, unit: AvUnit) -> None:
        self._room.release()
        if self._sink is not None:
            self._sink.unit(
                track, unit.parameters, unit.data, unit.ticks, unit.key, unit.damaged, None
            )


class _Pace:
    """Makes media time pass as fast as ours."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._origin: float | None = None

    def wait(self, due: float) -> bool:
        """Wait until media time `due` (seconds); False where told to stop meanwhile."""
        now = time.monotonic()
        if self._origin is None:
            self._origin = now - due
        delay = self._origin + due - now
        return not (delay > 0 and self._stop.wait(min(delay, 60.0)))


def _finish(future: asyncio.Future[object], result: object) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
