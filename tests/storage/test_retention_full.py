"""A disk that is really full: the oldest makes room, and what is held never does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.storage_media import SECOND, encode_video, units
from tests.support.storage_rig import Rig, rig, wait_for

from vms.common.model.evidence import Hold, HoldKind
from vms.common.model.media import AccessUnit
from vms.common.model.segment import SegmentRow
from vms.format.annexb import to_length_prefixed
from vms.storage.alarms import LOCKS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")

_MIB = 1 << 20
_STEP_NS = 61 * SECOND


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Where `recordings` is a file system of 32 MiB."""
    at = tmp_path / "recordings"
    at.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(at)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-l", str(at)], check=False, capture_output=True)


class Feed:
    """Groups of about a MiB, a minute apart by their times: each is a file of its own."""

    def __init__(self, storage: Rig) -> None:
        self._storage = storage
        self._parameters, packets = encode_video(pictures=10, gop=10)
        filler = to_length_prefixed([b"\x0c" + b"\xff" * (_MIB // 10)])
        self._packets = [(pts, key, data + filler) for pts, key, data in packets]
        self.start_ns = time.time_ns() - 7200 * SECOND
        self.sent = 0

    async def send(self, groups: int, every_s: float = 0.05) -> None:
        for _ in range(groups):
            self._storage.send(self._group())
            self.sent += 1
            await asyncio.sleep(every_s)

    def _group(self) -> list[AccessUnit]:
        later = self.sent * 61 * 90_000
        moved = [(pts + later, key, data) for pts, key, data in self._packets]
        return units(self._parameters, moved, start_ns=self.start_ns, first_number=self.sent * 10)

    @property
    def newest_ns(self) -> int:
        """When the group before the last began."""
        return self.start_ns + (self.sent - 2) * _STEP_NS


def free(root: Path) -> int:
    stat = os.statvfs(root)
    return stat.f_bavail * stat.f_frsize


async def all_rows(storage: Rig) -> list[SegmentRow]:
    return await storage.catalog.segments.spans("front", None, 0, 1 << 62)


async def recorded(storage: Rig, feed: Feed, limit: float) -> list[SegmentRow]:
    """The rows, once what is sent arrives in files again."""
    async with asyncio.timeout(limit):
        while True:
            await feed.send(1)
            rows = await all_rows(storage)
            if rows and rows[-1].start_ns >= feed.newest_ns - 2 * _STEP_NS:
                return rows


async def hold(storage: Rig, key: str, start_ns: int, end_ns: int) -> None:
    await storage.catalog.holds.add(
        Hold(key, "front", HoldKind.LOCK, start_ns, end_ns, "", "u", "U", time.time_ns())
    )


async def test_the_oldest_makes_room_and_locks_do_not(small: Path) -> None:
    async with rig(small, min_free_bytes=4 * _MIB, rotation_minutes=1) as storage:
        feed = Feed(storage)
        await feed.send(6)
        (locked, *_) = await recorded(storage, feed, 40)
        await hold(storage, "one", locked.start_ns, locked.end_ns)
        await feed.send(50)
        rows = await recorded(storage, feed, 40)
        assert rows[0].id == locked.id
        assert rows[1].start_ns > locked.end_ns + 2 * _STEP_NS
        assert (storage.root / locked.path).stat().st_size == rows[0].size

        await wait_for(lambda: free(storage.root) > 5 * _MIB, 10)
        await hold(storage, "all", 0, 1 << 62)
        there = {row.path for row in await all_rows(storage) if row.closed}
        alarms = storage.service.alarms
        # A floor of 4 MiB is for no more than that a second.
        async with asyncio.timeout(40):
            while not (alarms.active(LOCKS) and storage.service.problem):
                await feed.send(1, 0.4)
        await feed.send(10, 0.1)
        assert free(storage.root) > _MIB
        assert all((storage.root / path).exists() for path in there)

        await storage.catalog.holds.release("all", time.time_ns(), "somebody")
        rows = await recorded(storage, feed, 40)
        assert rows[0].id == locked.id
        await wait_for(lambda: not alarms.active(LOCKS), 10)
