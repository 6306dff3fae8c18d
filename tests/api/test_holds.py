"""Holds over HTTP: all or nothing, never without an entry in the audit trail."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.support.api_server import Api

from vms.catalog.port import Role
from vms.common.errors import CatalogError
from vms.common.model.evidence import HoldKind

HOLDS = "/api/v1/holds"
DAY_MS = 86_400_000


def _now(api: Api) -> int:
    return api.clock.now_ns() // 10**6


def _new(api: Api, **changes: Any) -> dict[str, Any]:
    now = _now(api)
    return {
        "cameras": ["front", "back"], "kind": "lock", "start": now - DAY_MS, "end": now,
        "reason": "Theft, case 12",
    } | changes  # fmt: skip


async def test_footage_of_cameras_is_held_shown_changed_and_released(
    api: Api, admin: httpx.AsyncClient
) -> None:
    wanted = _new(api)
    made = await admin.post(HOLDS, json=wanted)
    assert made.status_code == 201, made.text
    first, second = made.json()
    assert [first["camera"], second["camera"]] == ["front", "back"]
    assert (first["start"], first["end"]) == (wanted["start"], wanted["end"])
    assert (first["owner"], first["until"], first["released"]) == ("admin", None, None)
    (kept,) = await api.services.catalog.holds.list("front")
    assert (kept.kind, kept.start_ns) == (HoldKind.LOCK, wanted["start"] * 10**6)
    one = f"{HOLDS}/{first['id']}"
    assert (await admin.get(one)).json() == first
    until = _now(api) + DAY_MS
    changed = (await admin.patch(one, json={"reason": "Theft", "until": until})).json()
    assert changed == first | {"reason": "Theft", "until": until}
    lifted = (await admin.patch(one, json={"until": None})).json()
    assert lifted == changed | {"until": None}
    released = (await admin.delete(one, params={"reason": "handed over"})).json()
    assert released["released"] is not None
    assert released["released_by"] == "admin"
    assert (await admin.delete(one)).json() == released
    assert (await admin.patch(one, json={"reason": "x"})).status_code == 409
    assert [h["id"] for h in (await admin.get(HOLDS)).json()] == [second["id"]]
    assert len((await admin.get(HOLDS, params={"all": "true"})).json()) == 2
    assert (await admin.get(HOLDS, params={"camera": "front"})).json() == []
    entries = await api.services.catalog.audit.list(action="hold")
    assert [(e.action, e.camera) for e in reversed(entries)] == [
        ("hold.added", "front"), ("hold.added", "back"), ("hold.changed", "front"),
        ("hold.changed", "front"), ("hold.released", "front"),
    ]  # fmt: skip
    assert entries[0].detail["released_for"] == "handed over"
    assert entries[2].detail["before"]["reason"] == "Theft, case 12"


async def test_one_camera_that_may_not_be_held_leaves_all_without(api: Api) -> None:
    await api.person("oscar", Role.OPERATOR, ["front"])
    async with api.client("oscar") as oscar:
        refused = await oscar.post(HOLDS, json=_new(api))
        assert refused.status_code == 404
        missing = await oscar.post(HOLDS, json=_new(api, cameras=["front", "absent"]))
        assert missing.text == refused.text.replace("back", "absent")
        assert await api.services.catalog.holds.list() == ()
        assert (await oscar.post(HOLDS, json=_new(api, cameras=["front"]))).status_code == 201
    assert await api.services.catalog.audit.list(camera="back") == ()


async def test_holds_of_other_cameras_are_not_there(api: Api, admin: httpx.AsyncClient) -> None:
    (hold,) = (await admin.post(HOLDS, json=_new(api, cameras=["back"]))).json()
    await api.person("oscar", Role.OPERATOR, ["front"])
    async with api.client("oscar") as oscar:
        one = f"{HOLDS}/{hold['id']}"
        assert (await oscar.get(HOLDS)).json() == []
        for answer in (
            await oscar.get(one), await oscar.delete(one), await oscar.patch(one, json={}),
        ):  # fmt: skip
            assert answer.status_code == 404
            assert answer.json()["detail"] == f"no hold {hold['id']!r}"
    (kept,) = await api.services.catalog.holds.list()
    assert kept.released_ns is None


async def test_viewers_hold_nothing(api: Api, vera: httpx.AsyncClient) -> None:
    assert (await vera.post(HOLDS, json=_new(api, cameras=["front"]))).status_code == 403
    assert (await vera.get(HOLDS)).status_code == 403


async def test_no_hold_without_an_entry_in_the_audit_trail(
    api: Api, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    (hold,) = (await admin.post(HOLDS, json=_new(api, cameras=["back"]))).json()

    async def away(_: object) -> None:
        raise CatalogError("the catalog is away")

    monkeypatch.setattr(api.services.catalog.audit, "append_many", away)
    assert (await admin.post(HOLDS, json=_new(api, cameras=["front"]))).status_code == 503
    one = f"{HOLDS}/{hold['id']}"
    assert (await admin.delete(one)).status_code == 503
    assert (await admin.patch(one, json={"reason": "x"})).status_code == 503
    assert (await admin.get(HOLDS)).json() == [hold]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start": 2, "end": 1}, "body.end"),
        ({"start": 1, "end": 1}, "body.end"),
        ({"start": -1}, "body.start"),
        ({"start": 0}, "body.end"),
        ({"reason": "  "}, "body.reason"),
        ({"reason": "x" * 501}, "body.reason"),
        ({"cameras": []}, "body.cameras"),
        ({"cameras": ["front", "front"]}, "body.cameras"),
        ({"cameras": ["front"] * 101}, "body.cameras"),
        ({"kind": "forever"}, "body.kind"),
        ({"until": 5}, "body.until"),
        ({"end": "later"}, "body.end"),
    ],
)
async def test_what_cannot_be_held_is_refused_naming_the_field(
    api: Api, admin: httpx.AsyncClient, changes: dict[str, Any], field: str
) -> None:
    answer = await admin.post(HOLDS, json=_new(api) | changes)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert await api.services.catalog.holds.list() == ()


async def test_the_future_can_be_held_for_a_day(api: Api, admin: httpx.AsyncClient) -> None:
    soon, late = _now(api) + DAY_MS - 60_000, _now(api) + DAY_MS + 60_000
    (hold,) = (await admin.post(HOLDS, json=_new(api, cameras=["front"], end=soon))).json()
    answer = await admin.post(HOLDS, json=_new(api, end=late))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.end"
    one = f"{HOLDS}/{hold['id']}"
    assert (await admin.patch(one, json={"end": late})).status_code == 422
    assert (await admin.patch(one, json={"end": hold["start"]})).status_code == 422
    assert (await admin.patch(one, json={"end": None})).status_code == 422
