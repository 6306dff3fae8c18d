"""What the REST interface says and takes of lines of time, events, holds and the audit trail.

Times are epoch milliseconds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from vms.api.models import Taken
from vms.api.text import Identifier, Line
from vms.common.model.evidence import AuditEntry, Event, Gap, GapCause, Hold, HoldKind

MILLISECOND = 1_000_000
_LATEST_MS = 253_402_300_799_999

Millisecond = Annotated[int, Field(ge=0, le=_LATEST_MS, description="Epoch milliseconds.")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""Why: it stands in the audit trail."""


def floor_ms(t_ns: int) -> int:
    return t_ns // MILLISECOND


def ceil_ms(t_ns: int) -> int:
    return -(-t_ns // MILLISECOND)


class StretchModel(BaseModel):
    """Unbroken footage; `mode`: why it was recorded, "continuous" or "event"."""

    start: int
    end: int
    mode: str


class GapModel(BaseModel):
    """A span in which footage should be and is not. `end` null: it lasts."""

    start: int
    end: int | None
    cause: GapCause
    detail: str = Field(description="A sentence; empty for those who may not see the system.")

    @classmethod
    def of(cls, gap: Gap, told: bool) -> GapModel:
        end = None if gap.end_ns is None else ceil_ms(gap.end_ns)
        detail = gap.detail if told else ""
        return cls(start=floor_ms(gap.start_ns), end=end, cause=gap.cause, detail=detail)


class MarkModel(BaseModel):
    """Events of one kind that follow one another within a step: `count` of them."""

    id: str = Field(description="Of one of them.")
    kind: str
    label: str = Field(description="Empty where they have different ones.")
    start: int
    end: int | None = Field(description="null: it lasts.")
    count: int


class HoldMark(BaseModel):
    id: str
    kind: HoldKind
    reason: str
    start: int
    end: int


class Timeline(BaseModel):
    """What lies on a camera's line of time."""

    spans: list[StretchModel]
    gaps: list[GapModel]
    events: list[MarkModel]
    holds: list[HoldMark] = Field(description="In force; for those who may lock footage.")
    more: bool = Field(
        description="There are more gaps or events than are given; ask for a shorter span, "
        "or a longer step."
    )


class EventModel(BaseModel):
    """Something that happened at a camera. `end` null: it lasts."""

    id: str
    camera: str
    kind: str
    start: int
    end: int | None
    source: str
    label: str
    score: float | None = Field(description="0 to 1 where the source is not sure.")

    @classmethod
    def of(cls, event: Event) -> EventModel:
        return cls(
            id=event.id,
            camera=event.camera,
            kind=event.kind,
            start=floor_ms(event.start_ns),
            end=None if event.end_ns is None else ceil_ms(event.end_ns),
            source=event.source,
            label=event.label,
            score=event.score,
        )


class Events(BaseModel):
    events: list[EventModel]
    more: bool = Field(description="There are more; ask again from the start of the last one.")


class NewEvent(Taken):
    """An event that a person saw. Without `duration_s` it lasts until it is ended, an hour
    at most."""

    kind: Identifier
    label: Line = ""
    duration_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] | None = None


class HoldModel(BaseModel):
    """Footage that nothing deletes, from `start` to `end`, until it is released or `until`
    is past."""

    id: str
    camera: str
    kind: HoldKind
    start: int
    end: int
    reason: str
    owner: str
    created: int
    until: int | None
    released: int | None
    released_by: str

    @classmethod
    def of(cls, hold: Hold) -> HoldModel:
        return cls(
            id=hold.id,
            camera=hold.camera,
            kind=hold.kind,
            start=floor_ms(hold.start_ns),
            end=ceil_ms(hold.end_ns),
            reason=hold.reason,
            owner=hold.owner_name,
            created=floor_ms(hold.created_ns),
            until=None if hold.until_ns is None else floor_ms(hold.until_ns),
            released=None if hold.released_ns is None else floor_ms(hold.released_ns),
            released_by=hold.released_by,
        )


class NewHolds(Taken):
    """One hold for each camera, or none at all."""

    cameras: Annotated[list[Identifier], Field(min_length=1, max_length=100)]
    kind: HoldKind
    start: Millisecond
    end: Millisecond
    reason: Reason
    until: Millisecond | None = Field(default=None, description="null: until it is released.")


class HoldChange(Taken):
    """Only what is given changes. `until` null: until it is released."""

    reason: Reason | None = None
    end: Millisecond | None = None
    until: Millisecond | None = None


class AuditModel(BaseModel):
    """Who did what. `digest` is SHA-256 over `previous` and the rest, so that a changed or
    missing entry is noticed."""

    seq: int
    at: int
    user: str
    user_id: str
    address: str
    action: str
    camera: str
    start: int | None
    end: int | None
    detail: dict[str, Any]
    previous: str
    digest: str

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditModel:
        return cls(
            seq=entry.seq,
            at=floor_ms(entry.at_ns),
            user=entry.user_name,
            user_id=entry.user_id,
            address=entry.address,
            action=entry.action,
            camera=entry.camera,
            start=None if entry.start_ns is None else floor_ms(entry.start_ns),
            end=None if entry.end_ns is None else ceil_ms(entry.end_ns),
            detail=dict(entry.detail),
            previous=entry.previous,
            digest=entry.digest,
        )


class AuditPage(BaseModel):
    entries: list[AuditModel]


class AuditCheckModel(BaseModel):
    """Whether every entry is as it was written and follows the one before.

    Whoever notes `head` elsewhere can tell later whether the newest entries were cut off.
    """

    entries: int
    ok: bool
    broken_at: int | None = Field(description="The first entry that is not as it was written.")
    head: str = Field(description="The number and the digest of the newest entry; or empty.")
