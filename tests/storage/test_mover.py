"""Recordings move to the archive whole, at a bounded speed, and survive a kill at any step."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.storage.test_rebuild import mended
from tests.support.catalog_open import opened
from tests.support.virtual_clock import VirtualClock

from vms.catalog.open import SqlCatalog
from vms.common.model.segment import SegmentRow
from vms.storage import mover as movers
from vms.storage.mover import FOLDER, Mover
from vms.storage.removal import Disk, Remover
from vms.storage.settings import StorageSettings
from vms.storage.verify import verify
from vms.storage.volume import Volume, index_path
from vms.storage.volume_state import Tier
from vms.storage.volumes import Volumes

DAY = 86_400 * 10**9
GIVEN = StorageSettings(archive_after_days=7)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SegmentRow]:
    """A real recording, closed."""
    root = tmp_path_factory.mktemp("original")
    _, row = mended(root)
    return root, row


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[SqlCatalog]:
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path) as catalog:
        yield catalog


class Place:
    """A fast volume that holds a recording, and an archive."""

    def __init__(self, folder: Path, original: tuple[Path, SegmentRow]) -> None:
        root, self.row = original
        shutil.copytree(root, folder / "main")
        self.fast = Volume(folder / "main", 0)
        self.archive = Volume(folder / "archive", 0, "archive", Tier.ARCHIVE)
        for volume in (self.fast, self.archive):
            volume.prepare()
        self.volumes = Volumes([self.fast, self.archive])
        self.clock = VirtualClock(self.row.end_ns + 8 * DAY)

    def mover(
        self, catalog: SqlCatalog, disk: Disk | None = None, given: StorageSettings = GIVEN
    ) -> Mover:
        remover = Remover(self.volumes, catalog.segments, self.clock, disk=disk)
        return Mover(self.volumes, catalog.segments, remover, self.clock, given)

    def files(self) -> set[tuple[str, str]]:
        return {
            (volume.name, str(path.relative_to(volume.root)))
            for volume in self.volumes
            for path in volume.root.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }


async def test_what_is_old_moves_and_is_as_it_was_written(
    tmp_path: Path, original: tuple[Path, SegmentRow], catalog: SqlCatalog
) -> None:
    place = Place(tmp_path, original)
    await catalog.segments.add(place.row)
    mover = place.mover(catalog)
    assert await mover.tick() == 1
    row = await catalog.segments.get(place.row.id)
    assert row == replace(place.row, volume="archive", path=row.path)
    assert verify(place.archive, row) == []
    there = place.volumes.path(row)
    assert place.files() == {
        ("archive", str(p.relative_to(place.archive.root))) for p in (there, index_path(there))
    }
    assert there.read_bytes() == (original[0] / place.row.path).read_bytes()
    assert await mover.tick() == 0


async def test_what_is_young_or_grows_stays(
    tmp_path: Path, original: tuple[Path, SegmentRow], catalog: SqlCatalog
) -> None:
    place = Place(tmp_path, original)
    place.clock.step(-3 * 86_400)
    await catalog.segments.add(place.row)
    assert await place.mover(catalog).tick() == 0
    place.clock.step(30 * 86_400)
    await catalog.segments.update(replace(place.row, closed=False))
    assert await place.mover(catalog).tick() == 0


async def test_a_fast_volume_that_runs_low_is_relieved_early(
    tmp_path: Path, original: tuple[Path, SegmentRow], catalog: SqlCatalog
) -> None:
    place = Place(tmp_path, original)
    place.clock.step(-7 * 86_400)
    await catalog.segments.add(place.row)
    remover = Remover(place.volumes, catalog.segments, place.clock)
    low = False
    mover = Mover(
        place.volumes, catalog.segments, remover, place.clock, StorageSettings(), lambda _: low
    )
    assert await mover.tick() == 0
    low = True
    assert await mover.tick() == 1


async def test_an_archive_that_is_away_or_full_is_left_alone(
    tmp_path: Path, original: tuple[Path, SegmentRow], catalog: SqlCatalog
) -> None:
    place = Place(tmp_path, original)
    await catalog.segments.add(place.row)
    asked: dict[str, int] = {}
    remover = Remover(place.volumes, catalog.segments, place.clock)
    mover = Mover(
        place.volumes, catalog.segments, remover, place.clock, GIVEN, ask=asked.__setitem__
    )
    place.archive.floor = 1 << 60
    before = place.files()
    assert await mover.tick() == 0
    assert asked["archive"] > place.row.size
    place.archive.floor = 0
    (place.archive.root / ".vms-volume").unlink()
    with contextlib.suppress(Exception):
        place.archive.check(now=True)
    assert await mover.tick() == 0
    assert place.files() == before
    assert not (place.archive.root / "cameras").exists()


async def test_it_copies_no_faster_than_allowed(
    tmp_path: Path,
    original: tuple[Path, SegmentRow],
    catalog: SqlCatalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place(tmp_path, original)
    await catalog.segments.add(place.row)
    monkeypatch.setattr(movers, "_PIECE", 4096)
    given = GIVEN.model_copy(update={"archive_bytes_per_second": 1024})
    began = place.clock.monotonic_ns()
    assert await place.mover(catalog, given=given).tick() == 1
    took = (place.clock.monotonic_ns() - began) / 1e9
    assert took >= place.row.size / 1024 * 0.99


async def test_a_copy_that_is_not_what_was_read_is_refused(
    tmp_path: Path,
    original: tuple[Path, SegmentRow],
    catalog: SqlCatalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place(tmp_path, original)
    await catalog.segments.add(place.row)
    before = place.files()
    real = os.fsync

    def rots(descriptor: int) -> None:
        real(descriptor)
        if os.fstat(descriptor).st_size == place.row.size:
            os.pwrite(descriptor, b"\xff\x00\xff", place.row.size // 2)

    monkeypatch.setattr(os, "fsync", rots)
    mover = place.mover(catalog)
    assert await mover.tick() == 0
    assert await catalog.segments.get(place.row.id) == place.row
    assert place.files() == before
    # Not tried again and again.
    monkeypatch.undo()
    assert await mover.tick() == 0
    place.clock.pass_(3700)
    assert await mover.tick() == 1


async def test_a_damaged_recording_is_moved_as_it_is(
    tmp_path: Path, original: tuple[Path, SegmentRow], catalog: SqlCatalog
) -> None:
    place = Place(tmp_path, original)
    await catalog.segments.add(place.row)
    descriptor = os.open(place.fast.path(place.row.path), os.O_WRONLY)
    os.pwrite(descriptor, b"\xff\x00\xff", place.row.size // 2)
    os.close(descriptor)
    assert verify(place.fast, place.row)
    assert await place.mover(catalog).tick() == 1
    row = await catalog.segments.get(place.row.id)
    assert [f.what for f in verify(place.archive, row)] != []


class Killed(BaseException):
    """The process ends here."""


class Countdown:
    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


class MortalDisk(Disk):
    def __init__(self, countdown: Countdown) -> None:
        self._countdown = countdown

    def note(self, volume: Volume, entries) -> None:  # type: ignore[no-untyped-def]
        self._countdown.step()
        super().note(volume, entries)
        self._countdown.step()

    def unlink(self, volume: Volume, paths: Iterable[str]) -> None:
        self._countdown.step()
        super().unlink(volume, paths)
        self._countdown.step()


def mortal(method: Callable[..., object], countdown: Countdown) -> Callable[..., object]:
    def call(*args: object) -> object:
        countdown.step()
        found = method(*args)
        countdown.step()
        return found

    return call


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.integers(0, 26))
async def test_a_kill_at_any_step_leaves_one_whole_recording(
    tmp_path_factory: pytest.TempPathFactory,
    original: tuple[Path, SegmentRow],
    catalog: SqlCatalog,
    steps: int,
) -> None:
    place = Place(tmp_path_factory.mktemp("kill"), original)
    await catalog.segments.remove_many([place.row.id])
    await catalog.segments.add(place.row)
    countdown = Countdown(steps)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("begin", "read", "write", "finish", "place"):
            method = getattr(movers._Copy, name)
            patch.setattr(movers._Copy, name, mortal(method, countdown))
        # A killed process tidies nothing up.
        patch.setattr(movers._Copy, "discard", lambda _self: None)
        with contextlib.suppress(Killed):
            await place.mover(catalog, MortalDisk(countdown)).tick()
    remover = Remover(place.volumes, catalog.segments, place.clock)
    for volume in place.volumes:
        await remover.recover(volume)
    row = await catalog.segments.get(place.row.id)
    assert verify(place.volumes.of(row), row) == []
    left = {name for name in place.files() if FOLDER not in name[1]}
    index = row.path.removesuffix(".mkv") + ".index.jsonl"
    assert left == {(row.volume, row.path), (row.volume, index)}
    await Mover(place.volumes, catalog.segments, remover, place.clock, GIVEN).tick()
    row = await catalog.segments.get(place.row.id)
    assert row.volume == "archive"
    assert verify(place.archive, row) == []


async def test_cancelling_leaves_nothing_behind(
    tmp_path: Path, original: tuple[Path, SegmentRow], catalog: SqlCatalog
) -> None:
    place = Place(tmp_path, original)
    await catalog.segments.add(place.row)
    before = place.files()
    mover = place.mover(catalog)
    reached = asyncio.Event()

    async def wait_for_ever(seconds: float) -> None:
        reached.set()
        await asyncio.Event().wait()

    place.clock.sleep = wait_for_ever  # type: ignore[method-assign]
    task = asyncio.create_task(mover.tick())
    async with asyncio.timeout(20):
        await reached.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert place.files() == before
    assert await catalog.segments.get(place.row.id) == place.row
