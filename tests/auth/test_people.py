"""Passwords, the first administrator, and how long a session stays good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.api_server import CHEAP, PASSWORD, ShiftedClock
from tests.support.catalog_open import camera, opened

from vms.auth.bootstrap import ensure_administrator
from vms.auth.passwords import Busy, Passwords, WeakPassword, generate_password
from vms.auth.policy import Permission
from vms.auth.services import AuthServices, open_auth
from vms.auth.settings import AuthSettings
from vms.auth.users import create_user, set_password
from vms.catalog.open import SqlCatalog
from vms.catalog.port import Role, Standing
from vms.common.errors import NotAuthenticated, NotFound
from vms.common.secret import Secret


@pytest_asyncio.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[SqlCatalog]:
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path) as found:
        yield found


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest_asyncio.fixture
async def auth(catalog: SqlCatalog, clock: ShiftedClock) -> AsyncIterator[AuthServices]:
    services = await open_auth(catalog, clock, CHEAP)
    yield services
    services.passwords.close()


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    hasher = Passwords(CHEAP)
    yield hasher
    hasher.close()


async def test_passwords_are_kept_as_argon2id_and_verified(passwords: Passwords) -> None:
    hashed = await passwords.hash(Secret(PASSWORD))
    assert hashed.startswith("$argon2id$")
    assert await passwords.verify(hashed, Secret(PASSWORD))
    assert not await passwords.verify(hashed, Secret(PASSWORD + "x"))
    assert not await passwords.verify(None, Secret(PASSWORD))
    assert not await passwords.verify("not a hash", Secret(PASSWORD))
    assert not await passwords.verify(hashed, Secret("x" * 100_000))


async def test_hashing_leaves_the_event_loop_free() -> None:
    hasher = Passwords(AuthSettings(hash_memory_kib=32768, hash_passes=4))
    try:
        turns = 0
        work = asyncio.gather(*(hasher.hash(Secret(PASSWORD)) for _ in range(3)))
        while not work.done():
            await asyncio.sleep(0.001)
            turns += 1
        await work
        # A loop that hashes itself turns once or twice for each password.
        assert turns > 12
    finally:
        hasher.close()


async def test_a_crowd_is_turned_away_rather_than_queued_for_ever(passwords: Passwords) -> None:
    results = await asyncio.gather(
        *(passwords.hash(Secret(PASSWORD)) for _ in range(100)), return_exceptions=True
    )
    assert sum(isinstance(result, str) for result in results) == 64
    assert sum(isinstance(result, Busy) for result in results) == 36
    assert await passwords.hash(Secret(PASSWORD))


def test_generated_passwords_are_long_and_never_the_same() -> None:
    made = {generate_password().reveal() for _ in range(200)}
    assert len(made) == 200
    assert {len(password) for password in made} == {16}


async def test_the_first_start_makes_one_administrator_and_says_its_password_once(
    catalog: SqlCatalog, auth: AuthServices
) -> None:
    password = await ensure_administrator(catalog)
    assert password is not None
    assert await ensure_administrator(catalog) is None
    issued = await auth.signin.login("admin", Secret(password), "10.0.0.1")
    assert issued.user.role is Role.ADMINISTRATOR
    assert password not in issued.user.password_hash


async def test_two_processes_that_start_at_once_make_one_administrator(
    catalog: SqlCatalog,
) -> None:
    made = await asyncio.gather(*(ensure_administrator(catalog) for _ in range(3)))
    assert len([password for password in made if password]) == 1
    assert len(await catalog.users.list()) == 1


async def test_a_user_with_a_grant_for_no_camera_is_not_made(catalog: SqlCatalog) -> None:
    with pytest.raises(NotFound, match="'absent'"):
        await create_user(catalog, "anna", Secret(PASSWORD), Role.VIEWER, ["absent"])
    assert await catalog.users.list() == ()


async def test_hashes_of_old_costs_are_made_anew_at_sign_in(
    catalog: SqlCatalog, auth: AuthServices
) -> None:
    old = Passwords(AuthSettings(hash_memory_kib=128, hash_passes=1))
    user = await create_user(catalog, "anna", Secret(PASSWORD), Role.VIEWER, (), old)
    old.close()
    await auth.signin.login("anna", Secret(PASSWORD), "10.0.0.1")
    renewed = (await catalog.users.get(user.id)).password_hash
    assert renewed != user.password_hash
    assert "m=64," in renewed
    await auth.signin.login("anna", Secret(PASSWORD), "10.0.0.1")


async def test_a_disabled_user_cannot_sign_in(catalog: SqlCatalog, auth: AuthServices) -> None:
    from dataclasses import replace

    user = await create_user(catalog, "anna", Secret(PASSWORD), Role.VIEWER, (), auth.passwords)
    await catalog.users.update(replace(user, enabled=False))
    with pytest.raises(NotAuthenticated, match="wrong user name or password"):
        await auth.signin.login("anna", Secret(PASSWORD), "10.0.0.1")


async def test_setting_a_password_asks_for_a_good_one(
    catalog: SqlCatalog, auth: AuthServices
) -> None:
    user = await create_user(catalog, "anna", Secret(PASSWORD), Role.VIEWER, (), auth.passwords)
    with pytest.raises(WeakPassword, match="at least 10"):
        await set_password(catalog, user.id, Secret("short"), None, auth.passwords)


async def _signed_in(catalog: SqlCatalog, auth: AuthServices) -> str:
    await catalog.cameras.add(camera())
    await create_user(catalog, "anna", Secret(PASSWORD), Role.VIEWER, ["front"], auth.passwords)
    issued = await auth.signin.login("anna", Secret(PASSWORD), "10.0.0.1")
    return issued.access_token


async def test_a_stream_ends_within_two_seconds_of_a_withdrawn_grant(
    catalog: SqlCatalog, auth: AuthServices
) -> None:
    who = await auth.access.principal(await _signed_in(catalog, auth))
    waiting = asyncio.create_task(auth.access.until_revoked(who, Permission.VIEW_LIVE, "front"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    # As another process would do it: nothing here is told.
    await catalog.grants.replace(who.user_id, [])
    async with asyncio.timeout(10):
        assert await waiting == "the permission was withdrawn"


async def test_a_stream_ends_with_its_session(catalog: SqlCatalog, auth: AuthServices) -> None:
    who = await auth.access.principal(await _signed_in(catalog, auth))
    waiting = asyncio.create_task(auth.access.until_revoked(who))
    await auth.signin.end_session(who.session_id)
    async with asyncio.timeout(10):
        assert "ended" in await waiting


def _readings(catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many sessions each reading of the catalog from now on asks for."""
    read: list[int] = []
    original = catalog.sessions.standing

    async def counted(ids: Iterable[str]) -> dict[str, Standing]:
        wanted = list(ids)
        read.append(len(wanted))
        return await original(wanted)

    monkeypatch.setattr(catalog.sessions, "standing", counted)
    return read


