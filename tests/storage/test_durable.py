"""What has come is on the disk in time, in order, and what the disk refuses is given up."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.storage_media import START_NS, encode_aac, encode_video, merged, units

from vms.bus.port import Delivery
from vms.common.model.media import AccessUnit
from vms.common.model.segment import SegmentRow
from vms.format import index as indexes
from vms.format.index_rebuild import Rebuilder
from vms.format.mkv_digest import group_digest
from vms.format.mkv_reader import MkvReader
from vms.storage.inbox import Lane
from vms.storage.segment_file import SegmentFile
from vms.storage.segment_sync import FileSync
from vms.storage.settings import StorageSettings
from vms.storage.stream_recorder import StreamRecorder, Watcher
from vms.storage.syncer import Syncers
from vms.storage.volume import Volume, index_path
from vms.storage.writer import WriterThread


class Heard(Watcher):
    """News of files, in order."""

    def __init__(self) -> None:
        self.news: list[str] = []
        self.rows: list[SegmentRow] = []

    def opened(self, file: FileSync) -> None:
        self.news.append("opened")
        self.rows.append(file.row())

    def closed(self, row: SegmentRow) -> None:
        self.news.append("closed")
        self.rows.append(row)

    def broken(self, file: FileSync) -> None:
        self.news.append("broken")
        self.rows.append(file.row())


def made(
    root: Path, syncers: Syncers | None = None, start_wait_s: float = 0
) -> tuple[StreamRecorder, Heard, Volume]:
    volume = Volume(root, 0)
    volume.prepare()
    heard = Heard()
    settings = StorageSettings(start_wait_s=start_wait_s)
    recorder = StreamRecorder("front", "main", volume, settings, heard, syncers=syncers)
    return recorder, heard, volume


def file_of(recorder: StreamRecorder) -> SegmentFile | None:
    return recorder.file


def wait_until(condition: Callable[[], Any], limit: float = 10.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.005)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is asked of the kernel: (call, name of the file)."""
    seen: list[tuple[str, str]] = []

    def watch(name: str) -> None:
        real = getattr(os, name)

        def call(descriptor: int, *rest: Any) -> Any:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            seen.append((name, os.path.basename(path)))
            return real(descriptor, *rest)

        monkeypatch.setattr(os, name, call)

    for name in ("fdatasync", "fsync", "write", "writev"):
        watch(name)
    return seen


def test_the_file_comes_first_then_the_index_then_the_row(
    tmp_path: Path, calls: list[tuple[str, str]]
) -> None:
    recorder, heard, _ = made(tmp_path)
    calls.clear()
    recorder.write(units(*encode_video())[:25])
    assert heard.news == ["opened"]
    mkv = heard.rows[0].path.rsplit("/", 1)[1]
    idx = mkv.replace(".mkv", ".index.jsonl")
    names = [name for call, name in calls if call == "fsync"]
    assert names == [heard.rows[0].path.split("/")[2], "front", "cameras", tmp_path.name]
    kept = [call for call in calls if call[1] in (mkv, idx)]
    last = len(kept) - 1 - kept[::-1].index(("fdatasync", mkv))
    # The lines of whole groups are written behind the sync of what they speak of.
    assert kept[last + 1 :] == [("write", idx), ("fdatasync", idx)]
    assert ("writev", mkv) not in kept[last:]
    recorder.close()
    assert heard.news == ["opened", "closed"]


def test_a_row_names_no_more_than_is_synced(tmp_path: Path) -> None:
    syncers = Syncers(60.0, 1 << 30)
    recorder, heard, volume = made(tmp_path, syncers)
    syncer = syncers.of(volume)
    sent = units(*encode_video())
    recorder.write(sent[:12])
    assert recorder.file is not None
    assert recorder.file.row().size == recorder.file.row().frames == 0
    assert heard.news == []
    syncer.turn()
    row = recorder.file.row()
    assert (row.frames, row.key_frames, row.size) == (12, 2, recorder.file.size)
    assert heard.news == ["opened"]
    recorder.write(sent[12:])
    assert recorder.file.row() == row
    assert syncer.unsynced == recorder.file.size - row.size
    recorder.close()
    assert heard.news == ["opened"]
    assert syncers.stop(10.0) == []
    assert heard.news == ["opened", "closed"]
    closed = heard.rows[-1]
    assert (closed.closed, closed.frames) == (True, 50)
    assert closed.size == (tmp_path / closed.path).stat().st_size
    assert syncer.unsynced == 0


