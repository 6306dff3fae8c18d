"""Locks, bookmarks, events by hand and exports, in a real browser on the whole system."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from tests.support.browser import needs_chromium
from tests.support.system import System, wait_for
from tests.support.web_rig import PHONE, fits_width, go, signed_in, small_system

pytestmark = [
    needs_chromium,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(120),
]
API = "/api/v1"
RECORDED_MS = 8000


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with small_system(tmp_path_factory.mktemp("web") / "data", ("door", "hall")) as running:
        client = running.client()
        wait_for(
            lambda: all(recorded(client, name) > RECORDED_MS for name in ("door", "hall")),
            40,
            "both cameras to have recordings",
        )
        yield running


def spans(client: httpx.Client, camera: str) -> list[dict[str, Any]]:
    end = now_ms() + 1000
    query: dict[str, str | int] = {
        "start": end - 3_600_000,
        "end": end,
        "stream": "main",
        "step": 0,
    }
    answer = client.get(f"{API}/cameras/{camera}/timeline", params=query).raise_for_status()
    found: list[dict[str, Any]] = answer.json()["spans"]
    return found


def recorded(client: httpx.Client, camera: str) -> int:
    return sum(one["end"] - one["start"] for one in spans(client, camera))


async def choose_span(page: Any, client: httpx.Client, path: str, camera: str) -> None:
    """Open playback within what is recorded, and choose a span there by the keys."""
    at = spans(client, camera)[0]["start"] + 2000
    await go(page, f"{path}at={at}")
    await page.wait_for_selector("[data-playback][data-wall-ms]")
    await page.keyboard.press("k")
    await page.keyboard.press("i")
    await page.wait_for_selector(".selection-bar")


async def test_a_lock_is_set_found_and_released_with_reasons(system: System) -> None:
    client = system.client()
    async with signed_in(system) as (page, errors):
        await choose_span(page, client, "/playback/door?with=hall&", "door")
        await page.click(".selection-bar >> text=Lock")
        await page.click("dialog [type=submit]")
        assert await page.inner_text(".form-error") == "Say why."
        await page.fill("dialog [name=reason]", "Case 4711")
        await page.click("dialog [type=submit]")
        await page.wait_for_selector("dialog", state="detached")
        made = client.get(f"{API}/holds").raise_for_status().json()
        assert {(one["camera"], one["kind"], one["reason"]) for one in made} == {
            ("door", "lock", "Case 4711"),
            ("hall", "lock", "Case 4711"),
        }

        await go(page, "/evidence/holds")
        rows = page.locator("[data-hold]")
        await rows.nth(1).wait_for()
        await rows.first.locator("text=Release").click()
        await page.click("dialog .btn.danger")
        assert await page.inner_text(".form-error") == "Say why."
        await page.fill("dialog [name=reason]", "Handed over")
        await page.click("dialog .btn.danger")
        await page.wait_for_selector("dialog", state="detached")
        await rows.nth(1).wait_for(state="detached")
        await page.click(".list-tools .switch")
        await rows.nth(1).wait_for()
        assert "released" in await page.inner_text(".job-list")

        await rows.first.locator("text=Show").click()
        await page.wait_for_selector("[data-playback]")
        assert errors == []
    assert len(client.get(f"{API}/holds").raise_for_status().json()) == 1
    said = client.get(f"{API}/audit", params={"action": "hold.released"}).json()["entries"]
    assert said[0]["detail"]["released_for"] == "Handed over"


async def test_an_export_is_asked_for_followed_saved_and_deleted(
    system: System, tmp_path: Path
) -> None:
    client = system.client()
    async with signed_in(system) as (page, errors):
        await choose_span(page, client, "/playback/door?", "door")
        await page.click(".selection-bar >> text=Export")
        await page.click("dialog .check >> text=hall")
        await page.click("dialog .check >> text=door")
        await page.click("dialog .check >> text=hall")
        await page.click("dialog [type=submit]")
        assert await page.inner_text(".form-error") == "Choose at least one camera."
        await page.click("dialog .check >> text=door")
        await page.fill("dialog [name=reason]", "Case 4711")
        await page.wait_for_selector("dialog >> text=About")
        await page.click("dialog [type=submit]")
        await page.wait_for_selector("[data-export][data-state=done]", timeout=40_000)
        key = client.get(f"{API}/system/evidence-key").raise_for_status().json()
        assert key["fingerprint"] in await page.inner_text(".key-line")
        (job,) = client.get(f"{API}/exports").raise_for_status().json()["exports"]
        assert job["spec"]["cameras"] == ["door"]
        assert job["spec"]["reason"] == "Case 4711"

        async with page.expect_download() as waiting:
            await page.click("[data-export] .btn.primary")
        download = await waiting.value
        assert download.suggested_filename == job["name"]
        saved = tmp_path / job["name"]
        await download.save_as(saved)
        assert saved.stat().st_size == job["size"]
        with av.open(str(saved)) as container:
            assert sum(1 for _ in container.decode(video=0)) > 25

        await page.click("[data-export] [aria-label=Delete]")
        await page.click("dialog .btn.danger")
        await page.wait_for_selector("text=No exports yet")
        assert errors == []
    assert client.get(f"{API}/exports").json()["exports"] == []
    actions = [one["action"] for one in client.get(f"{API}/audit").json()["entries"]]
    for action in ("export.created", "export.downloaded", "export.deleted"):
        assert action in actions


async def test_a_wish_that_cannot_be_is_said_in_the_dialog(system: System) -> None:
    client = system.client()
    mask = {"name": "", "points": [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4]]}
    client.patch(f"{API}/cameras/hall", json={"masks": [mask]}).raise_for_status()
    async with signed_in(system) as (page, errors):
        await choose_span(page, client, "/playback/hall?", "hall")
        await page.click(".selection-bar >> text=Export")
        await page.click("dialog [data-value=mkv]")
        await page.click("dialog [type=submit]")
        await page.wait_for_selector(".form-error")
        assert "privacy masks" in await page.inner_text(".form-error")
        await page.keyboard.press("Escape")
        assert errors == []
    assert client.get(f"{API}/exports").json()["exports"] == []


async def test_an_event_is_begun_and_ended_by_hand(system: System) -> None:
    client = system.client()

    def events() -> list[dict[str, Any]]:
        query = {"start": now_ms() - 600_000, "end": now_ms() + 1000}
        answer = client.get(f"{API}/cameras/door/events", params=query).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["events"]
        return found

    async with signed_in(system) as (page, errors):
        button = "[data-camera=door] [data-trigger]"
        await page.wait_for_selector(button)
        await page.hover("[data-camera=door]")
        await page.click(button)
        await page.wait_for_selector("[data-camera=door] [data-trigger=open]")
        (event,) = wait_for(events, 10, "the event to stand in the catalog")
        assert (event["kind"], event["end"]) == ("manual", None)
        await page.click(button)
        await page.wait_for_selector("[data-camera=door] [data-trigger='']")
        wait_for(lambda: events()[0]["end"] is not None, 10, "the event to end")
        assert errors == []


async def test_on_a_phone_in_portuguese_it_fits(system: System) -> None:
    async with signed_in(system, PHONE) as (page, errors):
        for path in ("/evidence", "/evidence/holds"):
            await go(page, path)
            await page.wait_for_selector(".tabs")
            await page.wait_for_selector("text=Evidências >> nth=1")
            assert await fits_width(page)
        assert errors == []


async def test_a_viewer_finds_no_door_to_evidence(system: System) -> None:
    password = "mapped otter 81 quilts"
    user = {"username": "vera", "password": password, "role": "viewer", "cameras": ["door"]}
    system.client().post(f"{API}/users", json=user).raise_for_status()
    async with signed_in(system, name="vera", password=password) as (page, errors):
        await page.wait_for_selector("[data-camera=door]")
        assert await page.locator("a[href='/evidence'], [data-trigger]").count() == 0
        await go(page, "/evidence")
        await page.wait_for_selector("text=Your account may not do this.")
        assert errors == []
