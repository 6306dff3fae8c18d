from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.api_server import Api, running_api
from tests.support.catalog_open import HOUR, segment
from tests.support.postgres import PostgresServer, postgres_server

from vms.api.cameras import slug
from vms.bus import subjects
from vms.bus.port import Delivery
from vms.common.model.camera import StreamState, StreamStatus, TrackInfo, check_id
from vms.common.model.messages import Command, ConfigChanged, Reply

CAMERAS = "/api/v1/cameras"


def _new(**changes: Any) -> dict[str, Any]:
    return {"name": "Yard", "streams": [{"name": "main", "url": "rtsp://10.0.0.9/a"}]} | changes


async def test_a_camera_is_added_shown_changed_and_removed(
    api: Api, admin: httpx.AsyncClient
) -> None:
    heard: list[str] = []

    def listen(delivery: Delivery) -> None:
        assert isinstance(delivery.message, ConfigChanged)
        heard.append(delivery.message.id)

    await api.bus.subscribe(subjects.CONFIG_ALL, listen)
    added = await admin.post(CAMERAS, json=_new(username="u", password="hunter2"))
    assert added.status_code == 201
    assert added.headers["location"] == f"{CAMERAS}/yard"
    body = added.json()
    assert (body["id"], body["username"], body["has_password"]) == ("yard", "u", True)
    assert body["state"]["main"]["status"] == "connecting"
    assert "hunter2" not in added.text
    changed = await admin.patch(
        f"{CAMERAS}/yard",
        json={
            "name": "Back yard",
            "streams": [{"name": "main", "url": "rtsp://10.0.0.9/b", "recording": "continuous"}],
        },
    )
    assert changed.json()["name"] == "Back yard"
    assert changed.json()["streams"][0]["recording"] == "continuous"
    kept = await api.services.catalog.cameras.get("yard")
    assert (kept.username, kept.password.reveal()) == ("u", "hunter2")
    assert (await admin.get(f"{CAMERAS}/yard")).json() == changed.json()
    assert (await admin.delete(f"{CAMERAS}/yard")).status_code == 204
    assert (await admin.get(f"{CAMERAS}/yard")).status_code == 404
    assert heard == ["yard"] * 3


async def test_credentials_move_out_of_addresses(api: Api, admin: httpx.AsyncClient) -> None:
    url = "rtsp://anna:p%40ss@10.0.0.9/a"
    answer = await admin.post(CAMERAS, json=_new(streams=[{"name": "main", "url": url}]))
    assert answer.json()["streams"][0]["url"] == "rtsp://10.0.0.9/a"
    kept = await api.services.catalog.cameras.get("yard")
    assert (kept.username, kept.password.reveal()) == ("anna", "p@ss")
    two = [{"name": "main", "url": "rtsp://a:b@h/1"}, {"name": "sub", "url": "rtsp://c:d@h/2"}]
    refused = await admin.post(CAMERAS, json=_new(streams=two))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "body.streams"


async def test_ids_come_from_names_and_are_never_those_of_old_footage(
    api: Api, admin: httpx.AsyncClient
) -> None:
    await api.services.catalog.segments.add(segment(1, "portao-2"))
    ids = [(await admin.post(CAMERAS, json=_new(name="Portão"))).json()["id"] for _ in range(3)]
    assert ids == ["portao", "portao-3", "portao-4"]
    taken = await admin.post(CAMERAS, json=_new(id="portao"))
    assert taken.status_code == 409
    assert "'portao'" in taken.json()["detail"]


