"""Two users and nobody, at every route and socket that the OpenAPI document and the routers
name: who has no grant for a camera never learns of it. A new route is refused until it is
listed here on purpose."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import APIWebSocketRoute
from tests.support.api_routers import OtherRoles
from tests.support.api_server import Api, running_api
from tests.support.catalog_open import camera, segment
from websockets.exceptions import ConnectionClosed

from vms.bus import subjects
from vms.common.model.camera import StreamState, StreamStatus

SECRET = "zq-hidden-name"
NOW_MS = 1_790_000_000_000

OPEN_TO_ALL = {"login", "refresh", "logout", "get_health", "get_metrics"}
OPEN_TO_SIGNED_IN = {"me", "change_password", "list_cameras", "list_states"}
BY_SESSION = {"change_watch", "stop_watching"}
"""WHEP: the session's random id, held by the user who opened it."""
ASKING_ONLY = {"get_watch_options", "get_live_options"}
"""What a route takes, whatever camera is named."""


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    others = OtherRoles()
    async with running_api(tmp_path, others.routers()) as running:
        others.catalog = running.services.catalog
        hidden = replace(camera("back"), name=SECRET)
        await running.services.catalog.cameras.update(hidden)
        start = NOW_MS * 10**6
        await running.services.catalog.segments.add(segment(1, "back", start_ns=start))
        state = StreamState("back", "main", StreamStatus.ONLINE, start, reason=SECRET)
        running.bus.publish(subjects.state("back", "main"), state)
        yield running


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def _request(method: str, path: str, operation: dict[str, Any], camera_id: str) -> dict[str, Any]:
    filled = path.format(
        camera_id=camera_id,
        stream="main",
        session="A" * 22,
        user_id="0" * 16,
        export_id="0" * 16,
        part=f"{NOW_MS}-{NOW_MS + 1000}.m4s",
        event="manual-1",
        hold_id="hold-1",
        strip=str(NOW_MS),
    )
    query = {
        "start": str(NOW_MS), "end": str(NOW_MS + 1000), "at": str(NOW_MS),
        "from": "2026-09-21", "to": "2026-09-21",
    }  # fmt: skip
    names = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
    request: dict[str, Any] = {
        "method": method,
        "url": filled,
        "params": {name: query[name] for name in names if name in query},
    }
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        request["json"] = {}
    elif content:
        request |= {"content": "v=0\r\n", "headers": {"Content-Type": next(iter(content))}}
    return request


def _is_data(answer: httpx.Response) -> bool:
    return SECRET in answer.text or '"back"' in answer.text


async def test_nobody_gets_anything_without_a_token(api: Api, anybody: httpx.AsyncClient) -> None:
    for method, path, operation in _operations(api.app.openapi()):
        if operation["operationId"] in OPEN_TO_ALL | ASKING_ONLY:
            continue
        answer = await anybody.request(**_request(method, path, operation, "front"))
        assert answer.status_code == 401, (method, path, answer.text)
        assert answer.headers["www-authenticate"] == 'Bearer realm="vms"'


@pytest.mark.parametrize("name", ["nora", "vera"])
async def test_a_viewer_without_a_grant_never_learns_of_the_camera(api: Api, name: str) -> None:
    seen = 0
    async with api.client(name) as client:
        for method, path, operation in _operations(api.app.openapi()):
            identity = operation["operationId"]
            answer = await client.request(**_request(method, path, operation, "back"))
            where = (identity, answer.status_code, answer.text)
            # Figures of the whole process, which other tests' cameras are in too, for programs
            # on this machine.
            if identity != "get_metrics":
                assert not _is_data(answer) or answer.status_code == 404, where
            assert SECRET not in answer.text, where
            if "{camera_id}" in path and identity not in ASKING_ONLY:
                assert answer.status_code in (403, 404), where
                missing = await client.request(**_request(method, path, operation, "absent"))
                assert missing.status_code == answer.status_code, where
                same = answer.text.replace("'back'", "'absent'")
                assert same == missing.text, where
                seen += 1
            elif identity in BY_SESSION:
                assert answer.status_code == 404, where
            elif identity not in OPEN_TO_ALL | OPEN_TO_SIGNED_IN | ASKING_ONLY:
                assert answer.status_code == 403, where
            if identity == "logout":
                token = await api.sign_in(client, name)
                client.headers["Authorization"] = f"Bearer {token}"
    assert seen >= 7


async def test_an_administrator_is_let_through_everywhere(
    api: Api, admin: httpx.AsyncClient
) -> None:
    for method, path, operation in _operations(api.app.openapi()):
        if operation["operationId"] in {"logout", "remove_camera"}:
            continue
        answer = await admin.request(**_request(method, path, operation, "back"))
        assert answer.status_code not in (401, 403) or operation["operationId"] in {
            "login",
            "change_password",
        }, (method, path, answer.text)
        assert answer.status_code != 500, (method, path, answer.text)


async def test_an_operator_sees_the_system_and_manages_nothing(api: Api) -> None:
    async with api.client("olga") as olga:
        assert (await olga.get("/api/v1/system")).status_code == 200
        assert (await olga.get("/api/v1/cameras/back")).status_code == 200
        assert (await olga.get("/api/v1/users")).status_code == 403
        assert (await olga.delete("/api/v1/cameras/back")).status_code == 403


def _sockets(api: Api) -> list[str]:
    found: list[str] = []
    for included in api.app.routes:
        original = getattr(included, "original_router", None)
        prefix = getattr(getattr(included, "include_context", None), "prefix", "")
        for route in getattr(original, "routes", ()):
            if isinstance(route, APIWebSocketRoute):
                found.append(prefix + route.path)
    return found


async def _closed_with(api: Api, path: str, token: str | None) -> int | None:
    """The code with which it closes; it must do so before it says anything."""
    async with api.socket(token, path) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        return socket.close_code


async def test_sockets_of_a_camera_close_for_who_may_not_see_it(
    api: Api, anybody: httpx.AsyncClient
) -> None:
    paths = _sockets(api)
    assert "/api/v1/events" in paths
    of_cameras = [path for path in paths if "{camera_id}" in path]
    assert of_cameras
    token = await api.sign_in(anybody, "vera")
    for path in of_cameras:
        for camera_id in ("back", "absent"):
            filled = path.format(camera_id=camera_id, stream="main")
            assert await _closed_with(api, filled, token) == 4404
            assert await _closed_with(api, filled, "nonsense") == 4401


async def test_the_document_names_each_operation_once(api: Api) -> None:
    operations = [operation for _, _, operation in _operations(api.app.openapi())]
    identities = [operation["operationId"] for operation in operations]
    assert len(set(identities)) == len(identities)
    known = json.dumps(api.app.openapi())
    assert "HTTPValidationError" not in known
