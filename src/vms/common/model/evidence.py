"""What is kept about recordings: events, holds, gaps, rules of retention, exports, and who
did what. Times are UTC nanoseconds."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vms.common.errors import InvalidValue
from vms.common.model.camera import check_id

ANY_CAMERA = "*"
ANY_EVENT = "*"
FIRST_PREVIOUS = "0" * 64
"""What stands before the first entry of the audit trail."""


def check_kind(value: str) -> str:
    """Return `value` if it may name a kind of event: 1 to 40 of a-z, 0-9 and '-', not at the
    ends. Raises InvalidIdentifier."""
    return check_id(value, "kind of event")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a camera. `end_ns` is None while it lasts.

    `kind` is "motion", "person", "input", "manual", ...; `source` says who noticed;
    `score` is 0..1 where the source is not sure.
    """

    id: str
    camera: str
    kind: str
    start_ns: int
    end_ns: int | None
    source: str
    label: str = ""
    score: float | None = None


class HoldKind(StrEnum):
    LOCK = "lock"
    BOOKMARK = "bookmark"


@dataclass(frozen=True, slots=True)
class Hold:
    """Footage of a camera that nothing deletes, while the hold is in force.

    It is in force until it is released, or `until_ns` is past (None: no end).
    """

    id: str
    camera: str
    kind: HoldKind
    start_ns: int
    end_ns: int
    reason: str
    owner_id: str
    owner_name: str
    created_ns: int
    until_ns: int | None = None
    released_ns: int | None = None
    released_by: str = ""

    def in_force(self, now_ns: int) -> bool:
        return self.released_ns is None and (self.until_ns is None or now_ns < self.until_ns)


class GapCause(StrEnum):
    """Whose fault it is that nothing was recorded."""

    CAMERA = "camera"
    NETWORK = "network"
    DISK = "disk"
    PROCESS = "process"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Gap:
    """A span in which a stream should have been recorded and was not; `end_ns` None: still."""

    id: str
    camera: str
    stream: str
    start_ns: int
    end_ns: int | None
    cause: GapCause
    detail: str


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """What should have been recorded of a stream in one day of UTC ("YYYY-MM-DD"), and what
    of it was missed, in nanoseconds; also as increments, which may be negative."""

    camera: str
    stream: str
    day: str
    expected_ns: int
    missed_ns: int
    by_cause: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for cause in self.by_cause:
            if cause not in _CAUSES:
                raise InvalidValue(f"{cause[:40]!r} is no cause of a gap")


_CAUSES = frozenset(cause.value for cause in GapCause)


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How long footage of a camera stays; `camera` "*" is the rule of all without their own.

    Deleted is what is older than `days` and is not kept longer by an event of its kind
    (`event_days`: kind to days, "*" for any). `max_bytes` and `share` (0..1 of the volumes'
    size) are ceilings: beyond them the oldest goes first, with or without events. None: no
    such bound. Raises InvalidValue, InvalidIdentifier.
    """

    camera: str
    days: float | None = None
    max_bytes: int | None = None
    share: float | None = None
    event_days: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.camera != ANY_CAMERA:
            check_id(self.camera)
        _check_days("days", self.days)
        if self.max_bytes is not None and not 0 < self.max_bytes < 2**63:
            raise InvalidValue(f"max_bytes is {self.max_bytes}; it must be more than 0")
        if self.share is not None and not 0.0 < self.share <= 1.0:
            raise InvalidValue(f"share is {self.share:g}; more than 0 up to 1 is allowed")
        if len(self.event_days) > 100:
            raise InvalidValue("event_days names more than 100 kinds of event")
        for kind, days in self.event_days.items():
            if kind != ANY_EVENT:
                check_kind(kind)
            _check_days(f"event_days of {kind!r}", days)


def _check_days(name: str, days: float | None) -> None:
    if days is not None and not (math.isfinite(days) and 0 < days <= 36_500):
        raise InvalidValue(f"{name} is {days:g}; more than 0 up to 36500 is allowed")


class ExportState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ExportJob:
    """A request for footage as a file. `spec` and `result` hold JSON values; `progress` is
    0..1; `size` in bytes; `error` is a sentence for people; `expires_ns` None: not done."""

    id: str
    owner_id: str
    owner_name: str
    created_ns: int
    state: ExportState
    spec: Mapping[str, Any]
    progress: float = 0.0
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    size: int = 0
    expires_ns: int | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when, from where. Each names the digest of the one before (`previous`),
    so that a changed or missing one is noticed; see `audit_digest`."""

    seq: int
    at_ns: int
    user_id: str
    user_name: str
    address: str
    action: str
    camera: str
    start_ns: int | None
    end_ns: int | None
    detail: Mapping[str, Any]
    previous: str
    digest: str

    def fields(self) -> dict[str, Any]:
        """What the digest is taken over, beside `previous`."""
        return {
            "seq": self.seq,
            "at_ns": self.at_ns,
            "user_id": self.user_id,
            "user_name": self.user_name,
            "address": self.address,
            "action": self.action,
            "camera": self.camera,
            "start_ns": self.start_ns,
            "end_ns": self.end_ns,
            "detail": dict(self.detail),
        }

    def is_whole(self, previous: str) -> bool:
        """Whether the entry is as it was written and follows the one of digest `previous`."""
        return self.previous == previous and self.digest == audit_digest(previous, self.fields())


def audit_digest(previous: str, entry_fields: Mapping[str, Any]) -> str:
    """SHA-256 in hex over `previous` and the canonical JSON of all other fields.

    Raises InvalidValue where a field is no JSON value.
    """
    return hashlib.sha256(previous.encode() + canonical(entry_fields).encode()).hexdigest()


def canonical(value: Mapping[str, Any]) -> str:
    """JSON in the one form that digests are taken over. Raises InvalidValue."""
    try:
        text = json.dumps(
            dict(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue(f"a value cannot be written as JSON: {error}") from error
    return text
