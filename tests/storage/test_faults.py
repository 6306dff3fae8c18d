"""Disks that are full, slow, gone, or not ours: said clearly, and nothing else suffers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from tests.support.storage_media import SECOND, START_NS, encode_video
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import rig, wait_for

from vms.bus.port import Delivery
from vms.common.errors import StorageError
from vms.common.model.evidence import Hold, HoldKind
from vms.common.model.media import AccessUnit
from vms.storage.inbox import Inbox, Lane
from vms.storage.settings import StorageSettings
from vms.storage.stream_recorder import StreamRecorder, Watcher
from vms.storage.volume import MARKER, Volume


def contents(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(video=0) if p.size]


def deliver(lane: Lane, units: list[AccessUnit]) -> None:
    for unit in units:
        lane.sink(Delivery("vms.media.front.main", unit))


def test_a_slow_disk_sheds_whole_groups_and_spares_the_others() -> None:
    parameters, packets = encode_video()
    inbox = Inbox(1 << 30)
    slow = Lane(inbox, 1 << 30, 25)
    other = Lane(inbox, 1 << 30, 1000)
    sent = make_units(parameters, packets)
    deliver(slow, sent)
    deliver(other, sent)
    taken = slow.take()
    # 25 fit; with the third group cut, all is shed up to a key picture that finds room.
    assert [u.number for u in taken] == list(range(25))
    assert slow.lost == 25
    deliver(slow, make_units(parameters, packets[5:], first_number=55))
    assert [u.number for u in slow.take()] == list(range(60, 85))
    assert (other.lost, len(other.take())) == (0, 50)


def test_bytes_that_wait_are_bounded_for_one_and_for_all() -> None:
    parameters, packets = encode_video()
    size = sum(len(p[2]) for p in packets)
    lane = Lane(Inbox(1 << 30), size // 2, 1000)
    deliver(lane, make_units(parameters, packets))
    assert lane.lost > 0
    assert lane.waiting <= size // 2
    inbox = Inbox(size)
    lanes = [Lane(inbox, 1 << 30, 1000) for _ in range(3)]
    for one in lanes:
        deliver(one, make_units(parameters, packets))
    assert [one.lost for one in lanes] == [0, 50, 50]
    lanes[0].take()
    deliver(lanes[1], make_units(parameters, packets))
    assert lanes[1].lost == 50


def test_a_waiting_thread_is_rung_once_for_many(tmp_path: Path) -> None:
    inbox = Inbox(1 << 30)
    lane = Lane(inbox, 1 << 30, 1000)
    deliver(lane, make_units(*encode_video()))
    began = time.monotonic()
    inbox.wait(30.0)
    assert time.monotonic() - began < 10.0
    assert list(inbox.ready) == [lane]
    inbox.wait(0.01)
    assert len(lane.take()) == 50


async def test_a_full_volume_at_the_start_is_said_and_tried_again(tmp_path: Path) -> None:
    async with rig(tmp_path, min_free_bytes=1 << 60) as storage:
        assert "is full" in storage.service.problem
        assert str(storage.root) in storage.service.problem
        assert "storage.min_free_bytes" in storage.service.problem


@pytest.mark.parametrize("what", ["a file", "read-only"])
async def test_a_root_that_cannot_be_used_is_named(tmp_path: Path, what: str) -> None:
    root = tmp_path / "root"
    if what == "a file":
        root.write_text("")
    else:
        if os.geteuid() == 0:
            pytest.skip("root writes everywhere")
        root.mkdir(mode=0o500)
    with pytest.raises(StorageError, match=r"volume .*root cannot be used"):
        Volume(root, 0).prepare()


def test_a_volume_that_went_away_is_not_written_under_its_mount_point(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "root", 0)
    volume.prepare()
    marker = (tmp_path / "root" / MARKER).read_bytes()
    (tmp_path / "root" / MARKER).unlink()
    with pytest.raises(StorageError, match="mount it again"):
        volume.check(now=True)
    # Whoever records meanwhile says why nothing is recorded, and goes on once it is back.
    now = 0.0
    recorder = StreamRecorder(
        "front", "main", volume, StorageSettings(start_wait_s=0), Watcher(), lambda: now
    )
    recorder.write(make_units(*encode_video()))
    assert "mount it again" in recorder.problem
    assert recorder.lost["disk"] == 50
    assert not (tmp_path / "root" / "cameras").exists()
    (tmp_path / "root" / MARKER).write_bytes(marker)
    volume.prepare()
    now = 60.0
    recorder.write(make_units(*encode_video(), first_number=50))
    assert recorder.problem == ""
    assert recorder.written_units == 50
    recorder.close()


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size, which only root may make."""
    folder.mkdir()
    made = os.geteuid() == 0 and not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        check=False, capture_output=True,
    ).returncode  # fmt: skip
    if not made:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_disk_that_fills_up_is_said_and_recording_goes_on_later(tmp_path: Path) -> None:
    parameters, packets = encode_video(pictures=50)
    # 64 KiB of it are for the journal of deleting.
    with small_disk(tmp_path / "recordings", "500k") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(380 * 1024))
        async with rig(tmp_path, start_wait_s=0) as storage:
            # Else the oldest makes room, and recording goes on at once.
            held = Hold("all", "front", HoldKind.LOCK, 0, 1 << 62, "", "u", "U", time.time_ns())
            await storage.catalog.holds.add(held)
            recorder = storage.service.recorder
            turn = 0

            def go_on() -> None:
                nonlocal turn
                storage.send(
                    make_units(
                        parameters, packets, pts_from=turn * 180_000, first_number=turn * 50,
                        start_ns=START_NS + turn * 2 * SECOND,
                    )
                )  # fmt: skip
                turn += 1

            async with asyncio.timeout(10):
                while "No space" not in recorder.states()[0].reason:
                    go_on()
                    await asyncio.sleep(0.005)
            state = recorder.states()[0]
            assert not state.recording
            assert str(disk) in state.reason
            assert "No space left" in state.reason
            assert "free space" in state.reason
            ballast.unlink()
            async with asyncio.timeout(10):
                while not recorder.states()[0].recording:
                    go_on()
                    await asyncio.sleep(0.05)
            await wait_for(lambda: recorder.states()[0].recording)
            files = sorted((disk / "cameras" / "front").rglob("*.mkv"))
            assert len(files) == 2
            assert len(contents(files[0])) > 50


