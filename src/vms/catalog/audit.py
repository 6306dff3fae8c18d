"""Rows of the audit trail: only ever added, each naming the digest of the one before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, insert, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.catalog.port_evidence import AuditNote
from vms.common.errors import InvalidValue
from vms.common.model.evidence import FIRST_PREVIOUS, AuditEntry, audit_digest, canonical

_A = t.audit.c
_LOCK = 0x766D7361
"""Of PostgreSQL's advisory locks: 'vmsa'. SQLite's write transaction is lock enough."""
MAX_DETAIL = 16_384


class Audit:
    def __init__(self, database: Database) -> None:
        self._database = database

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
        note = AuditNote(
            at_ns, user_id, user_name, address, action, camera, start_ns, end_ns, detail or {}
        )
        return (await self.append_many((note,)))[0]

    async def append_many(self, notes: Iterable[AuditNote]) -> list[AuditEntry]:
        values = [_values(note) for note in notes]
        if not values:
            return []
        async with self._database.write() as connection:
            if self._database.dialect == "postgresql":
                # Else two processes would follow the same entry.
                await connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK})
            entries = _chained(await _head(connection), values)
            rows = [asdict(e) | {"detail": canonical(e.detail)} for e in entries]
            await connection.execute(insert(t.audit), rows)
        return entries

    async def list(
        self,
        before_seq: int | None = None,
        limit: int = 100,
        camera: str | None = None,
        user_id: str | None = None,
        action: str | None = None,
    ) -> tuple[AuditEntry, ...]:
        query = select(t.audit).order_by(_A.seq.desc()).limit(limit)
        if before_seq is not None:
            query = query.where(_A.seq < before_seq)
        if camera is not None:
            query = query.where(_A.camera == camera)
        if user_id is not None:
            query = query.where(or_(_A.user_id == user_id, _A.user_name == user_id))
        if action is not None:
            below = _A.action.startswith(f"{action}.", autoescape=True)
            query = query.where(or_(_A.action == action, below))
        async with self._database.read() as connection:
            return tuple(_entry(row) for row in await connection.execute(query))

    async def since(self, seq: int, limit: int = 1000) -> tuple[AuditEntry, ...]:
        query = select(t.audit).where(_A.seq > seq).order_by(_A.seq).limit(limit)
        async with self._database.read() as connection:
            return tuple(_entry(row) for row in await connection.execute(query))

    async def head(self) -> AuditEntry | None:
        async with self._database.read() as connection:
            return await _head(connection)


async def _head(connection: AsyncConnection) -> AuditEntry | None:
    row = (await connection.execute(select(t.audit).order_by(_A.seq.desc()).limit(1))).one_or_none()
    return None if row is None else _entry(row)


def _values(note: AuditNote) -> dict[str, Any]:
    written = canonical(note.detail)
    if len(written) > MAX_DETAIL:
        raise InvalidValue(f"the detail of {note.action!r} has {len(written)} characters")
    # As it will be read again: the digest is taken over that.
    return {name: getattr(note, name) for name in AuditNote.__slots__} | {
        "detail": json.loads(written)
    }


def _chained(head: AuditEntry | None, values: Iterable[dict[str, Any]]) -> list[AuditEntry]:
    seq, previous = (0, FIRST_PREVIOUS) if head is None else (head.seq, head.digest)
    entries = []
    for fields in values:
        seq += 1
        digest = audit_digest(previous, {"seq": seq} | fields)
        entries.append(AuditEntry(seq=seq, **fields, previous=previous, digest=digest))
        previous = digest
    return entries


def _entry(row: Row[Any]) -> AuditEntry:
    values = row._asdict()
    return AuditEntry(**(values | {"detail": json.loads(values["detail"])}))
