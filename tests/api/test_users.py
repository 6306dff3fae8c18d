from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.support.api_server import PASSWORD, Api

USERS = "/api/v1/users"


async def test_a_user_is_added_signs_in_and_is_removed(
    api: Api, admin: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    new = {"username": "João", "password": PASSWORD, "role": "viewer", "cameras": ["back"]}
    added = await admin.post(USERS, json=new)
    assert added.status_code == 201
    user = added.json()
    assert added.headers["location"] == f"{USERS}/{user['id']}"
    assert PASSWORD not in added.text
    assert "argon2" not in added.text
    bearer = {"Authorization": f"Bearer {await api.sign_in(anybody, 'JOÃO')}"}
    seen = (await anybody.get("/api/v1/cameras", headers=bearer)).json()
    assert [camera["id"] for camera in seen] == ["back"]
    names = [one["username"] for one in (await admin.get(USERS)).json()]
    assert names == ["admin", "João", "nora", "olga", "vera"]
    assert (await admin.delete(f"{USERS}/{user['id']}")).status_code == 204
    assert (await anybody.get("/api/v1/auth/me", headers=bearer)).status_code == 401
    assert (await admin.get(f"{USERS}/{user['id']}")).status_code == 404


async def test_a_changed_grant_holds_at_once(
    api: Api, admin: httpx.AsyncClient, vera: httpx.AsyncClient
) -> None:
    path = f"{USERS}/{api.people['vera'].id}/grants"
    for cameras in ([], ["back"], ["*"]):
        assert (await admin.put(path, json={"cameras": cameras})).json()["cameras"] == cameras
        seen = [camera["id"] for camera in (await vera.get("/api/v1/cameras")).json()]
        assert seen == (["back", "front"] if cameras == ["*"] else cameras)


async def test_a_changed_role_holds_at_once(
    api: Api, admin: httpx.AsyncClient, vera: httpx.AsyncClient
) -> None:
    assert (await vera.get("/api/v1/system")).status_code == 403
    path = f"{USERS}/{api.people['vera'].id}"
    assert (await admin.patch(path, json={"role": "operator"})).status_code == 200
    assert (await vera.get("/api/v1/system")).status_code == 200


async def test_a_password_set_by_an_administrator_ends_the_sessions(
    api: Api, admin: httpx.AsyncClient, vera: httpx.AsyncClient
) -> None:
    path = f"{USERS}/{api.people['vera'].id}"
    changed = await admin.patch(path, json={"password": "another long one"})
    assert changed.status_code == 200
    assert (await vera.get("/api/v1/auth/me")).status_code == 401


async def test_sessions_can_be_ended(
    api: Api, admin: httpx.AsyncClient, vera: httpx.AsyncClient
) -> None:
    path = f"{USERS}/{api.people['vera'].id}/sessions"
    assert (await admin.delete(path)).status_code == 204
    assert (await vera.get("/api/v1/auth/me")).status_code == 401


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"enabled": False}])
async def test_there_is_always_an_administrator(
    api: Api, admin: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    path = f"{USERS}/{api.people['admin'].id}"
    refused = await admin.patch(path, json=change | {"cameras": ["front"]})
    assert refused.status_code == 409
    assert "only administrator" in refused.json()["detail"]
    assert (await admin.get(path)).json()["cameras"] == []
    assert (await admin.delete(path)).status_code == 409


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"username": "vera"}, 409),
        ({"username": "<script>"}, 422),
        ({"username": "a\x00b"}, 422),
        ({"password": "short"}, 422),
        ({"password": "aaaaaaaaaaaa"}, 422),
        ({"password": "x" * 300}, 422),
        ({"password": "newcomer-name", "username": "Newcomer-Name"}, 422),
        ({"role": "root"}, 422),
        ({"cameras": ["absent"]}, 404),
        ({"cameras": ["../x"]}, 422),
        ({"is_admin": True}, 422),
    ],
)
async def test_users_that_may_not_be_added(
    admin: httpx.AsyncClient, change: dict[str, Any], status: int
) -> None:
    new = {"username": "newcomer", "password": PASSWORD} | change
    answer = await admin.post(USERS, json=new)
    assert answer.status_code == status, answer.text
    assert PASSWORD not in answer.text
    assert len((await admin.get(USERS)).json()) == 4


async def test_a_wrong_change_changes_nothing(api: Api, admin: httpx.AsyncClient) -> None:
    path = f"{USERS}/{api.people['vera'].id}"
    before = (await admin.get(path)).json()
    for change in (
        {"role": "operator", "password": "short"},
        {"cameras": ["back"], "username": "olga"},
        {"role": "operator", "cameras": ["absent"]},
        {"enabled": None},
    ):
        assert (await admin.patch(path, json=change)).status_code in (404, 409, 422)
        assert (await admin.get(path)).json() == before
