"""Connections. SQLite has one writer and several readers; PostgreSQL a pool for both."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from vms.common.errors import CatalogError, ConfigError
from vms.common.secret import redact

T = TypeVar("T")

_BUSY_MS = 15_000
_AGAIN = 0.02
_READERS = 4
_WAIT = 30.0
_BROKEN = ("file is not a database", "disk image is malformed")
"""What SQLite says of a file that is none of its own, or no longer."""


class _Glances:
    """Readings of SQLite, each whole in one thread: a hop for all of it, not one a call."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(_READERS, "catalog")
        self._gate = asyncio.Semaphore(_READERS)

    async def run(self, work: Callable[[Connection], T]) -> T:
        async with asyncio.timeout(_WAIT):
            await self._gate.acquire()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._in, work)
        finally:
            self._gate.release()

    def _in(self, work: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            return work(connection)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._engine.dispose()


class Database:
    """`read` and `write` give a connection in a transaction; `write` commits at its end.

    `glance` reads too, in a quarter of the time on SQLite: for what is asked again and again.
    """

    def __init__(
        self,
        reader: AsyncEngine,
        writer: AsyncEngine,
        place: str,
        glances: _Glances | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._glances = glances
        self.place = place
        """Where the rows are, for messages; without credentials."""

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._reader.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise self._translated(error) from error

    async def glance(self, work: Callable[[Connection], T]) -> T:
        """What `work` reads, in one transaction. It may run in a thread; it does not write."""
        if self._glances is None:
            async with self.read() as connection:
                return await connection.run_sync(work)
        try:
            return await self._glances.run(work)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise self._translated(error) from error

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Rolled back where the body raises."""
        try:
            async with self._writer.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise self._translated(error) from error

    @property
    def dialect(self) -> str:
        return self._writer.dialect.name

    async def close(self) -> None:
        if self._glances is not None:
            await self._glances.close()
        await self._reader.dispose()
        if self._writer is not self._reader:
            await self._writer.dispose()

    def _translated(self, error: Exception) -> CatalogError:
        cause = error.orig if isinstance(error, DBAPIError) else error
        text = redact(" ".join(str(cause).split()))[:300] or type(cause).__name__
        if isinstance(error, IntegrityError):
            return CatalogError(f"the catalog at {self.place} refused a row: {text}")
        if isinstance(error, DatabaseError) and any(sign in text for sign in _BROKEN):
            text += "; restore it from a backup, or move it away to begin with an empty one"
        return CatalogError(f"the catalog at {self.place} cannot be used: {text}")


def connect(url: str) -> Database:
    """Engines for 'sqlite:///path/vms.db' or 'postgresql://user:password@host/name'.

    Nothing is opened yet, but the file of SQLite is made. Raises ConfigError.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            f"catalog url {redact(url)!r} must look like sqlite:///path/vms.db "
            "or postgresql://user:password@host/name"
        ) from error
    backend = parsed.drivername.partition("+")[0]
    if backend == "sqlite":
        return _sqlite(parsed)
    if backend in ("postgresql", "postgres"):
        return _postgresql(parsed)
    raise ConfigError(
        f"catalog url {redact(url)!r} names the database {backend!r}; use sqlite or postgresql"
    )


def sqlite_path(url: str) -> Path | None:
    """The file of an sqlite url, None for others."""
    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite") or not parsed.database:
        return None
    return Path(parsed.database).expanduser()


def _sqlite(url: URL) -> Database:
    if not url.database or url.database == ":memory:":
        raise ConfigError("catalog url must name a file: sqlite:///path/vms.db")
    path = Path(url.database).expanduser().absolute()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Password hashes are in it: nobody else reads it. Its WAL takes the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ConfigError(f"catalog file {path} cannot be opened: {error.strerror}") from error
    registry.register("sqlite.vms", "vms.catalog.sqlite_dialect", "Dialect")
    target = URL.create("sqlite+vms", database=str(path))
    common: dict[str, Any] = {
        "pool_timeout": _WAIT,
        "max_overflow": 0,
        "hide_parameters": True,
        "connect_args": {"timeout": _BUSY_MS / 1000},
    }
    reader = create_async_engine(target, pool_size=_READERS, **common)
    # The pool of one is the lock: writers of this process wait here and in their order,
    # those of other processes within SQLite's busy timeout.
    writer = create_async_engine(target, pool_size=1, **common)
    glances = create_engine(target.set(drivername="sqlite"), pool_size=_READERS, **common)
    reading, writing = (
        ("query_only=ON",),
        ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"),
    )
    _prepare_sqlite(reader.sync_engine, "BEGIN", reading, _pause)
    _prepare_sqlite(glances, "BEGIN", reading, partial(time.sleep, _AGAIN))
    _prepare_sqlite(writer.sync_engine, "BEGIN IMMEDIATE", writing, _pause)
    return Database(reader, writer, str(path), _Glances(glances))


def _pause() -> None:
    await_only(asyncio.sleep(_AGAIN))


def _prepare_sqlite(
    engine: Engine, begin: str, pragmas: tuple[str, ...], pause: Callable[[], None]
) -> None:
    """`pause` waits a little, in the manner of the engine."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        # Python's own implicit BEGIN comes late and deferred: ours is explicit.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={_BUSY_MS}", *pragmas):
            _set(cursor, pragma, pause)
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)


def _set(cursor: Any, pragma: str, pause: Callable[[], None]) -> None:
    """SQLite does not wait for its busy timeout while another process changes to WAL."""
    deadline = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            cursor.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            pause()
        else:
            return


def _postgresql(url: URL) -> Database:
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=5,
        max_overflow=10,
        pool_timeout=_WAIT,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={
            "timeout": 10,
            "command_timeout": 30,
            "server_settings": {"application_name": "vms", "timezone": "UTC"},
        },
    )
    port = f":{url.port}" if url.port else ""
    return Database(engine, engine, f"postgresql://{url.host or 'localhost'}{port}/{url.database}")
