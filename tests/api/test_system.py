from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.api_server import Api, running_api
from tests.support.catalog_open import segment

from vms.api import health
from vms.api.settings import ApiSettings
from vms.bus import subjects
from vms.common.model.camera import StreamState, StreamStatus


async def test_health_is_open_and_says_little(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/api/v1/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_health_fails_with_the_volume_and_system_says_why(tmp_path: Path) -> None:
    async with running_api(tmp_path / "data") as api, api.client("admin") as admin:
        volume = tmp_path / "gone"
        volume.mkdir()
        api.services.volumes = (volume,)
        assert (await admin.get("/api/v1/health")).status_code == 200
        shutil.rmtree(volume)
        await asyncio.sleep(1.1)
        assert (await admin.get("/api/v1/health")).json() == {"status": "failing"}
        checks = {c["name"]: c for c in (await admin.get("/api/v1/system")).json()["checks"]}
        assert checks["catalog"]["ok"]
        assert checks["bus"]["ok"]
        assert checks[f"volume {volume}"]["detail"] == "No such file or directory"


async def test_a_disk_that_stands_still_holds_one_thread_however_often_one_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    let_go = threading.Event()

    def stand_still(path: Path) -> object:
        asked.append(str(path))
        let_go.wait(30.0)
        raise OSError(5, "Input/output error")

    async with running_api(tmp_path / "data") as api, api.client("admin") as admin:
        monkeypatch.setattr(health, "_LIMIT", 0.2)
        monkeypatch.setattr(health, "_KEPT_SECONDS", 0.0)
        monkeypatch.setattr(shutil, "disk_usage", stand_still)
        try:
            for _ in range(4):
                assert (await admin.get("/api/v1/health")).status_code == 503
            assert len(asked) == 1
        finally:
            let_go.set()
        await asyncio.sleep(0.1)
        volumes = (await admin.get("/api/v1/system")).json()["volumes"]
        assert volumes[0]["detail"] == "Input/output error"


async def test_health_fails_with_the_bus(api: Api, anybody: httpx.AsyncClient) -> None:
    await api.bus.close()
    answer = await anybody.get("/api/v1/health")
    assert (answer.status_code, answer.json()) == (503, {"status": "failing"})


async def test_the_system_counts_what_there_is(api: Api, admin: httpx.AsyncClient) -> None:
    state = StreamState("front", "main", StreamStatus.ONLINE, 0)
    api.bus.publish(subjects.state("front", "main"), state)
    await api.services.catalog.segments.add(segment(start_ns=10**15))
    found = (await admin.get("/api/v1/system")).json()
    assert found["version"] == "0.0.test"
    assert found["cameras"] == {"total": 2, "enabled": 2, "online": 1}
    assert found["recordings"]["bytes"] == 1000
    assert found["recordings"]["oldest"] == 10**9
    assert found["volumes"][0]["total"] > found["volumes"][0]["free"] > 0


async def test_metrics_are_for_this_machine_and_for_who_may_view_the_system(
    api: Api, anybody: httpx.AsyncClient
) -> None:
    local = await anybody.get("/metrics")
    assert local.status_code == 200
    assert local.headers["content-type"].startswith("text/plain")
    await anybody.get("/api/v1/cameras/front")
    text = (await anybody.get("/metrics")).text
    assert 'route="/api/v1/cameras/{camera_id}",status="401"' in text
    proxied = await anybody.get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"})
    assert proxied.status_code == 401
    for name, status in (("olga", 200), ("vera", 403)):
        async with api.client(name) as client:
            answer = await client.get("/metrics", headers={"Via": "1.1 proxy"})
            assert answer.status_code == status


async def test_answers_carry_headers_for_safety(anybody: httpx.AsyncClient) -> None:
    for path in ("/api/v1/health", "/api/v1/cameras", "/nothing.js", "/"):
        headers = (await anybody.get(path)).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert (await anybody.get("/api/v1/health")).headers["cache-control"] == "no-store"


async def test_a_body_over_the_limit_is_refused_whatever_it_declares(tmp_path: Path) -> None:
    small = ApiSettings(max_body_bytes=2000)
    async with running_api(tmp_path, settings=small) as api, api.client("admin") as admin:
        large = await admin.post("/api/v1/cameras", content=b" " * 3000)
        assert large.status_code == 413
        assert large.json()["title"] == "Request Entity Too Large"

        async def pieces() -> object:
            for _ in range(30):
                yield b" " * 100

        streamed = await admin.post("/api/v1/cameras", content=pieces())  # type: ignore[arg-type]
        assert streamed.status_code == 413


async def test_a_body_that_never_comes_is_given_up(tmp_path: Path) -> None:
    hasty = ApiSettings(body_seconds=0.2)
    async with running_api(tmp_path, settings=hasty) as api:
        host, port = api.base.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
        assert answer.startswith(b"HTTP/1.1 408")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"username": "\\ud800", "password": ""}'])
async def test_bodies_that_cannot_be_read_are_problems(
    anybody: httpx.AsyncClient, body: bytes
) -> None:
    answer = await anybody.post(
        "/api/v1/auth/login", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_fault_of_the_server_is_a_problem_without_its_cause(
    api: Api, admin: httpx.AsyncClient
) -> None:
    def broken() -> bytes:
        raise RuntimeError("the secret cause")

    api.services.metrics = broken
    with capture_logs() as logged:
        answer = await admin.get("/metrics")
    assert [entry["event"] for entry in logged] == ["request failed by a fault of the server"]
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["detail"] == "the server failed; its log says why"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_unknown_paths_and_methods_are_problems(anybody: httpx.AsyncClient) -> None:
    for method, path, status in (
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api", 404),
        ("PUT", "/api/v1/cameras", 405),
        ("POST", "/settings", 405),
    ):
        answer = await anybody.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


async def test_the_web_client_is_served(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<title>VMS</title>")
    (dist / "assets" / "app-1a2b.js").write_text("run()")
    (dist / "verify.html").write_text("<title>Verify</title>")
    (tmp_path / "private.txt").write_text("kept to itself")
    async with running_api(tmp_path / "data", web_dir=dist) as api, api.client() as browser:
        page = await browser.get("/")
        assert (page.text, page.headers["cache-control"]) == ("<title>VMS</title>", "no-cache")
        assert (await browser.get("/playback/front")).text == "<title>VMS</title>"
        script = await browser.get("/assets/app-1a2b.js")
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "javascript" in script.headers["content-type"]
        assert (await browser.get("/assets/app-0000.js")).status_code == 404
        saved = (await browser.get("/verify.html")).headers["content-disposition"]
        assert saved == 'attachment; filename="verify.html"'
        for path in ("/../private.txt", "/%2e%2e/private.txt", "/..%2fprivate.txt"):
            assert "kept" not in (await browser.get(path)).text
        assert (await browser.get("/api/v1/nothing")).status_code == 404


async def test_without_a_build_the_page_says_how_to_make_one(
    anybody: httpx.AsyncClient,
) -> None:
    page = await anybody.get("/")
    assert page.status_code == 200
    assert "make web" in page.text
    assert (await anybody.get("/playback")).status_code == 404