@given(st.text(max_size=60))
def test_every_name_gives_an_id_that_may_be_used(name: str) -> None:
    check_id(slug(name))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "must begin with one of rtsp://"),
        ("gopher://10.0.0.1/", "must begin with one of"),
        ("10.0.0.1/main", "must begin with one of"),
        ("rtsp://", "needs a host"),
        ("rtsp://host:0/", "needs a host"),
        ("rtsp://host:99999/", "no address"),
        ("rtsp://[::1/", "no address"),
        ("rtsp://host/a b", "no spaces"),
        ("rtsp://host/a\r\nX: y", "no spaces"),
        ("http://169.254.169.254/latest", "service of the cloud"),
        ("http://[::ffff:169.254.169.254]/", "service of the cloud"),
        ("rtsp://2852039166/", "service of the cloud"),
        ("http://metadata.google.internal/", "service of the cloud"),
        ("http://127.0.0.1:8080/", "this machine"),
        ("http://localhost/", "this machine"),
        ("https://[::1]/", "this machine"),
        ("http://0x7f.1/", "this machine"),
        ("http://0.0.0.0/", "this machine"),
    ],
)
async def test_addresses_that_may_not_be_connected_to(
    admin: httpx.AsyncClient, url: str, said: str
) -> None:
    answer = await admin.post(CAMERAS, json=_new(streams=[{"name": "main", "url": url}]))
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["errors"][0]["field"] == "body.streams.0.url"
    assert said in problem["detail"]


