"""What is not recorded though it should be is said, by asking the recorder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.support.api_server import Api

from vms.bus import subjects
from vms.common.model.camera import StreamState, StreamStatus
from vms.common.model.messages import Command, Reply

ONLINE = StreamState("front", "main", StreamStatus.ONLINE, 1_790_000_000_000_000_000)


class Recorder:
    """Answers as the storage role does."""

    def __init__(self) -> None:
        self.problem = ""
        self.streams: list[dict[str, Any]] = []

    async def answer(self, command: Command) -> Reply:
        assert command.kind == "status"
        return Reply({"volume": "/v", "problem": self.problem, "streams": self.streams})

    def say(self, recording: bool, problem: str = "") -> None:
        reason = problem or ("" if recording else "waiting for a key picture")
        self.streams = [
            {
                "camera": "front",
                "stream": "main",
                "recording": recording,
                "reason": reason,
                "problem": problem,
            }
        ]


@pytest.fixture
async def recorder(api: Api) -> AsyncIterator[Recorder]:
    api.bus.publish(subjects.state("front", "main"), ONLINE)
    made = Recorder()
    serving = await api.bus.serve(subjects.STORAGE_COMMANDS, made.answer)
    yield made
    await serving.close()


async def _said(api: Api, who: httpx.AsyncClient, stream: str = "main") -> str:
    await api.services.recording.look()
    found = (await who.get("/api/v1/cameras/front")).json()["state"][stream]
    return str(found["not_recorded"])


async def test_a_disk_that_refuses_is_said_at_once_and_ends(
    api: Api, recorder: Recorder, admin: httpx.AsyncClient, vera: httpx.AsyncClient
) -> None:
    recorder.say(recording=True)
    assert await _said(api, admin) == ""
    recorder.say(recording=False, problem="/v is full")
    assert await _said(api, admin) == "/v is full"
    assert "administrator" in await _said(api, vera)
    recorder.say(recording=True)
    assert await _said(api, admin) == ""


async def test_a_wait_for_the_key_picture_is_said_when_it_lasts(
    api: Api, recorder: Recorder, admin: httpx.AsyncClient
) -> None:
    recorder.say(recording=False)
    assert await _said(api, admin) == ""
    api.clock.ahead += 11
    assert await _said(api, admin) == "waiting for a key picture"


async def test_a_volume_that_cannot_be_used_keeps_all_that_should_be_from_being_recorded(
    api: Api, recorder: Recorder, admin: httpx.AsyncClient
) -> None:
    recorder.problem = "/v is not mounted"
    assert await _said(api, admin) == "/v is not mounted"
    assert await _said(api, admin, "sub") == ""


async def test_no_storage_role_is_said_after_ten_seconds(
    api: Api, admin: httpx.AsyncClient
) -> None:
    assert await _said(api, admin) == ""
    api.clock.ahead += 11
    assert await _said(api, admin) == "no storage role answers; check that it runs"


async def test_a_change_is_pushed(api: Api, admin: httpx.AsyncClient, recorder: Recorder) -> None:
    await api.services.recording.look()
    with api.services.board.watch() as watcher:
        recorder.say(recording=False, problem="/v is full")
        await api.services.recording.look()
        assert watcher.take()[0] == [ONLINE]
        await api.services.recording.look()
        assert watcher.take()[0] == []
