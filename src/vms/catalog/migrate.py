"""Bringing a database to the tables of this version, whatever version made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from vms.catalog.database import Database
from vms.common.errors import CatalogError

if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x766D73
"""Of PostgreSQL's advisory locks: 'vms'. SQLite's write transaction is lock enough."""


async def migrate(database: Database) -> None:
    """Upgrade to the newest tables, in one transaction; several nodes may start at once.

    Raises CatalogError, with nothing changed, where a newer version wrote the database.
    """
    async with database.write() as connection:
        await connection.run_sync(lambda sync: _upgrade(sync, database.place))


def newest() -> str:
    """The revision of this version, by the names of its scripts."""
    return max(path.name.split("_")[1] for path in (_SCRIPTS / "versions").glob("rev_*.py"))


def configuration(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "rev_%%%%(rev)s_%%%%(slug)s")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection, place: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    # Alembic takes a third of a second to load: a start has no use for it but once a version.
    if _current(connection) == newest():
        return
    _bring(connection, place)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _bring(connection: Connection, place: str) -> None:
    from alembic import command
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = configuration(connection)
    script = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        raise CatalogError(
            f"the catalog at {place} was written by a newer version (its revision is "
            f"{current}); install that version again, or restore an older backup"
        )
    command.upgrade(config, "head")
