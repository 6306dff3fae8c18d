"""A case as exports make it, judged by the page that lies in it, in Chromium."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from tests.support.browser import chromium, needs_chromium
from tests.support.export_rig import exporting, footage
from tests.support.storage_media import SECOND, START_NS
from tests.support.storage_rig import camera

from vms.app.web import WEB_DIR
from vms.storage.export import check
from vms.storage.export.spec import Burn, Format, Spec

PAGE = WEB_DIR / "verify.html"

pytestmark = [
    needs_chromium,
    pytest.mark.browser,
    pytest.mark.skipif(not PAGE.exists(), reason="the page is not built: make web"),
]


@pytest.mark.parametrize("burn", [Burn(), Burn(time=True)], ids=["as recorded", "burned in"])
async def test_the_page_in_a_case_judges_it_as_the_program_does(tmp_path: Path, burn: Burn) -> None:
    units = [*footage("front", 2), *footage("front", 2, after=12, run="run2"), *footage("back", 2)]
    cameras = [camera(), camera("back")]
    async with exporting(tmp_path, units, cameras, PAGE) as rig:
        spec = Spec(
            ("front", "back"), START_NS, START_NS + 14 * SECOND, format=Format.CASE, burn=burn,
            reason="theft <b>",
        )  # fmt: skip
        job, path = await rig.done(spec)
    whole = tmp_path / "whole.zip"
    whole.write_bytes(path.read_bytes())
    spoiled = tmp_path / "spoiled.zip"
    data = bytearray(whole.read_bytes())
    with zipfile.ZipFile(whole) as file:
        at = file.getinfo(job.result["files"][1]["name"]).header_offset
        file.extract("verify.html", tmp_path)
    data[at + 6000] ^= 4
    spoiled.write_bytes(data)
    (expected,) = check.verify(spoiled).findings
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto((tmp_path / "verify.html").as_uri())
        await page.wait_for_selector(".intake")
        await page.set_input_files("#zip", str(whole))
        await page.wait_for_selector("[data-verdict]")
        assert await page.get_attribute("[data-verdict]", "data-verdict") == "ok"
        text = await page.inner_text("body")
        assert "ana" in text
        assert "theft <b>" in text
        await page.click(".again")
        await page.set_input_files("#zip", str(spoiled))
        await page.wait_for_selector("[data-verdict]")
        found = await page.query_selector(".findings li")
        assert found is not None
        assert await found.get_attribute("data-what") == expected.what.value
        assert await found.get_attribute("data-path") == expected.path
        assert int(await found.get_attribute("data-start") or 0) == expected.start_ms
