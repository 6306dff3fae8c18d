"""Rows of exports."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.common.errors import Conflict, NotFound
from vms.common.model.evidence import ExportJob, ExportState, canonical

_X = t.exports.c
_PENDING = (ExportState.QUEUED.value, ExportState.RUNNING.value)


class Exports:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job: ExportJob) -> None:
        async with self._database.write() as connection:
            try:
                await connection.execute(insert(t.exports).values(_columns(job)))
            except IntegrityError as error:
                raise Conflict(f"export {job.id!r} is there already") from error

    async def get(self, job_id: str) -> ExportJob:
        async with self._database.read() as connection:
            row = (await connection.execute(select(t.exports).where(_X.id == job_id))).one_or_none()
        if row is None:
            raise _missing(job_id)
        return _job(row)

    async def list(self, owner_id: str | None = None, limit: int = 200) -> tuple[ExportJob, ...]:
        query = select(t.exports).order_by(_X.created_ns.desc(), _X.id).limit(limit)
        if owner_id is not None:
            query = query.where(_X.owner_id == owner_id)
        async with self._database.read() as connection:
            return tuple(_job(row) for row in await connection.execute(query))

    async def update(self, job: ExportJob) -> None:
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(t.exports).where(_X.id == job.id).values(_columns(job))
            )
            if changed.rowcount == 0:
                raise _missing(job.id)

    async def pending(self) -> tuple[ExportJob, ...]:
        query = select(t.exports).where(_X.state.in_(_PENDING)).order_by(_X.created_ns, _X.id)
        async with self._database.read() as connection:
            return tuple(_job(row) for row in await connection.execute(query))

    async def remove(self, job_id: str) -> None:
        async with self._database.write() as connection:
            removed = await connection.execute(delete(t.exports).where(_X.id == job_id))
            if removed.rowcount == 0:
                raise _missing(job_id)


def _columns(job: ExportJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "owner_id": job.owner_id,
        "owner_name": job.owner_name,
        "created_ns": job.created_ns,
        "state": job.state.value,
        "spec": canonical(job.spec),
        "progress": job.progress,
        "result": canonical(job.result),
        "error": job.error,
        "size": job.size,
        "expires_ns": job.expires_ns,
    }


def _job(row: Row[Any]) -> ExportJob:
    values = row._asdict()
    return ExportJob(
        **(
            values
            | {
                "state": ExportState(values["state"]),
                "spec": json.loads(values["spec"]),
                "result": json.loads(values["result"]),
            }
        )
    )


def _missing(job_id: str) -> NotFound:
    return NotFound(f"no export {job_id[:60]!r}")
