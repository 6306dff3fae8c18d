"""Rows of events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    delete,
    func,
    select,
)

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.catalog.port_evidence import MAX_SPANS, EventMark
from vms.catalog.spans import overlapping, parts_of, span_values, upsert
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
        rows = await self._database.glance(
            lambda one: overlapping(one, t.events, start_ns, end_ns, wanted, limit)
        )
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
        values = span_values(start_ns, end_ns, wanted) | {"step": max(1, step_ns)}

        def read(connection: Connection) -> list[Row[Any]]:
            rows: list[Row[Any]] = []
            for query in _marks(kinds is not None):
                rows += connection.execute(query, values | {"most": limit - len(rows)}).all()
            return rows

        return [_mark(*row) for row in await self._database.glance(read)]

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

        def read(connection: Connection) -> None:
            at = start_ns
            # By pages, each from where the joined spans so far end: memory stays small, and
            # what lies within them is never read.
            while at < end_ns:
                rows = overlapping(connection, t.events, at, end_ns, wanted, MAX_SPANS)
                for row in rows:
                    _join(found, max(row.start_ns, start_ns), _end(row.end_ns, end_ns))
                if len(rows) < MAX_SPANS:
                    break
                at = found[-1][1]

        async with self._database.read() as connection:
            await connection.run_sync(read)
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


def _wanted(camera: str, kinds: Iterable[str] | None) -> dict[str, str | list[str]]:
    return {"camera": camera} if kinds is None else {"camera": camera, "kind": sorted(set(kinds))}


@cache
def _marks(of_kinds: bool) -> list[Select[Any]]:
    step = _E.start_ns // bindparam("step")
    lasting = func.sum(case((_E.end_ns.is_(None), 1), else_=0))
    columns = (
        func.min(_E.id), _E.kind, func.min(_E.label), func.max(_E.label),
        func.min(_E.start_ns), func.max(_E.end_ns), lasting, func.count(),
    )  # fmt: skip
    shape = (("camera", False), ("kind", True)) if of_kinds else (("camera", False),)
    return [
        select(*columns)
        .where(*part)
        .group_by(_E.kind, step)
        .order_by(func.min(_E.start_ns), _E.kind)
        .limit(bindparam("most", type_=BigInteger))
        for part in parts_of(t.events, *shape)
    ]


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