async def test_one_camera_whose_folder_is_blocked_harms_no_other(tmp_path: Path) -> None:
    from tests.support.storage_rig import camera

    async with rig(tmp_path, [camera("front"), camera("back")]) as storage:
        (storage.root / "cameras").mkdir()
        (storage.root / "cameras" / "front").write_text("in the way")
        storage.send(make_units(*encode_video()))
        storage.send(make_units(*encode_video(), camera="back"))
        await storage.stop()
        assert [r.frames for r in await storage.rows("back")] == [50]
        states = {s.camera: s for s in storage.service.states()}
        assert "cannot" in states["front"].reason or "refuses" in states["front"].reason
        assert await storage.rows("front") == []


async def test_a_catalog_that_is_away_stops_no_recording(tmp_path: Path) -> None:
    async with rig(tmp_path) as storage:
        from vms.common.errors import CatalogError

        class Away:
            def __init__(self, rows: object) -> None:
                self._rows = rows
                self.away = True

            def __getattr__(self, name: str) -> object:
                if self.away:
                    raise CatalogError("the catalog is away")
                return getattr(self._rows, name)

        away = Away(storage.catalog.segments)
        storage.service.recorder.rows._segments = away  # type: ignore[assignment]
        storage.send(make_units(*encode_video()))
        storage.send(make_units(*encode_video(), run="run2", start_ns=START_NS + 9 * SECOND))
        await wait_for(lambda: storage.service.recorder.states()[0].written_units >= 50)
        await storage.service.recorder.rows.flush()
        assert await storage.rows() == []
        away.away = False
        await storage.stop()
        assert [(r.frames, r.closed) for r in await storage.rows()] == [(50, True), (50, True)]
