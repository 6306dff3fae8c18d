"""Files and rows are brought together beside the recording, and nothing is believed gone that
is only away."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
from collections.abc import Iterable
from pathlib import Path

from tests.storage.test_mend import record
from tests.storage.test_rebuild import Rows, mended
from tests.support.storage_rig import wait_for

from vms.common.model.evidence import Gap, GapCause
from vms.common.model.segment import SegmentRow
from vms.storage.mender import Mender
from vms.storage.volumes import Volumes


class Gaps:
    def __init__(self) -> None:
        self.put: list[Gap] = []

    async def put_many(self, gaps: Iterable[Gap]) -> None:
        self.put += gaps


class Catalog:
    def __init__(self) -> None:
        self.segments = Rows()
        self.gaps = Gaps()


class Told:
    def __init__(self) -> None:
        self.new: list[SegmentRow] = []
        self.ended: list[SegmentRow] = []

    def opened(self, row: SegmentRow) -> None:
        self.new.append(row)

    def closed(self, row: SegmentRow) -> None:
        self.ended.append(row)


class QuickClock:
    """Whose waits pass at once."""

    def now_ns(self) -> int:
        return 0

    def monotonic_ns(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.001)


async def run(volumes: Volumes, catalog: Catalog, left: list[SegmentRow]) -> Told:
    """Until what the start found is done."""
    told = Told()
    mender = Mender(volumes, catalog, told, QuickClock())
    task = asyncio.create_task(mender.run(left, []))
    await wait_for(lambda: not mender.busy)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return told


async def test_an_open_row_is_closed(tmp_path: Path) -> None:
    volume, row = record(tmp_path)
    catalog, left = Catalog(), [row]
    await catalog.segments.add_many([row])
    told = await run(Volumes([volume]), catalog, left)
    assert [(r.id, r.frames, r.closed) for r in told.ended] == [(row.id, 50, True)]
    assert (left, told.new) == ([], [])


async def test_a_row_whose_file_a_dying_process_still_holds_is_closed_later(tmp_path: Path) -> None:
    volume, row = record(tmp_path)
    catalog, left, told = Catalog(), [row], Told()
    await catalog.segments.add_many([row])
    mender = Mender(Volumes([volume]), catalog, told, QuickClock())
    with (tmp_path / row.path).open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        task = asyncio.create_task(mender.run(left, []))
        await wait_for(lambda: not mender.busy)
        assert (left, told.ended) == ([row], [])
    await wait_for(lambda: told.ended)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert [(r.id, r.closed) for r in told.ended] == [(row.id, True)]


async def test_a_file_without_a_row_gets_one(tmp_path: Path) -> None:
    volume, row = mended(tmp_path)
    told = await run(Volumes([volume]), Catalog(), [])
    assert told.new == told.ended == [row]


async def test_a_row_without_a_file_goes_and_leaves_a_gap(tmp_path: Path) -> None:
    volume, row = mended(tmp_path)
    (tmp_path / row.path).unlink()
    catalog = Catalog()
    await catalog.segments.add_many([row])
    await run(Volumes([volume]), catalog, [])
    assert catalog.segments.rows == {}
    (gap,) = catalog.gaps.put
    assert (gap.camera, gap.start_ns, gap.end_ns) == ("front", row.start_ns, row.end_ns)
    assert gap.cause is GapCause.DISK


async def test_rows_of_a_disk_that_is_away_stay(tmp_path: Path) -> None:
    """What is empty then is the mount point: nothing there says that a file is gone."""
    volume, row = mended(tmp_path)
    (tmp_path / row.path).unlink()
    (tmp_path / ".vms-volume").unlink()
    catalog = Catalog()
    await catalog.segments.add_many([row])
    await run(Volumes([volume]), catalog, [])
    assert row.id in catalog.segments.rows
    assert catalog.gaps.put == []
