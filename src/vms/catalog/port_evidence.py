"""The repositories of what is kept about recordings; part of `vms.catalog.port`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from vms.common.model.evidence import (
    AuditEntry,
    Event,
    ExportJob,
    Gap,
    Hold,
    HoldKind,
    LedgerDay,
    RetentionRule,
)

MAX_SPANS = 10_000


@dataclass(frozen=True, slots=True)
class CameraUsage:
    """What one stream has on one volume: files, bytes, and the span in UTC nanoseconds."""

    camera: str
    stream: str
    volume: str
    segments: int
    size: int
    oldest_ns: int
    newest_ns: int


@dataclass(frozen=True, slots=True)
class EventMark:
    """Events of one kind that began within one step of time: `count` of them.

    `id` is one of theirs; `label` is empty where they have different ones; `end_ns` None:
    one of them lasts.
    """

    id: str
    kind: str
    label: str
    start_ns: int
    end_ns: int | None
    count: int


@dataclass(frozen=True, slots=True)
class AuditNote:
    """What is to become an entry of the audit trail. `detail` holds JSON values."""

    at_ns: int
    user_id: str
    user_name: str
    address: str
    action: str
    camera: str = ""
    start_ns: int | None = None
    end_ns: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


class EventRepository(Protocol):
    async def put(self, event: Event) -> None:
        """Add it, or replace the one of its id."""
        ...

    async def put_many(self, events: Iterable[Event]) -> None:
        """In one transaction."""
        ...

    async def get(self, event_id: str) -> Event: ...

    async def spans(
        self,
        camera: str,
        start_ns: int,
        end_ns: int,
        kinds: Iterable[str] | None = None,
        limit: int = MAX_SPANS,
    ) -> list[Event]:
        """Events that overlap [start_ns, end_ns), by start; the first `limit` of them."""
        ...

    async def marks(
        self,
        camera: str,
        start_ns: int,
        end_ns: int,
        step_ns: int,
        kinds: Iterable[str] | None = None,
        limit: int = MAX_SPANS,
    ) -> list[EventMark]:
        """What `spans` finds, those of a kind that began in one step made one, by start."""
        ...

    async def open(self, camera: str | None = None) -> list[Event]:
        """Events that have no end yet, by start."""
        ...

    async def kept(
        self, camera: str, kinds: Iterable[str] | None, start_ns: int, end_ns: int
    ) -> list[tuple[int, int]]:
        """The parts of [start_ns, end_ns) in which there were events of `kinds` (None: any).

        Cut to the span, joined where they touch, in order; however many events there are.
        """
        ...

    async def remove_before(self, camera: str, t_ns: int, limit: int = MAX_SPANS) -> int:
        """Remove the camera's events that ended at or before `t_ns`, the oldest `limit` of
        them; how many."""
        ...


class HoldRepository(Protocol):
    async def add(self, hold: Hold) -> None: ...

    async def add_many(self, holds: Iterable[Hold]) -> None:
        """All or none."""
        ...

    async def get(self, hold_id: str) -> Hold: ...

    async def list(
        self,
        camera: str | None = None,
        active_at_ns: int | None = None,
        kind: HoldKind | None = None,
    ) -> tuple[Hold, ...]:
        """By start. `active_at_ns`: only those in force then (see `Hold.in_force`)."""
        ...

    async def spans(self, camera: str, start_ns: int, end_ns: int) -> tuple[Hold, ...]:
        """Holds that overlap [start_ns, end_ns), by start; also such as are over."""
        ...

    async def release(self, hold_id: str, at_ns: int, by: str) -> Hold:
        """The hold as it is then. One released before stays as it was."""
        ...

    async def update(self, hold: Hold) -> None:
        """Write reason, until_ns and end_ns; nothing else can be changed."""
        ...


class GapRepository(Protocol):
    """Gaps, and the ledger of what was expected and missed of each day."""

    async def put(self, gap: Gap) -> None:
        """Add it, or replace the one of its id."""
        ...

    async def put_many(self, gaps: Iterable[Gap]) -> None: ...

    async def spans(
        self,
        camera: str,
        stream: str | None,
        start_ns: int,
        end_ns: int,
        limit: int = MAX_SPANS,
    ) -> list[Gap]:
        """Gaps that overlap [start_ns, end_ns), by start; the first `limit` of them."""
        ...

    async def open(self) -> list[Gap]: ...

    async def remove_before(self, camera: str, t_ns: int, limit: int = MAX_SPANS) -> int:
        """Remove the camera's gaps that ended at or before `t_ns`, the oldest `limit` of
        them; how many. The ledger keeps what they took."""
        ...

    async def ledger_add(self, days: Iterable[LedgerDay]) -> None:
        """Add increments to what is there, in one transaction."""
        ...

    async def ledger(self, camera: str | None, first_day: str, last_day: str) -> list[LedgerDay]:
        """From `first_day` to `last_day`, both included, by camera, stream and day."""
        ...


class RetentionRepository(Protocol):
    async def list(self) -> dict[str, RetentionRule]:
        """By camera; "*" is the default's."""
        ...

    async def put(self, rule: RetentionRule) -> None: ...

    async def remove(self, camera: str) -> None: ...


class ExportRepository(Protocol):
    async def add(self, job: ExportJob) -> None: ...

    async def get(self, job_id: str) -> ExportJob: ...

    async def list(self, owner_id: str | None = None, limit: int = 200) -> tuple[ExportJob, ...]:
        """The newest first."""
        ...

    async def update(self, job: ExportJob) -> None: ...

    async def pending(self) -> tuple[ExportJob, ...]:
        """Queued or running, the oldest first."""
        ...

    async def remove(self, job_id: str) -> None: ...


class AuditRepository(Protocol):
    """Entries that follow one another in a chain. None is ever changed or removed: the
    database itself refuses that."""

    async def append(
        self,
        at_ns: int,
        user_id: str,
        user_name: str,
        address: str,
        action: str,
        camera: str = "",
        start_ns: int | None = None,
        end_ns: int | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> AuditEntry:
        """Serialised over all processes. Raises InvalidValue where `detail` is no JSON."""
        ...

    async def append_many(self, notes: Iterable[AuditNote]) -> list[AuditEntry]:
        """In one transaction, in their order."""
        ...

    async def list(
        self,
        before_seq: int | None = None,
        limit: int = 100,
        camera: str | None = None,
        user_id: str | None = None,
        action: str | None = None,
    ) -> tuple[AuditEntry, ...]:
        """The newest first, those before `before_seq`. `user_id`: also a name.

        `action` "hold" also finds "hold.released": a name stands for all below it.
        """
        ...

    async def since(self, seq: int, limit: int = 1000) -> tuple[AuditEntry, ...]:
        """Those after `seq`, the oldest first."""
        ...

    async def head(self) -> AuditEntry | None:
        """The newest entry."""
        ...
