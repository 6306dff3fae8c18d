"""The storage role as it is composed: several volumes, and that one that goes takes only itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support import storage_rig
from tests.support.storage_media import encode_video, units
from tests.support.storage_rig import Rig, camera, rig

from vms.bus import subjects
from vms.bus.memory import MemoryBus
from vms.bus.port import Delivery
from vms.catalog.open import open_catalog
from vms.catalog.port import Catalog
from vms.common.clock import SystemClock
from vms.common.errors import CatalogError
from vms.common.model.evidence import GapCause
from vms.common.model.messages import Alarm, Command
from vms.common.model.segment import SegmentRow
from vms.storage import syncer
from vms.storage.alarms import CATALOG, DISK, FULL, Alarms
from vms.storage.identities import Identities
from vms.storage.service import StorageService
from vms.storage.settings import StorageSettings, VolumeSettings
from vms.storage.volume import MARKER
from vms.storage.volumes import Volumes

ALL = (0, 1 << 62)
_LIMIT_S = 20.0
"""For machines that have other things to do as well."""


async def wait_for(condition: Callable[[], Any]) -> None:
    await storage_rig.wait_for(condition, _LIMIT_S)


@contextlib.asynccontextmanager
async def catalog_in(folder: Path) -> AsyncIterator[Catalog]:
    catalog = await open_catalog(f"sqlite:///{folder / 'vms.db'}")
    try:
        yield catalog
    finally:
        await catalog.close()


def two_disks(folder: Path) -> dict[str, Any]:
    return {"volumes": (VolumeSettings(name="second", path=folder / "second", min_free_bytes=0),)}


def home_of(storage: Rig, name: str) -> str:
    """A camera whose home is the volume of that name."""
    volumes = storage.service.volumes
    return next(c for c in CAMERAS if volumes.home(c, "main").name == name)


CAMERAS = [f"camera-{number}" for number in range(6)]


class Live:
    """Cameras that send in real time, 25 pictures and a key picture a second."""

    def __init__(self, storage: Rig, cameras: Sequence[str]) -> None:
        self.sent = 0
        self._storage = storage
        self._cameras = cameras
        self._parameters, self._packets = encode_video(pictures=25, gop=25)
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        began = time.time_ns()
        for second in range(1000):
            made = {
                name: units(
                    self._parameters,
                    self._packets,
                    camera=name,
                    pts_from=second * 90_000,
                    start_ns=began + second * 10**9,
                    first_number=second * 25,
                )
                for name in self._cameras
            }
            for n in range(25):
                for name in self._cameras:
                    self._storage.send([made[name][n]])
                self.sent += 1
                await asyncio.sleep(0.04)

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


async def until(condition: Callable[[], Awaitable[bool]], limit: float = _LIMIT_S) -> None:
    async with asyncio.timeout(limit):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def rows_of(storage: Rig, name: str) -> list[SegmentRow]:
    return await storage.catalog.segments.spans(name, "main", *ALL)


class Blocked:
    """`call`, a function of `os`, stands still for files under a folder, once it is `held`,
    until `let_go`."""

    def __init__(self, call: str, under: Path) -> None:
        self.held = threading.Event()
        self._under = str(under)
        self._open = threading.Event()
        self._call = getattr(os, call)

    def __call__(self, descriptor: int, *rest: Any) -> Any:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if path.startswith(self._under) and not self._open.is_set():
            self.held.set()
            self._open.wait(30.0)
        return self._call(descriptor, *rest)

    def let_go(self) -> None:
        self._open.set()


@contextlib.contextmanager
def blocked(monkeypatch: pytest.MonkeyPatch, call: str, under: Path) -> Iterator[Blocked]:
    made = Blocked(call, under)
    monkeypatch.setattr(os, call, made)
    try:
        yield made
    finally:
        made.let_go()


@pytest.mark.parametrize("call", ["writev", "fdatasync"])
async def test_a_disk_that_stands_still_holds_only_its_own_streams_and_those_move_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(syncer, "_HELD_S", 2.0)
    async with rig(
        tmp_path, [camera(c) for c in CAMERAS], start_wait_s=0, **two_disks(tmp_path)
    ) as storage:
        here, there = home_of(storage, "main"), home_of(storage, "second")
        live = Live(storage, (here, there))
        recorder = storage.service.recorder
        entries = [recorder._entries[name, "main"] for name in (here, there)]
        await wait_for(lambda: all(entry.recorder.file for entry in entries))
        with blocked(monkeypatch, call, tmp_path / "second") as disk:
            await wait_for(disk.held.is_set)
            sent = live.sent

            def written() -> int:
                return entries[0].numbers()["units"]

            # The other disk's stream goes on as if nothing were.
            before = written()
            await wait_for(lambda: live.sent >= sent + 25)
            assert written() >= before + 15

            async def moved() -> bool:
                return any(row.volume == "main" for row in await rows_of(storage, there))

            await until(moved)
            assert [a.subject for a in storage.service.alarms.active(DISK)] == ["second"]
            assert "does not answer" in storage.service.volumes.named("second").problem()
            assert storage.service.problem == ""
        # What the disk held is closed once it lets go.
        await until(lambda: _all_closed_on(storage, there, "second"))
        await live.stop()
        await storage.stop()
        rows = sorted(await rows_of(storage, there), key=lambda row: row.start_ns)
        assert [row.volume for row in rows][:2] == ["second", "main"]
        assert all(row.closed for row in rows)
        # Nothing twice, and of what waited for the dead disk no more is lost than its group.
        assert rows[0].end_ns <= rows[1].start_ns + 10**8
        assert rows[1].start_ns - rows[0].end_ns < 2 * 10**9


async def _all_closed_on(storage: Rig, name: str, volume: str) -> bool:
    rows = [row for row in await rows_of(storage, name) if row.volume == volume]
    return bool(rows) and all(row.closed for row in rows)


async def test_a_volume_that_is_gone_is_left_for_the_other_and_come_back_to(
    tmp_path: Path,
) -> None:
    heard: list[Alarm] = []

    def hear(delivery: Delivery) -> None:
        assert isinstance(delivery.message, Alarm)
        heard.append(delivery.message)

    async with rig(
        tmp_path, [camera(c) for c in CAMERAS], start_wait_s=0, **two_disks(tmp_path)
    ) as storage:
        await storage.bus.subscribe(subjects.ALARMS_ALL, hear)
        there = home_of(storage, "second")
        live = Live(storage, (there,))
        entry = storage.service.recorder._entries[there, "main"]
        await wait_for(lambda: entry.recorder.file is not None)
        marker = (tmp_path / "second" / MARKER).read_bytes()
        (tmp_path / "second" / MARKER).unlink()
        await wait_for(lambda: entry.berth.volume.name == "main" and entry.recorder.file)
        assert storage.service.problem == ""
        await wait_for(lambda: [(a.kind, a.subject, a.active) for a in heard] == [
            (DISK, "second", True)
        ])  # fmt: skip
        assert "is not there" in heard[0].text
        (tmp_path / "second" / MARKER).write_bytes(marker)
        await wait_for(lambda: not storage.service.alarms.active(DISK))
        assert not heard[-1].active
        # Home again: at a key picture, without losing one.
        storage.service.volumes.named("second").well_since = -1e9
        await wait_for(lambda: entry.berth.volume.name == "second" and entry.recorder.file)
        await live.stop()
        await storage.stop()
        rows = sorted(await rows_of(storage, there), key=lambda row: row.start_ns)
        assert [row.volume for row in rows] == ["second", "main", "second"]
        assert 0 <= rows[2].start_ns - rows[1].end_ns < 10**8
        assert entry.numbers()["units"] == sum(row.frames for row in rows)
        # Who looks for the cause of what is missing finds the disk.
        gaps = await storage.catalog.gaps.spans(there, "main", *ALL)
        mine = [gap for gap in gaps if gap.end_ns != gap.start_ns]
        assert {gap.cause for gap in mine} <= {GapCause.DISK}
        assert entry.numbers()["queue"] == 0


async def test_a_disk_that_did_not_come_is_known_and_never_written_over(tmp_path: Path) -> None:
    async with rig(tmp_path, [camera()], start_wait_s=0) as storage:
        await until(lambda: _remembered(storage.catalog))
        await storage.stop()
        # As an empty mount point looks.
        shutil.rmtree(storage.root)
        storage.root.mkdir()
        storage.service = StorageService(
            storage.bus, storage.catalog, storage.settings, SystemClock()
        )
        await storage.start()
        storage.send(units(*encode_video()))
        await wait_for(lambda: "is not there" in storage.service.problem)
        assert sorted(os.listdir(storage.root)) == []
        await wait_for(lambda: bool(storage.service.alarms.active(DISK)))


async def _remembered(catalog: Catalog) -> bool:
    return await catalog.settings.get("storage.volumes") is not None


async def test_what_is_remembered_of_a_volume_holds_for_its_path(tmp_path: Path) -> None:
    async with catalog_in(tmp_path) as catalog:
        first = Volumes.of_settings(StorageSettings(root=tmp_path / "one"))
        identities = Identities(catalog.settings, first, SystemClock())
        assert await identities.known() == {}
        identities.note("main", "a" * 32)
        await identities.flush()
        assert await identities.known() == {"main": "a" * 32}
        elsewhere = Volumes.of_settings(StorageSettings(root=tmp_path / "two"))
        assert await Identities(catalog.settings, elsewhere, SystemClock()).known() == {}


async def test_recording_begins_while_files_are_still_being_mended(tmp_path: Path) -> None:
    async with rig(tmp_path, [camera()], start_wait_s=0) as storage:
        gate = asyncio.Event()
        await storage.stop()
        storage.service = StorageService(
            storage.bus, storage.catalog, storage.settings, SystemClock()
        )

        async def slow(_left: object, _broken: object) -> None:
            await gate.wait()
            raise RuntimeError("as nobody foresaw")

        storage.service.mender.run = slow  # type: ignore
        await storage.start()
        storage.send(units(*encode_video()))
        await wait_for(lambda: storage.service.states()[0].written_units == 50)
        gate.set()
        storage.send(units(*encode_video(), run="run2", start_ns=time.time_ns()))
        await wait_for(lambda: storage.service.states()[0].written_units == 100)


async def test_a_catalog_that_is_away_at_the_start_is_waited_for_and_said(tmp_path: Path) -> None:
    async with catalog_in(tmp_path) as catalog:
        settings = StorageSettings(root=tmp_path / "recordings", min_free_bytes=0)

        class Quick(SystemClock):
            async def sleep(self, seconds: float) -> None:
                await asyncio.sleep(min(seconds, 0.01))

        bus = MemoryBus()
        service = StorageService(bus, catalog, settings, Quick())
        service.identities._marks = _Failing()
        task = asyncio.create_task(service.run())
        await wait_for(lambda: "catalog" in service.problem)
        reply = await bus.request(subjects.STORAGE_COMMANDS, Command("status"), timeout=2.0)
        assert "nobody answers" in str(reply.body["problem"])
        service.identities._marks = catalog.settings
        await wait_for(lambda: service.problem == "")
        reply = await bus.request(subjects.STORAGE_COMMANDS, Command("dance"), timeout=2.0)
        assert "no command 'dance'" in reply.error
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await bus.close()


class _Failing:
    async def add_many(self, _: Any) -> Any:
        raise CatalogError("nobody answers")

    async def extend_many(self, _: Any) -> Any:
        raise CatalogError("nobody answers")

    async def get(self, key: str) -> Any:
        raise CatalogError(f"{key}: nobody answers")

    async def put(self, key: str, value: Any) -> None:
        raise CatalogError(f"{key}: nobody answers")


async def test_a_catalog_that_is_away_while_recording_is_an_alarm(tmp_path: Path) -> None:
    async with rig(tmp_path, [camera()], start_wait_s=0) as storage:
        rows = storage.service.recorder.rows
        there = rows._segments
        rows._segments = _Failing()  # type: ignore[assignment]
        storage.send(units(*encode_video()))
        await wait_for(lambda: bool(storage.service.alarms.active(CATALOG)))
        rows._segments = there
        await wait_for(lambda: not storage.service.alarms.active(CATALOG))


async def test_alarms_are_told_once_at_once_and_again_while_they_last() -> None:
    bus = MemoryBus()
    heard: list[Alarm] = []

    def hear(delivery: Delivery) -> None:
        assert isinstance(delivery.message, Alarm)
        heard.append(delivery.message)

    await bus.subscribe(subjects.ALARMS_ALL, hear)

    class Clock(SystemClock):
        ahead = 0

        def monotonic_ns(self) -> int:
            return super().monotonic_ns() + self.ahead

    clock = Clock()
    alarms = Alarms(bus, clock)
    task = asyncio.create_task(alarms.run())
    await asyncio.sleep(0)
    await asyncio.to_thread(alarms.raise_, FULL, "main", "no room")
    alarms.raise_(FULL, "main", "no room")
    await wait_for(lambda: len(heard) == 1)
    since = alarms.active()[0].since_ns
    alarms.raise_(FULL, "main", "less room still")
    await wait_for(lambda: len(heard) == 2)
    assert (alarms.active()[0].text, alarms.active()[0].since_ns) == ("less room still", since)
    clock.ahead = 31 * 10**9
    alarms.hold(DISK, {"a": "one", "b": "two"})
    await wait_for(lambda: len(heard) == 5)
    alarms.hold(DISK, {"b": "two"})
    alarms.clear(FULL, "main")
    alarms.clear(FULL, "never raised")
    await wait_for(lambda: len(heard) == 7)
    assert [(a.kind, a.subject, a.active) for a in heard[-2:]] == [
        (DISK, "a", False), (FULL, "main", False)
    ]  # fmt: skip
    assert [a.subject for a in alarms.active()] == ["b"]
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await bus.close()
