"""Cameras, their streams, and the state of a stream, as every room speaks of them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

from vms.common.errors import InvalidIdentifier, InvalidValue
from vms.common.model.schedule import RecordingMode, Schedule
from vms.common.secret import Secret

__all__ = [
    "Camera",
    "Mask",
    "RecordingMode",
    "StreamConfig",
    "StreamState",
    "StreamStatus",
    "TrackInfo",
    "Transport",
    "check_id",
    "slug",
]

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def check_id(value: str, what: str = "camera id") -> str:
    """Return `value` if it may stand in a path, a subject and an address, else raise.

    Raises InvalidIdentifier. Allowed: 1 to 40 of a-z, 0-9 and '-', not at the ends.
    """
    if not _ID.fullmatch(value):
        raise InvalidIdentifier(f"{what} {value[:60]!r} must be 1 to 40 of a-z, 0-9 and '-'")
    return value


def slug(name: str) -> str:
    """An id made from a name: "Portão 1" becomes "portao-1". Raises InvalidIdentifier."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", plain))
    return check_id(words[:40].rstrip("-") or "camera")


class Transport(StrEnum):
    """How media packets come from an RTSP camera."""

    TCP = "tcp"
    UDP = "udp"


MAX_PRE_ROLL_S = 60.0
MAX_POST_ROLL_S = 600.0
MAX_MASKS = 32
_MASK_POINTS = range(3, 33)


@dataclass(frozen=True, slots=True)
class Mask:
    """What nobody is to see without a special right: a polygon of a camera's picture.

    `points` are 3 to 32 pairs (x, y), each 0..1 of the picture's width and height, from the
    top left. Raises InvalidValue.
    """

    points: tuple[tuple[float, float], ...]
    name: str = ""

    def __post_init__(self) -> None:
        if len(self.points) not in _MASK_POINTS:
            raise InvalidValue(f"a mask has {len(self.points)} points; 3 to 32 are allowed")
        for point in self.points:
            if len(point) != 2 or not all(0.0 <= value <= 1.0 for value in point):
                raise InvalidValue(
                    f"a mask has the point {point!r}; x and y must be within 0 and 1"
                )
        if len(self.name) > 100:
            raise InvalidValue("the name of a mask is longer than 100 characters")


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """One encoding of a camera, as configured. `url` holds no credentials.

    `pre_roll_s` (0..60) and `post_roll_s` (0..600) are the seconds kept before and after an
    event in mode EVENT; `schedule` says what is recorded when in mode SCHEDULE. `audio`:
    whether it is recorded with the pictures. Raises InvalidValue.
    """

    name: str
    url: str
    transport: Transport = Transport.TCP
    recording: RecordingMode = RecordingMode.OFF
    audio: bool = True
    pre_roll_s: float = 5.0
    post_roll_s: float = 10.0
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        for name, value, most in (
            ("pre_roll_s", self.pre_roll_s, MAX_PRE_ROLL_S),
            ("post_roll_s", self.post_roll_s, MAX_POST_ROLL_S),
        ):
            if not 0.0 <= value <= most:
                raise InvalidValue(f"{name} is {value:g}; 0 to {most:g} seconds are allowed")


@dataclass(frozen=True, slots=True)
class Camera:
    """A device that gives video. `streams` are in order of size: main first.

    `onvif` is where its device service answers (host, host:port or address, without
    credentials), so that its own events are read; empty: they are not.
    """

    id: str
    name: str
    streams: tuple[StreamConfig, ...]
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    enabled: bool = True
    masks: tuple[Mask, ...] = ()
    onvif: str = ""

    def __post_init__(self) -> None:
        if len(self.masks) > MAX_MASKS:
            raise InvalidValue(f"a camera has {len(self.masks)} masks; {MAX_MASKS} are allowed")


class StreamStatus(StrEnum):
    """Where a stream stands. HELD: no more tries until its settings change."""

    DISABLED = "disabled"
    CONNECTING = "connecting"
    ONLINE = "online"
    STALLED = "stalled"
    OFFLINE = "offline"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """What is known of one track: sizes in pixels, rates a second."""

    codec: str
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    clock_rate: int = 0
    channels: int = 0


@dataclass(frozen=True, slots=True)
class StreamState:
    """What ingest last knew of a stream; published on change and every two seconds.

    `since_ns` is UTC in nanoseconds; `reason` is a sentence for people, empty when all is
    well; `bitrate` in bit/s and `frame_rate` in pictures a second are measured over the
    last two seconds; `clock_offset_ns` is the camera's clock minus ours (None: unknown);
    `packets_lost` counts over the Run, `reconnects` since the process began; `fault` is
    "camera", "network" or "settings" where ingest knows whose fault `reason` is, else empty.
    """

    camera: str
    stream: str
    status: StreamStatus
    since_ns: int
    reason: str = ""
    run: str = ""
    tracks: tuple[TrackInfo, ...] = ()
    bitrate: int = 0
    frame_rate: float = 0.0
    clock_offset_ns: int | None = None
    packets_lost: int = 0
    reconnects: int = 0
    fault: str = ""
