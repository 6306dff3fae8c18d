"""Rows of sign-ins and their refresh tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, or_, select, update

from vms.catalog import tables as t
from vms.catalog.database import Database
from vms.catalog.people import user_of
from vms.catalog.port import RefreshToken, Session, Standing
from vms.common.errors import NotFound

_BATCH = 500


class Sessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, session: Session, token: RefreshToken) -> None:
        async with self._database.write() as connection:
            await connection.execute(insert(t.sessions).values(asdict(session)))
            await connection.execute(insert(t.refresh_tokens).values(asdict(token)))

    async def get(self, session_id: str) -> Session:
        async with self._database.read() as connection:
            row = (
                await connection.execute(select(t.sessions).where(t.sessions.c.id == session_id))
            ).one_or_none()
        if row is None:
            raise NotFound("no such session")
        return Session(**row._asdict())

    async def of(self, user_id: str) -> tuple[Session, ...]:
        async with self._database.read() as connection:
            rows = (
                await connection.execute(
                    select(t.sessions)
                    .where(t.sessions.c.user_id == user_id)
                    .order_by(t.sessions.c.created_ns.desc())
                )
            ).all()
        return tuple(Session(**row._asdict()) for row in rows)

    async def standing(self, session_ids: Iterable[str]) -> dict[str, Standing]:
        ids = sorted(set(session_ids))

        def read(connection: Connection) -> dict[str, Standing]:
            found: dict[str, Standing] = {}
            for i in range(0, len(ids), _BATCH):
                found |= _standing(connection, ids[i : i + _BATCH])
            return found

        return await self._database.glance(read)

    async def token(self, digest: str) -> RefreshToken:
        async with self._database.read() as connection:
            row = (
                await connection.execute(
                    select(t.refresh_tokens).where(t.refresh_tokens.c.digest == digest)
                )
            ).one_or_none()
        if row is None:
            raise NotFound("no such refresh token")
        return RefreshToken(**row._asdict())

    async def rotate(self, digest: str, now_ns: int, successor: RefreshToken) -> bool:
        async with self._database.write() as connection:
            # One statement decides who was first, in whatever process.
            marked = await connection.execute(
                update(t.refresh_tokens)
                .where(t.refresh_tokens.c.digest == digest, t.refresh_tokens.c.used_ns.is_(None))
                .values(used_ns=now_ns)
            )
            if marked.rowcount == 0:
                return False
            await connection.execute(insert(t.refresh_tokens).values(asdict(successor)))
            return True

    async def revoke(self, session_id: str, now_ns: int) -> None:
        async with self._database.write() as connection:
            await connection.execute(
                update(t.sessions)
                .where(t.sessions.c.id == session_id, t.sessions.c.revoked_ns.is_(None))
                .values(revoked_ns=now_ns)
            )

    async def revoke_of(self, user_id: str, now_ns: int, keep: str | None = None) -> None:
        async with self._database.write() as connection:
            await connection.execute(
                update(t.sessions)
                .where(
                    t.sessions.c.user_id == user_id,
                    t.sessions.c.revoked_ns.is_(None),
                    t.sessions.c.id != (keep or ""),
                )
                .values(revoked_ns=now_ns)
            )

    async def prune(self, before_ns: int) -> int:
        ended = or_(t.sessions.c.expires_ns < before_ns, t.sessions.c.revoked_ns < before_ns)
        async with self._database.write() as connection:
            removed = await connection.execute(delete(t.sessions).where(ended))
            return int(removed.rowcount)


def _standing(connection: Connection, ids: Sequence[str]) -> dict[str, Standing]:
    rows = connection.execute(select(t.sessions).where(t.sessions.c.id.in_(ids))).all()
    sessions = [Session(**row._asdict()) for row in rows]
    owners = sorted({session.user_id for session in sessions})
    people = connection.execute(select(t.users).where(t.users.c.id.in_(owners))).all()
    users = {row.id: user_of(row) for row in people}
    granted: dict[str, set[str]] = {owner: set() for owner in owners}
    for row in connection.execute(select(t.grants).where(t.grants.c.user_id.in_(owners))):
        granted[row.user_id].add(row.camera)
    return {
        session.id: Standing(session, users[session.user_id], frozenset(granted[session.user_id]))
        for session in sessions
    }
