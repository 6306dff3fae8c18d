"""Making and changing users, for the API and the command line alike."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from vms.auth.passwords import Passwords
from vms.auth.settings import AuthSettings
from vms.catalog.port import Catalog, Role, User
from vms.common.errors import AuthError, Conflict
from vms.common.secret import Secret

_NAME = re.compile(r"[^\W_](?:[\w .@+-]{0,62}[\w.])?")


class BadUserName(AuthError):
    """A name that may not be given to a user; the message says what it must be."""


async def create_user(
    catalog: Catalog,
    name: str,
    password: Secret,
    role: Role,
    cameras: Iterable[str] = (),
    passwords: Passwords | None = None,
) -> User:
    """Raises BadUserName, WeakPassword, Conflict (name taken), NotFound (no such camera)."""
    name = check_name(name)
    with _hashing(passwords) as hasher:
        hasher.check_strength(password, name)
        hashed = await hasher.hash(password)
    user = User(secrets.token_hex(8), name, role, hashed, True, time.time_ns())
    await catalog.users.add(user)
    try:
        await catalog.grants.replace(user.id, cameras)
    except Exception:
        await catalog.users.remove(user.id)
        raise
    return user


async def set_password(
    catalog: Catalog,
    user_id: str,
    password: Secret,
    keep_session: str | None = None,
    passwords: Passwords | None = None,
) -> None:
    """Set it and end all sessions of the user but `keep_session`. Raises WeakPassword, NotFound."""
    user = await catalog.users.get(user_id)
    with _hashing(passwords) as hasher:
        hasher.check_strength(password, user.name)
        hashed = await hasher.hash(password)
    await catalog.users.update(replace(user, password_hash=hashed))
    await catalog.sessions.revoke_of(user_id, time.time_ns(), keep_session)


async def change_user(
    catalog: Catalog,
    user_id: str,
    name: str | None = None,
    role: Role | None = None,
    enabled: bool | None = None,
) -> User:
    """Change what is given. Raises BadUserName, NotFound, Conflict (also: the last administrator).

    Sessions of a user who is disabled end; a new role holds within a second.
    """
    user = await catalog.users.get(user_id)
    changed = replace(
        user,
        name=user.name if name is None else check_name(name),
        role=user.role if role is None else role,
        enabled=user.enabled if enabled is None else enabled,
    )
    if not (changed.enabled and changed.role is Role.ADMINISTRATOR):
        await _keep_one_administrator(catalog, user)
    await catalog.users.update(changed)
    if not changed.enabled:
        await catalog.sessions.revoke_of(user_id, time.time_ns())
    return changed


async def remove_user(catalog: Catalog, user_id: str) -> None:
    """Raises NotFound, Conflict (the last administrator)."""
    await _keep_one_administrator(catalog, await catalog.users.get(user_id))
    await catalog.users.remove(user_id)


def check_name(name: str) -> str:
    """The name without outer spaces. Raises BadUserName."""
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise BadUserName(
            "a user name must begin with a letter or digit and have at most 64 letters, "
            "digits, spaces or . _ @ + -"
        )
    return name


async def _keep_one_administrator(catalog: Catalog, user: User) -> None:
    if user.role is not Role.ADMINISTRATOR or not user.enabled:
        return
    others = [
        other
        for other in await catalog.users.list()
        if other.id != user.id and other.role is Role.ADMINISTRATOR and other.enabled
    ]
    if not others:
        raise Conflict(
            f"{user.name} is the only administrator; make another user administrator first"
        )


@contextmanager
def _hashing(passwords: Passwords | None) -> Iterator[Passwords]:
    """The hasher that is given, or one for this call alone."""
    if passwords is not None:
        yield passwords
        return
    own = Passwords(AuthSettings())
    try:
        yield own
    finally:
        own.close()
