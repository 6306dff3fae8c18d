"""The catalog's rows from the files alone, and files held against their hashes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.storage.test_mend import record

from vms.common.errors import Conflict, StorageError
from vms.common.model.segment import SegmentRow
from vms.storage.mend import mend_row
from vms.storage.rebuild import Rebuild
from vms.storage.verify import verify, verify_all
from vms.storage.volume import Volume, index_path
from vms.storage.volumes import Volumes


class Rows:
    """The catalog's segments, in memory: what is asked of them is a set of paths."""

    def __init__(self) -> None:
        self.rows: dict[str, SegmentRow] = {}

    async def known_paths(self, volume: str, prefix: str = "") -> set[str]:
        return {
            row.path
            for row in self.rows.values()
            if row.volume == volume and row.path.startswith(prefix)
        }

    async def add_many(self, segments: Iterable[SegmentRow]) -> None:
        rows = list(segments)
        if any(row.id in self.rows for row in rows):
            raise Conflict("there already")
        self.rows.update((row.id, row) for row in rows)

    async def spans(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int
    ) -> list[SegmentRow]:
        return [row for row in self.rows.values() if row.camera == camera]

    async def remove_many(self, segment_ids: Iterable[str]) -> None:
        for one in list(segment_ids):
            self.rows.pop(one, None)


def mended(root: Path) -> tuple[Volume, SegmentRow]:
    volume, row = record(root)
    whole = mend_row(volume, row)
    assert whole is not None
    return volume, whole


async def test_rows_come_from_files_alone_and_twice_changes_nothing(tmp_path: Path) -> None:
    volume, row = mended(tmp_path)
    rows = Rows()
    report = await Rebuild(rows).run([volume])
    assert list(rows.rows.values()) == [row]
    assert (report.files, report.added, report.mended, report.size) == (1, 1, 0, row.size)
    again = await Rebuild(rows).run([volume])
    assert (again.files, again.known, again.added) == (1, 1, 0)


async def test_an_index_that_is_lost_is_made_again(tmp_path: Path) -> None:
    volume, row = mended(tmp_path)
    rows = Rows()
    await rows.add_many([row])
    index = index_path(tmp_path / row.path)
    before = index.read_bytes()
    index.unlink()
    assert (await Rebuild(rows, dry_run=True).run([volume])).mended == 1
    assert not index.exists()
    report = await Rebuild(rows).run([volume])
    assert (report.known, report.added, report.mended) == (1, 0, 1)
    assert index.read_bytes() == before
    assert verify(volume, row) == []


async def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    volume, row = record(tmp_path)
    path = tmp_path / row.path
    before = path.read_bytes(), index_path(path).read_bytes()
    rows = Rows()
    report = await Rebuild(rows, dry_run=True, prune=True).run([volume])
    assert (report.mended, report.added, rows.rows) == (1, 0, {})
    assert (path.read_bytes(), index_path(path).read_bytes()) == before


async def test_an_open_file_is_mended_unless_somebody_writes_it(tmp_path: Path) -> None:
    volume, row = record(tmp_path)
    descriptor = os.open(tmp_path / row.path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    rows = Rows()
    assert (await Rebuild(rows).run([volume])).busy == 1
    os.close(descriptor)
    report = await Rebuild(rows).run([volume])
    assert (report.busy, report.mended, report.added) == (0, 1, 1)
    assert rows.rows[row.id].frames == 50


async def test_rows_without_files_go_only_when_asked(tmp_path: Path) -> None:
    volume, row = mended(tmp_path)
    rows = Rows()
    await rows.add_many([row])
    (tmp_path / row.path).unlink()
    report = await Rebuild(rows).run([volume])
    assert (report.missing, report.removed) == ([row.path], 0)
    assert (await Rebuild(rows, prune=True).run([volume])).removed == 1
    assert rows.rows == {}


async def test_a_place_without_marker_is_refused(tmp_path: Path) -> None:
    volume, row = mended(tmp_path)
    rows = Rows()
    await rows.add_many([row])
    (tmp_path / ".vms-volume").unlink()
    with pytest.raises(StorageError, match="no marker"):
        await Rebuild(rows, prune=True).run([volume])
    assert rows.rows


def test_what_is_as_written_has_no_fault(tmp_path: Path) -> None:
    volume, row = mended(tmp_path)
    assert verify(volume, row) == []


@pytest.mark.parametrize("part", range(12))
def test_a_changed_byte_is_found(tmp_path: Path, part: int) -> None:
    """Anywhere from the first group to the cues: named with its file and a span within it."""
    volume, row = mended(tmp_path)
    path = tmp_path / row.path
    data = bytearray(path.read_bytes())
    start = data.index(b"\x1f\x43\xb6\x75")
    data[start + (len(data) - start - 1) * part // 11] ^= 0x40
    path.write_bytes(data)
    faults = verify(volume, row)
    assert faults
    assert all(fault.path == row.path for fault in faults)
    assert all(row.start_ns <= f.start_ns <= f.end_ns <= row.end_ns for f in faults)


async def test_an_index_that_was_changed_or_lost_is_named(tmp_path: Path) -> None:
    volume, row = mended(tmp_path)
    index = index_path(tmp_path / row.path)
    index.write_bytes(index.read_bytes().replace(b'"n":10', b'"n":11', 1))
    (fault,) = verify(volume, row)
    assert "index is damaged" in fault.what
    index.unlink()
    verdict = await verify_all(Volumes([volume]), [row])
    assert not verdict.good
    assert "index is gone" in verdict.faults[0].what
