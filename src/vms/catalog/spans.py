"""What rows with a start and an end have in common: searches for what overlaps a span."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    or_,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from vms.catalog.database import Database
from vms.catalog.tables import LONG_NS


def overlapping(
    connection: Connection,
    table: Table,
    start_ns: int,
    end_ns: int,
    wanted: Mapping[str, str | Sequence[str]],
    limit: int,
) -> list[Row[Any]]:
    """Rows that overlap [start_ns, end_ns), by start. `wanted` is what columns are, or one of."""
    rows: list[Row[Any]] = []
    values = span_values(start_ns, end_ns, wanted)
    for query in _searches(table, *_shape(wanted)):
        if len(rows) < limit:
            rows += connection.execute(query, values | {"most": limit - len(rows)}).all()
    return rows


@lru_cache(64)
def _searches(table: Table, *shape: tuple[str, bool]) -> list[Select[Any]]:
    # Kept: to put a query together takes longer than to answer it.
    return [
        select(table)
        .where(*part)
        .order_by(table.c.start_ns, table.c.id)
        .limit(bindparam("most", type_=BigInteger))
        for part in parts_of(table, *shape)
    ]


def _shape(wanted: Mapping[str, str | Sequence[str]]) -> list[tuple[str, bool]]:
    return [(name, not isinstance(value, str)) for name, value in wanted.items()]


def parts_of(table: Table, *shape: tuple[str, bool]) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Conditions of two searches that together find what overlaps a span (`span_values`).

    Each of `shape` is the name of a column and whether there are several values for it.
    Those that began long before are found by the small index of long ones, so that the
    other search is of one range of the index however long a span may last.
    """
    c = table.c
    wanted = [
        c[name].in_(bindparam(f"its_{name}", expanding=True))
        if is_several
        else c[name] == bindparam(f"its_{name}")
        for name, is_several in shape
    ]
    reaches = or_(c.end_ns.is_(None), c.end_ns > bindparam("span_start"))
    # As it stands in the index, so that the database knows it again.
    is_long: Any = text(f"(end_ns IS NULL OR end_ns - start_ns > {LONG_NS})")
    long_before: Any = bindparam("span_long_before")
    yield *wanted, c.start_ns <= long_before, is_long, reaches
    yield *wanted, c.start_ns > long_before, c.start_ns < bindparam("span_end"), reaches


def span_values(
    start_ns: int, end_ns: int, wanted: Mapping[str, str | Sequence[str]]
) -> dict[str, Any]:
    """What the searches of `parts_of` are to be executed with."""
    span = {"span_start": start_ns, "span_long_before": start_ns - LONG_NS, "span_end": end_ns}
    return span | {f"its_{name}": value for name, value in wanted.items()}


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
