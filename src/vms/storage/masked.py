"""Video seen through masks: decoded, painted and encoded anew, picture by picture. What is
burned into an export (`export.burn`) goes the same way.

What cannot be decoded is left out, never shown as it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError

from vms.common.model.media import CodecParameters
from vms.format.annexb import START_CODE, to_annexb
from vms.format.fmp4 import Track
from vms.storage.encode import CLOCK_RATE, Coded, Encoder
from vms.storage.masking import Outline, Painter
from vms.storage.snapshot import DECODERS

Shown = tuple[int, bool, bytes]
"""(time in nanoseconds, whether it is a key picture, the sample)."""


class MaskedVideo:
    """Takes a track's pictures in decoding order, gives masked ones in the order shown."""

    def __init__(
        self, parameters: CodecParameters, masks: Sequence[Outline], rate: float, hint: str = ""
    ) -> None:
        """`rate` in pictures a second; `hint` as `Encoder` takes it.

        Raises StorageError where nothing encodes them.
        """
        decoder: Any = av.CodecContext.create(DECODERS[parameters.codec], "r")
        decoder.thread_count = 2
        self._decoder = decoder
        self._sets = b"".join(START_CODE + nal for nal in parameters.parameter_sets)
        self._painter = Painter(masks, parameters.width, parameters.height)
        self._encoder = Encoder(parameters.width, parameters.height, rate, hint)
        self._last = -1
        self.failed = 0
        """Pictures that could not be decoded."""

    @property
    def parameters(self) -> Track:
        """What a file says of the changed track."""
        return self._encoder.parameters

    @property
    def encoder(self) -> str:
        """Its name, as FFmpeg calls it."""
        return self._encoder.name

    def push(self, time_ns: int, key: bool, data: bytes) -> Iterator[Shown]:
        """One picture in, those out that are due. Raises StorageError where encoding fails."""
        packet = av.Packet((self._sets if key else b"") + to_annexb(data))
        packet.pts = _ticks(time_ns)
        packet.time_base = Fraction(1, CLOCK_RATE)
        yield from self._through(packet)

    def flush(self) -> Iterator[Shown]:
        """The last ones; nothing can be pushed after it. Raises StorageError."""
        yield from self._through(None)
        yield from map(_shown, self._encoder.flush())

    def _through(self, packet: av.Packet[Any] | None) -> Iterator[Shown]:
        try:
            frames = self._decoder.decode(packet)
        except FFmpegError:
            self.failed += 1
            return
        for frame in frames:
            if frame.pts is None or frame.pts <= self._last:
                self.failed += 1
                continue
            self._last = frame.pts
            changed = self._changed(frame, frame.pts * 1_000_000_000 // CLOCK_RATE)
            if changed is not None:
                yield from map(_shown, self._encoder.encode(changed))

    def _changed(self, frame: av.VideoFrame, time_ns: int) -> av.VideoFrame | None:
        """The frame as it is to be shown, None: not at all."""
        return self._painter.paint(frame)


def _ticks(time_ns: int) -> int:
    return (time_ns * CLOCK_RATE + 500_000_000) // 1_000_000_000


def _shown(coded: Coded) -> Shown:
    # Rounded up, so that whoever writes them comes to the same tick again.
    return -(-coded.pts * 1_000_000_000 // CLOCK_RATE), coded.key, coded.data