async def test_a_camera_on_this_machine_speaks_rtsp(admin: httpx.AsyncClient) -> None:
    streams = [{"name": "main", "url": "rtsp://127.0.0.1:8554/x"}]
    assert (await admin.post(CAMERAS, json=_new(streams=streams))).status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "body.name"),
        ({"name": "a\nb"}, "body.name"),
        ({"id": "../up"}, "body.id"),
        ({"streams": []}, "body.streams"),
        ({"streams": [{"name": "main", "url": "rtsp://h/", "transport": "quic"}]}, "transport"),
        ({"streams": [{"name": "a", "url": "rtsp://h/"}] * 2}, "body.streams"),
        ({"colour": "red"}, "body.colour"),
    ],
)
async def test_bad_fields_are_named(
    admin: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    answer = await admin.post(CAMERAS, json=_new(**change))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in answer.json()["errors"][0]["field"]


async def test_null_changes_nothing_and_is_refused(admin: httpx.AsyncClient) -> None:
    answer = await admin.patch(f"{CAMERAS}/front", json={"password": None})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.password"


async def test_a_viewer_sees_granted_cameras_without_their_addresses(
    vera: httpx.AsyncClient,
) -> None:
    cameras = (await vera.get(CAMERAS)).json()
    assert [camera["id"] for camera in cameras] == ["front"]
    assert cameras[0]["username"] == ""
    assert {stream["url"] for stream in cameras[0]["streams"]} == {""}
    states = (await vera.get("/api/v1/states")).json()
    assert {state["camera"] for state in states} == {"front"}
    hidden = await vera.get(f"{CAMERAS}/back")
    missing = await vera.get(f"{CAMERAS}/nowhere")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json()["detail"].replace("back", "nowhere") == missing.json()["detail"]
    assert (await vera.patch(f"{CAMERAS}/front", json={"name": "x"})).status_code == 403
    assert (await vera.post(CAMERAS, json=_new())).status_code == 403


async def test_states_come_from_the_bus_and_grow_old(api: Api, admin: httpx.AsyncClient) -> None:
    state = StreamState(
        "front",
        "main",
        StreamStatus.ONLINE,
        1_790_000_000_123_000_000,
        tracks=(TrackInfo("h264", 1920, 1080, 25.0),),
        bitrate=4_000_000,
        clock_offset_ns=-2_500_000,
    )
    api.bus.publish(subjects.state("front", "main"), state)

    async def shown() -> dict[str, Any]:
        return dict((await admin.get(f"{CAMERAS}/front")).json()["state"]["main"])

    told = await shown()
    assert told["status"] == "online"
    assert told["since"] == "2026-09-21T14:13:20.123Z"
    assert told["clock_offset_ms"] == -2.5
    assert told["tracks"][0]["width"] == 1920
    api.clock.ahead += 11
    old = await shown()
    assert (old["status"], old["bitrate"]) == ("offline", 0)
    assert "ingest role" in old["reason"]
    await admin.patch(f"{CAMERAS}/front", json={"enabled": False})
    assert (await shown())["status"] == "disabled"


async def test_trying_a_camera_asks_ingest(api: Api, admin: httpx.AsyncClient) -> None:
    asked: list[Command] = []
    replies = {
        "probe": Reply({"ok": True, "tracks": [{"codec": "h264", "width": 640}], "elapsed_ms": 9}),
        "discover": Reply({"devices": [{"address": "10.0.0.7", "xaddrs": ["http://10.0.0.7/"]}]}),
        "onvif": Reply(error="10.0.0.7 refused the user name or password"),
    }

    async def ingest(command: Command) -> Reply:
        asked.append(command)
        return replies[command.kind]

    nobody = await admin.post(f"{CAMERAS}/probe", json={"url": "rtsp://10.0.0.7/"})
    assert nobody.status_code == 503
    assert "no ingest role" in nobody.json()["detail"]
    await api.bus.serve(subjects.INGEST_COMMANDS, ingest)
    probed = await admin.post(f"{CAMERAS}/probe", json={"url": "rtsp://u:p@10.0.0.7/"})
    assert probed.json()["tracks"][0]["width"] == 640
    assert asked[0].body == {
        "url": "rtsp://10.0.0.7/", "username": "u", "password": "p", "transport": "tcp",
    }  # fmt: skip
    found = await admin.post(f"{CAMERAS}/discover", json={"timeout_s": 0.5})
    assert found.json()["devices"][0]["address"] == "10.0.0.7"
    onvif = await admin.post(f"{CAMERAS}/onvif", json={"address": "10.0.0.7:80"})
    assert onvif.status_code == 422
    assert onvif.json()["detail"] == "10.0.0.7 refused the user name or password"
    bad = await admin.post(f"{CAMERAS}/onvif", json={"address": "http://169.254.169.254/"})
    assert bad.status_code == 422
    replies["probe"] = Reply({"tracks": "many"})
    strange = await admin.post(f"{CAMERAS}/probe", json={"url": "rtsp://10.0.0.7/"})
    assert strange.status_code == 503


async def test_recordings_are_joined_where_the_gap_is_small(
    api: Api, admin: httpx.AsyncClient, vera: httpx.AsyncClient
) -> None:
    second = 10**9
    start = 1_790_000_000 * second
    await api.services.catalog.segments.add_many(
        [
            segment(1, start_ns=start),
            segment(2, start_ns=start + HOUR + second),
            segment(3, start_ns=start + 2 * HOUR + 10 * second),
            segment(4, stream="sub", start_ns=start),
        ]
    )
    path = f"{CAMERAS}/front/recordings"
    when = {"start": "2026-09-21T00:00:00Z", "end": "2026-09-22T00:00:00Z", "stream": "main"}
    ms = start // 10**6
    expected = [
        {"start": ms, "end": ms + 7_201_000, "stream": "main", "codec": "h264"},
        {"start": ms + 7_210_000, "end": ms + 10_810_000, "stream": "main", "codec": "h264"},
    ]
    assert (await vera.get(path, params=when)).json()["spans"] == expected
    both = {"start": str(ms), "end": str(ms + 1)}
    assert len((await admin.get(path, params=both)).json()["spans"]) == 2
    days = await vera.get(f"{path}/days", params={"from": "2026-09-01", "to": "2026-09-30"})
    assert days.json() == {"tz": "UTC", "days": ["2026-09-21"]}
    tokyo = {"from": "2026-09-22", "to": "2026-09-22", "tz": "Asia/Tokyo"}
    assert (await vera.get(f"{path}/days", params=tokyo)).json()["days"] == ["2026-09-22"]
    assert (await vera.get(f"{CAMERAS}/back/recordings", params=when)).status_code == 404


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"start": "yesterday", "end": "1"}, "query.start"),
        ({"start": "2026-09-21T00:00:00", "end": "1"}, "query.start"),
        ({"start": "0001-01-01T00:00:00+23:00", "end": "1"}, "query.start"),
        ({"start": "5", "end": "5"}, "query.end"),
        ({"start": "0", "end": "9" * 30}, "query.end"),
        ({"start": "0", "end": "1790000000000"}, "query.end"),
        ({"start": "1"}, "query.end"),
        ({"start": "1", "end": "2", "stream": "../x"}, "query.stream"),
    ],
)
async def test_bad_ranges_are_named(
    admin: httpx.AsyncClient, params: dict[str, str], field: str
) -> None:
    answer = await admin.get(f"{CAMERAS}/front/recordings", params=params)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "params",
    [
        {"from": "2026-01-01", "to": "2026-01-02", "tz": "Mars/Olympus"},
        {"from": "2026-01-01", "to": "2026-01-02", "tz": "../../etc/passwd"},
        {"from": "2026-01-01", "to": "2026-01-02", "tz": "America"},
        {"from": "2026-01-02", "to": "2026-01-01"},
        {"from": "0001-01-01", "to": "0001-01-02", "tz": "Asia/Tokyo"},
        {"from": "9999-12-31", "to": "9999-12-31"},
        {"from": "2020-01-01", "to": "2026-01-01"},
        {"from": "monday", "to": "2026-01-01"},
    ],
)
async def test_bad_days_are_refused(admin: httpx.AsyncClient, params: dict[str, str]) -> None:
    answer = await admin.get(f"{CAMERAS}/front/recordings/days", params=params)
    assert answer.status_code == 422


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


