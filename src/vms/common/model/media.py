"""The atom of the system: one encoded picture (or audio frame) with its times.

Imports nothing of the project, so that every room may pass it on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Medium(StrEnum):
    """What a track carries."""

    VIDEO = "video"
    AUDIO = "audio"


class Codec(StrEnum):
    """The encodings that pass through the system unchanged."""

    H264 = "h264"
    H265 = "h265"
    AAC = "aac"
    PCMU = "pcmu"
    PCMA = "pcma"
    OPUS = "opus"

    @property
    def medium(self) -> Medium:
        return Medium.VIDEO if self in (Codec.H264, Codec.H265) else Medium.AUDIO


@dataclass(frozen=True, slots=True)
class CodecParameters:
    """What a decoder must know before the first access unit of a track.

    `parameter_sets` holds raw NAL units without start code or length: (SPS, PPS, ...)
    for H.264 and (VPS, SPS, PPS, ...) for H.265. `config` is the AudioSpecificConfig
    (ISO 14496-3) for AAC and empty for G.711 and Opus. Sizes are in pixels,
    `frame_rate` in pictures a second (0.0 where unknown), `clock_rate` in ticks a second.
    """

    codec: Codec
    clock_rate: int
    parameter_sets: tuple[bytes, ...] = ()
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    config: bytes = b""
    channels: int = 0

    @property
    def medium(self) -> Medium:
        return self.codec.medium


@dataclass(slots=True, eq=False)
class AccessUnit:
    """One encoded picture or audio frame.

    `data`: video is a row of NAL units, each behind its length in 4 bytes, big-endian
    (the form that Matroska and MP4 store); audio is one raw frame. Parameter sets that
    the camera sent in band stay in `data`; the newest are always in `parameters`,
    an object that is replaced, never changed, when they change.

    Times: `pts` counts ticks of `parameters.clock_rate` since the Run began (presentation
    time, in decoding order, so it is not monotonic where there are B-frames);
    `arrival_ns` is this server's UTC time in nanoseconds when the unit's last byte came,
    by a clock that does not jump within a Run; `capture_ns` is the camera's own UTC time
    from its RTCP sender reports, None before the first one.

    `number` counts the units of one track of one stream in one `run` from 0, so that a
    reader knows what it missed.
    """

    camera: str
    stream: str
    track: int
    run: str
    number: int
    parameters: CodecParameters
    data: bytes
    pts: int
    arrival_ns: int
    capture_ns: int | None = None
    key: bool = False
    damaged: bool = field(default=False)
    """True where packets inside this unit were lost, or it depends on a unit that was."""

    @property
    def pts_ns(self) -> int:
        """Media time since the Run began, in nanoseconds."""
        return self.pts * 1_000_000_000 // self.parameters.clock_rate
