"""Bad cameras and hostile clients: each gets a clear answer, and nobody else notices."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.support.loop_thread import LoopThread
from tests.support.plant import (
    add_camera,
    counted,
    now_ms,
    resident_mb,
    state,
    wait_status,
)
from tests.support.stream_offers import CHROMIUM, FINGERPRINT
from tests.support.system import VMS, System
from tests.support.world import API, GOOD, QUICK, RIGHT, SAYS, WRONG, World, closed_within
from websockets.sync.client import connect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("bad")
    data = folder / "data"
    with LoopThread() as loop, System(data, "--no-demo", environment=QUICK) as system:
        yield World(loop, data, system.wait_ready(), folder)


@pytest.fixture(scope="module")
def pulling(world: World) -> World:
    """The world with every bad camera added."""
    for name, url in world.urls.items():
        add_camera(world.client, name, url, username="admin", password=WRONG)
    return world


def test_each_bad_camera_says_what_is_wrong(pulling: World) -> None:
    world = pulling
    assert set(world.urls) == set(SAYS)
    for name, (status, reason) in SAYS.items():
        wait_status(world.client, name, status, 20, reason)


def test_testing_a_camera_says_the_same(world: World) -> None:
    def ask(name: str) -> httpx.Response:
        return world.probe(world.urls[name], username="admin", password=WRONG)

    with ThreadPoolExecutor(3) as pool:
        answers = dict(zip(world.urls, pool.map(ask, world.urls), strict=True))
    for name in ("keyless", "silence", "lying-lengths"):
        answers.pop(name)
    for name, answer in answers.items():
        said = SAYS[name][1].partition(" (refused")[0]
        assert answer.status_code == 422, (name, answer.text)
        assert said in answer.json()["detail"], name
    found = world.probe(world.urls["keyless"]).raise_for_status().json()
    assert "no key frame" in found["note"]
    assert found["tracks"][0]["width"] == 320


def test_the_right_password_ends_the_hold(pulling: World) -> None:
    world = pulling
    wait_status(world.client, "locked", "held")
    answer = world.client.patch(f"{API}/cameras/locked", json={"password": RIGHT})
    assert answer.status_code == 200
    assert wait_status(world.client, "locked", "online")["reason"] == ""


def test_bad_cameras_take_no_memory(world: World) -> None:
    grown = resident_mb(world.system) - world.megabytes
    assert grown < 10, f"{grown:.1f} MB more than before the bad cameras"


def test_addresses_that_are_none_are_refused_at_once(world: World) -> None:
    for url, says in {
        "gopher://host/x": "must begin with one of rtsp://",
        "file:///etc/passwd": "must begin with one of rtsp://",
        "rtsp://": "needs a host",
        "rtsp://host:99999/x": "is no address",
        "rtsp://[::1/x": "is no address",
        "rtsp://h/a b": "no spaces",
        "front door": "no spaces",
        "rtsp://169.254.169.254/x": "a service of the cloud",
        "http://127.0.0.1:8080/": "of this machine itself",
    }.items():
        camera = {"name": "x", "streams": [{"url": url}]}
        for answer in (world.client.post(f"{API}/cameras", json=camera), world.probe(url)):
            assert answer.status_code == 422
            assert says in answer.json()["detail"]


def test_the_command_line_refuses_them_too(world: World) -> None:
    def add(url: str) -> subprocess.CompletedProcess[str]:
        command = [VMS, "camera", "add", "x", url, "--data-dir", world.data]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    urls = ["gopher://host/x", "rtsp://[::1/x", "rtsp://me:geheim@h/a b"]
    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(add, urls):
            assert done.returncode == 1
            assert done.stderr.startswith("vms: ")
            assert done.stderr.count("\n") == 1, done.stderr
            assert "geheim" not in done.stderr


def test_no_password_is_shown_anywhere(pulling: World) -> None:
    world = pulling
    seen = [
        world.system.log.read_text(),
        world.client.get("/metrics").text,
        *(world.client.get(f"{API}/{path}").text for path in ("cameras", "states", "system")),
        Path(f"/proc/{world.system.process.pid}/cmdline").read_text(),
        (world.data / "vms.db").read_bytes().decode("latin-1"),
        (world.data / "vms.db-wal").read_bytes().decode("latin-1"),
    ]
    for password in (RIGHT, WRONG, world.system.password):
        assert not any(password in text for text in seen)


HOSTILE_JSON = [
    b"", b"{", b"[]", b"null", b"NaN", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe",
    b'{"username":"admin","password":"\\ud800"}', b'{"username":"\\u0000","password":"x"}',
    b'{"username":' + b"9" * 5000 + b',"password":"x"}', b'{"username":{},"password":[]}',
]  # fmt: skip


def test_hostile_bodies(world: World) -> None:
    kind = {"content-type": "application/json"}
    for path in ("auth/login", "cameras", "users", "cameras/probe"):
        for body in HOSTILE_JSON:
            answer = world.client.post(f"{API}/{path}", content=body, headers=kind)
            assert answer.status_code in (400, 422), (path, body[:40], answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
    huge = [b"x" * 65_536] * 40
    for content in (b"".join(huge), iter(huge)):
        answer = world.client.post(f"{API}/cameras", content=content, headers=kind)
        assert answer.status_code == 413
        assert "limit of 1048576" in answer.json()["detail"]


@pytest.mark.parametrize(
    "camera", ["%2e%2e", "..%2f..%2fvms.db", "%00", "a" * 4000, "DOOR", "door%20", "%ff", "é"]
)
def test_path_tricks_in_camera_ids(world: World, camera: str) -> None:
    for tail in (
        "", "/playback?start=1&duration=1", "/recordings?start=1&end=2", "/snapshot.jpg?at=1",
        "/streams/main/snapshot.jpg", "/recordings/days?from=2026-01-01&to=2026-01-02",
    ):  # fmt: skip
        answer = world.client.get(f"{API}/cameras/{camera}{tail}")
        assert answer.status_code == 404, (tail, answer.text)


def test_spans_that_cannot_be(world: World) -> None:
    now, ten_years = now_ms(), 10 * 365 * 86_400_000
    for query, says in {
        f"start={now}&end={now - 1}": "the end must come after the start",
        f"start={now}&end={now}": "the end must come after the start",
        f"start={now - ten_years}&end={now}": "longer than 400 days",
        "start=x&end=y": "expected epoch milliseconds",
        f"start=-1&end={now}": "expected epoch milliseconds",
        f"start=9{'9' * 20}&end=9{'9' * 21}": "after the year 9999",
        "start=0001-01-01T00:00:00%2B14:00&end=9999-12-31T23:59:59-14:00": "out of range",
    }.items():
        answer = world.client.get(f"{API}/cameras/door/recordings?{query}")
        assert answer.status_code == 422, query
        assert says in answer.json()["detail"]
    for zone in ("../../etc/passwd", "Nowhere/X", "America", "/etc/localtime"):
        query = f"from=2026-11-01&to=2026-11-30&tz={zone}"
        assert world.client.get(f"{API}/cameras/door/recordings/days?{query}").status_code == 422


def test_playback_at_the_edges(world: World) -> None:
    where = f"{API}/cameras/door"
    query = {"start": now_ms() - 600_000, "end": now_ms()}
    (span, *_) = world.client.get(f"{where}/recordings", params=query).json()["spans"]
    start, end = span["start"], span["end"]

    def play(at: float, seconds: float | str) -> httpx.Response:
        return world.client.get(f"{where}/playback", params={"start": at, "duration": seconds})

    before = play(start - 5000, 1)
    assert before.status_code == 404
    assert 0 <= before.json()["next_start"] - start <= 1
    assert int(play(before.json()["next_start"], 1).headers["x-start-ms"]) == start
    for at, seconds in ((start, 0.001), (start, 3600), (end - 1, 1), (end, 1)):
        answer = play(at, seconds)
        assert answer.status_code == 200
        assert answer.content[4:8] == b"ftyp"
        assert int(answer.headers["x-start-ms"]) <= at
    assert play(now_ms() + 10**9, 1).json()["next_start"] is None
    for at, seconds in ((start, 0), (start, -1), (start, "nan"), (start, "inf"), (1 << 43, 1)):
        assert play(at, seconds).status_code == 422


def test_offers_that_are_none(world: World) -> None:
    whole = CHROMIUM.replace("FINGERPRINT", FINGERPRINT)
    path, kind = f"{API}/cameras/door/streams/main/whep", {"content-type": "application/sdp"}

    def offer(body: str | bytes) -> httpx.Response:
        return world.client.post(path, content=body, headers=kind)

    for body in (
        b"", b"v=0", b"x" * 100, b"\xff" * 50, whole[:300], whole.replace(FINGERPRINT, "zz"),
        whole.replace("a=mid:0", "a=mid:" + "x" * 3000), whole.replace("H264", "VP8"),
    ):  # fmt: skip
        assert offer(body).status_code in (400, 406), body[:60]
    assert offer("v=0\r\n" * 20_000).status_code == 413
    answers = [offer(whole) for _ in range(70)]
    taken = [answer for answer in answers if answer.status_code == 201]
    assert len(taken) == 64
    assert "not connected yet" in answers[-1].json()["detail"]
    for answer in taken:
        assert world.client.delete(answer.headers["location"]).status_code == 204


def test_sockets_of_strangers(world: World) -> None:
    token = json.dumps({"token": world.token()})
    for path in ("/events", "/cameras/door/streams/main/mse"):
        assert world.socket(path) == "4408"
        for nonsense in ("garbage", b"\0" * 10, "[]", '{"token":5}', "[" * 5000):
            assert world.socket(path, nonsense) == "4400"
        assert world.socket(path, "x" * 70_000) == "1009"
        assert world.socket(path, '{"token":"a.b.c"}') == "4401"
        assert world.socket(path, token, origin="http://evil.example") == "403"
        assert world.socket(path, token) == "open"
    assert world.socket("/cameras/attic/streams/main/mse", token) == "4404"
    assert world.socket("/cameras/door/streams/attic/mse", token) == "4503"


def test_a_viewer_without_a_grant_gets_no_media(world: World) -> None:
    client, name, password = world.client, "vera", secrets.token_urlsafe(12)
    user = {"username": name, "password": password, "role": "viewer", "cameras": ["hall"]}
    added = client.post(f"{API}/users", json=user)
    assert added.status_code == 201
    vera = world.system.client(password, name)
    assert [camera["id"] for camera in vera.get(f"{API}/cameras").json()] == ["hall"]
    now = now_ms()
    gets = (
        "", f"/playback?start={now - 3000}&duration=1", f"/snapshot.jpg?at={now - 3000}",
        f"/recordings?start={now - 3000}&end={now}", "/streams/main/snapshot.jpg",
    )  # fmt: skip
    for tail in gets:
        assert vera.get(f"{API}/cameras/hall{tail}").status_code == 200, tail
        hidden, absent = (vera.get(f"{API}/cameras/{one}{tail}") for one in ("door", "attic"))
        assert hidden.status_code == absent.status_code == 404
        assert hidden.text.replace("door", "attic") == absent.text
    kind, offer = {"content-type": "application/sdp"}, CHROMIUM.replace("FINGERPRINT", FINGERPRINT)
    whep = f"{API}/cameras/%s/streams/main/whep"
    assert vera.post(whep % "door", content=offer, headers=kind).status_code == 404
    watching = vera.post(whep % "hall", content=offer, headers=kind)
    assert watching.status_code == 201
    token = json.dumps({"token": vera.headers["authorization"].split()[1]})
    assert world.socket("/cameras/door/streams/main/mse", token) == "4404"
    assert vera.delete(f"{API}/cameras/hall").status_code == 403

    address = world.system.url.replace("http", "ws") + API
    with connect(address + "/events") as events, connect(
        address + "/cameras/hall/streams/main/mse", max_queue=None, max_size=None
    ) as media:  # fmt: skip
        events.send(token)
        media.send(token)
        assert {one["camera"] for one in json.loads(events.recv(5))["states"]} == {"hall"}
        assert "mime" in json.loads(media.recv(5))
        assert client.delete(f"{API}/users/{added.json()['id']}").status_code == 204
        removed = time.monotonic()
        for one in (events, media):
            assert closed_within(one, 5)
        assert time.monotonic() - removed < 5
    assert vera.get(f"{API}/cameras").status_code == 401
    assert vera.delete(watching.headers["location"]).status_code == 401
    assert world.socket("/events", token) == "4401"


def test_those_who_never_ask_are_let_go(world: World) -> None:
    host, port = world.system.url.removeprefix("http://").split(":")
    held = [socket.create_connection((host, int(port))) for _ in range(100)]
    try:
        for number, one in enumerate(held):
            one.send(b"GET / HTTP/1.1\r\nHost: x\r\n" if number % 2 else b"G")
        assert world.client.get(f"{API}/health").status_code == 200
        # Slowly a byte at a time is no way to stay.
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            time.sleep(0.5)
            try:
                held[1].send(b"X")
            except OSError:
                break
        for one in held:
            one.settimeout(3)
            try:
                assert one.recv(1) == b""
            except ConnectionError:
                continue
    finally:
        for one in held:
            one.close()


def test_nothing_grew_and_no_good_picture_is_missing(world: World) -> None:
    """Last: it ends the system."""
    grown = resident_mb(world.system) - world.megabytes
    assert grown < 30, f"{grown:.1f} MB more than at the start"
    assert len(os.listdir(f"/proc/{world.system.process.pid}/fd")) < 100
    for name in GOOD:
        now = state(world.client, name)
        assert (now["status"], now["reconnects"], now["packets_lost"]) == ("online", 0, 0)
    checks = world.client.get(f"{API}/system").json()["checks"]
    assert any(check["name"] == "recording" for check in checks)
    assert world.system.stop() < 5.0
    assert world.system.process.returncode == 0
    assert "Traceback" not in world.system.log.read_text()
    for name in GOOD:
        found = counted(world.data, name)
        assert (found.missing, found.repeated) == (0, 0), name
        assert found.pictures > 200