async def test_text_that_postgresql_cannot_hold_is_no_fault(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    async with (
        running_api(tmp_path, catalog_url=postgres.url()) as api,
        api.client("admin") as admin,
    ):
        assert (await admin.get(f"{CAMERAS}/front")).status_code == 200
        assert (await admin.get(f"{CAMERAS}/a%00b")).status_code == 404
        assert (await admin.get("/api/v1/users/a%00b")).status_code == 422
        login = {"username": "a\x00b", "password": "a\x00b"}
        assert (await admin.post("/api/v1/auth/login", json=login)).status_code == 422
        named = await admin.post(CAMERAS, json=_new(name="a\x00b"))
        assert named.status_code == 422
        kept = await admin.post(CAMERAS, json=_new(password="a\x00b"))
        assert kept.status_code == 201
        where = _new(streams=[{"name": "main", "url": "rtsp://h/%00"}])
        assert (await admin.post(CAMERAS, json=where)).status_code == 201


SLOTS = [
    {"day": 0, "start_minute": 480, "end_minute": 1080, "mode": "continuous"},
    {"day": 7, "start_minute": 0, "end_minute": 1440, "mode": "event"},
]
SCHEDULE = {
    "zone": "Europe/Lisbon",
    "slots": SLOTS,
    "holidays": ["2026-12-25"],
}
MASK = {"name": "Neighbour", "points": [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]}


def _stream(**changes: Any) -> dict[str, Any]:
    return {"name": "main", "url": "rtsp://10.0.0.9/a"} | changes


async def test_how_a_camera_is_recorded_and_its_masks_are_taken_and_shown(
    api: Api, admin: httpx.AsyncClient
) -> None:
    wanted = _stream(
        recording="schedule", audio=False, pre_roll_s=2.5, post_roll_s=30, schedule=SCHEDULE
    )
    added = await admin.post(CAMERAS, json=_new(streams=[wanted], masks=[MASK]))
    assert added.status_code == 201, added.text
    shown = added.json()["streams"][0]
    assert {key: shown[key] for key in wanted} == wanted
    assert added.json()["masks"] == [MASK]
    kept = await api.services.catalog.cameras.get("yard")
    assert kept.streams[0].schedule is not None
    assert kept.streams[0].schedule.holidays == ("2026-12-25",)
    assert kept.masks[0].points == ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0))
    renamed = (await admin.patch(f"{CAMERAS}/yard", json={"name": "Gate"})).json()
    assert renamed["streams"][0] == shown
    assert renamed["masks"] == [MASK]
    cleared = (await admin.patch(f"{CAMERAS}/yard", json={"masks": []})).json()
    assert cleared["masks"] == []
    await admin.patch(f"{CAMERAS}/front", json={"masks": [MASK]})
    async with api.client("vera") as vera:
        assert (await vera.get(f"{CAMERAS}/front")).json()["masks"] == [MASK]


