"""The storage page, rules of retention and the audit page, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
RULES = "/api/v1/storage/retention"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with small_system(tmp_path_factory.mktemp("web") / "data", ("door", "hall")) as running:
        client = running.client()

        def recorded() -> bool:
            found = client.get("/api/v1/storage").raise_for_status().json()["cameras"]
            sizes = [stream["bytes"] for one in found for stream in one["streams"]]
            return len(sizes) == 2 and all(sizes)

        wait_for(recorded, 30, "both cameras to have recordings")
        yield running


async def test_disks_cameras_and_what_was_missed_are_told(system: System) -> None:
    async with signed_in(system) as (page, errors):
        await go(page, "/storage")
        volume = page.locator("[data-volume][data-state=ok]")
        await volume.wait_for()
        assert re.search(r"[\d.]+ [kMGT]B always stay free", await volume.inner_text())
        rows = page.locator("tr[data-camera]")
        assert await rows.count() == 2
        door = await page.inner_text("tr[data-camera=door]")
        assert "main" in door
        assert re.search(r"[\d.]+ [kMG]B", door)
        await page.locator("tr[data-camera=door] .btn").click()
        await page.wait_for_selector("dialog .marks")
        assert "door" in await page.inner_text("dialog h2")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="detached")
        assert errors == []


async def test_rules_are_changed_and_what_is_no_number_is_said(system: System) -> None:
    client = system.client()
    async with signed_in(system) as (page, errors):
        await go(page, "/storage")
        default = '[data-rule="*"]'
        await page.fill(f"{default} [name=days]", "soon")
        await page.click("form [type=submit]")
        assert "Days" in await page.inner_text(".form-error")
        await page.fill(f"{default} [name=days]", "45")
        await page.select_option(".add-row", "hall")
        hall = "[data-rule=hall]"
        await page.fill(f"{hall} [name=days]", "7.5")
        await page.fill(f"{hall} [name=gigabytes]", "120")
        await page.fill(f"{hall} [name=share]", "25")
        await page.fill(f"{hall} [name=events]", "person 90, * 60")
        await page.click("form [type=submit]")
        await page.wait_for_selector(".toast.ok")
        saved = client.get(RULES).raise_for_status().json()
        assert saved["default"]["days"] == 45
        assert saved["cameras"]["hall"] == {
            "days": 7.5,
            "max_bytes": 120_000_000_000,
            "share": 0.25,
            "event_days": {"person": 90, "*": 60},
        }

        await page.reload()
        assert await page.input_value(f"{hall} [name=events]") == "person 90, * 60"
        await page.click(f"{hall} button")
        await page.click("form [type=submit]")
        await page.wait_for_selector(".toast.ok")
        assert client.get(RULES).raise_for_status().json()["cameras"] == {}
        assert errors == []


async def test_the_audit_page_filters_and_checks_its_chain(system: System) -> None:
    client = system.client()
    rules = client.get(RULES).raise_for_status().json()
    rules["default"]["days"] = 33
    client.put(RULES, json=rules).raise_for_status()
    async with signed_in(system) as (page, errors):
        await go(page, "/audit")
        await page.fill("[name=action]", "retention.changed")
        await page.keyboard.press("Tab")
        first = page.locator("tr[data-seq]").first
        await page.wait_for_selector("tr[data-seq]:first-child:has-text('retention.changed')")
        assert "admin" in await first.inner_text()
        assert "33" in await first.inner_text()
        await page.fill("[name=action]", "no-such-thing")
        await page.keyboard.press("Tab")
        await page.wait_for_selector("text=No entries.")
        await page.click(".page-head .btn >> nth=0")
        await page.wait_for_selector(".notice.good")
        assert errors == []


async def test_an_operator_sees_disks_and_may_change_nothing(system: System) -> None:
    password = "mapped otter 81 quilts"
    user = {"username": "ana", "password": password, "role": "operator", "cameras": ["door"]}
    system.client().post("/api/v1/users", json=user).raise_for_status()
    async with signed_in(system, PHONE, "ana", password) as (page, errors):
        await go(page, "/storage")
        await page.wait_for_selector("[data-volume]")
        assert await page.locator("tr[data-camera]").count() == 1
        assert await page.locator("[data-rule]").count() == 0
        assert await page.locator("a[href='/audit']").count() == 0
        assert await fits_width(page)
        assert errors == []
