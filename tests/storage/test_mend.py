"""After a kill: what was written is there, whole, in the file, the index and the catalog."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.storage_media import SECOND, START_NS, encode_aac, encode_video, merged
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import Rig, eventually, rig

from vms.common.errors import StorageError
from vms.common.model.media import Codec
from vms.common.model.segment import SegmentRow
from vms.format import index as indexes
from vms.format.mkv import NOTE_MAGIC
from vms.storage.mend import StillWritten, mend_orphan, mend_row
from vms.storage.settings import StorageSettings
from vms.storage.stream_recorder import StreamRecorder, Watcher
from vms.storage.volume import Volume, index_path

REPOSITORY = Path(__file__).parents[2]


def contents(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(video=0) if p.size]


@pytest.mark.parametrize(("codec", "gop", "after"), [("h264", 10, 75), ("h265", 25, 40)])
async def test_a_killed_process_loses_nothing_written(
    tmp_path: Path, codec: str, gop: int, after: int
) -> None:
    written = await asyncio.to_thread(_kill, tmp_path, codec, gop, after)
    _, packets = encode_video(Codec(codec), pictures=50, gop=gop)
    async with rig(tmp_path, cameras=()) as storage:
        (row,) = await eventually(storage, lambda rows: len(rows) == 1 and rows[0].closed)
        assert row.closed
        got = contents(storage.root / row.path)
        assert written <= len(got) <= written + 3
        assert row.frames == len(got)
        assert got == [packets[n % 50][2] for n in range(len(got))]
        index = indexes.parse(index_path(storage.root / row.path).read_bytes())
        assert index.end is not None
        assert sum(group.pictures for group in index.groups) == row.frames
        assert row.size == (storage.root / row.path).stat().st_size


def _kill(folder: Path, codec: str, gop: int, after: int) -> int:
    """Have a process record, kill it, and return how many units it said were written."""
    command = [sys.executable, "-m", "tests.support.storage_victim", str(folder), codec, str(gop)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True) as victim:
        assert victim.stdout is not None
        written = 0
        for line in victim.stdout:
            if line.strip().isdigit():
                written = int(line)
            if written >= after:
                victim.send_signal(signal.SIGKILL)
        return written


class _Rows(Watcher):
    def __init__(self) -> None:
        self.row: SegmentRow | None = None

    def opened(self, file: object) -> None:
        self.row = file.row()  # type: ignore[attr-defined]


def record(root: Path, sound: bool = False) -> tuple[Volume, SegmentRow]:
    """A recording as a killed process leaves it, and its row."""
    volume = Volume(root, 0)
    volume.prepare()
    rows = _Rows()
    recorder = StreamRecorder(
        "front", "main", volume, StorageSettings(root=root, start_wait_s=0), rows
    )
    units = make_units(*encode_video())
    if sound:
        units = merged(units, make_units(*encode_aac(), track=1))
    for unit in units:
        recorder.write([unit])
    assert recorder.file is not None
    recorder.file.abandon()
    assert rows.row is not None
    return volume, rows.row


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as storage:
        yield storage


def test_a_file_left_open_is_made_whole(tmp_path: Path) -> None:
    volume, row = record(tmp_path)
    mended = mend_row(volume, row)
    assert mended is not None
    assert (mended.frames, mended.key_frames, mended.closed) == (50, 5, True)
    assert mended.end_ns == START_NS + 2 * SECOND
    path = tmp_path / row.path
    assert contents(path) == [p[2] for p in encode_video()[1]]
    with av.open(str(path)) as container:
        assert container.duration == 2_000_000
        container.seek(1_300_000)
        assert next(container.decode(video=0)).time == pytest.approx(1.2)
    # Once more changes nothing.
    before = path.read_bytes(), index_path(path).read_bytes()
    assert mend_row(volume, row) == mended
    assert (path.read_bytes(), index_path(path).read_bytes()) == before


def test_a_file_without_index_is_made_whole(tmp_path: Path) -> None:
    volume, row = record(tmp_path)
    mended = mend_row(volume, row)
    index = index_path(tmp_path / row.path)
    first = index.read_bytes()
    index.unlink()
    assert mend_row(volume, row) == mended
    assert index.read_bytes() == first


def test_an_orphan_gets_its_row_back(tmp_path: Path) -> None:
    volume, row = record(tmp_path, sound=True)
    found = mend_orphan(volume, row.path)
    assert found is not None
    assert found == mend_row(volume, row)


def test_a_file_with_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    volume, row = record(tmp_path)
    descriptor = os.open(tmp_path / row.path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    before = (tmp_path / row.path).read_bytes()
    with pytest.raises(StillWritten):
        mend_row(volume, row)
    assert (tmp_path / row.path).read_bytes() == before
    os.close(descriptor)


def test_a_file_that_is_gone_has_no_row(tmp_path: Path) -> None:
    volume, row = record(tmp_path)
    (tmp_path / row.path).unlink()
    assert mend_row(volume, row) is None


def test_a_file_of_others_is_no_orphan(tmp_path: Path) -> None:
    volume, _ = record(tmp_path)
    (tmp_path / "cameras/front/other.mkv").write_bytes(b"\x1a\x45\xdf\xa3 hello")
    with pytest.raises(StorageError, match="no recording of ours"):
        mend_orphan(volume, "cameras/front/other.mkv")


@given(cut=st.integers(1, 5000), junk=st.binary(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_torn_tail_is_mended(tmp_path: Path, cut: int, junk: bytes) -> None:
    """A tail cut anywhere, with whatever the disk made of the rest."""
    root = tmp_path / os.urandom(8).hex()
    volume, row = record(root)
    path = root / row.path
    data = path.read_bytes()
    kept = data[: max(0, len(data) - cut)]
    path.write_bytes(kept + junk)
    whole = [p[2] for p in encode_video()[1]]
    mended = mend_row(volume, row)
    if mended is None or not mended.frames:
        return
    got = contents(path)
    assert len(got) >= mended.frames - 1
    assert got[: len(whole)][:-1] == whole[: len(got)][:-1]
    assert mend_row(volume, row) == mended


@pytest.mark.parametrize("wall_ns", [-1, -(1 << 63), (1 << 63) - 1])
@pytest.mark.parametrize("group", [0, 2, 4])
def test_a_wall_time_that_cannot_be_is_not_believed(
    tmp_path: Path, group: int, wall_ns: int
) -> None:
    """The note ahead of a key picture is damaged, and no index says better."""
    volume, row = record(tmp_path)
    path = tmp_path / row.path
    index_path(path).unlink()
    data = bytearray(path.read_bytes())
    at = [found.start() for found in re.finditer(NOTE_MAGIC, data)][group] + len(NOTE_MAGIC)
    data[at : at + 8] = wall_ns.to_bytes(8, "big", signed=True)
    path.write_bytes(data)
    mended = mend_orphan(volume, row.path)
    assert mended is not None
    assert (mended.frames, mended.key_frames) == (50, 5)
    assert (mended.start_ns, mended.end_ns) == (START_NS, START_NS + 2 * SECOND)
    read = indexes.parse(index_path(path).read_bytes())
    assert [one.wall_ns for one in read.groups] == [START_NS + n * 400_000_000 for n in range(5)]
    assert mend_row(volume, mended) == mended


def test_a_media_time_that_cannot_be_ends_the_recording(tmp_path: Path) -> None:
    volume, row = record(tmp_path)
    path = tmp_path / row.path
    index_path(path).unlink()
    data = bytearray(path.read_bytes())
    # Ahead of the note of the fourth group stands the time of its cluster.
    note = [found.start() for found in re.finditer(NOTE_MAGIC, data)][3]
    data[note - 10 : note - 2] = (1 << 40).to_bytes(8, "big")
    path.write_bytes(data)
    mended = mend_orphan(volume, row.path)
    assert mended is not None
    assert (mended.frames, mended.key_frames) == (30, 3)
    assert mended.end_ns == START_NS + 1_200_000_000
    assert contents(path) == [p[2] for p in encode_video()[1]][:30]
    assert mend_row(volume, mended) == mended


async def test_orphans_come_back_at_the_start(tmp_path: Path) -> None:
    _, row = record(tmp_path / "recordings")
    async with rig(tmp_path) as storage:
        rows = await eventually(storage, lambda rows: bool(rows) and rows[0].closed)
        assert [(r.path, r.frames, r.closed) for r in rows] == [(row.path, 50, True)]
