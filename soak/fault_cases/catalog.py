"""29: the database stands still while everything records."""

from __future__ import annotations

import sqlite3
import time

from tests.support.system import wait_for

from soak.fault_cases.common import Case, Outcome, Place
from soak.fault_cases.drive import Victim, lost, orphans, rows

_CAMERAS = 4


def frozen(place: Place) -> Outcome:
    """An exclusive lock is held on SQLite; a new file begins in between."""
    data = place.folder / "data"
    data.mkdir()
    victim = Victim(data, "frozen", _CAMERAS)
    seconds = 20 if place.quick else 600
    try:
        victim.wait_recording()
        wait_for(lambda: len(rows(data / "vms.db")) == _CAMERAS, 10, "rows")
        holder = sqlite3.connect(data / "vms.db", isolation_level=None, timeout=10)
        holder.execute("BEGIN IMMEDIATE")
        try:
            time.sleep(seconds)
        finally:
            holder.execute("ROLLBACK")
            holder.close()
        freed = time.monotonic()
        before = {row[1]: row[4] for row in rows(data / "vms.db")}
        wait_for(
            lambda: all(
                row[4] > before[row[1]] + seconds * 20 for row in rows(data / "vms.db")
            ),
            30, "the rows to catch up",
        )  # fmt: skip
        replayed = time.monotonic() - freed
        time.sleep(1)
    finally:
        victim.stop()
    found = lost(data, victim)
    holes = sum(one.holes for one in found.values())
    stray = orphans(data)
    figure = (
        f"held for {seconds} s: {holes} of {sum(one.kept for one in found.values())} pictures "
        f"missing, rows caught up {replayed:.1f} s after, {stray} orphans"
    )
    return Outcome.judged(figure, not holes and not stray and len(found) == _CAMERAS)


CASES = (
    Case(29, "database frozen", "SQLite's lock for writing held (10 minutes; short form 20 s)",
         "no picture lost, the backlog is told after", frozen),
)  # fmt: skip
