"""The first start: somebody must be able to sign in."""

from __future__ import annotations

from vms.auth.passwords import generate_password
from vms.auth.users import create_user
from vms.catalog.port import Catalog, Role
from vms.common.errors import Conflict

FIRST_USER = "admin"


async def ensure_administrator(catalog: Catalog) -> str | None:
    """Make the user `admin` where there are no users; its password, to be shown this once.

    None where there are users, and where another process was faster.
    """
    if await catalog.users.list():
        return None
    password = generate_password()
    try:
        await create_user(catalog, FIRST_USER, password, Role.ADMINISTRATOR)
    except Conflict:
        return None
    return password.reveal()
