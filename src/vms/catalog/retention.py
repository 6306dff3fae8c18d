"""Rows of rules: how long footage stays."""

from __future__ import annotations

import json
from dataclasses import asdict

from sqlalchemy import delete, select

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.catalog.spans import upsert
from vms.common.errors import NotFound
from vms.common.model.evidence import RetentionRule

_R = t.retention_rules.c


class Retention:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> dict[str, RetentionRule]:
        async with self._database.read() as connection:
            rows = (await connection.execute(select(t.retention_rules).order_by(_R.camera))).all()
        return {
            row.camera: RetentionRule(
                row.camera, row.days, row.max_bytes, row.share, json.loads(row.event_days)
            )
            for row in rows
        }

    async def put(self, rule: RetentionRule) -> None:
        row = asdict(rule) | {"event_days": json.dumps(rule.event_days, sort_keys=True)}
        await upsert(self._database, t.retention_rules, [row])

    async def remove(self, camera: str) -> None:
        async with self._database.write() as connection:
            removed = await connection.execute(delete(t.retention_rules).where(_R.camera == camera))
            if removed.rowcount == 0:
                raise NotFound(f"no rule of retention for camera {camera[:60]!r}")
