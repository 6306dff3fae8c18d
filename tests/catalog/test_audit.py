"""The audit trail: only added to, and whole or found out, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from tests.support.bus_strategies import body
from tests.support.catalog_open import opened

from vms.catalog.database import connect
from vms.catalog.open import SqlCatalog
from vms.catalog.port_evidence import AuditNote
from vms.common.errors import CatalogError, InvalidValue
from vms.common.model.evidence import FIRST_PREVIOUS, AuditEntry, audit_digest


async def _some(catalog: SqlCatalog) -> list[AuditEntry]:
    append = catalog.audit.append
    return [
        await append(1, "u1", "Anna", "10.0.0.1", "live", "front"),
        await append(2, "u1", "Anna", "10.0.0.1", "hold.added", "front", 5, 9, {"reason": "é"}),
        await append(3, "u2", "Bob", "::1", "hold.released", "back", detail={"b": [1.5, None]}),
    ]


async def test_entries_follow_one_another(catalog: SqlCatalog) -> None:
    assert await catalog.audit.head() is None
    made = await _some(catalog)
    assert [entry.seq for entry in made] == [1, 2, 3]
    assert made[0].previous == FIRST_PREVIOUS
    assert await catalog.audit.since(0) == tuple(made)
    assert await catalog.audit.since(1, limit=1) == (made[1],)
    assert await catalog.audit.head() == made[2]
    previous = FIRST_PREVIOUS
    for entry in await catalog.audit.since(0):
        assert entry.is_whole(previous)
        previous = entry.digest


async def test_entries_are_listed_newest_first_and_by_who_where_and_what(
    catalog: SqlCatalog,
) -> None:
    made = await _some(catalog)
    listed = catalog.audit.list
    assert await listed() == tuple(reversed(made))
    assert await listed(before_seq=3, limit=1) == (made[1],)
    assert await listed(camera="front") == (made[1], made[0])
    assert await listed(user_id="u2") == (made[2],)
    assert await listed(action="hold") == (made[2], made[1])
    assert await listed(action="hold.released") == (made[2],)
    assert await listed(action="%") == ()


async def test_many_writers_make_one_chain(catalog_url: str, tmp_path: Path) -> None:
    async with opened(catalog_url, tmp_path) as one, opened(catalog_url, tmp_path) as two:
        notes = [AuditNote(n, "u", "U", "", "live") for n in range(3)]
        await asyncio.gather(*(c.audit.append_many(notes) for c in (one, two) for _ in range(6)))
        assert await one.audit.append_many([]) == []
        entries = await two.audit.since(0)
    assert [entry.seq for entry in entries] == list(range(1, 37))
    for before, after in pairwise(entries):
        assert after.is_whole(before.digest)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET user_name = 'Eve' WHERE seq = 2",
        "UPDATE audit SET detail = detail",
        "DELETE FROM audit WHERE seq = 3",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "INSERT OR REPLACE INTO audit SELECT seq, at_ns, 'eve', user_name, address, action,"
        " camera, start_ns, end_ns, detail, previous, digest FROM audit WHERE seq = 2",
    ],
)
async def test_the_database_refuses_every_change(
    catalog: SqlCatalog, catalog_url: str, statement: str
) -> None:
    made = await _some(catalog)
    database = connect(catalog_url)
    # One of the two databases does not know the statement at all.
    foreign = statement.startswith(("TRUNCATE", "INSERT OR"))
    said = "only added to|syntax error" if foreign else "only added to"
    with pytest.raises(CatalogError, match=said):
        async with database.write() as connection:
            await connection.execute(text(statement))
    await database.close()
    assert await catalog.audit.since(0) == tuple(made)


async def test_what_is_no_json_or_too_much_of_it_is_refused(catalog: SqlCatalog) -> None:
    for detail in ({"x": object()}, {"x": float("nan")}, {"x": "\ud800"}, {"x": "y" * 20_000}):
        with pytest.raises(InvalidValue):
            await catalog.audit.append(1, "u", "U", "", "live", detail=detail)
    assert await catalog.audit.head() is None


_value: dict[str, st.SearchStrategy[Any]] = {
    "seq": st.integers(1, 2**62),
    "at_ns": st.integers(0, 2**62),
    "start_ns": st.none() | st.integers(0, 2**62),
    "end_ns": st.none() | st.integers(0, 2**62),
    "detail": body,
    "previous": st.text("0123456789abcdef", min_size=64, max_size=64),
}
_plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def _entries(draw: st.DrawFn) -> AuditEntry:
    values = {f.name: draw(_value.get(f.name, _plain)) for f in fields(AuditEntry)}
    entry = AuditEntry(**values)
    try:
        return replace(entry, digest=audit_digest(entry.previous, entry.fields()))
    except InvalidValue:  # a lone surrogate in the detail
        return replace(
            entry, detail={}, digest=audit_digest(entry.previous, {**entry.fields(), "detail": {}})
        )


@given(_entries(), st.data())
def test_any_changed_value_breaks_the_chain(entry: AuditEntry, data: st.DataObject) -> None:
    assert entry.is_whole(entry.previous)
    name = data.draw(st.sampled_from([f.name for f in fields(AuditEntry)]))
    value = data.draw(_value.get(name, _plain))
    changed = replace(entry, **{name: value})
    assert changed == entry or not changed.is_whole(entry.previous)
