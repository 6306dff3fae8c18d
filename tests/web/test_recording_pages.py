"""How cameras are recorded and what of them is hidden, set in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.browser import needs_chromium
from tests.support.system import System
from tests.support.web_rig import PHONE, fits_width, go, signed_in, small_system

pytestmark = [
    needs_chromium,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(120),
]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with small_system(tmp_path_factory.mktemp("web") / "data", ("door", "hall")) as running:
        yield running


def camera(system: System, name: str) -> dict[str, Any]:
    found: dict[str, Any] = system.client().get(f"/api/v1/cameras/{name}").json()
    return found


async def centre(page: Any, selector: str) -> tuple[float, float]:
    box = await page.locator(selector).first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def cell(row: int, column: int) -> str:
    return f'.week [data-row="{row}"][data-column="{column}"]'


async def test_a_week_is_painted_and_saved(system: System) -> None:
    async with signed_in(system) as (page, errors):
        await go(page, "/cameras/door")
        await page.click("text=Recording >> nth=0")
        stream = "[data-stream=main]"
        await page.click(f"{stream} [data-value=schedule]")
        # Whole days first, so that nothing is lost while it is painted.
        assert await page.get_attribute(cell(6, 47), "data-mode") == "continuous"

        await page.locator(f"{stream} [data-value=event]").last.click()
        await page.mouse.move(*await centre(page, cell(0, 16)))
        await page.mouse.down()
        await page.mouse.move(*await centre(page, cell(1, 35)), steps=4)
        await page.mouse.up()
        await page.locator(f"{stream} [data-value=off]").last.click()
        await page.focus(cell(6, 0))
        await page.keyboard.press("Space")
        await page.keyboard.press("Shift+ArrowRight")

        await page.fill("[name=zone]", "Europe/Lisbon")
        await page.fill("[name=before]", "61")
        await page.fill("[name=holidays]", "2026-02-30")
        await page.click("dialog [type=submit]")
        assert "0 to 60" in await page.inner_text(".form-error")
        await page.fill("[name=before]", "7.5")
        await page.click("dialog [type=submit]")
        assert "2026-12-25" in await page.inner_text(".form-error")
        await page.fill("[name=holidays]", "2027-01-01, 2026-12-25")
        await page.click("dialog [type=submit]")
        await page.wait_for_selector("dialog", state="detached")
        assert errors == []

    main = camera(system, "door")["streams"][0]
    assert (main["recording"], main["pre_roll_s"], main["audio"]) == ("schedule", 7.5, True)
    plan = main["schedule"]
    assert plan["zone"] == "Europe/Lisbon"
    assert plan["holidays"] == ["2026-12-25", "2027-01-01"]
    days = {
        day: [
            (slot["start_minute"], slot["end_minute"], slot["mode"])
            for slot in plan["slots"]
            if slot["day"] == day
        ]
        for day in range(8)
    }
    painted = [(0, 480, "continuous"), (480, 1080, "event"), (1080, 1440, "continuous")]
    assert days[0] == days[1] == painted
    assert days[2] == days[7] == [(0, 1440, "continuous")]
    assert days[6] == [(60, 1440, "continuous")]


async def test_a_zone_that_is_none_is_said_by_the_server_and_nothing_is_lost(
    system: System,
) -> None:
    before = camera(system, "hall")["streams"]
    async with signed_in(system) as (page, _):
        await go(page, "/cameras/hall")
        await page.click("text=Recording >> nth=0")
        await page.click("[data-stream=main] [data-value=schedule]")
        await page.fill("[name=zone]", "Mars/Olympus")
        await page.click("dialog [type=submit]")
        await page.wait_for_selector(".form-error")
        assert "Mars/Olympus" in await page.inner_text(".form-error")
        await page.keyboard.press("Escape")
    assert camera(system, "hall")["streams"] == before


async def test_a_mask_is_drawn_named_moved_and_deleted(system: System) -> None:
    async with signed_in(system) as (page, errors):
        await go(page, "/cameras/hall")
        await page.click("text=Privacy masks")
        await page.wait_for_selector(".mask-board img")

        async def at(x: float, y: float) -> tuple[float, float]:
            # The dialog stands in the middle, and moves as its list grows.
            box = await page.locator(".mask-board").bounding_box()
            return box["x"] + box["width"] * x, box["y"] + box["height"] * y

        corners = [(0.2, 0.2), (0.6, 0.2), (0.6, 0.7), (0.2, 0.7)]
        for corner in [*corners, corners[0]]:
            await page.mouse.click(*await at(*corner))
        await page.fill(".mask-list input", "Window next door")
        await page.mouse.move(*await at(0.6, 0.7))
        await page.mouse.down()
        await page.mouse.move(*await at(0.8, 0.9), steps=4)
        await page.mouse.up()
        await page.click("dialog [type=submit]")
        await page.wait_for_selector("dialog", state="detached")

        (mask,) = camera(system, "hall")["masks"]
        assert mask["name"] == "Window next door"
        wanted = [(0.2, 0.2), (0.6, 0.2), (0.8, 0.9), (0.2, 0.7)]
        for (x, y), (want_x, want_y) in zip(mask["points"], wanted, strict=True):
            assert abs(x - want_x) < 0.01
            assert abs(y - want_y) < 0.01

        # By keys alone: another one, and the first away.
        await page.click("text=Privacy masks")
        await page.click("text=New mask")
        await page.focus(".mask-board")
        for keys in (("Space",), ("ArrowRight", "Space"), ("ArrowDown", "Space"), ("Enter",)):
            for key in keys:
                await page.keyboard.press(key)
        assert await page.locator(".mask-list [data-mask]").count() == 2
        await page.locator(".mask-list .icon").first.click()
        await page.click("dialog [type=submit]")
        await page.wait_for_selector("dialog", state="detached")
        assert errors == []
    (small,) = camera(system, "hall")["masks"]
    assert small["points"] == [[0.5, 0.5], [0.52, 0.5], [0.52, 0.52]]


async def test_on_a_phone_both_editors_fit(system: System) -> None:
    async with signed_in(system, PHONE) as (page, errors):
        await go(page, "/cameras/door")
        await page.click("text=Gravação >> nth=0")
        await page.click("[data-stream=main] [data-value=schedule]")
        await page.wait_for_selector("text=Fuso horário")
        assert await fits_width(page)
        await page.keyboard.press("Escape")
        await page.click("text=Máscaras de privacidade")
        await page.wait_for_selector(".mask-board")
        assert await fits_width(page)
        assert errors == []