def test_what_is_written_becomes_durable_by_itself(tmp_path: Path) -> None:
    syncers = Syncers(0.2, 1 << 30)
    recorder, heard, volume = made(tmp_path, syncers)
    recorder.write(units(*encode_video())[:30])
    wait_until(lambda: heard.news)
    assert recorder.file is not None
    assert recorder.file.row().frames == 30
    assert syncers.of(volume).unsynced == 0
    recorder.close()
    wait_until(lambda: heard.news == ["opened", "closed"])
    assert syncers.stop(10.0) == []


def test_the_index_holds_the_hashes_of_what_is_in_the_file(tmp_path: Path) -> None:
    recorder, heard, _ = made(tmp_path, start_wait_s=1)
    sent = merged(
        units(*encode_video(), capture_offset_ns=-2_000_000_000), units(*encode_aac(), track=1)
    )
    for at in range(0, len(sent), 7):
        recorder.write(sent[at : at + 7])
    recorder.close()
    row = heard.rows[-1]
    path = tmp_path / row.path
    data, text = path.read_bytes(), index_path(path).read_bytes()
    index = indexes.parse(text)
    assert indexes.check(index) == row.digest
    assert json.loads(text.splitlines()[-1])["x"] == row.digest
    assert index.end is not None
    assert (index.end.size, index.end.end_ns, index.end.frames) == (row.size, row.end_ns, 50)
    assert [g.gap_ms for g in index.groups] == [40] * 5
    for group in index.groups:
        assert group_digest(data[group.offset : group.offset + group.size]) == group.digest
    assert (row.clock_offset_ns, row.clock_drift_ppb) == (-2_000_000_000, None)
    assert (row.volume, row.mode) == ("main", "continuous")
    # Made again from the file alone it is the same, line by line.
    rebuilder = Rebuilder(MkvReader())
    rebuilder.feed(data)
    again = rebuilder.finish()
    again.end = index.end
    assert indexes.encode(again) == text


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Errors that the next syncs of recordings end with, one each."""
    errors: list[int] = []
    real = os.fdatasync

    def sync(descriptor: int) -> None:
        if errors and os.readlink(f"/proc/self/fd/{descriptor}").endswith(".mkv"):
            number = errors.pop(0)
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)
    return errors


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_sync_that_failed_ends_the_file_where_it_was_durable(
    tmp_path: Path, failing: list[int], number: int
) -> None:
    told: list[str] = []
    syncers = Syncers(60.0, 1 << 30, lambda volume, text: told.append(f"{volume.name} {text}"))
    recorder, heard, volume = made(tmp_path, syncers)
    syncer = syncers.of(volume)
    sent = units(*encode_video())
    recorder.write(sent[:15])
    syncer.turn()
    before = heard.rows[0]
    assert recorder.file is not None
    recorder.write(sent[15:18])
    failing.append(number)
    syncer.turn()
    assert len(told) == 1
    assert told[0].startswith("main ")
    assert os.strerror(number) in told[0]
    # Written before it was seen: neither believed, nor synced again as if nothing had been.
    recorder.write(sent[18:19])
    assert file_of(recorder) is None
    assert recorder.problem
    syncer.turn()
    assert heard.news == ["opened", "broken"]
    assert heard.rows[1] == before
    assert (tmp_path / before.path).stat().st_size == before.size
    # The next key picture begins a new file, at once.
    recorder.write(sent[20:])
    assert file_of(recorder) is not None
    assert recorder.problem == ""
    recorder.close()
    assert syncers.stop(10.0) == []
    assert heard.news == ["opened", "broken", "opened", "closed"]
    assert heard.rows[-1].frames == 30
    assert syncer.unsynced == 0


def test_a_file_that_was_never_durable_is_gone(tmp_path: Path, failing: list[int]) -> None:
    syncers = Syncers(60.0, 1 << 30)
    recorder, heard, volume = made(tmp_path, syncers)
    sent = units(*encode_video())
    recorder.write(sent[:15])
    failing.append(errno.EIO)
    syncers.of(volume).turn()
    recorder.write(sent[15:16])
    syncers.of(volume).turn()
    assert heard.news == []
    assert not list(tmp_path.rglob("*.mkv"))
    # A disk that took nothing at all is not asked again with each key picture.
    recorder.write(sent[20:])
    assert recorder.file is None
    assert syncers.stop(10.0) == []


def test_a_failure_harms_no_other_file(tmp_path: Path, failing: list[int]) -> None:
    syncers = Syncers(60.0, 1 << 30)
    recorder, heard, volume = made(tmp_path, syncers)
    settings = StorageSettings(start_wait_s=0)
    side = Heard()
    other = StreamRecorder("side", "main", volume, settings, side, syncers=syncers)
    recorder.write(units(*encode_video())[:15])
    other.write(units(*encode_video(), camera="side")[:15])
    failing.append(errno.EIO)
    syncers.of(volume).turn()
    assert (heard.news, side.news) == ([], ["opened"])
    recorder.close()
    other.close()
    assert syncers.stop(10.0) == []
    assert side.news == ["opened", "closed"]


class HeldDisk:
    """Syncs stand still while it is held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.waiting = threading.Event()
        real = os.fdatasync

        def sync(descriptor: int) -> None:
            self.waiting.set()
            assert self.free.wait(30)
            real(descriptor)

        monkeypatch.setattr(os, "fdatasync", sync)


