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
class Command:
    """A request to another role. `body` holds JSON values only."""

    kind: str
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a Command. `error` is a sentence for people; empty on success."""

    body: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


Message = AccessUnit | StreamState | ConfigChanged | SegmentClosed | Command | Reply
