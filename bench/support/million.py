"""A catalog as a large system has it: rows of hourly recordings, their gaps, and events."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Table

from vms.catalog import tables

HOUR = 3600 * 1_000_000_000
GONE = 50
"""One hour in so many is missing, for a cause, with a gap in its place."""
EVENTS_A_DAY = 24

# Made by the database itself: rows from Python take twice as long.
_SERIES = """
WITH RECURSIVE hours(hour) AS (
    SELECT 0 UNION ALL SELECT hour + 1 FROM hours WHERE hour + 1 < :hours
), lots(camera, name) AS (
    SELECT 0, printf('lot-%03d', 0)
    UNION ALL SELECT camera + 1, printf('lot-%03d', camera + 1) FROM lots
    WHERE camera + 1 < :cameras
)
"""
_IS_GONE = f"(hour * 7 + camera * 13) % {GONE} = 0"
_SEGMENTS = f"""
SELECT printf('%s-main-%d', name, at / 1000000), name, 'main', printf('%s-%04d', name, hour / 24),
    printf('%s/main/%05d/%d.mkv', name, hour / 24, at / 1000000), at, at + {HOUR - 40_000_000},
    1800000000, 90000, 1800, 'h264', 1920, 1080, 1, 'archive',
    :digest, 12000000, 3000, 'continuous'
FROM (SELECT *, :first + hour * {HOUR} + camera * 1000000 AS at FROM hours CROSS JOIN lots)
WHERE NOT {_IS_GONE}
"""
_GAPS = f"""
SELECT printf('gap-%d-%d', camera, hour), name, 'main', at, at + {HOUR},
    CASE hour % 4 WHEN 0 THEN 'camera' WHEN 1 THEN 'network' WHEN 2 THEN 'disk' ELSE 'process' END,
    'the camera does not answer'
FROM (SELECT *, :first + hour * {HOUR} AS at FROM hours CROSS JOIN lots)
WHERE {_IS_GONE}
"""
# One in each hour, somewhere by a sum that looks like chance: most are short, a few a minute.
_EVENTS = f"""
SELECT 'event-' || number, name,
    CASE number % 5 WHEN 3 THEN 'person' WHEN 4 THEN 'vehicle' ELSE 'motion' END,
    at, at + 1000000000 + (chance % 7919) * (chance % 7919) * 1000, 'onvif', '', 0.8
FROM (
    SELECT *, :first + hour * {HOUR} + chance * 3600000 AS at FROM (
        SELECT *, hour * :cameras + camera AS number,
            (hour * 7919 + camera * 104729) * 2654435761 % 1000003 % 1000000 AS chance
        FROM hours CROSS JOIN lots WHERE hour < :hours / 24 * {EVENTS_A_DAY}
    )
)
"""


def camera_id(number: int) -> str:
    return f"lot-{number:03d}"


def fill(database: Path, cameras: int, hours: int, first_ns: int) -> dict[str, int]:
    """Write `hours` of each camera, hour by hour as they come to be; how many rows of each.

    Indexes are made anew at the end, which gives the same file sooner.
    """
    counts = {}
    values = {"cameras": cameras, "hours": hours, "first": first_ns, "digest": "ab" * 32}
    with sqlite3.connect(database, isolation_level=None) as db:
        # Nothing is lost with it but a bench: each page is written once.
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -1048576")
        made = db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
            "AND tbl_name IN ('segments', 'gaps', 'events')"
        ).fetchall()
        db.execute("BEGIN")
        for name, _ in made:
            db.execute(f"DROP INDEX {name}")
        for table, rows in (
            (tables.segments, _SEGMENTS),
            (tables.gaps, _GAPS),
            (tables.events, _EVENTS),
        ):
            db.execute(_insert(table, rows), values)
            counts[table.name] = db.execute("SELECT changes()").fetchone()[0]
        for _, sql in made:
            db.execute(sql)
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")
    db.close()
    return counts


def _insert(table: Table, rows: str) -> str:
    names = ", ".join(column.name for column in table.columns)
    return f"{_SERIES} INSERT INTO {table.name} ({names}) {rows}"
