"""Encodes pictures that were changed: masked, or with something drawn on them.

Nothing here is GPL (docs/decisions, 9): H.264 by the hardware or by OpenH264 where one of
them is there, else VP9 by libvpx, which is in every build. Each encoder is tried with a
picture of the very size before it is chosen, since a build that names one may lack the
device for it. Pictures come out in the order they went in: no encoder holds one back to
reorder it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock
from typing import Any, NamedTuple

import av
import structlog
from av.error import FFmpegError
from av.video.frame import PictureType

from vms.common.errors import ParseError, StorageError
from vms.common.model.media import CodecParameters
from vms.format import h264
from vms.format.annexb import split_annexb, to_length_prefixed
from vms.format.vp9 import Vp9Parameters

log = structlog.get_logger(__name__)

CLOCK_RATE = 90_000
"""Ticks a second of every `pts` here."""
GROUP_SECONDS = 2.0
_BITS_A_PIXEL = 0.08
_LEAST_BITS, _MOST_BITS = 300_000, 16_000_000
_MOST_SIDE = 8192
_THREADS = max(1, min(4, os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    h264: bool
    options: dict[str, str]


_KINDS = (
    _Kind("h264_nvenc", True, {"preset": "p3", "tune": "ull", "delay": "0", "bf": "0"}),
    _Kind("h264_qsv", True, {"preset": "veryfast", "async_depth": "1", "bf": "0"}),
    _Kind("h264_v4l2m2m", True, {}),
    _Kind("libopenh264", True, {"allow_skip_frames": "0"}),
    _Kind(
        "libvpx-vp9",
        False,
        {
            "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "row-mt": "1",
            "auto-alt-ref": "0", "tile-columns": "2", "error-resilient": "0", "crf": "34",
        },
    ),
)  # fmt: skip

_lock = Lock()
_absent: set[str] = set()


class Coded(NamedTuple):
    """One encoded picture. `data` as an MP4 sample holds it: NAL units behind lengths of
    four bytes, or a VP9 frame; `pts` in ticks of 90 kHz, as the frame had it."""

    data: bytes
    pts: int
    key: bool


class Encoder:
    """Encodes frames of one size, one thread at a time.

    `parameters` says what a file must know of the track.
    """

    def __init__(self, width: int, height: int, rate: float = 25.0, hint: str = "") -> None:
        """`rate` in pictures a second; `hint` "h264" or "vp9" is taken where there is one.

        Raises StorageError where nothing encodes such pictures.
        """
        if not (2 <= width <= _MOST_SIDE and 2 <= height <= _MOST_SIDE):
            raise StorageError(f"pictures of {width} by {height} pixels cannot be encoded")
        self.width, self.height = width // 2 * 2, height // 2 * 2
        self.rate = rate if 0.1 <= rate <= 240 else 25.0
        self._group = int(GROUP_SECONDS * CLOCK_RATE)
        self._last_key: int | None = None
        self._last = -1
        self._sets: tuple[bytes, ...] = ()
        self.name, self._context = self._open(hint)
        self._is_h264 = any(kind.h264 for kind in _KINDS if kind.name == self.name)

    def _open(self, hint: str) -> tuple[str, Any]:
        for kind in sorted(_KINDS, key=lambda kind: bool(hint) and kind.h264 != (hint == "h264")):
            with _lock:
                gone = kind.name in _absent
            if gone:
                continue
            try:
                if kind.h264:
                    # Ahead of time, as it is what a file says in its first bytes.
                    self._sets = _try(self._context_of(kind), self.width, self.height)
                context = self._context_of(kind)
                context.open()
            except (FFmpegError, ValueError) as error:
                log.debug("encoder is not used", encoder=kind.name, reason=str(error)[:200])
                if self.width * self.height >= 320 * 240:
                    with _lock:
                        _absent.add(kind.name)
                continue
            return kind.name, context
        raise StorageError(
            f"nothing here encodes pictures of {self.width} by {self.height} pixels: "
            "this build of FFmpeg has neither H.264 nor VP9"
        )

    def _context_of(self, kind: _Kind) -> Any:
        context: Any = av.CodecContext.create(kind.name, "w")
        context.width, context.height, context.pix_fmt = self.width, self.height, "yuv420p"
        context.time_base = Fraction(1, CLOCK_RATE)
        context.framerate = Fraction(self.rate).limit_denominator(1001)
        context.gop_size = max(1, round(self.rate * GROUP_SECONDS))
        bits = int(self.width * self.height * self.rate * _BITS_A_PIXEL)
        context.bit_rate = min(_MOST_BITS, max(_LEAST_BITS, bits))
        context.options = dict(kind.options)
        context.thread_count = _THREADS
        return context

    @property
    def parameters(self) -> CodecParameters | Vp9Parameters:
        """Raises StorageError where the encoder gave parameter sets that cannot be read."""
        if not self._is_h264:
            return Vp9Parameters(self.width, self.height, self.rate, CLOCK_RATE)
        try:
            return h264.parameters(self._sets, self.rate)
        except ParseError as error:
            raise StorageError(f"{self.name} gave no parameter sets: {error}") from error

    def encode(self, frame: av.VideoFrame, key: bool = False) -> list[Coded]:
        """`frame.pts` in ticks of 90 kHz, above that of the one before. Raises StorageError.

        A key picture is made with `key`, and every two seconds.
        """
        pts = max(int(frame.pts or 0), self._last + 1)
        self._last = pts
        shown = frame.reformat(self.width, self.height, "yuv420p")
        shown.pts, shown.time_base = pts, Fraction(1, CLOCK_RATE)
        due = self._last_key is None or pts - self._last_key >= self._group
        if key or due:
            self._last_key = pts
        shown.pict_type = PictureType.I if key or due else PictureType.NONE
        return list(self._coded(shown))

    def flush(self) -> list[Coded]:
        """What is still inside; nothing can be encoded after it. Raises StorageError."""
        return list(self._coded(None))

    def _coded(self, frame: av.VideoFrame | None) -> Iterator[Coded]:
        try:
            for packet in self._context.encode(frame):
                data = bytes(packet)
                if self._is_h264:
                    data = to_length_prefixed(split_annexb(data))
                    self._sets = h264.parameter_sets_in(data) or self._sets
                yield Coded(data, int(packet.pts), bool(packet.is_keyframe))
        except FFmpegError as error:
            raise StorageError(f"{self.name} failed to encode a picture: {error}") from error


def _try(context: Any, width: int, height: int) -> tuple[bytes, ...]:
    """The parameter sets that it makes.

    Raises FFmpegError, or ValueError where a picture does not come out at once.
    """
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.pts, frame.time_base = 0, Fraction(1, CLOCK_RATE)
    packets = context.encode(frame)
    if not packets:
        raise ValueError("it holds pictures back")
    sets = h264.parameter_sets_in(to_length_prefixed(split_annexb(bytes(packets[0]))))
    if not sets:
        raise ValueError("it gives no parameter sets")
    return sets
