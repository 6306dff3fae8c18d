"""How cameras are recorded, and the audit trail, on the command line."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import pytest
from tests.support.catalog_open import opened

from vms.app.cli import main
from vms.common.model.camera import Camera, RecordingMode


class Shell:
    """The command in this process, which saves its start for each."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *words: str, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--data-dir", str(self.folder / "data")])
        said = self._capsys.readouterr()
        assert (ended.value.code or 0) == status, said
        return said.out + said.err


@pytest.fixture
def vms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    for name in [name for name in os.environ if name.startswith("VMS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VMS_NEW_PASSWORD", "seven Bright 19 lamps")
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys)


def kept(folder: Path) -> Camera:
    async def read() -> Camera:
        async with opened(f"sqlite:///{folder / 'data' / 'vms.db'}", folder / "data") as catalog:
            return await catalog.cameras.get("gate")

    return asyncio.run(read())


def test_a_camera_is_recorded_as_told_and_what_was_done_is_noted(vms: Shell) -> None:
    slots = ("--slot", "mon-fri 08:00-18:00 event", "--zone", "Europe/Lisbon")
    vms(
        "camera", "add", "Gate", "rtsp://10.1.2.3/one", "--recording", "schedule", *slots,
        "--no-audio", "--pre-roll", "3",
    )  # fmt: skip
    stream = kept(vms.folder).streams[0]
    assert (stream.recording, stream.audio, stream.pre_roll_s) == (RecordingMode.SCHEDULE, False, 3)
    assert stream.schedule is not None
    assert len(stream.schedule.slots) == 5
    vms("camera", "set", "gate", "--holiday", "2026-12-25", "--mask", "A: 0,0 1,0 1,1")
    camera = kept(vms.folder)
    assert camera.streams[0].schedule is not None
    assert camera.streams[0].schedule.holidays == ("2026-12-25",)
    assert [mask.name for mask in camera.masks] == ["A"]
    refused = vms("camera", "set", "gate", "--pre-roll", "61", status=1)
    assert "pre_roll_s is 61" in refused
    assert "time zone" in vms(
        "camera", "set", "gate", "--stream", "main", "--zone", "Mars", status=1
    )
    assert "no stream" in vms("camera", "set", "gate", "--stream", "low", status=1)
    said = vms("audit", "list", "--json")
    second, first = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
    assert (first["action"], second["action"]) == ("camera.added", "camera.changed")
    assert first["user_name"].startswith("command line")
    assert "10.1.2.3" not in said
    assert "camera.changed" in vms("audit", "list")


def test_a_trail_that_was_changed_is_found_out(vms: Shell) -> None:
    for name in ("anna", "berta"):
        vms("user", "add", name)
    said = vms("audit", "check")
    assert "2 entries, all as they were written" in said
    head = said.split("head ")[1].split()[0]
    assert head.startswith("2:")
    vms("user", "add", "clara")
    vms("audit", "check", "--head", head)
    with sqlite3.connect(vms.folder / "data" / "vms.db") as database:
        made = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in made:
            database.execute(f"DROP TRIGGER {name}")
        database.execute("DELETE FROM audit WHERE seq >= 2")
    database.close()
    assert "1 entries" in vms("audit", "check")
    assert "is missing" in vms("audit", "check", "--head", head, status=1)
