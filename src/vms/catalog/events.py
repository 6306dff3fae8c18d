"""Rows of events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Row, case, delete, func, select

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.catalog.port_evidence import MAX_SPANS, EventMark
from vms.catalog.spans import overlapping, parts_of, upsert
from vms.common.errors import NotFound
from vms.common.model.evidence import Event

_E = t.events.c


class Events:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, event: Event) -> None:
        await self.put_many((event,))

    async def put_many(self, events: Iterable[Event]) -> None:
        await upsert(self._database, t.events, [asdict(event) for event in events])

    async def get(self, event_id: str) -> Event:
        async with self._database.read() as connection:
            row = (
                await connection.execute(select(t.events).where(_E.id == event_id))
            ).one_or_none()
        if row is None:
            raise NotFound(f"no event {event_id[:100]!r}")
        return Event(**row._asdict())

    async def spans(
        self,
        camera: str,
        start_ns: int,
        end_ns: int,
        kinds: Iterable[str] | None = None,
        limit: int = MAX_SPANS,
    ) -> list[Event]:
        wanted = _wanted(camera, kinds)
        async with self._database.read() as connection:
            rows = await overlapping(connection, t.events, start_ns, end_ns, wanted, limit)
        return [Event(**row._asdict()) for row in rows]

    async def marks(
        self,
        camera: str,
        start_ns: int,
        end_ns: int,
        step_ns: int,
        kinds: Iterable[str] | None = None,
        limit: int = MAX_SPANS,
    ) -> list[EventMark]:
        wanted = _wanted(camera, kinds)
        step = _E.start_ns // max(1, step_ns)
        lasting = func.sum(case((_E.end_ns.is_(None), 1), else_=0))
        columns = (
            func.min(_E.id), _E.kind, func.min(_E.label), func.max(_E.label),
            func.min(_E.start_ns), func.max(_E.end_ns), lasting, func.count(),
        )  # fmt: skip
        rows: list[Row[Any]] = []
        async with self._database.read() as connection:
            for part in parts_of(t.events, start_ns, end_ns):
                query = select(*columns).where(*wanted, *part).group_by(_E.kind, step)
                query = query.order_by(func.min(_E.start_ns), _E.kind).limit(limit - len(rows))
                rows += (await connection.execute(query)).all()
        return [_mark(*row) for row in rows]

    async def open(self, camera: str | None = None) -> list[Event]:
        query = select(t.events).where(_E.end_ns.is_(None))
        if camera is not None:
            query = query.where(_E.camera == camera)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return sorted((Event(**row._asdict()) for row in rows), key=lambda e: (e.start_ns, e.id))

    async def kept(
        self, camera: str, kinds: Iterable[str] | None, start_ns: int, end_ns: int
    ) -> list[tuple[int, int]]:
        wanted = _wanted(camera, kinds)
        found: list[tuple[int, int]] = []
        at = start_ns
        async with self._database.read() as connection:
            # By pages, each from where the joined spans so far end: memory stays small, and
            # what lies within them is never read.
            while at < end_ns:
                rows = await overlapping(connection, t.events, at, end_ns, wanted, MAX_SPANS)
                for row in rows:
                    _join(found, max(row.start_ns, start_ns), _end(row.end_ns, end_ns))
                if len(rows) < MAX_SPANS:
                    break
                at = found[-1][1]
        return found

    async def remove_before(self, camera: str, t_ns: int, limit: int = MAX_SPANS) -> int:
        old = (
            select(_E.id)
            .where(_E.camera == camera, _E.start_ns < t_ns, _E.end_ns <= t_ns)
            .order_by(_E.start_ns)
            .limit(limit)
        )
        async with self._database.write() as connection:
            removed = await connection.execute(delete(t.events).where(_E.id.in_(old)))
            return int(removed.rowcount)


def _wanted(camera: str, kinds: Iterable[str] | None) -> tuple[ColumnElement[bool], ...]:
    of_camera = (_E.camera == camera,)
    return of_camera if kinds is None else (*of_camera, _E.kind.in_(sorted(set(kinds))))


def _mark(*row: Any) -> EventMark:
    name, kind, label, other, start, last, lasting, count = row
    end = None if lasting else last
    return EventMark(name, kind, label if label == other else "", start, end, count)


def _end(end_ns: Any, latest_ns: int) -> int:
    return latest_ns if end_ns is None else min(int(end_ns), latest_ns)


def _join(found: list[tuple[int, int]], start_ns: int, end_ns: int) -> None:
    if found and start_ns <= found[-1][1]:
        found[-1] = (found[-1][0], max(found[-1][1], end_ns))
    else:
        found.append((start_ns, end_ns))
