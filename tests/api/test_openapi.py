"""The OpenAPI document: current, valid, and true."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import CheckFunction, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support.api_routers import OtherRoles
from tests.support.api_server import running_api

from vms.app.openapi import DEFAULT_PATH, document
from vms.bus import subjects
from vms.common.model.messages import Command, Reply


def no_fault(context: Any, response: Any, case: Any) -> None:
    """503 is an answer: a camera that gives no pictures now. The others are faults."""
    assert response.status_code < 500 or response.status_code == 503


CHECKS: list[CheckFunction] = [
    no_fault,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
for kind in ("application/sdp", "application/trickle-ice-sdpfrag"):
    schemathesis.serializer.alias(kind, "text/plain")

ROOT = Path(__file__).resolve().parents[2]


def test_the_document_in_the_repository_is_current() -> None:
    kept = (ROOT / DEFAULT_PATH).read_text("utf-8")
    assert kept == document(), "run: python -m vms.app.openapi"


def test_every_reference_leads_somewhere() -> None:
    text = (ROOT / DEFAULT_PATH).read_text("utf-8")
    found = json.loads(text)
    assert found["openapi"].startswith("3.1")
    for reference in _references(found):
        place: Any = found
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


async def _ingest(command: Command) -> Reply:
    return Reply({"devices": []} if command.kind == "discover" else {})


class _Running:
    """The server in a loop and thread of its own: schemathesis calls it from outside."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self.base = self.token = ""

    def __enter__(self) -> _Running:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()

    async def _run(self) -> None:
        others = OtherRoles()
        async with (
            running_api(self._directory, others.routers()) as api,
            api.client() as client,
        ):
            others.catalog = api.services.catalog
            await api.bus.serve(subjects.INGEST_COMMANDS, _ingest)
            self.document = api.app.openapi()
            self.base, self.token = api.base, await api.sign_in(client, "admin")
            self._ready.set()
            await self._stop.wait()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_request_finds_a_fault_or_an_answer_that_is_not_documented(tmp_path: Path) -> None:
    with _Running(tmp_path) as server:
        schema = schemathesis.openapi.from_dict(server.document)
        headers = {"Authorization": f"Bearer {server.token}"}
        tried = 0
        for result in schema.get_all_operations():
            operation = result.ok()
            # These end the session that the others need.
            if operation.definition.raw["operationId"] in {"end_sessions", "remove_user"}:
                continue
            tried += 1
            _try(operation, server.base, headers)
        assert tried >= 20


def _try(operation: Any, base: str, headers: dict[str, str]) -> None:
    for mode in GenerationMode:

        @settings(
            max_examples=6,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def call(case: Any) -> None:
            case.call_and_validate(base_url=base, headers=headers, checks=CHECKS)

        with contextlib.suppress(Unsatisfiable):
            # Not every operation can be asked wrongly.
            call()
