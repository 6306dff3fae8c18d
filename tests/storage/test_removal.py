"""Deleting and moving recordings, killed at every step: no row without its file, no file that
nobody knows, and nothing that is held goes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.catalog_open import HOUR, opened, segment
from tests.support.virtual_clock import VirtualClock

from vms.catalog.open import SqlCatalog
from vms.common.errors import NotFound
from vms.common.model.evidence import Hold, HoldKind
from vms.common.model.segment import SegmentRow
from vms.storage.removal import JOURNAL, Disk, Remover
from vms.storage.volume import Volume, index_path
from vms.storage.volumes import Volumes

NOW = 1_790_000_000 * 10**9


class Killed(BaseException):
    """The process ends here."""


class MortalDisk(Disk):
    """A real one that is killed at its nth step; a write may then be torn."""

    def __init__(self, steps: int, torn: bool = False) -> None:
        self.left = steps
        self._torn = torn

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def note(self, volume: Volume, entries: Mapping[str, str]) -> None:
        try:
            self._step()
        except Killed:
            if self._torn:
                path = volume.root / JOURNAL
                before = path.read_bytes()
                super().note(volume, entries)
                path.write_bytes(path.read_bytes()[:20] + before[20:])
            raise
        super().note(volume, entries)
        self._step()

    def unlink(self, volume: Volume, paths: Iterable[str]) -> None:
        for path in paths:
            self._step()
            volume.path(path).unlink(missing_ok=True)
            self._step()
            super().unlink(volume, [path])
        self._step()


class MortalRows:
    """The catalog, whose answer may be lost: the process is killed ahead of a call or behind."""

    def __init__(self, catalog: SqlCatalog, ahead: bool, behind: bool) -> None:
        self._rows = catalog.segments
        self._ahead = ahead
        self._behind = behind
        self.get = catalog.segments.get

    async def remove_unheld(self, segment_ids: Iterable[str], now_ns: int) -> set[str]:
        if self._ahead:
            raise Killed
        found = await self._rows.remove_unheld(segment_ids, now_ns)
        if self._behind:
            raise Killed
        return found

    async def move(self, segment_id: str, volume: str, path: str) -> None:
        if self._ahead:
            raise Killed
        await self._rows.move(segment_id, volume, path)
        if self._behind:
            raise Killed


def make(root: Path, number: int, volume: str = "main", camera: str = "front") -> SegmentRow:
    row = segment(number, camera, start_ns=number * HOUR)
    row = replace(row, path=f"cameras/{camera}/2026-01-0{1 + number % 3}/{number}.mkv")
    recording = root / row.path
    recording.parent.mkdir(parents=True, exist_ok=True)
    recording.write_bytes(b"x" * 1000)
    index_path(recording).write_text(json.dumps({"segment": row.id}) + "\n")
    return replace(row, volume=volume)


def files(volume: Volume) -> set[str]:
    """Recordings there; an index without one is a file that nobody knows."""
    found = {str(path.relative_to(volume.root)) for path in volume.root.rglob("*.mkv")}
    for index in volume.root.rglob("*.index.jsonl"):
        recording = index.with_name(index.name.removesuffix(".index.jsonl") + ".mkv")
        assert str(recording.relative_to(volume.root)) in found, f"{index} is alone"
    return found


async def agree(catalog: SqlCatalog, volumes: Volumes) -> None:
    for volume in volumes:
        assert files(volume) == await catalog.segments.known_paths(volume.name)


def prepared(folder: Path, *names: str) -> Volumes:
    volumes = [Volume(folder / name, 0, name) for name in names]
    for volume in volumes:
        volume.prepare()
    return Volumes(volumes)


_cameras = (f"camera{n}" for n in itertools.count())


async def emptied(catalog: SqlCatalog) -> str:
    """No recordings; a camera that no hold speaks of."""
    await catalog.segments.remove_many([row.id for row in await catalog.segments.page(100)])
    return next(_cameras)


def lock(number: int, camera: str = "front") -> Hold:
    start = number * HOUR + 1
    return Hold(f"{camera}{number}", camera, HoldKind.LOCK, start, start + 1, "", "u", "U", 0)


@pytest.fixture
async def catalog(tmp_path: Path):  # type: ignore[no-untyped-def]
    async with opened(f"sqlite:///{tmp_path}/vms.db", tmp_path) as catalog:
        yield catalog


once = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@once
@given(
    steps=st.integers(0, 24),
    torn=st.booleans(),
    ahead=st.booleans(),
    behind=st.booleans(),
    held=st.sets(st.integers(0, 4)),
    again=st.integers(0, 30),
)
async def test_a_kill_at_any_step_leaves_rows_and_files_alike(
    catalog: SqlCatalog, tmp_path_factory: pytest.TempPathFactory,
    steps: int, torn: bool, ahead: bool, behind: bool, held: set[int], again: int,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("kill")
    camera = await emptied(catalog)
    volumes = prepared(folder, "main")
    rows = [make(volumes.main.root, n, camera=camera) for n in range(5)]
    await catalog.segments.add_many(rows)
    await catalog.holds.add_many(lock(n, camera) for n in held)
    clock = VirtualClock(NOW)
    mortal = MortalRows(catalog, ahead, behind)
    for disk, segments in (
        (MortalDisk(steps, torn), mortal),
        (MortalDisk(again), catalog.segments),
    ):
        remover = Remover(volumes, segments, clock, disk=disk)
        with contextlib.suppress(Killed):
            await remover.remove(rows[:4])
    remover = Remover(volumes, catalog.segments, clock)
    await remover.recover(volumes.main)
    await agree(catalog, volumes)
    for number in held:
        assert (volumes.main.root / rows[number].path).exists()
    await remover.remove(rows[:4])
    await agree(catalog, volumes)
    left = await catalog.segments.known_paths("main")
    assert left == {row.path for n, row in enumerate(rows) if n == 4 or n in held}


@once
@given(steps=st.integers(0, 14), torn=st.booleans(), ahead=st.booleans(), behind=st.booleans())
async def test_a_kill_while_moving_leaves_the_file_where_its_row_says(
    catalog: SqlCatalog, tmp_path_factory: pytest.TempPathFactory,
    steps: int, torn: bool, ahead: bool, behind: bool,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("move")
    await emptied(catalog)
    volumes = prepared(folder, "main", "archive")
    archive = volumes.named("archive")
    row = make(volumes.main.root, 0)
    other = make(archive.root, 1, "archive")
    await catalog.segments.add_many([row, other])
    clock = VirtualClock(NOW)
    path = "cameras/front/2026-01-01/0.moved.mkv"

    def place() -> None:
        (archive.root / path).parent.mkdir(parents=True, exist_ok=True)
        for at in (Path, index_path):
            at(archive.root / path).write_bytes(at(volumes.main.root / row.path).read_bytes())

    mortal = MortalRows(catalog, ahead, behind)
    remover = Remover(volumes, mortal, clock, disk=MortalDisk(steps, torn))
    with contextlib.suppress(Killed):
        await remover.relocate(row, archive, path, place)
    remover = Remover(volumes, catalog.segments, clock)
    for volume in volumes:
        await remover.recover(volume)
    await agree(catalog, volumes)
    found = await catalog.segments.get(row.id)
    assert volumes.path(found).read_bytes() == b"x" * 1000


async def test_what_grows_and_what_is_held_stays(tmp_path: Path, catalog: SqlCatalog) -> None:
    volumes = prepared(tmp_path, "main")
    rows = [make(volumes.main.root, n) for n in range(3)]
    rows[0] = replace(rows[0], closed=False)
    await catalog.segments.add_many(rows)
    await catalog.holds.add(lock(1))
    told: list[str] = []
    remover = Remover(
        volumes, catalog.segments, VirtualClock(NOW), lambda some: told.extend(r.id for r in some)
    )
    # As one who read it while it was closed would say.
    gone = await remover.remove([replace(rows[0], closed=True), *rows[1:]])
    assert [row.id for row in gone] == told == [rows[2].id]
    assert (remover.removed, remover.removed_bytes) == (1, 1000)
    await agree(catalog, volumes)


async def test_a_row_that_moved_is_not_deleted_by_its_old_place(
    tmp_path: Path, catalog: SqlCatalog
) -> None:
    volumes = prepared(tmp_path, "main", "archive")
    archive = volumes.named("archive")
    row = make(volumes.main.root, 0)
    await catalog.segments.add(row)
    remover = Remover(volumes, catalog.segments, VirtualClock(NOW))
    path = "cameras/front/2026-01-01/0.moved.mkv"
    (archive.root / path).parent.mkdir(parents=True)

    def place() -> None:
        for at in (Path, index_path):
            at(archive.root / path).write_bytes(at(volumes.main.root / row.path).read_bytes())

    await remover.relocate(row, archive, path, place)
    assert await remover.remove([row]) == []
    await agree(catalog, volumes)
    with pytest.raises(NotFound):
        await remover.relocate(row, archive, path, place)
    assert await remover.remove([await catalog.segments.get(row.id)]) != []
    await agree(catalog, volumes)


async def test_paths_that_lead_elsewhere_are_not_followed(
    tmp_path: Path, catalog: SqlCatalog
) -> None:
    volumes = prepared(tmp_path, "main")
    (tmp_path / "else.mkv").write_bytes(b"mine")
    row = replace(segment(0), path="../else.mkv")
    await catalog.segments.add(row)
    await Remover(volumes, catalog.segments, VirtualClock(NOW)).remove([row])
    assert (tmp_path / "else.mkv").exists()


async def test_a_volume_that_is_away_keeps_its_rows(tmp_path: Path, catalog: SqlCatalog) -> None:
    volumes = prepared(tmp_path, "main", "second")
    rows = [make(volumes.main.root, 0), make(volumes.named("second").root, 1, "second")]
    await catalog.segments.add_many([*rows, replace(segment(9), volume="unknown")])
    second = volumes.named("second")
    (second.root / ".vms-volume").unlink()
    second.check_now = None  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="not there"):
        second.check(now=True)
    remover = Remover(volumes, catalog.segments, VirtualClock(NOW))
    gone = await remover.remove([*rows, replace(segment(9), volume="unknown")])
    assert gone == rows[:1]
    assert await catalog.segments.known_paths("second") == {rows[1].path}


async def test_old_day_folders_go_and_todays_stays(tmp_path: Path, catalog: SqlCatalog) -> None:
    volumes = prepared(tmp_path, "main")
    rows = [make(volumes.main.root, n) for n in range(2)]
    rows[1] = replace(rows[1], path="cameras/front/2026-09-21/1.mkv")
    today = volumes.main.root / rows[1].path
    today.parent.mkdir(parents=True)
    today.write_bytes(b"x")
    await catalog.segments.add_many(rows)
    await Remover(volumes, catalog.segments, VirtualClock(NOW)).remove(rows)
    assert not (volumes.main.root / rows[0].path).parent.exists()
    assert today.parent.exists()


async def test_two_who_delete_and_move_at_once_wait_for_each_other(
    tmp_path: Path, catalog: SqlCatalog
) -> None:
    volumes = prepared(tmp_path, "main", "archive")
    rows = [make(volumes.main.root, n) for n in range(8)]
    await catalog.segments.add_many(rows)
    remover = Remover(volumes, catalog.segments, VirtualClock(NOW))

    def placing(row: SegmentRow) -> Callable[[], None]:
        def place() -> None:
            to = volumes.named("archive").root / f"{row.id}.mkv"
            for at in (Path, index_path):
                at(to).write_bytes(at(volumes.main.root / row.path).read_bytes())

        return place

    async def move(row: SegmentRow) -> None:
        with contextlib.suppress(NotFound):
            await remover.relocate(row, volumes.named("archive"), f"{row.id}.mkv", placing(row))

    await asyncio.gather(
        *(move(row) for row in rows), *(remover.remove([row]) for row in rows[::2])
    )
    await agree(catalog, volumes)
    assert not await catalog.segments.known_paths("main")


async def test_a_name_that_is_another_recordings_by_now_stays(
    tmp_path: Path, catalog: SqlCatalog
) -> None:
    """Killed behind the last file and ahead of emptying the journal; the recorder, which begins
    first, takes the free name at once."""
    volumes = prepared(tmp_path, "main")
    old = make(volumes.main.root, 0)
    Disk().note(volumes.main, {"gone": old.path})
    await Remover(volumes, catalog.segments, VirtualClock(NOW)).recover(volumes.main)
    assert files(volumes.main) == {old.path}
    assert Disk().noted(volumes.main) == {}
