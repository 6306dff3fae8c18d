"""What rows with a start and an end have in common: searches for what overlaps a span."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from vms.catalog.database import Database
from vms.catalog.tables import LONG_NS


async def overlapping(
    connection: AsyncConnection,
    table: Table,
    start_ns: int,
    end_ns: int,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
) -> list[Row[Any]]:
    """Rows that overlap [start_ns, end_ns) and meet `conditions`, by start."""
    c = table.c
    rows: list[Row[Any]] = []
    for part in parts_of(table, start_ns, end_ns):
        if len(rows) < limit:
            query = select(table).where(*conditions, *part)
            query = query.order_by(c.start_ns, c.id).limit(limit - len(rows))
            rows += (await connection.execute(query)).all()
    return rows


def parts_of(table: Table, start_ns: int, end_ns: int) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Conditions of two searches that together find what overlaps [start_ns, end_ns).

    Those that began long before are found by the small index of long ones, so that the
    other search is of one range of the index however long a span may last.
    """
    c = table.c
    reaches = or_(c.end_ns.is_(None), c.end_ns > start_ns)
    # As it stands in the index, so that the database knows it again.
    is_long: Any = text(f"(end_ns IS NULL OR end_ns - start_ns > {LONG_NS})")
    yield c.start_ns <= start_ns - LONG_NS, is_long, reaches
    yield c.start_ns > start_ns - LONG_NS, c.start_ns < end_ns, reaches


async def upsert(database: Database, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows or replace those of their key, in one transaction."""
    # In order of key, so that two writers of PostgreSQL never wait for each other.
    keys = [column.name for column in table.primary_key]
    values = sorted(rows, key=lambda row: [row[key] for key in keys])
    if not values:
        return
    dialect = postgresql if database.dialect == "postgresql" else sqlite
    statement = dialect.insert(table)
    statement = statement.on_conflict_do_update(
        index_elements=keys,
        set_={c.name: statement.excluded[c.name] for c in table.c if c.name not in keys},
    )
    async with database.write() as connection:
        await connection.execute(statement, [dict(row) for row in values])
