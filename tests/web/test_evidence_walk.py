"""From the timeline to a verdict: what a person does who hands footage over as evidence."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.browser import chromium, needs_chromium
from tests.support.playback_page import (
    Line,
    open_playback,
    settled,
    small_picture_near,
    step,
    until,
)
from tests.support.playback_plant import Plant, recorded
from tests.support.system import VMS

pytestmark = [
    needs_chromium,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(240),
]

DESK = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US", "timezone_id": "UTC"}
CAMERAS = ("c1", "c2")
_FOUND = """() => [...document.querySelectorAll('.findings li')].map(li => [
  li.dataset.what, li.dataset.path, Number(li.dataset.start), Number(li.dataset.end)])"""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with recorded(tmp_path_factory.mktemp("walk") / "data", 24, CAMERAS) as made:
        yield made


async def test_a_span_is_found_exported_and_judged(plant: Plant, tmp_path: Path) -> None:
    start = max(plant.spans(name)[0][0] for name in CAMERAS)
    async with chromium(**DESK) as context:
        page = await open_playback(context, plant.system, CAMERAS, start + 1000)
        await page.keyboard.press("k")
        await _find(page, start)
        case = await _export(page, start, tmp_path)
    folder = tmp_path / "case"
    with zipfile.ZipFile(case) as file:
        file.extractall(folder)
    media = sorted(path for path in folder.rglob("*.mkv"))
    media += sorted(path for path in folder.rglob("*.mp4"))
    assert {camera for camera in CAMERAS for path in media if camera in str(path)} == set(CAMERAS)
    async with chromium(locale="en-US") as browser:
        assert _verified(case) == (True, [])
        assert await _judged(browser, folder, case) == ("ok", [])
        target = media[0]
        whole = bytearray(target.read_bytes())
        whole[len(whole) // 2] ^= 1
        target.write_bytes(whole)
        ok, told = _verified(folder)
        assert not ok
        assert [one[:2] for one in told] == [["altered", str(target.relative_to(folder))]]
        # Where in the footage it was changed, within what was asked for and what leads to it.
        assert start - 3000 <= told[0][2] < told[0][3] <= start + 25_000
        assert await _judged(browser, folder, folder) == ("bad", told)


async def _find(page: Any, start: int) -> None:
    """Scrub to it by the small pictures, play on at four times, step to the very picture."""
    line = Line(page)
    await page.mouse.move(*await line.place(start + 18_000))
    await page.mouse.down()
    await page.mouse.move(*await line.place(start + 4000), steps=5)
    await page.wait_for_selector(".hint-picture[data-preview=yes]")
    await small_picture_near(page, start + 4000)
    await page.mouse.up()
    await until(
        page,
        lambda seen: all(abs((one.wall_ms or 0) - start - 4000) < 1500 for one in seen),
        "both cameras where the hand let go",
    )
    await page.select_option(".speed", "4")
    await page.keyboard.press("l")
    await until(
        page,
        lambda seen: all((one.wall_ms or 0) > start + 9000 for one in seen),
        "both cameras five seconds on",
    )
    await page.keyboard.press("k")
    await settled(page)
    await step(page, ".", 1, 3)
    await step(page, ",", -1, 5)


async def _export(page: Any, start: int, folder: Path) -> Path:
    """Choose eight seconds, export both cameras as a case, save it."""
    line = Line(page)
    await page.keyboard.down("Shift")
    await page.mouse.move(*await line.place(start + 5000))
    await page.mouse.down()
    await page.mouse.move(*await line.place(start + 13_000), steps=4)
    await page.mouse.up()
    await page.keyboard.up("Shift")
    await page.click(".selection-bar .primary")
    await page.click("dialog [data-value=case]")
    await page.fill("dialog [name=reason]", "Theft at the gate")
    await page.click("dialog [type=submit]")
    await page.wait_for_selector("[data-export][data-state=done]", timeout=60_000)
    async with page.expect_download() as waiting:
        await page.click("[data-export] .btn.primary")
    saved = folder / "case.zip"
    await (await waiting.value).save_as(saved)
    return saved


def _verified(case: Path) -> tuple[bool, list[list[Any]]]:
    """What `vms verify` says: (whether all is as it was, what it found)."""
    told = subprocess.run(
        [VMS, "verify", case, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode in (0, 1), told.stderr
    fields = json.loads(told.stdout)
    assert fields["ok"] == (told.returncode == 0)
    return fields["ok"], [
        [one["what"], one["path"], one["start_ms"], one["end_ms"]] for one in fields["findings"]
    ]


async def _judged(browser: Any, folder: Path, case: Path) -> tuple[str, list[list[Any]]]:
    """What the page that lies in the case says of it, opened from the disk."""
    page = await browser.new_page()
    try:
        await page.goto((folder / "verify.html").as_uri())
        await page.wait_for_selector(".intake")
        await page.set_input_files("#zip" if case.suffix == ".zip" else "#folder", str(case))
        await page.wait_for_selector("[data-verdict]")
        return (
            await page.get_attribute("[data-verdict]", "data-verdict"),
            await page.evaluate(_FOUND),
        )
    finally:
        await page.close()
