"""Values under keys, sealed: what an installation must remember about itself."""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.catalog.seal import Seal
from vms.common.errors import CatalogError
from vms.common.secret import Secret


class Settings:
    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def get(self, key: str) -> Secret | None:
        async with self._database.read() as connection:
            value = await connection.scalar(
                select(t.settings.c.value).where(t.settings.c.key == key)
            )
        return None if value is None else self._seal.open(value, _place(key))

    async def put(self, key: str, value: Secret) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(t.settings).where(t.settings.c.key == key))
            await connection.execute(
                insert(t.settings).values(key=key, value=self._seal.seal(value, _place(key)))
            )

    async def put_new(self, key: str, value: Secret) -> Secret:
        if (kept := await self.get(key)) is not None:
            return kept
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite
        row = dialect.insert(t.settings).values(key=key, value=self._seal.seal(value, _place(key)))
        async with self._database.write() as connection:
            await connection.execute(row.on_conflict_do_nothing())
        if (kept := await self.get(key)) is None:
            raise CatalogError(f"setting {key!r} was removed while it was read; try again")
        return kept


def _place(key: str) -> str:
    return f"setting {key}"
