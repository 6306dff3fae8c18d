"""The audit trail over HTTP: what is in it, who reads it, and what a check finds."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import httpx
from tests.support.api_server import PASSWORD, Api

AUDIT = "/api/v1/audit"
CAMERAS = "/api/v1/cameras"


async def entries(api: Api, client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    assert await api.services.auth.audit.flush()
    answer = await client.get(AUDIT, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


async def test_who_did_what_stands_in_it(api: Api, admin: httpx.AsyncClient) -> None:
    stream = {"name": "main", "url": "rtsp://root:hunter2@10.0.0.9/a"}
    await admin.post(CAMERAS, json={"name": "Yard", "streams": [stream]})
    await admin.patch(f"{CAMERAS}/yard", json={"name": "Gate", "password": "hunter3"})
    await admin.delete(f"{CAMERAS}/yard")
    user = {"username": "olaf", "password": "a long password", "role": "viewer"}
    olaf = (await admin.post("/api/v1/users", json=user)).json()["id"]
    await admin.patch(f"/api/v1/users/{olaf}", json={"role": "operator", "password": "another one"})
    await admin.put(f"/api/v1/users/{olaf}/grants", json={"cameras": ["front"]})
    await admin.delete(f"/api/v1/users/{olaf}/sessions")
    await admin.delete(f"/api/v1/users/{olaf}")
    found = await entries(api, admin)
    assert [(e["action"], e["camera"]) for e in reversed(found)] == [
        ("sign-in", ""), ("camera.added", "yard"), ("camera.changed", "yard"),
        ("camera.removed", "yard"), ("user.added", ""), ("user.changed", ""),
        ("user.changed", ""), ("user.signed-out", ""), ("user.removed", ""),
    ]  # fmt: skip
    assert {(e["user"], e["address"]) for e in found} == {("admin", "127.0.0.1")}
    changed = found[-3]
    assert changed["detail"]["fields"] == ["name", "password"]
    assert changed["detail"]["name"] == "Gate"
    assert found[3]["detail"] == {
        "user": "olaf", "changed": {"role": "operator", "new_password": True},
    }  # fmt: skip
    text = str(found)
    for secret in ("hunter", "a long password", "another one", PASSWORD):
        assert secret not in text


async def test_sign_ins_that_were_refused_stand_in_it(
    api: Api, admin: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    wrong = {"username": "vera", "password": "not this one"}
    await anybody.post("/api/v1/auth/login", json=wrong)
    await anybody.post("/api/v1/auth/login", json=wrong | {"username": "nobody"})
    second, first = await entries(api, admin, action="sign-in-refused")
    assert (first["user"], first["user_id"]) == ("vera", api.people["vera"].id)
    assert (second["user"], second["user_id"]) == ("nobody", "")


async def test_it_is_read_by_pages_and_by_what_is_looked_for(
    api: Api, admin: httpx.AsyncClient
) -> None:
    for camera in ("front", "back", "front", "back", "front"):
        await admin.patch(f"{CAMERAS}/{camera}", json={"enabled": True})
    found = await entries(api, admin, action="camera")
    assert [e["camera"] for e in found] == ["front", "back", "front", "back", "front"]
    page = await entries(api, admin, action="camera", limit=2)
    assert page == found[:2]
    rest = await entries(api, admin, action="camera", before=page[-1]["seq"])
    assert rest == found[2:]
    assert await entries(api, admin, camera="back") == [found[1], found[3]]
    by_name = await entries(api, admin, user="admin", action="camera")
    by_id = await entries(api, admin, user=api.people["admin"].id, action="camera")
    assert by_name == by_id == found
    assert await entries(api, admin, user="vera") == []
    assert len(await entries(api, admin, action="audit.read")) == 1


async def test_only_administrators_read_it(api: Api, vera: httpx.AsyncClient) -> None:
    async with api.client("olga") as olga:
        for client in (vera, olga):
            assert (await client.get(AUDIT)).status_code == 403
            assert (await client.get(f"{AUDIT}/check")).status_code == 403


async def test_a_check_finds_what_was_changed_and_what_is_missing(
    api: Api, admin: httpx.AsyncClient, tmp_path: Path
) -> None:
    for _ in range(5):
        await admin.patch(f"{CAMERAS}/front", json={"enabled": True})
    await entries(api, admin)
    whole = (await admin.get(f"{AUDIT}/check")).json()
    assert whole["ok"] is True
    assert whole["broken_at"] is None
    assert whole["entries"] >= 6
    assert whole["head"].startswith(f"{whole['entries']}:")
    later = (await admin.get(f"{AUDIT}/check", params={"head": whole["head"]})).json()
    assert later["ok"] is True
    forged = {"head": f"2:{'0' * 64}"}
    assert (await admin.get(f"{AUDIT}/check", params=forged)).json()["broken_at"] == 2
    cut_off = {"head": f"1000000:{'0' * 64}"}
    assert (await admin.get(f"{AUDIT}/check", params=cut_off)).json()["ok"] is False
    assert (await admin.get(f"{AUDIT}/check", params={"head": "x"})).status_code == 422
    _behind_its_back(tmp_path, "UPDATE audit SET user_name = 'vera' WHERE seq = 3")
    changed = (await admin.get(f"{AUDIT}/check")).json()
    assert (changed["ok"], changed["broken_at"]) == (False, 3)
    _behind_its_back(tmp_path, "UPDATE audit SET user_name = 'admin' WHERE seq = 3")
    assert (await admin.get(f"{AUDIT}/check")).json()["ok"] is True
    _behind_its_back(tmp_path, "DELETE FROM audit WHERE seq = 4")
    assert (await admin.get(f"{AUDIT}/check")).json()["broken_at"] == 4


def _behind_its_back(directory: Path, statement: str) -> None:
    """As one with the file in hand does, who first takes the triggers away."""
    with sqlite3.connect(directory / "vms.db") as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            database.execute(f"DROP TRIGGER {name}")
        database.execute(statement)
    database.close()
