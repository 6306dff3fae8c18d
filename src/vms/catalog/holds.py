"""Rows of holds: footage that nothing deletes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.common.errors import Conflict, NotFound
from vms.common.model.evidence import Hold, HoldKind

_H = t.holds.c
_SPANS = (
    select(t.holds)
    .where(
        _H.camera == bindparam("camera"),
        _H.start_ns < bindparam("span_end"),
        _H.end_ns > bindparam("span_start"),
    )
    .order_by(_H.start_ns, _H.id)
)


class Holds:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, hold: Hold) -> None:
        await self.add_many((hold,))

    async def add_many(self, holds: Iterable[Hold]) -> None:
        rows = [asdict(hold) | {"kind": hold.kind.value} for hold in holds]
        if not rows:
            return
        async with self._database.write() as connection:
            try:
                await connection.execute(insert(t.holds), rows)
            except IntegrityError as error:
                raise Conflict(f"hold {rows[0]['id']!r} or one beside it is there") from error

    async def get(self, hold_id: str) -> Hold:
        async with self._database.read() as connection:
            row = (await connection.execute(select(t.holds).where(_H.id == hold_id))).one_or_none()
        if row is None:
            raise _missing(hold_id)
        return _hold(row)

    async def list(
        self,
        camera: str | None = None,
        active_at_ns: int | None = None,
        kind: HoldKind | None = None,
    ) -> tuple[Hold, ...]:
        query = select(t.holds).order_by(_H.start_ns, _H.id)
        if camera is not None:
            query = query.where(_H.camera == camera)
        if active_at_ns is not None:
            query = query.where(
                _H.released_ns.is_(None), or_(_H.until_ns.is_(None), _H.until_ns > active_at_ns)
            )
        if kind is not None:
            query = query.where(_H.kind == kind.value)
        async with self._database.read() as connection:
            return tuple(_hold(row) for row in await connection.execute(query))

    async def spans(self, camera: str, start_ns: int, end_ns: int) -> tuple[Hold, ...]:
        values = {"camera": camera, "span_start": start_ns, "span_end": end_ns}
        found = await self._database.glance(lambda one: one.execute(_SPANS, values).all())
        return tuple(_hold(row) for row in found)

    async def release(self, hold_id: str, at_ns: int, by: str) -> Hold:
        async with self._database.write() as connection:
            await connection.execute(
                update(t.holds)
                .where(_H.id == hold_id, _H.released_ns.is_(None))
                .values(released_ns=at_ns, released_by=by)
            )
            row = (await connection.execute(select(t.holds).where(_H.id == hold_id))).one_or_none()
        if row is None:
            raise _missing(hold_id)
        return _hold(row)

    async def update(self, hold: Hold) -> None:
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(t.holds)
                .where(_H.id == hold.id)
                .values(reason=hold.reason, until_ns=hold.until_ns, end_ns=hold.end_ns)
            )
            if changed.rowcount == 0:
                raise _missing(hold.id)


def _hold(row: Row[Any]) -> Hold:
    values = row._asdict()
    return Hold(**(values | {"kind": HoldKind(values["kind"])}))


def _missing(hold_id: str) -> NotFound:
    return NotFound(f"no hold {hold_id[:60]!r}")
