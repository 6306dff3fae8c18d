"""Playback in a real browser: what the pictures' own stamps say of rate, steps and unison."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator

import pytest
from tests.support.browser import chromium, needs_chromium
from tests.support.playback_page import (
    Line,
    apart_ms,
    look,
    open_playback,
    settled,
    small_picture_near,
    step,
    until,
)
from tests.support.playback_plant import FPS, GAPPED, HEARD, NAMES, Plant, recorded
from tests.support.web_rig import fits_width

pytestmark = [
    needs_chromium,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(240),
]

DESK = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US", "timezone_id": "UTC"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "locale": "pt-BR",
    "is_mobile": True,
    "has_touch": True,
}
PICTURE_MS = 1000 / FPS


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with recorded(tmp_path_factory.mktemp("playback") / "data", 26) as made:
        yield made


async def test_found_by_scrubbing_played_at_four_and_stepped(plant: Plant) -> None:
    start, end = plant.spans(NAMES[0])[0]
    async with chromium(**DESK) as context:
        page = await open_playback(context, plant.system, NAMES[:1], start + 1000)
        await page.keyboard.press("k")
        line = Line(page)

        # The hand goes over the timeline: small pictures of those moments stand above it.
        await page.mouse.move(*await line.place(end - 2000))
        await page.mouse.down()
        for wanted in (end - 4000, start + 14_000, start + 4000):
            await page.mouse.move(*await line.place(wanted), steps=3)
            await page.wait_for_selector(".hint-picture[data-preview=yes]")
            # A small picture stands for ten seconds.
            await small_picture_near(page, wanted)
        await page.mouse.up()
        await until(
            page,
            lambda seen: seen[0].wall_ms is not None and abs(seen[0].wall_ms - start - 4000) < 1500,
            "the picture where the hand let go",
        )

        await page.select_option(".speed", "4")
        await page.keyboard.press("l")
        first = await until(
            page,
            lambda seen: seen[0].wall_ms is not None and seen[0].wall_ms > start + 6000,
            "the picture to move",
        )
        last = await until(
            page,
            lambda seen: seen[0].wall_ms is not None and seen[0].wall_ms > start + 17_000,
            "eleven seconds at four times their speed",
        )
        assert first[0].wall_ms
        assert last[0].wall_ms
        rate = (last[0].wall_ms - first[0].wall_ms) / (last[0].at_ms - first[0].at_ms)
        assert rate == pytest.approx(4, rel=0.25)

        await page.keyboard.press("k")
        await settled(page)
        # More than one group of pictures (2 s), so that its border is stepped over too.
        await step(page, ".", 1, 34)
        await step(page, ",", -1, 36)


@pytest.mark.parametrize("count", [2, 9])
async def test_cameras_play_instep(plant: Plant, count: int) -> None:
    start = max(plant.spans(name)[0][0] for name in NAMES)
    async with chromium(**DESK) as context:
        page = await open_playback(context, plant.system, NAMES[:count], start + 1000)
        await until(page, lambda seen: apart_ms(seen) <= 100, "unison")
        found: list[float] = []
        for _ in range(40):
            found.append(apart_ms(await look(page)))
            await asyncio.sleep(0.05)
        assert statistics.median(found) <= 100
        await page.keyboard.press("k")
        await until(page, lambda seen: apart_ms(seen) <= PICTURE_MS + 1, "the same moment", 10)


async def test_one_camera_is_heard(plant: Plant) -> None:
    start, _ = plant.spans(HEARD)[0]
    loud = """() => [...document.querySelectorAll('[data-playback]')]
        .filter(tile => !tile.querySelector('video').muted).map(tile => tile.dataset.playback)"""
    async with chromium(**DESK) as context:
        page = await open_playback(context, plant.system, [NAMES[0], HEARD], start + 1000)
        assert await page.evaluate(loud) == []
        assert await page.locator("[aria-label='Sound on']").count() == 0
        await page.click(f"[data-playback={HEARD}] .stage-name")
        await page.click("[aria-label='Sound on']")
        await page.wait_for_selector("[aria-label='Sound off']")
        assert await page.evaluate(loud) == [HEARD]
        await page.select_option(".speed", "4")
        await page.wait_for_function(f"() => ({loud})().length === 0")


async def test_on_a_phone_in_portuguese_it_fits(plant: Plant) -> None:
    start, _ = plant.spans(NAMES[0])[0]
    async with chromium(**PHONE) as context:
        page = await open_playback(context, plant.system, NAMES[:4], start + 1000)
        assert await fits_width(page)
        await page.tap(".timeline-foot .btn")
        await page.tap(".selection-bar .btn:has-text('Bloquear')")
        await page.wait_for_selector("dialog[open]")
        assert await fits_width(page)


async def test_backwards(plant: Plant) -> None:
    start, _ = plant.spans(NAMES[0])[0]
    async with chromium(**DESK) as context:
        page = await open_playback(context, plant.system, NAMES[:2], start + 14_000)
        await page.keyboard.press("r")
        numbers: list[int] = []
        for _ in range(400):
            number = (await look(page))[0].number
            if number is not None and (not numbers or number != numbers[-1]):
                numbers.append(number)
            if numbers and numbers[0] - numbers[-1] > 60:
                break
            await asyncio.sleep(0.04)
        assert numbers[0] - numbers[-1] > 60
        turn = numbers.index(max(numbers))
        assert numbers[turn:] == sorted(numbers[turn:], reverse=True)
        assert len(numbers) > 12


async def test_gaps_are_skipped_or_shown(plant: Plant) -> None:
    (_, end), (again, _) = plant.spans(GAPPED)[:2]
    async with chromium(**DESK) as context:
        page = await open_playback(context, plant.system, [GAPPED], end - 2500)
        await until(
            page, lambda seen: (seen[0].wall_ms or 0) > again - 1500, "footage after the gap"
        )
        toast = await page.inner_text(".toast")
        assert toast.startswith("No recording from")

        await page.keyboard.press("g")
        await page.click(".time-button")
        await page.fill(".time-input", await page.evaluate(
            "ms => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')", end - 1500
        ))  # fmt: skip
        await page.keyboard.press("Enter")
        await until(page, lambda seen: seen[0].state == "gap", "the gap itself")
        assert "No recording at" in await page.inner_text(".tile-overlay")
        line = Line(page)
        await page.mouse.move(*await line.place((end + again) / 2))
        await page.wait_for_selector(".hint-mark:has-text('Not recorded')")


async def test_a_span_is_chosen_with_its_handles(plant: Plant) -> None:
    start, _ = plant.spans(NAMES[0])[0]
    async with chromium(**DESK) as context:
        page = await open_playback(context, plant.system, NAMES[:2], start + 8000)
        await page.keyboard.press("k")
        line = Line(page)
        await page.keyboard.down("Shift")
        await page.mouse.move(*await line.place(start + 4000))
        await page.mouse.down()
        await page.mouse.move(*await line.place(start + 12_000), steps=4)
        await page.mouse.up()
        await page.keyboard.up("Shift")
        ends = page.locator(".span-handle")
        assert await ends.count() == 2
        before = int(await ends.nth(1).get_attribute("aria-valuenow"))
        await ends.nth(1).focus()
        await page.keyboard.press("Shift+ArrowRight")
        await page.keyboard.press("ArrowLeft")
        assert int(await ends.nth(1).get_attribute("aria-valuenow")) == before + 9
        await page.click(".selection-bar .primary")
        await page.wait_for_selector("dialog[open]")


async def test_wheel_and_ruler_move_the_view(plant: Plant) -> None:
    start, _ = plant.spans(NAMES[0])[0]
    async with chromium(**DESK) as context:
        page = await open_playback(context, plant.system, NAMES[:1], start + 8000)
        await page.keyboard.press("k")
        line = Line(page)
        x, y = await line.place(start + 5000)
        await page.mouse.move(x, y)
        wide = await line.view()
        await page.mouse.wheel(0, -400)
        for _ in range(100):
            if await line.view() != wide:
                break
            await asyncio.sleep(0.05)
        near = await line.view()
        assert near[1] - near[0] < wide[1] - wide[0]
        # What lay under the pointer lies there still.
        assert (await line.place(start + 5000))[0] == pytest.approx(x, abs=2)
        await page.mouse.move(x, y - 34)
        await page.mouse.down()
        await page.mouse.move(x + 120, y - 34, steps=4)
        await page.mouse.up()
        assert (await line.view())[0] < near[0]
        for _ in range(12):
            await page.mouse.wheel(0, 600)
        await page.wait_for_function(
            "() => { const { viewStart, viewEnd } = "
            "document.querySelector('.timeline-canvas').dataset; "
            "return viewEnd - viewStart > 3 * 86_400_000 }"
        )