def test_a_slow_disk_holds_the_syncer_alone_and_whole_groups_are_shed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = HeldDisk(monkeypatch)
    parameters, packets = encode_video()
    bound = sum(len(p[2]) for p in packets)
    syncers = Syncers(0.1, bound)
    recorder, heard, volume = made(tmp_path, syncers)
    thread = WriterThread("writer", 1 << 30, 0.001, time.time_ns)
    lane = Lane(thread.inbox, 1 << 30, 10_000)
    thread.add(lane, recorder)
    thread.start()
    sent: list[AccessUnit] = []
    try:
        for turn in range(6):
            batch = units(
                parameters, packets, pts_from=turn * 180_000, first_number=turn * 50,
                start_ns=START_NS + turn * 2_000_000_000,
            )  # fmt: skip
            sent.extend(batch)
            for unit in batch:
                lane.sink(_delivery(unit))
            wait_until(lambda: recorder.written_units + recorder.lost["disk"] == len(sent))
        assert disk.waiting.wait(10)
        shed = recorder.lost["disk"]
        assert shed
        assert syncers.of(volume).unsynced < 3 * bound
        disk.free.set()
        wait_until(lambda: not syncers.of(volume).full)
        more = units(
            parameters, packets, pts_from=6 * 180_000, first_number=300,
            start_ns=START_NS + 12_000_000_000,
        )  # fmt: skip
        for unit in more:
            lane.sink(_delivery(unit))
        wait_until(lambda: recorder.written_units + recorder.lost["disk"] == 350)
        # From the first key picture on, all is taken again.
        assert recorder.lost["disk"] == shed
    finally:
        disk.free.set()
        thread.stop()
        assert thread.join(10)
        assert syncers.stop(10.0) == []
    assert heard.news[-1] == "closed"
    assert sum(row.frames for row in heard.rows if row.closed) == 350 - shed


def test_to_end_waits_for_no_disk_longer_than_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = HeldDisk(monkeypatch)
    syncers = Syncers(0.1, 1 << 30)
    recorder, _, _ = made(tmp_path, syncers)
    recorder.write(units(*encode_video())[:15])
    assert disk.waiting.wait(10)
    recorder.close()
    assert syncers.stop(0.2) == ["main"]
    disk.free.set()
    assert syncers.stop(10.0) == []


def _delivery(unit: AccessUnit) -> Delivery:
    return Delivery("vms.media.front.main", unit, 0)
