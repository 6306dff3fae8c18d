"""Exports over HTTP: who may have which, what stands in the audit trail, and downloads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.api_server import Api, running_api
from tests.support.export_rig import footage
from tests.support.storage_media import SECOND, START_NS
from tests.support.storage_rig import camera, rig

from vms.auth.policy import Principal
from vms.catalog.port import Role
from vms.common.clock import SystemClock
from vms.common.errors import CatalogError
from vms.common.lifecycle import stop_task
from vms.common.model.camera import Mask
from vms.storage.export import download
from vms.storage.export.routes import router
from vms.storage.export.service import About, ExportService

URL = "/api/v1/exports"
START = START_NS // 1_000_000


class Late:
    """A catalog that is there once the server is."""

    catalog: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.catalog, name)


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setattr(download, "_AT_ONCE", 3)
    cameras = [camera(), camera("back")]
    async with rig(tmp_path / "recorded", cameras) as storage:
        storage.send([*footage("front", 3), *footage("front", 2, after=20, run="run2")])
        storage.send(footage("back", 3, sound=False))
        await storage.stop()
        rows = [row for one in ("front", "back") for row in await storage.rows(one)]
        volumes = storage.service.volumes
        late, clock = Late(), SystemClock()
        service = ExportService(
            late, storage.settings, tmp_path / "exports", volumes.of, clock, About("0.0.test")
        )  # type: ignore[arg-type]
        async with running_api(tmp_path, [router(service, clock)]) as running:
            late.catalog = running.services.catalog
            await late.catalog.segments.add_many(rows)
            await running.person("otto", Role.OPERATOR, ["front"])
            task = asyncio.create_task(service.run())
            yield running
            await stop_task(task)


@contextlib.asynccontextmanager
async def signed_in(api: Api, *names: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(api.client(name)) for name in names]


def wish(*cameras: str, seconds: int = 3, **more: Any) -> dict[str, Any]:
    return {"cameras": cameras or ["front"], "start": START, "end": START + seconds * 1000} | more


async def made(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    """Ask, and wait until it is over."""
    answer = await client.post(URL, json=more)
    assert answer.status_code == 202, answer.text
    async with asyncio.timeout(15):
        while True:
            job: dict[str, Any] = (await client.get(f"{URL}/{answer.json()['id']}")).json()
            if job["state"] in ("done", "failed", "cancelled"):
                return job
            await asyncio.sleep(0.02)


async def actions(api: Api) -> list[tuple[str, str, str]]:
    entries = await api.services.catalog.audit.list(limit=100, action="export")
    return [(one.user_name, one.action, one.camera) for one in reversed(entries)]


async def test_all_cameras_or_nothing(api: Api) -> None:
    async with signed_in(api, "otto", "vera") as (otto, vera):
        for cameras in (["front", "back"], ["back"], ["front", "nowhere"]):
            answer = await otto.post(URL, json=wish(*cameras))
            assert answer.status_code == 404
            assert answer.json()["detail"] == f"no camera '{cameras[-1]}'"
        assert (await vera.post(URL, json=wish())).status_code == 403
        assert (await vera.get(URL)).status_code == 403
        assert await actions(api) == []
        assert (await api.services.catalog.exports.list()) == ()


async def test_others_exports_are_not_there_but_for_administrators(api: Api) -> None:
    async with signed_in(api, "otto", "olga", "admin") as (otto, olga, admin):
        job = await made(otto, **wish())
        assert job["state"] == "done"
        one = f"{URL}/{job['id']}"
        for method, path in (
            ("GET", one), ("GET", f"{one}/file"), ("POST", f"{one}/cancel"), ("DELETE", one),
        ):  # fmt: skip
            assert (await olga.request(method, path)).status_code == 404
        assert (await olga.get(URL)).json() == {"exports": []}
        assert [one["owner"] for one in (await admin.get(URL)).json()["exports"]] == ["otto"]
        assert (await admin.get(f"{one}/file")).status_code == 200
        assert (await otto.get(f"{one}/file")).status_code == 200
        assert (await admin.delete(one)).status_code == 204
        assert (await otto.get(one)).status_code == 404


async def test_a_token_opens_one_export_while_its_holder_may(api: Api) -> None:
    async with signed_in(api, "otto", "olga", "admin") as (otto, olga, admin), api.client() as door:
        mine, hers = await made(otto, **wish()), await made(olga, **wish())
        assert (await olga.post(f"{URL}/{mine['id']}/token")).status_code == 404
        assert (await door.post(f"{URL}/{mine['id']}/token")).status_code == 401
        token = (await otto.post(f"{URL}/{mine['id']}/token")).json()["token"]

        async def status(job: dict[str, Any], given: str) -> int:
            return (await door.get(f"{URL}/{job['id']}/file", params={"token": given})).status_code

        assert await status(mine, token) == 200
        assert await status(hers, token) == 401
        for wrong in ("", "a.b.c", token[:-2], token + "x"):
            assert await status(mine, wrong) == 401, wrong
        assert await status(mine, "x" * 5000) == 422
        opens = await api.services.catalog.users.by_name("otto")
        holder = Principal(opens.id, "otto", Role.OPERATOR, session_id="")
        camera_token, _ = api.services.auth.media.issue(holder, mine["id"], 0, 0)
        assert await status(mine, camera_token) == 401
        user = next(u for u in (await admin.get("/api/v1/users")).json() if u["username"] == "otto")
        await admin.patch(f"/api/v1/users/{user['id']}", json={"role": "viewer"})
        assert await status(mine, token) == 403


async def test_every_action_stands_in_the_trail(api: Api) -> None:
    async with signed_in(api, "olga") as (olga,):
        job = await made(olga, **wish("front", "back", reason="theft"))
        file = f"{URL}/{job['id']}/file"
        for start in (0, 100, 200):
            await olga.get(file, headers={"Range": f"bytes={start}-{start + 99}"})
        await olga.post(f"{URL}/{job['id']}/cancel")
        await olga.delete(f"{URL}/{job['id']}")
    noted = [
        (action, one)
        for action in ("created", "done", "downloaded", "cancelled", "deleted")
        for one in (("",) if action == "done" else ("front", "back"))
    ]
    assert await actions(api) == [("olga", f"export.{what}", one) for what, one in noted]
    entry = (await api.services.catalog.audit.list(limit=1, action="export.created"))[0]
    assert (entry.start_ns, entry.end_ns) == (START_NS, START_NS + 3 * SECOND)
    assert entry.detail["reason"] == "theft"
    assert entry.detail["export"] == job["id"]
    assert entry.address == "127.0.0.1"


async def test_what_cannot_be_noted_does_not_happen(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with signed_in(api, "olga") as (olga,):
        job = await made(olga, **wish())

        async def away(*_: Any, **__: Any) -> None:
            raise CatalogError("the database does not answer")

        monkeypatch.setattr(api.services.auth.audit, "note_now", away)
        assert (await olga.post(URL, json=wish())).status_code == 503
        assert (await olga.get(f"{URL}/{job['id']}/file")).status_code == 503
        assert (await olga.delete(f"{URL}/{job['id']}")).status_code == 503
        assert len(await api.services.catalog.exports.list()) == 1


async def test_who_lost_a_camera_gets_no_file_of_it(api: Api) -> None:
    async with signed_in(api, "otto") as (otto,):
        job = await made(otto, **wish())
        await api.services.catalog.grants.replace(api.people["otto"].id, ["back"])
        api.services.auth.access.forget()
        answer = await otto.get(f"{URL}/{job['id']}/file")
        assert answer.status_code == 403
        assert "may no longer export camera 'front'" in answer.json()["detail"]


async def test_masks_are_lifted_for_those_who_may_see_behind_them(api: Api) -> None:
    mask = Mask(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
    cameras = api.services.catalog.cameras
    await cameras.update(replace(await cameras.get("front"), masks=(mask,)))
    async with signed_in(api, "olga", "admin") as (olga, admin):
        answer = await olga.post(URL, json=wish(masks=False))
        assert answer.status_code in (403, 404)
        assert (await olga.post(URL, json=wish(format="mkv"))).status_code == 422
        job = await made(admin, **wish(format="mkv", masks=False))
        assert job["state"] == "done"
        assert "about" not in job["spec"]


async def test_ranges_of_the_whole_and_of_one_file(api: Api) -> None:
    async with signed_in(api, "olga") as (olga,):
        job = await made(olga, **wish(seconds=30))
        file = f"{URL}/{job['id']}/file"
        whole = await olga.get(file)
        assert whole.headers["content-disposition"] == f'attachment; filename="{job["name"]}"'
        assert whole.headers["content-type"] == "application/zip"
        assert len(whole.content) == job["size"] == int(whole.headers["content-length"])
        tail = await olga.get(file, headers={"Range": "bytes=-50"})
        assert (tail.status_code, tail.content) == (206, whole.content[-50:])
        changed = await olga.get(file, headers={"Range": "bytes=-50", "If-Range": '"other"'})
        assert changed.status_code == 200
        beyond = await olga.get(file, headers={"Range": "bytes=999999999-"})
        assert beyond.status_code == 416
        assert beyond.headers["content-range"] == f"bytes */{job['size']}"
        assert len(job["files"]) == 2
        for one in job["files"]:
            part = await olga.get(file, params={"name": one["name"]})
            assert part.headers["content-type"] == "video/mp4"
            assert len(part.content) == one["size"]
            assert part.content in whole.content
        for name in ("../vms.db", "front", "/etc/passwd", "a\x00b"):
            assert (await olga.get(file, params={"name": name})).status_code == 404


async def test_many_downloads_at_once_are_asked_to_wait(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with signed_in(api, "olga") as (olga,):
        job = await made(olga, **wish())
        file = f"{URL}/{job['id']}/file"
        going = asyncio.Event()

        chunks = download._chunks

        async def stuck(descriptor: int, at: int, end: int) -> AsyncIterator[bytes]:
            async for data in chunks(descriptor, at, end):
                yield data[:1]
                await going.wait()
                yield data[1:]

        monkeypatch.setattr(download, "_chunks", stuck)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(download._AT_ONCE):
                await stack.enter_async_context(olga.stream("GET", file))
            answer = await olga.get(file)
            assert answer.status_code == 503
            assert "too many" in answer.json()["detail"]
        monkeypatch.setattr(download, "_chunks", chunks)
        going.set()
        async with asyncio.timeout(10):
            while (await olga.get(file)).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_the_key_is_told(api: Api) -> None:
    async with signed_in(api, "olga", "vera") as (olga, vera):
        key = (await olga.get("/api/v1/system/evidence-key")).json()
        assert key["algorithm"] == "ed25519"
        assert len(key["fingerprint"]) == 64
        assert (await vera.get("/api/v1/system/evidence-key")).status_code == 403
