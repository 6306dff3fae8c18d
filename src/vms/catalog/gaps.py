"""Rows of gaps, and the ledger of days."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.catalog.port_evidence import MAX_SPANS
from vms.catalog.spans import overlapping, upsert
from vms.common.model.evidence import Gap, GapCause, LedgerDay

_G = t.gaps.c
_L = t.ledger.c
_KEY = ("camera", "stream", "day")


class Gaps:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, gap: Gap) -> None:
        await self.put_many((gap,))

    async def put_many(self, gaps: Iterable[Gap]) -> None:
        rows = [asdict(gap) | {"cause": gap.cause.value} for gap in gaps]
        await upsert(self._database, t.gaps, rows)

    async def spans(
        self,
        camera: str,
        stream: str | None,
        start_ns: int,
        end_ns: int,
        limit: int = MAX_SPANS,
    ) -> list[Gap]:
        wanted = {"camera": camera} if stream is None else {"camera": camera, "stream": stream}
        rows = await self._database.glance(
            lambda one: overlapping(one, t.gaps, start_ns, end_ns, wanted, limit)
        )
        return [_gap(row) for row in rows]

    async def open(self) -> list[Gap]:
        async with self._database.read() as connection:
            rows = (await connection.execute(select(t.gaps).where(_G.end_ns.is_(None)))).all()
        return sorted((_gap(row) for row in rows), key=lambda g: (g.start_ns, g.id))

    async def remove_before(self, camera: str, t_ns: int, limit: int = MAX_SPANS) -> int:
        old = (
            select(_G.id)
            .where(_G.camera == camera, _G.start_ns < t_ns, _G.end_ns <= t_ns)
            .order_by(_G.start_ns)
            .limit(limit)
        )
        async with self._database.write() as connection:
            removed = await connection.execute(delete(t.gaps).where(_G.id.in_(old)))
            return int(removed.rowcount)

    async def ledger_add(self, days: Iterable[LedgerDay]) -> None:
        rows = sorted((_ledger_row(day) for day in days), key=lambda r: [r[k] for k in _KEY])
        if not rows:
            return
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite
        statement = dialect.insert(t.ledger)
        statement = statement.on_conflict_do_update(
            index_elements=_KEY,
            set_={c.name: c + statement.excluded[c.name] for c in _L if c.name not in _KEY},
        )
        async with self._database.write() as connection:
            await connection.execute(statement, rows)

    async def ledger(self, camera: str | None, first_day: str, last_day: str) -> list[LedgerDay]:
        query = (
            select(t.ledger)
            .where(_L.day >= first_day, _L.day <= last_day)
            .order_by(_L.camera, _L.stream, _L.day)
        )
        if camera is not None:
            query = query.where(_L.camera == camera)
        async with self._database.read() as connection:
            return [_day(row) for row in await connection.execute(query)]


def _gap(row: Row[Any]) -> Gap:
    values = row._asdict()
    return Gap(**(values | {"cause": GapCause(values["cause"])}))


def _ledger_row(day: LedgerDay) -> dict[str, Any]:
    row = asdict(day)
    by_cause = row.pop("by_cause")
    return row | {f"by_{cause}_ns": by_cause.get(cause.value, 0) for cause in GapCause}


def _day(row: Row[Any]) -> LedgerDay:
    values = row._asdict()
    by_cause = {cause.value: values[f"by_{cause}_ns"] for cause in GapCause}
    return LedgerDay(
        row.camera,
        row.stream,
        row.day,
        row.expected_ns,
        row.missed_ns,
        {cause: missed for cause, missed in by_cause.items() if missed},
    )
