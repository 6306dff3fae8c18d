"""From blocks of a recording to fragmented MP4, without touching a picture.

Matroska stores when a picture is shown, MP4 when it is decoded and how much later it is
shown. Pictures come in decoding order, so the n-th is decoded when the n-th earliest is
shown; a codec holds at most 16 pictures back (H.264 A.3.1, H.265 A.4), which is how many
have to be seen before the earliest is sure. Offsets may therefore be negative (`trun`
version 1), and the first picture is both decoded and shown at 0.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import pairwise

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters, Medium
from vms.format import aac, fmp4
from vms.format.fmp4 import Sample, Track
from vms.format.vp9 import Vp9Parameters

VIDEO_SCALE = 90_000
_MOST_HELD_BACK = 16
_AUDIO_SLACK_S = 0.06


def playable(track: CodecParameters) -> bool:
    """Whether the track has a place in an MP4 that browsers play; G.711 has none."""
    return track.codec in fmp4.PLAYABLE


class Remuxer:
    """Feed it blocks with `push`; take fragments. Times are nanoseconds from the start."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        """The tracks of the MP4 in order; they are named by their place, from 0."""
        self._tracks = tracks
        self._scales = [
            VIDEO_SCALE
            if isinstance(track, Vp9Parameters) or track.medium is Medium.VIDEO
            else _audio_scale(track)
            for track in tracks
        ]
        self._lines: list[_Video | _Audio] = [
            _Video()
            if isinstance(track, Vp9Parameters) or track.medium is Medium.VIDEO
            else _Audio(track, scale)
            for track, scale in zip(tracks, self._scales, strict=True)
        ]
        self._sequence = 0

    def init(self, duration_ms: int = 0) -> bytes:
        """The init segment. `duration_ms` 0: not known. Raises ParseError."""
        return fmp4.init_segment(self._tracks, self._scales, duration_ms)

    def push(self, track: int, time_ns: int, key: bool, data: bytes) -> None:
        scale = self._scales[track]
        ticks = (time_ns * scale + 500_000_000) // 1_000_000_000
        self._lines[track].push(ticks, key, data)

    def take(self, last: bool = False, until_ns: int = 0) -> bytes:
        """Fragments of all that is settled; with `last`, of everything.

        The last picture is shown until `until_ns`, 0: as long as the one before.
        """
        parts = []
        until = until_ns * VIDEO_SCALE // 1_000_000_000
        for number, line in enumerate(self._lines, 1):
            began, samples = line.take(last, until)
            if samples:
                self._sequence += 1
                parts.append(fmp4.fragment_samples(self._sequence, number, began, samples))
        return b"".join(parts)


def _audio_scale(track: CodecParameters) -> int:
    return 48_000 if track.codec is Codec.OPUS else track.clock_rate


class _Video:
    """Gives each picture its time of decoding."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, bool, bytes]] = deque()
        self._shown: list[int] = []
        self._timed: list[tuple[int, int, bool, bytes]] = []
        self._last = -1
        self._interval = VIDEO_SCALE // 25

    def push(self, ticks: int, key: bool, data: bytes) -> None:
        self._waiting.append((ticks, key, data))
        heappush(self._shown, ticks)
        if len(self._waiting) > _MOST_HELD_BACK:
            self._settle()

    def _settle(self) -> None:
        shown, key, data = self._waiting.popleft()
        decoded = max(heappop(self._shown), self._last + 1)
        self._last = decoded
        self._timed.append((decoded, shown, key, data))

    def take(self, last: bool, until: int = 0) -> tuple[int, list[Sample]]:
        if last:
            while self._waiting:
                self._settle()
        timed = self._timed
        if not timed:
            return 0, []
        # How long a picture lasts is known once the next one has its time.
        samples = []
        for (decoded, shown, key, data), following in pairwise(timed):
            self._interval = following[0] - decoded
            samples.append(Sample(data, self._interval, key, shown - decoded))
        self._timed = timed[-1:]
        if last:
            decoded, shown, key, data = timed[-1]
            lasts = until - decoded if until > decoded else self._interval
            samples.append(Sample(data, lasts, key, shown - decoded))
            self._timed = []
        return timed[0][0], samples


class _Audio:
    """Audio frames follow one another without a gap unless more than a moment is missing.

    A recording has times in whole milliseconds; a frame of AAC has a length of its own.
    """

    def __init__(self, track: CodecParameters, scale: int) -> None:
        self._slack = int(scale * _AUDIO_SLACK_S)
        self._fixed = _aac_frame(track) if track.codec is Codec.AAC else 0
        self._frame = self._fixed or scale // 50
        self._expected: int | None = None
        self._previous: int | None = None
        self._timed: list[tuple[int, bytes]] = []

    def push(self, ticks: int, key: bool, data: bytes) -> None:
        if self._previous is not None:
            self._learn(ticks - self._previous)
        self._previous = ticks
        at = ticks if self._expected is None else self._expected
        if abs(ticks - at) > self._slack:
            at = max(ticks, at)
        at = max(0, at)
        self._timed.append((at, data))
        self._expected = at + self._frame

    def _learn(self, step: int) -> None:
        """How long a frame of Opus is: 2.5 to 120 ms, in steps of 2.5 ms."""
        if not self._fixed and 0 < step <= 6000:
            self._frame = max(120, (step + 60) // 120 * 120)

    def take(self, last: bool, until: int = 0) -> tuple[int, list[Sample]]:
        timed = self._timed
        if len(timed) < 2 and not last:
            return 0, []
        samples = [
            Sample(data, following[0] - at, True) for (at, data), following in pairwise(timed)
        ]
        began = timed[0][0] if timed else 0
        self._timed = timed[-1:]
        if last and timed:
            samples.append(Sample(timed[-1][1], self._frame, True))
            self._timed = []
        return began, samples


def _aac_frame(track: CodecParameters) -> int:
    """Ticks of one frame. HE-AAC is coded at half the rate that it plays at."""
    try:
        config = aac.parse_config(track.config)
    except ParseError:
        return 1024
    return max(1, config.frame_samples * track.clock_rate // config.sample_rate)