async def test_many_streams_are_checked_with_one_reading_a_second(
    catalog: SqlCatalog, auth: AuthServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _signed_in(catalog, auth)
    people = []
    for _ in range(20):
        issued = await auth.signin.login("anna", Secret(PASSWORD), "10.0.0.1")
        people.append(await auth.access.principal(issued.access_token))
    read = _readings(catalog, monkeypatch)
    waiting = [
        asyncio.create_task(auth.access.until_revoked(who, Permission.VIEW_LIVE, "front"))
        for who in people
        for _ in range(3)
    ]
    began = time.monotonic()
    await asyncio.sleep(2.5)
    assert set(read) == {20}
    assert len(read) <= time.monotonic() - began
    await catalog.sessions.revoke(people[0].session_id, 1)
    await asyncio.wait(waiting[:3], timeout=10)
    assert [task.done() for task in waiting] == [True] * 3 + [False] * 57
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert not auth.access._watched


async def test_another_node_of_the_same_catalog_takes_the_same_tokens(
    catalog: SqlCatalog, auth: AuthServices, clock: ShiftedClock
) -> None:
    token = await _signed_in(catalog, auth)
    other = await open_auth(catalog, clock, CHEAP)
    assert (await other.access.principal(token)).name == "anna"
    await auth.signin.end_sessions_of((await other.access.principal(token)).user_id)
    clock.ahead += 1
    with pytest.raises(NotAuthenticated):
        await other.access.principal(token)
    other.passwords.close()


async def test_asking_who_somebody_is_reads_the_catalog_once_a_second(
    catalog: SqlCatalog, auth: AuthServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await _signed_in(catalog, auth)
    read = _readings(catalog, monkeypatch)
    began = time.monotonic()
    for _ in range(500):
        await auth.access.principal(token)
    assert len(read) <= time.monotonic() - began + 1
