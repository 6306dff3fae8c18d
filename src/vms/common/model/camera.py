"""Cameras, their streams, and the state of a stream, as every room speaks of them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

from vms.common.errors import InvalidIdentifier
from vms.common.secret import Secret

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


class RecordingMode(StrEnum):
    CONTINUOUS = "continuous"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """One encoding of a camera, as configured. `url` holds no credentials."""

    name: str
    url: str
    transport: Transport = Transport.TCP
    recording: RecordingMode = RecordingMode.OFF


@dataclass(frozen=True, slots=True)
class Camera:
    """A device that gives video. `streams` are in order of size: main first."""

    id: str
    name: str
    streams: tuple[StreamConfig, ...]
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    enabled: bool = True


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
    `packets_lost` counts over the Run, `reconnects` since the process began.
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
