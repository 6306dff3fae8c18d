"""The page that verifies a case, in Chromium, opened from a disk."""

from __future__ import annotations

import asyncio
import base64
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.browser import chromium, needs_chromium
from tests.support.case_vectors import FOLDER, OURS, THEIRS, vector
from tests.support.export_rig import exporting, footage
from tests.support.storage_media import SECOND, START_NS

from vms.storage.export import check
from vms.storage.export.spec import Format, Spec

PAGE = Path(__file__).resolve().parents[2] / "web" / "dist" / "verify.html"
VECTORS = {one["name"]: one for one in json.loads((FOLDER / "vectors.json").read_text("utf-8"))}

pytestmark = [
    needs_chromium,
    pytest.mark.browser,
    pytest.mark.skipif(not PAGE.exists(), reason="the page is not built: make web"),
]

_FOUND = """() => [...document.querySelectorAll('.findings li')].map(li => ({
  what: li.dataset.what, path: li.dataset.path,
  start: li.dataset.start ? Number(li.dataset.start) : null,
  end: li.dataset.end ? Number(li.dataset.end) : null,
}))"""


async def open_page(browser: Any, folder: Path) -> Any:
    """The page alone in a folder, as it comes out of a case; what it asks for is noted."""
    place = folder / "verify.html"
    place.write_bytes(PAGE.read_bytes())
    page = await browser.new_page()
    page.asked, page.errors = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda message: page.errors.append(message.text))
    await page.goto(place.as_uri())
    await page.wait_for_selector(".intake")
    return page


async def judged(page: Any, case: Path) -> tuple[str, list[dict[str, Any]]]:
    """(the verdict, what was found) once the page has judged a case."""
    if await page.query_selector(".again"):
        await page.click(".again")
    await page.set_input_files("#zip" if case.suffix == ".zip" else "#folder", str(case))
    await page.wait_for_selector("[data-verdict]")
    return (
        await page.get_attribute("[data-verdict]", "data-verdict"),
        await page.evaluate(_FOUND),
    )


def expected(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return [{k: v for k, v in one.items() if k != "text"} for one in fields["findings"]]


async def test_cases_are_judged_as_the_command_line_does(tmp_path: Path) -> None:
    """A part of the shared cases; vitest goes through all of them."""
    chosen = [
        one
        for number, one in enumerate(VECTORS.values())
        # A folder without any file cannot be chosen.
        if not one["key"]
        and one["name"] not in ("no case at all",)
        and (number % 4 == 0 or one["folder"] or "signed anew" in one["name"])
    ]
    assert len(chosen) > 30
    async with chromium(locale="en-US") as browser:
        page = await open_page(browser, tmp_path)
        for number, fields in enumerate(chosen):
            case = vector(fields).make(FOLDER, tmp_path / str(number))
            verdict, found = await judged(page, case)
            assert found == expected(fields), fields["name"]
            assert verdict == ("bad" if found else "ok"), fields["name"]
        assert page.errors == []
        assert [url for url in page.asked if not url.startswith("file:")] == []


async def test_an_export_is_judged_by_the_page_that_lies_in_it(tmp_path: Path) -> None:
    async with exporting(tmp_path, footage("front"), page=PAGE) as rig:
        spec = Spec(("front",), START_NS, START_NS + 4 * SECOND, format=Format.CASE)
        spec = replace(spec, reason="Furto às 14 h")
        _, made = await rig.done(spec)
        case = tmp_path / "case.zip"
        case.write_bytes(made.read_bytes())
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(case) as archive:
        archive.extractall(unpacked)
    assert (unpacked / "verify.html").read_bytes() == PAGE.read_bytes()
    async with chromium(locale="en-US") as browser:
        page = await browser.new_page()
        await page.goto((unpacked / "verify.html").as_uri())
        for one in (case, unpacked):
            assert await judged(page, one) == ("ok", [])
            assert "Furto às 14 h" in await page.inner_text("main")
            assert await page.get_attribute("[data-file]", "data-state") == "proven"
        (video,) = unpacked.glob("front/*.mkv")
        data = bytearray(video.read_bytes())
        data[len(data) // 2] ^= 1
        video.write_bytes(data)
        verdict, found = await judged(page, unpacked)
        assert verdict == "bad"
        assert [one["what"] for one in found] == ["altered"]
        assert found == [
            {"what": one.what.value, "path": one.path, "start": one.start_ms, "end": one.end_ms}
            for one in check.verify(unpacked).findings
        ]


async def test_it_tells_who_exported_when_and_why_and_compares_the_key(tmp_path: Path) -> None:
    async with chromium(locale="en-US", timezone_id="America/Sao_Paulo") as browser:
        page = await open_page(browser, tmp_path)
        assert await judged(page, FOLDER / "whole.zip") == ("ok", [])
        text = await page.inner_text("main")
        for said in ("Nothing was changed", "Ana Souza", "<b>no portão</b>", "Portão", "UTC"):
            assert said in text
        assert OURS.fingerprint in text.replace(" ", "")
        await page.fill("#told", OURS.fingerprint.upper())
        assert await page.get_attribute(".answer", "data-key") == "keySame"
        assert await page.get_attribute("[data-verdict]", "data-verdict") == "ok"
        await page.fill("#told", THEIRS.fingerprint)
        assert await page.get_attribute("[data-verdict]", "data-verdict") == "bad"
        assert [one["what"] for one in await page.evaluate(_FOUND)] == ["key"]
        await page.fill("#told", "1234")
        assert await page.get_attribute(".answer", "data-key") == "keyBad"
        assert page.errors == []


async def test_it_speaks_portuguese(tmp_path: Path) -> None:
    async with chromium(locale="pt-BR") as browser:
        page = await open_page(browser, tmp_path)
        assert "Verificar um caso" in await page.inner_text("h1")
        await judged(page, FOLDER / "forged.zip")
        text = await page.inner_text("main")
        assert "não é o que foi gravado" in text
        await page.click("nav button[lang=en]")
        assert "it is not what was recorded" in await page.inner_text("main")
        await page.click(".again")
        assert "Drop the ZIP" in await page.inner_text("main")


async def test_a_case_can_be_dropped_on_it(tmp_path: Path) -> None:
    drop = """async data => {
      const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], 'case.zip'));
      const said = {dataTransfer: transfer, bubbles: true, cancelable: true};
      document.body.dispatchEvent(new DragEvent('dragover', said));
      document.body.dispatchEvent(new DragEvent('drop', said));
    }"""
    async with chromium(locale="en-US") as browser:
        page = await open_page(browser, tmp_path)
        data = base64.b64encode((FOLDER / "whole.zip").read_bytes()).decode()
        await page.evaluate(drop, data)
        await page.wait_for_selector("[data-verdict=ok]")


async def test_what_is_larger_than_memory_is_refused_without_reading_it(tmp_path: Path) -> None:
    huge = tmp_path / "huge.zip"
    with huge.open("wb") as file:
        file.truncate(300 << 30)
    async with chromium(locale="en-US") as browser:
        page = await open_page(browser, tmp_path)
        async with asyncio.timeout(10):
            verdict, found = await judged(page, huge)
        assert (verdict, found[0]["what"]) == ("bad", "unreadable")