async def test_where_a_cameras_own_events_are_read_is_for_those_who_manage_it(
    admin: httpx.AsyncClient, api: Api
) -> None:
    added = await admin.post(CAMERAS, json=_new(onvif="10.0.0.9:8000"))
    assert added.json()["onvif"] == "10.0.0.9:8000"
    await admin.patch(f"{CAMERAS}/front", json={"onvif": "10.0.0.9"})
    async with api.client("vera") as vera:
        assert (await vera.get(f"{CAMERAS}/front")).json()["onvif"] == ""
    assert (await admin.patch(f"{CAMERAS}/front", json={"onvif": ""})).json()["onvif"] == ""
    for wrong in ("rtsp://10.0.0.9/", "admin:secret@10.0.0.9", "10.0.0.9:0", "a b"):
        refused = await admin.patch(f"{CAMERAS}/front", json={"onvif": wrong})
        assert refused.status_code == 422
        assert "body.onvif" in refused.text
        assert "secret" not in refused.text


async def test_a_stream_without_these_fields_gets_what_the_model_says(
    admin: httpx.AsyncClient,
) -> None:
    added = (await admin.post(CAMERAS, json=_new())).json()["streams"][0]
    assert (added["recording"], added["audio"], added["schedule"]) == ("off", True, None)
    assert (added["pre_roll_s"], added["post_roll_s"]) == (5.0, 10.0)


@pytest.mark.parametrize(
    ("streams", "masks", "field"),
    [
        ([_stream(pre_roll_s=61)], [], "body.streams.0.pre_roll_s"),
        ([_stream(), _stream(name="sub", post_roll_s=-1)], [], "body.streams.1.post_roll_s"),
        ([_stream(recording="always")], [], "body.streams.0.recording"),
        ([_stream(recording="schedule")], [], "body.streams.0"),
        ([_stream(schedule=SCHEDULE | {"zone": "Mars/Base"})], [], "body.streams.0.schedule"),
        ([_stream(schedule=SCHEDULE | {"zone": "../etc"})], [], "body.streams.0.schedule"),
        ([_stream(schedule=SCHEDULE | {"holidays": ["25.12."]})], [], "body.streams.0.schedule"),
        (
            [_stream(schedule=SCHEDULE | {"slots": SLOTS * 2})], [],
            "body.streams.0.schedule",
        ),
        (
            [_stream(schedule=SCHEDULE | {"slots": [{"day": 8}]})], [],
            "body.streams.0.schedule.slots.0.day",
        ),
        ([_stream()], [{"points": [[0, 0], [1, 1]]}], "body.masks.0.points"),
        ([_stream()], [MASK, {"points": [[0, 0], [1, 1], [2, 0]]}], "body.masks.1.points.2.0"),
        ([_stream()], [MASK] * 33, "body.masks"),
    ],
)  # fmt: skip
async def test_what_cannot_be_recorded_so_is_refused_naming_the_field(
    admin: httpx.AsyncClient, streams: list[Any], masks: list[Any], field: str
) -> None:
    answer = await admin.post(CAMERAS, json=_new(streams=streams, masks=masks))
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert (await admin.get(f"{CAMERAS}/yard")).status_code == 404
