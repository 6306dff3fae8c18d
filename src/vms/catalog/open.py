"""Opening the catalog."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from vms.catalog import tables as t
from vms.catalog.audit import Audit
from vms.catalog.cameras import Cameras
from vms.catalog.database import Database, connect, sqlite_path
from vms.catalog.events import Events
from vms.catalog.exports import Exports
from vms.catalog.gaps import Gaps
from vms.catalog.holds import Holds
from vms.catalog.keys import Settings
from vms.catalog.migrate import migrate
from vms.catalog.people import Grants, Users
from vms.catalog.retention import Retention
from vms.catalog.seal import Seal, forget_key, load_key
from vms.catalog.segments import Segments
from vms.catalog.sessions import Sessions
from vms.common.errors import CatalogError, ConfigError
from vms.common.secret import Secret

_KEY_CHECK = "catalog.key_check"
_KEY_FILE = "secret.key"


class SqlCatalog:
    """`vms.catalog.port.Catalog` on SQLite or PostgreSQL."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self.cameras = Cameras(database, seal)
        self.segments = Segments(database)
        self.users = Users(database)
        self.grants = Grants(database)
        self.sessions = Sessions(database)
        self.settings = Settings(database, seal)
        self.events = Events(database)
        self.holds = Holds(database)
        self.gaps = Gaps(database)
        self.retention = Retention(database)
        self.exports = Exports(database)
        self.audit = Audit(database)

    @property
    def place(self) -> str:
        """Where it is, for people; without credentials."""
        return self._database.place

    async def check(self) -> None:
        async with self._database.read() as connection:
            await connection.execute(select(t.settings.c.key).limit(1))

    async def close(self) -> None:
        await self._database.close()


async def open_catalog(url: str, data_dir: Path | None = None) -> SqlCatalog:
    """Open the catalog, with its tables made or brought up to date.

    `url` is 'sqlite:///path/vms.db' or 'postgresql://user:password@host/name'. The key that
    seals secrets lies in `data_dir` as 'secret.key' (beside the file of SQLite where no
    directory is given) and is made on first use; all nodes on one PostgreSQL need the same.
    Raises ConfigError, CatalogError.
    """
    database = connect(url)
    path = sqlite_path(url)
    if data_dir is None:
        if path is None:
            raise ConfigError("a catalog on PostgreSQL needs a data directory for its key")
        data_dir = path.parent
    key_file = data_dir.expanduser().absolute() / _KEY_FILE
    is_new = not key_file.exists()
    catalog = SqlCatalog(database, Seal(load_key(key_file)))
    try:
        await migrate(database)
        await _check_key(catalog, key_file, is_new)
    except BaseException:
        await catalog.close()
        raise
    return catalog


async def _check_key(catalog: SqlCatalog, key_file: Path, is_new: bool) -> None:
    try:
        await catalog.settings.put_new(_KEY_CHECK, Secret("vms"))
    except CatalogError as error:
        if "key file" not in str(error):
            raise
        if is_new:
            # It opens nothing, and would stand in the way of the one to be restored.
            forget_key(key_file)
            raise ConfigError(
                f"key file {key_file} is missing, and the passwords in the catalog at "
                f"{catalog.place} cannot be read without it; restore it from a backup"
            ) from error
        raise ConfigError(
            f"key file {key_file} is not the one that the catalog at {catalog.place} was "
            "made with; restore it from a backup"
        ) from error
