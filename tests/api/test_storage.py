"""What the storage role tells, how long footage is kept, and what was missed."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.support.api_server import Api

from vms.bus import subjects
from vms.common.errors import StorageError
from vms.common.model.evidence import Gap, GapCause, LedgerDay, RetentionRule
from vms.common.model.messages import Command, Reply

HOUR = 3_600_000_000_000
BODY: dict[str, Any] = {
    "volumes": [
        {
            "name": "main", "path": "/srv/video", "tier": "fast", "state": "full",
            "problem": "volume /srv/video is full", "total": 100, "free": 1, "floor": 5, "used": 90,
        }
    ],
    "cameras": [
        {
            "camera": camera,
            "streams": [
                {
                    "stream": "main", "bytes": 90, "bytes_per_day": 30, "oldest": 1000,
                    "newest": 2000, "mode": "continuous", "recording": True, "reason": "",
                }
            ],
            "promised_days": 30.0, "forecast_days": 3.0, "warning": "a day is missing",
        }
        for camera in ("front", "back")
    ],
    "alarms": [
        {"kind": "full", "subject": "main", "text": "no room", "since": 5},
        {"kind": "clock", "subject": "back", "text": "an hour off", "since": 6},
    ],
}  # fmt: skip


async def serve(api: Api, reply: Reply, wait_s: float = 0.0) -> list[str]:
    asked: list[str] = []

    async def answer(command: Command) -> Reply:
        asked.append(command.kind)
        await asyncio.sleep(wait_s)
        return reply

    await api.bus.serve(subjects.STORAGE_COMMANDS, answer)
    return asked


async def test_the_storage_role_is_asked_and_only_what_one_may_see_is_shown(
    api: Api, admin: httpx.AsyncClient
) -> None:
    asked = await serve(api, Reply(BODY))
    assert (await admin.get("/api/v1/storage")).json() == BODY
    assert "storage" in asked
    await api.services.catalog.grants.replace(api.people["olga"].id, ["front"])
    async with api.client("olga") as olga:
        found = (await olga.get("/api/v1/storage")).json()
    assert [one["camera"] for one in found["cameras"]] == ["front"]
    assert [alarm["subject"] for alarm in found["alarms"]] == ["main"]
    async with api.client("vera") as vera:
        assert (await vera.get("/api/v1/storage")).status_code == 403


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (None, "no storage role runs"),
        (Reply(error="the catalog is away"), "the catalog is away"),
        (Reply({"volumes": 7}), "cannot read"),
    ],
)
async def test_where_nothing_is_known_an_alarm_says_so(
    api: Api, admin: httpx.AsyncClient, reply: Reply | None, said: str
) -> None:
    if reply is not None:
        await serve(api, reply)
    answer = await admin.get("/api/v1/storage")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["volumes"], found["cameras"]) == ([], [])
    assert [alarm["kind"] for alarm in found["alarms"]] == ["storage"]
    assert said in found["alarms"][0]["text"]


async def test_a_storage_role_that_does_not_answer_is_waited_for_no_longer_than_seconds(
    api: Api, admin: httpx.AsyncClient
) -> None:
    await serve(api, Reply(BODY), wait_s=60.0)
    answer = await admin.get("/api/v1/storage", timeout=9.0)
    assert "does not answer" in answer.json()["alarms"][0]["text"]


async def test_rules_are_replaced_as_a_whole_and_every_change_is_in_the_trail(
    api: Api, admin: httpx.AsyncClient
) -> None:
    nothing: dict[str, Any] = {"days": None, "max_bytes": None, "share": None, "event_days": {}}
    first = (await admin.get("/api/v1/storage/retention")).json()
    assert first == {"default": nothing | {"days": 30.0}, "cameras": {}}
    await api.services.catalog.retention.put(RetentionRule("long-gone", 5.0))
    wanted = {
        "default": nothing | {"days": 14.0, "event_days": {"*": 60.0, "person": 90.0}},
        "cameras": {"front": nothing | {"max_bytes": 10**12, "share": 0.25}},
    }
    answer = await admin.put("/api/v1/storage/retention", json=wanted)
    assert (answer.status_code, answer.json()) == (200, wanted)
    assert (await admin.get("/api/v1/storage/retention")).json() == wanted
    kept = await api.services.catalog.retention.list()
    assert kept["*"] == RetentionRule("*", 14.0, event_days={"*": 60.0, "person": 90.0})
    assert kept.keys() == {"*", "front"}
    entries = await api.services.catalog.audit.list(action="retention.changed")
    assert {entry.camera for entry in entries} == {"", "front", "long-gone"}
    gone = next(entry for entry in entries if entry.camera == "long-gone")
    assert (gone.user_name, gone.detail["after"]) == ("admin", None)
    assert gone.detail["before"]["days"] == 5.0
    # The same again changes nothing, and says nothing.
    await admin.put("/api/v1/storage/retention", json=wanted)
    assert len(await api.services.catalog.audit.list(action="retention.changed")) == len(entries)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"default": {"days": 0}}, "body.default.days"),
        ({"default": {"days": 10**9}}, "body.default.days"),
        ({"default": {"share": 1.5}}, "body.default.share"),
        ({"default": {"max_bytes": 2**63}}, "body.default.max_bytes"),
        ({"default": {"event_days": {"No Kind": 3}}}, "body.default.event_days.No Kind.[key]"),
        ({"default": {"days": 3, "weeks": 1}}, "body.default.weeks"),
        ({"default": {}, "cameras": {"nobody": {}}}, "body.cameras.nobody"),
        ({"cameras": {}}, "body.default"),
    ],
)
async def test_rules_that_cannot_be_are_refused_by_name_and_nothing_changes(
    api: Api, admin: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    answer = await admin.put("/api/v1/storage/retention", json=change)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert await api.services.catalog.retention.list() == {}


async def test_no_rule_changes_where_the_trail_cannot_be_written(
    api: Api, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise StorageError("the trail is away")

    monkeypatch.setattr(api.services.auth.audit, "note_now", refuse)
    answer = await admin.put("/api/v1/storage/retention", json={"default": {"days": 1}})
    assert answer.status_code >= 500
    assert await api.services.catalog.retention.list() == {}


async def test_rules_are_changed_by_administrators_alone(api: Api) -> None:
    for name in ("olga", "vera"):
        async with api.client(name) as client:
            answer = await client.put("/api/v1/storage/retention", json={"default": {"days": 1}})
            assert answer.status_code == 403
    async with api.client("olga") as olga:
        assert (await olga.get("/api/v1/storage/retention")).status_code == 200


async def test_a_month_is_the_sum_of_its_days_by_stream(api: Api, admin: httpx.AsyncClient) -> None:
    await api.services.catalog.gaps.ledger_add(
        [
            LedgerDay("front", "main", "2026-10-31", HOUR, HOUR, {"camera": HOUR}),
            LedgerDay("front", "main", "2026-11-01", 24 * HOUR, 2 * HOUR, {"camera": 2 * HOUR}),
            LedgerDay("front", "main", "2026-11-30", 24 * HOUR, HOUR, {"disk": HOUR}),
            LedgerDay("front", "sub", "2026-11-30", 0, 0),
            LedgerDay("back", "main", "2026-12-01", HOUR, 0),
        ]
    )
    found = (await admin.get("/api/v1/storage/coverage", params={"month": "2026-11"})).json()
    assert found["cameras"] == [
        {
            "camera": "front", "stream": "main", "expected_s": 48 * 3600.0,
            "recorded_s": 45 * 3600.0, "percent": 93.75,
            "by_cause": {"camera": 7200.0, "disk": 3600.0},
        },
        {
            "camera": "front", "stream": "sub", "expected_s": 0.0, "recorded_s": 0.0,
            "percent": None, "by_cause": {},
        },
    ]  # fmt: skip
    for month in ("2026-13", "2026-11-01", "x", ""):
        answer = await admin.get("/api/v1/storage/coverage", params={"month": month})
        assert answer.status_code == 422, month


async def test_gaps_of_a_camera_are_for_who_may_play_it_back(
    api: Api, admin: httpx.AsyncClient
) -> None:
    start = 1_790_000_000_000_000_000
    await api.services.catalog.gaps.put_many(
        [
            Gap("a", "front", "main", start, start + HOUR, GapCause.CAMERA, "no route to host"),
            Gap("b", "front", "sub", start + HOUR, None, GapCause.DISK, "full"),
            Gap("none", "front", "main", start, start, GapCause.DISK, "was none"),
        ]
    )
    span = {"start": str(start // 10**6), "end": str(start // 10**6 + 7_200_000)}
    found = (await admin.get("/api/v1/cameras/front/gaps", params=span)).json()["gaps"]
    assert [(gap["stream"], gap["cause"], gap["end"]) for gap in found] == [
        ("main", "camera", start // 10**6 + 3_600_000), ("sub", "disk", None)
    ]  # fmt: skip
    assert found[0]["detail"] == "no route to host"
    some = await admin.get("/api/v1/cameras/front/gaps", params=span | {"stream": "sub"})
    assert [gap["stream"] for gap in some.json()["gaps"]] == ["sub"]
    wrong = await admin.get("/api/v1/cameras/front/gaps", params={"start": "5", "end": "5"})
    assert wrong.status_code == 422
    async with api.client("nora") as nora:
        assert (await nora.get("/api/v1/cameras/front/gaps", params=span)).status_code == 404
