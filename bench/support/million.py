"""A catalog as a large system has it: rows of hourly recordings, their gaps, and events."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vms.catalog import tables

HOUR = 3600 * 1_000_000_000
GONE = 50
"""One hour in so many is missing, for a cause, with a gap in its place."""
EVENTS_A_DAY = 24
_CAUSES = ("camera", "network", "disk", "process")
_KINDS = ("motion", "motion", "motion", "person", "vehicle")


def camera_id(number: int) -> str:
    return f"lot-{number:03d}"


def fill(database: Path, cameras: int, hours: int, first_ns: int) -> dict[str, int]:
    """Write `hours` of each camera, hour by hour as they come to be; how many rows of each.

    Indexes are made anew at the end, which gives the same file sooner.
    """
    counts = {}
    with sqlite3.connect(database, isolation_level=None) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -262144")
        made = db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
            "AND tbl_name IN ('segments', 'gaps', 'events')"
        ).fetchall()
        db.execute("BEGIN")
        for name, _ in made:
            db.execute(f"DROP INDEX {name}")
        for table, rows in (
            (tables.segments, _segments(cameras, hours, first_ns)),
            (tables.gaps, _gaps(cameras, hours, first_ns)),
            (tables.events, _events(cameras, hours, first_ns)),
        ):
            columns = [column.name for column in table.columns]
            marks = ", ".join("?" * len(columns))
            names = ", ".join(columns)
            done = db.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)
            counts[table.name] = done.rowcount
        for _, sql in made:
            db.execute(sql)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return counts


def is_gone(camera: int, hour: int) -> bool:
    return (hour * 7 + camera * 13) % GONE == 0


def _segments(cameras: int, hours: int, first_ns: int) -> Iterator[Sequence[Any]]:
    for hour in range(hours):
        start = first_ns + hour * HOUR
        for camera in range(cameras):
            if is_gone(camera, hour):
                continue
            name, at = camera_id(camera), start + camera * 1_000_000
            yield (
                f"{name}-main-{at // 1_000_000}", name, "main", f"{name}-{hour // 24:04d}",
                f"{name}/main/{hour // 24:05d}/{at // 1_000_000}.mkv", at, at + HOUR - 40_000_000,
                1_800_000_000, 90_000, 1800, "h264", 1920, 1080, 1, "archive",
                "ab" * 32, 12_000_000, 3000, "continuous",
            )  # fmt: skip


def _gaps(cameras: int, hours: int, first_ns: int) -> Iterator[Sequence[Any]]:
    for hour in range(hours):
        for camera in range(cameras):
            if is_gone(camera, hour):
                start = first_ns + hour * HOUR
                yield (
                    f"gap-{camera}-{hour}", camera_id(camera), "main", start, start + HOUR,
                    _CAUSES[hour % len(_CAUSES)], "the camera does not answer",
                )  # fmt: skip


def _events(cameras: int, hours: int, first_ns: int) -> Iterator[Sequence[Any]]:
    chance = random.Random(1)
    number = 0
    for day in range(hours // 24):
        for camera in range(cameras):
            for _ in range(EVENTS_A_DAY):
                start = first_ns + day * 24 * HOUR + int(chance.random() * 24 * HOUR)
                length = int(chance.expovariate(1 / 20) * 1_000_000_000) + 1_000_000_000
                number += 1
                yield (
                    f"event-{number}", camera_id(camera), _KINDS[number % len(_KINDS)], start,
                    start + length, "onvif", "", 0.8,
                )  # fmt: skip
