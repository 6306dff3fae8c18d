"""29: the database stands still while everything records."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
from tests.support.postgres import PostgresServer, find_binaries
from tests.support.system import wait_for

from soak.fault_cases.common import Case, Outcome, Place
from soak.fault_cases.drive import Archive, Victim

_CAMERAS = 4
_ROTATE = {"rotation_minutes": 1}


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Somebody else's transaction holds SQLite's lock for writing."""
    holder = sqlite3.connect(database, isolation_level=None, timeout=10)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


@contextmanager
def _stopped(server: PostgresServer) -> Iterator[None]:
    """All processes of the server are stopped (SIGSTOP): it takes connections, and is silent."""
    parent = psutil.Process(server.pid)
    family = [parent, *parent.children(recursive=True)]
    for process in family:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(family):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def _freeze(
    place: Place, archive: Archive, url: str, held: Callable[[], AbstractContextManager[None]]
) -> tuple[str, bool]:
    victim = Victim(archive.data, "frozen", _CAMERAS, url, settings=_ROTATE, log=archive.data)
    seconds = 20 if place.quick else 600
    try:
        victim.wait_recording()
        wait_for(lambda: len(archive.rows()) == _CAMERAS, 10, "rows")
        with held():
            time.sleep(seconds)
        freed_ns, freed = time.time_ns(), time.monotonic()
        wait_for(
            lambda: len({r.camera for r in archive.rows() if r.end_ns > freed_ns}) == _CAMERAS,
            40, "the rows to catch up",
        )  # fmt: skip
        replayed = time.monotonic() - freed
        time.sleep(1)
    finally:
        victim.stop()
    found = archive.lost(victim)
    holes = sum(one.holes for one in found.values())
    stray = archive.orphans()
    figure = (
        f"held for {seconds} s: {holes} of {sum(one.kept for one in found.values())} pictures "
        f"missing in {len(archive.rows())} files, rows caught up {replayed:.1f} s after, "
        f"{stray} orphans"
    )
    return figure, not holes and not stray and len(found) == _CAMERAS and replayed <= 30


def _sqlite(place: Place) -> tuple[str, bool]:
    archive = Archive(place.data("sqlite"))
    return _freeze(place, archive, "", lambda: _locked(archive.data / "vms.db"))


def _postgres(place: Place) -> tuple[str, bool]:
    binaries = find_binaries()
    if binaries is None:
        return "not run, no server here", True
    server = PostgresServer(binaries)
    try:
        url = server.url()
        archive = Archive(place.data("postgres"), url)
        return _freeze(place, archive, url, lambda: _stopped(server))
    finally:
        server.stop()


def frozen(place: Place) -> Outcome:
    """Both databases at the same time, each with a system of its own."""
    with ThreadPoolExecutor(2) as pool:
        sqlite, postgres = pool.submit(_sqlite, place), pool.submit(_postgres, place)
    (first, one), (second, two) = sqlite.result(), postgres.result()
    return Outcome.judged(f"SQLite {first}; PostgreSQL {second}", one and two)


CASES = (
    Case(29, "database frozen", "SQLite's lock for writing held; all processes of PostgreSQL "
         "stopped (SIGSTOP): 10 minutes, short form 20 s",
         "no picture lost, the backlog is told after", frozen, beside=True),
)  # fmt: skip
