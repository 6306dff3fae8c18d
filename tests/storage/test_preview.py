"""Preview strips: made from key pictures, kept, masked, and gone with their footage."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.support.storage_media import SECOND, encode_video, picture
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import Rig, camera, rig

from vms.common.clock import SystemClock
from vms.common.model.segment import SegmentRow
from vms.storage import preview
from vms.storage.preview import CELL_MS, STRIP_MS, Previews, forget, sweep
from vms.storage.recording import Recording
from vms.storage.volume import Volume

STRIP = 1_790_000_400_000
BEGIN_NS = STRIP * 1_000_000


class Clock(SystemClock):
    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms

    def now_ns(self) -> int:
        return self.at_ms * 1_000_000


@dataclass(frozen=True)
class Mask:
    points: tuple[tuple[float, float], ...]


ALL = Mask(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path, [camera("front", "main", "sub")]) as made:
        yield made


@pytest.fixture
async def previews(storage: Rig) -> AsyncIterator[Previews]:
    volume = Volume(storage.root, 0)
    clock = Clock(STRIP + 2 * STRIP_MS)
    made = Previews(storage.catalog, lambda _: volume, storage.root, clock)
    yield made
    made.close()


def image(jpeg: bytes) -> np.ndarray:
    with av.open(io.BytesIO(jpeg), "r", format="mjpeg") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def cell(sheet: np.ndarray, number: int) -> np.ndarray:
    height = sheet.shape[0] // preview.ROWS
    top, left = number // 10 * height, number % 10 * 160
    return sheet[top + 8 : top + height - 8, left + 8 : left + 152]


async def record(storage: Rig, stream: str = "main", seconds: int = 35) -> None:
    """Pictures 0 to 24 a second from the second cell on: grey says the time."""
    parameters, rows = encode_video(pictures=seconds * 25, gop=25)
    start = BEGIN_NS + 10 * SECOND
    storage.send(make_units(parameters, rows, start_ns=start, stream=stream, run=stream))


async def test_a_cell_for_each_ten_seconds(storage: Rig, previews: Previews) -> None:
    await record(storage)
    await storage.stop()
    (strip,) = await previews.strips("front", STRIP - 5000, STRIP + STRIP_MS)
    assert strip.start_ms == STRIP
    jpeg, growing = await previews.sheet("front", STRIP)
    assert not growing
    sheet = image(jpeg)
    assert sheet.shape == (preview.ROWS * strip.height, 1600, 3)
    for number in range(60):
        # The cell's first picture is the one of this number.
        shown = 250 * (number - 1)
        if 1 <= number <= 4:
            expected = picture(shown).to_ndarray(format="rgb24")[8:-8, 8:152].astype(float)
        else:
            expected = np.full((1, 1, 3), 32.0)
        assert abs(cell(sheet, number) - expected).mean() < 12, number


async def test_the_sub_stream_is_taken_where_it_is_recorded(
    storage: Rig, previews: Previews, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(storage, "main", 12)
    await record(storage, "sub", 12)
    await storage.stop()
    read: list[str] = []

    class Noted(Recording):
        def __init__(self, volume: Volume, row: SegmentRow) -> None:
            read.append(row.stream)
            super().__init__(volume, row)

    monkeypatch.setattr(preview, "Recording", Noted)
    await previews.sheet("front", STRIP)
    assert set(read) == {"sub"}


async def test_it_is_made_once_and_goes_with_its_footage(storage: Rig, previews: Previews) -> None:
    await record(storage)
    await storage.stop()
    first, _ = await previews.sheet("front", STRIP)
    for row in await storage.rows():
        (storage.root / row.path).unlink()
    again, _ = await previews.sheet("front", STRIP)
    assert again == first
    assert forget(storage.root, "front", BEGIN_NS - 3600 * SECOND, BEGIN_NS) == 0
    assert forget(storage.root, "front", BEGIN_NS + 599 * SECOND, BEGIN_NS + 900 * SECOND) == 1
    empty, _ = await previews.sheet("front", STRIP)
    assert float(image(empty).std()) < 4, "faulty footage gives empty cells"


async def test_footage_deleted_as_its_sheet_is_made_leaves_none(
    storage: Rig, previews: Previews, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(storage)
    await storage.stop()
    (row,) = await storage.rows()
    make = preview.make_sheet

    def late(*args: Any) -> bytes:
        made = make(*args)
        (storage.root / row.path).unlink()
        forget(storage.root, "front", row.start_ns, row.end_ns)
        return made

    monkeypatch.setattr(preview, "make_sheet", late)
    jpeg, _ = await previews.sheet("front", STRIP)
    assert float(image(jpeg).std()) > 10
    assert not list((storage.root / "previews" / "front").iterdir())


async def test_one_that_grows_is_made_anew(storage: Rig, previews: Previews) -> None:
    clock = previews._clock
    assert isinstance(clock, Clock)
    clock.at_ms = STRIP + 60_000
    await record(storage, seconds=12)
    await storage.stop()
    first, growing = await previews.sheet("front", STRIP)
    assert growing
    for row in await storage.rows():
        (storage.root / row.path).unlink()
    clock.at_ms += 5000
    assert (await previews.sheet("front", STRIP))[0] == first
    clock.at_ms += 60_000
    assert (await previews.sheet("front", STRIP))[0] != first


async def test_masks_have_sheets_of_their_own(storage: Rig, previews: Previews) -> None:
    await record(storage)
    await storage.stop()
    plain, _ = await previews.sheet("front", STRIP)
    masked, _ = await previews.sheet("front", STRIP, [ALL])
    assert float(cell(image(masked), 2).mean()) < 6
    assert (await previews.sheet("front", STRIP))[0] == plain
    assert len(list((storage.root / "previews" / "front").iterdir())) == 2


async def test_a_disk_that_takes_nothing_shows_them_nevertheless(
    storage: Rig, previews: Previews
) -> None:
    await record(storage)
    await storage.stop()
    (storage.root / "previews").write_text("in the way")
    jpeg, _ = await previews.sheet("front", STRIP)
    assert image(jpeg).shape[1] == 1600
    assert forget(storage.root, "front", 0, 1 << 62) == 0


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    for number in range(10):
        path = tmp_path / "front" / f"{number}.full.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100))
        os.utime(path, (1000 - number, 5))
    assert sweep(tmp_path, 350) == 7
    assert sorted(p.name for p in (tmp_path / "front").iterdir()) == [
        f"{n}.full.jpg" for n in range(3)
    ]


def test_strips_cover_the_span() -> None:
    assert list(preview.strip_starts(STRIP, STRIP + 1)) == [STRIP]
    assert list(preview.strip_starts(STRIP - 1, STRIP + CELL_MS)) == [STRIP - STRIP_MS, STRIP]
