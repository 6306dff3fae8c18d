from __future__ import annotations

import asyncio

import httpx
from tests.support.api_server import PASSWORD, Api

LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
ME = "/api/v1/auth/me"


def _cookie(answer: httpx.Response) -> str:
    return answer.headers["set-cookie"].split(";")[0].partition("=")[2]


async def test_signing_in_gives_a_token_and_a_cookie_scripts_cannot_read(
    anybody: httpx.AsyncClient,
) -> None:
    answer = await anybody.post(LOGIN, json={"username": "Vera", "password": PASSWORD})
    body = answer.json()
    assert (answer.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 600)
    user = {key: body["user"][key] for key in ("username", "role", "cameras", "enabled")}
    assert user == {"username": "vera", "role": "viewer", "cameras": ["front"], "enabled": True}
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/api/v1/auth" in cookie
    assert answer.headers["cache-control"] == "no-store"
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    assert (await anybody.get(ME, headers=bearer)).json()["username"] == "vera"


async def test_a_wrong_name_and_a_wrong_password_answer_the_same(
    anybody: httpx.AsyncClient,
) -> None:
    one = await anybody.post(LOGIN, json={"username": "vera", "password": "wrong"})
    other = await anybody.post(LOGIN, json={"username": "nobody", "password": "wrong"})
    assert one.status_code == other.status_code == 401
    assert one.json() == other.json()
    assert one.headers["content-type"] == "application/problem+json"


async def test_guessing_is_slowed_and_told_how_long_to_wait(
    api: Api, anybody: httpx.AsyncClient
) -> None:
    async def attempt(password: str) -> httpx.Response:
        return await anybody.post(LOGIN, json={"username": "vera", "password": password})

    tries = await asyncio.gather(*(attempt(f"wrong {n}") for n in range(20)))
    statuses = sorted(answer.status_code for answer in tries)
    assert statuses == [401] * 5 + [429] * 15
    refused = await attempt(PASSWORD)
    assert refused.status_code == 429
    wait = int(refused.headers["retry-after"])
    assert 1 <= wait <= 2
    api.clock.ahead += wait
    assert (await attempt(PASSWORD)).status_code == 200
    assert (await attempt("wrong")).status_code == 401


async def test_a_refresh_token_is_changed_at_each_use(api: Api, anybody: httpx.AsyncClient) -> None:
    await api.sign_in(anybody, "vera")
    first = anybody.cookies["vms_refresh"]
    answer = await anybody.post(REFRESH)
    assert answer.status_code == 200
    assert anybody.cookies["vms_refresh"] != first
    assert (await anybody.post(REFRESH)).status_code == 200


async def test_a_stolen_refresh_token_ends_the_session_of_both(
    api: Api, anybody: httpx.AsyncClient
) -> None:
    token = await api.sign_in(anybody, "vera")
    stolen = anybody.cookies["vms_refresh"]
    newer = (await anybody.post(REFRESH)).json()["access_token"]
    api.clock.ahead += 60
    async with api.client() as thief:
        thief.cookies.set("vms_refresh", stolen, path="/api/v1/auth")
        refused = await thief.post(REFRESH)
    assert refused.status_code == 401
    assert "for safety" in refused.json()["detail"]
    assert (await anybody.post(REFRESH)).status_code == 401
    for access in (token, newer):
        answer = await anybody.get(ME, headers={"Authorization": f"Bearer {access}"})
        assert answer.status_code == 401


async def test_two_tabs_that_refresh_at_once_both_stay_signed_in(
    api: Api, anybody: httpx.AsyncClient
) -> None:
    await api.sign_in(anybody, "vera")
    cookie = {"Cookie": f"vms_refresh={anybody.cookies['vms_refresh']}"}
    async with api.client() as one, api.client() as two:
        answers = await asyncio.gather(
            one.post(REFRESH, headers=cookie), two.post(REFRESH, headers=cookie)
        )
    assert [answer.status_code for answer in answers] == [200, 200]
    assert sum("set-cookie" in answer.headers for answer in answers) == 1


async def test_signing_out_ends_the_session(api: Api, anybody: httpx.AsyncClient) -> None:
    token = await api.sign_in(anybody, "vera")
    cookie = anybody.cookies["vms_refresh"]
    assert (await anybody.post("/api/v1/auth/logout")).status_code == 204
    assert "vms_refresh" not in anybody.cookies
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await anybody.get(ME, headers=bearer)).status_code == 401
    late = await anybody.post(REFRESH, headers={"Cookie": f"vms_refresh={cookie}"})
    assert late.status_code == 401
    assert (await anybody.post("/api/v1/auth/logout")).status_code == 204


async def test_tokens_and_sessions_end(api: Api, anybody: httpx.AsyncClient) -> None:
    token = await api.sign_in(anybody, "vera")
    bearer = {"Authorization": f"Bearer {token}"}
    api.clock.ahead = 601
    expired = await anybody.get(ME, headers=bearer)
    assert expired.status_code == 401
    assert expired.headers["www-authenticate"].startswith("Bearer")
    assert (await anybody.post(REFRESH)).status_code == 200
    api.clock.ahead = 8 * 86400
    assert (await anybody.post(REFRESH)).status_code == 401


async def test_a_session_is_not_prolonged_for_ever(api: Api, anybody: httpx.AsyncClient) -> None:
    await api.sign_in(anybody, "vera")
    for day in range(0, 30, 5):
        api.clock.ahead = day * 86400
        assert (await anybody.post(REFRESH)).status_code == 200
    api.clock.ahead = 30 * 86400 + 1
    assert (await anybody.post(REFRESH)).status_code == 401


async def test_pages_of_other_origins_may_not_use_the_cookie(
    api: Api, anybody: httpx.AsyncClient
) -> None:
    await api.sign_in(anybody, "vera")
    for path in (REFRESH, "/api/v1/auth/logout"):
        answer = await anybody.post(path, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
    assert (await anybody.post(REFRESH, headers={"Origin": api.base})).status_code == 200


async def test_a_user_changes_the_password_and_other_sessions_end(
    api: Api, vera: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    other = {"Authorization": f"Bearer {await api.sign_in(anybody, 'vera')}"}
    path = "/api/v1/auth/password"
    wrong = await vera.post(path, json={"current_password": "no", "new_password": "x" * 12})
    assert wrong.status_code == 403
    weak = await vera.post(path, json={"current_password": PASSWORD, "new_password": "short"})
    assert weak.status_code == 422
    assert "at least 10" in weak.json()["detail"]
    done = await vera.post(
        path, json={"current_password": PASSWORD, "new_password": "a new long one"}
    )
    assert done.status_code == 204
    assert (await vera.get(ME)).status_code == 200
    assert (await anybody.get(ME, headers=other)).status_code == 401
    again = await anybody.post(LOGIN, json={"username": "vera", "password": "a new long one"})
    assert again.status_code == 200
