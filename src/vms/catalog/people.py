"""Rows of users and of the cameras granted to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, delete, exists, insert, or_, select, update

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.catalog.port import ALL_CAMERAS, Role, User
from vms.common.errors import Conflict, NotFound


class Users:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> tuple[User, ...]:
        async with self._database.read() as connection:
            rows = (await connection.execute(select(t.users).order_by(t.users.c.name_key))).all()
        return tuple(user_of(row) for row in rows)

    async def get(self, user_id: str) -> User:
        async with self._database.read() as connection:
            row = (
                await connection.execute(select(t.users).where(t.users.c.id == user_id))
            ).one_or_none()
        if row is None:
            raise NotFound(f"no user of id {user_id[:60]!r}")
        return user_of(row)

    async def by_name(self, name: str) -> User:
        async with self._database.read() as connection:
            row = (
                await connection.execute(
                    select(t.users).where(t.users.c.name_key == name.casefold())
                )
            ).one_or_none()
        if row is None:
            raise NotFound(f"no user {name[:60]!r}")
        return user_of(row)

    async def add(self, user: User) -> None:
        async with self._database.write() as connection:
            taken = or_(t.users.c.id == user.id, t.users.c.name_key == user.name.casefold())
            if await connection.scalar(select(exists().where(taken))):
                raise Conflict(f"there is a user {user.name!r} already; choose another name")
            await connection.execute(insert(t.users).values(_columns(user)))

    async def update(self, user: User) -> None:
        async with self._database.write() as connection:
            named = t.users.c.name_key == user.name.casefold()
            if await connection.scalar(select(exists().where(named, t.users.c.id != user.id))):
                raise Conflict(f"there is a user {user.name!r} already; choose another name")
            changed = await connection.execute(
                update(t.users).where(t.users.c.id == user.id).values(_columns(user))
            )
            if changed.rowcount == 0:
                raise NotFound(f"no user of id {user.id[:60]!r}")

    async def remove(self, user_id: str) -> None:
        async with self._database.write() as connection:
            removed = await connection.execute(delete(t.users).where(t.users.c.id == user_id))
            if removed.rowcount == 0:
                raise NotFound(f"no user of id {user_id[:60]!r}")


class Grants:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: str) -> frozenset[str]:
        async with self._database.read() as connection:
            rows = await connection.scalars(
                select(t.grants.c.camera).where(t.grants.c.user_id == user_id)
            )
            return frozenset(rows)

    async def replace(self, user_id: str, cameras: Iterable[str]) -> None:
        wanted = sorted(set(cameras))
        async with self._database.write() as connection:
            if not await connection.scalar(select(exists().where(t.users.c.id == user_id))):
                raise NotFound(f"no user of id {user_id[:60]!r}")
            known = set(await connection.scalars(select(t.cameras.c.id))) | {ALL_CAMERAS}
            for camera in wanted:
                if camera not in known:
                    raise NotFound(f"no camera {camera[:60]!r}")
            await connection.execute(delete(t.grants).where(t.grants.c.user_id == user_id))
            if wanted:
                await connection.execute(
                    insert(t.grants),
                    [{"user_id": user_id, "camera": camera} for camera in wanted],
                )


def _columns(user: User) -> dict[str, Any]:
    return asdict(user) | {"name_key": user.name.casefold(), "role": user.role.value}


def user_of(row: Row[Any]) -> User:
    return User(row.id, row.name, Role(row.role), row.password_hash, row.enabled, row.created_ns)
