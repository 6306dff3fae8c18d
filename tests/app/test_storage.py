"""`vms storage status` and `vms storage restamp`, on recordings that are there."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.storage_media import START_NS, encode_video, units
from tests.support.storage_rig import camera, rig
from typer.testing import CliRunner

from vms.app.cli_storage import app
from vms.app.storage_restamp import Done, Wanted, moment_ns, restamp_span
from vms.app.storage_status import look
from vms.catalog.open import open_catalog
from vms.common.errors import ConfigError, StorageError
from vms.common.model.evidence import Event, Gap, GapCause, Hold, HoldKind, RetentionRule
from vms.format import index as indexes
from vms.storage.settings import StorageSettings, VolumeSettings
from vms.storage.volumes import Volumes

HOUR = 3_600_000_000_000
SECOND = 1_000_000_000


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A data directory with two seconds of one camera, an event, a gap, and a rule."""

    async def make() -> None:
        async with rig(tmp_path, [camera()], start_wait_s=0) as storage:
            storage.send(units(*encode_video()))
            await storage.stop()
            assert [row.closed for row in await storage.rows()] == [True]
            event = Event("e1", "front", "motion", START_NS, START_NS + SECOND, "test")
            await storage.catalog.events.put_many(
                [event, replace(event, id="late", start_ns=START_NS + HOUR, end_ns=None)]
            )
            gap = Gap("g1", "front", "main", START_NS, START_NS + 5, GapCause.CAMERA, "no route")
            await storage.catalog.gaps.put_many([gap])
            await storage.catalog.retention.put(RetentionRule("front", 7.0))

    asyncio.run(make())
    return tmp_path


def settings_of(folder: Path) -> StorageSettings:
    return StorageSettings(root=folder / "recordings", min_free_bytes=0)


def vms(folder: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--data-dir", str(folder)])
    assert done.exit_code == 0, done.output
    return done.output


def test_status_shows_what_is_there_and_a_disk_that_is_not(recorded: Path) -> None:
    said = vms(recorded, "status")
    assert "7.0 days" in said
    assert "front" in said
    assert " ok " in said
    (recorded / "recordings" / ".vms-volume").unlink()
    assert "is not there" in vms(recorded, "status")


async def test_a_disk_that_does_not_answer_is_said_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = tmp_path / "dead"
    statvfs, let_go = os.statvfs, threading.Event()

    def slow(path: str | os.PathLike[str]) -> os.statvfs_result:
        if Path(path) == dead:
            let_go.wait(30.0)
        return statvfs(path)

    monkeypatch.setattr(os, "statvfs", slow)
    settings = settings_of(tmp_path).model_copy(
        update={"volumes": (VolumeSettings(name="dead", path=dead),)}
    )
    catalog = await open_catalog(f"sqlite:///{tmp_path / 'vms.db'}")
    began = time.monotonic()
    try:
        found = await look(Volumes.of_settings(settings), catalog, settings)
    finally:
        let_go.set()
        await catalog.close()
    assert time.monotonic() - began < 15.0
    assert [v["name"] for v in found["volumes"] if "does not answer" in v["problem"]] == ["dead"]


async def restamped(folder: Path, wanted: Wanted, dry_run: bool = False) -> Done:
    catalog = await open_catalog(f"sqlite:///{folder / 'vms.db'}")
    try:
        return await restamp_span(
            Volumes.of_settings(settings_of(folder)), catalog, wanted, dry_run
        )
    finally:
        await catalog.close()


WANTED = Wanted("front", None, START_NS - SECOND, START_NS + SECOND, -HOUR)


def test_recordings_are_moved_with_their_events_and_gaps_and_the_trail_says_so(
    recorded: Path,
) -> None:
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START_NS // SECOND - 1))
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START_NS // SECOND + 5))
    words = ("restamp", "--camera", "front", "--start", start, "--end", end, "--shift", "-3600")
    assert "1 recordings, 1 events and 1 gaps would be moved" in vms(recorded, *words, "--dry-run")
    assert "1 recordings, 1 events and 1 gaps moved by -3600 s" in vms(recorded, *words)

    async def check() -> None:
        catalog = await open_catalog(f"sqlite:///{recorded / 'vms.db'}")
        try:
            (row,) = await catalog.segments.spans("front", None, 0, 1 << 62)
            assert row.start_ns == START_NS - HOUR
            path = recorded / "recordings" / row.path
            index = indexes.parse(path.with_name(path.stem + ".index.jsonl").read_bytes())
            assert index.header.start_ns == START_NS - HOUR
            events = await catalog.events.spans("front", 0, 1 << 62)
            assert [(e.id, e.start_ns) for e in events] == [
                ("e1", START_NS - HOUR), ("late", START_NS + HOUR)
            ]  # fmt: skip
            gaps = await catalog.gaps.spans("front", None, 0, 1 << 62)
            assert [g.start_ns for g in gaps if g.id == "g1"] == [START_NS - HOUR]
            (entry,) = await catalog.audit.list(action="restamp")
            assert (entry.camera, entry.detail["shift_s"]) == ("front", -3600.0)
        finally:
            await catalog.close()

    asyncio.run(check())


async def test_what_is_held_is_not_moved_and_nothing_else_then_either(tmp_path: Path) -> None:
    async with rig(tmp_path, [camera()], start_wait_s=0) as storage:
        storage.send(units(*encode_video()))
        await storage.stop()
        span = START_NS, START_NS + SECOND
        await storage.catalog.holds.add(
            Hold("h", "front", HoldKind.LOCK, *span, "police", "u", "admin", 1)
        )
    with pytest.raises(StorageError, match="is held"):
        await restamped(tmp_path, WANTED)
    with pytest.raises(ConfigError, match="no recording of 'nobody'"):
        await restamped(tmp_path, replace(WANTED, camera="nobody"))
    with pytest.raises(ConfigError, match="nothing is to be moved"):
        await restamped(tmp_path, replace(WANTED, shift_ns=0))


def test_a_time_that_is_none_is_named() -> None:
    assert moment_ns("2026-11-24T10:00:00Z", "--start") == 1_795_514_400 * SECOND
    assert moment_ns("2026-11-24T10:00:00", "--start") == 1_795_514_400 * SECOND
    with pytest.raises(ConfigError, match="--end 'soon' is no time"):
        moment_ns("soon", "--end")
