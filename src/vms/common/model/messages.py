"""What travels over the bus beside media and stream states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vms.common.model.camera import StreamState
from vms.common.model.media import AccessUnit


@dataclass(frozen=True, slots=True)
class ConfigChanged:
    """Rows of the catalog changed; readers load them again. `kind`: 'camera', 'user'."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class SegmentClosed:
    """A recording file is whole and in the catalog. Times are UTC nanoseconds."""

    camera: str
    stream: str
    segment: str
    start_ns: int
    end_ns: int
    size: int


@dataclass(frozen=True, slots=True)
class Trigger:
    """A source of events speaks: something at a camera lasts (`active`), or is over.

    `active` opens event `id` or extends it and is repeated at least every 10 s while it
    lasts; 30 s of silence close it. Not active closes it; with an empty `id` it is only a
    sign that the source is alive. `at_ns` is UTC.
    """

    camera: str
    kind: str
    source: str
    at_ns: int
    active: bool
    id: str
    label: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A fault that somebody must know of begins (`active`) or is over.

    `kind` and `subject` (a volume, a camera, ...) together name it; `text` is a sentence for
    people. `at_ns` is UTC.
    """

    kind: str
    subject: str
    text: str
    at_ns: int
    active: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A request to another role. `body` holds JSON values only."""

    kind: str
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a Command. `error` is a sentence for people; empty on success."""

    body: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


Message = (
    AccessUnit | StreamState | ConfigChanged | SegmentClosed | Trigger | Alarm | Command | Reply
)
