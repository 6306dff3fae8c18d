"""The command `vms` as a person types it: cameras, users, doctor, and what it says."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from tests.support.ingest_tls import self_signed
from tests.support.system import VMS

from vms.simulator.onvif import OnvifDevices
from vms.simulator.server import Simulator
from vms.simulator.sources import Loop

pytestmark = pytest.mark.slow

PASSWORD = "seven Bright 19 lamps"


class Shell:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clean = {k: v for k, v in os.environ.items() if not k.startswith("VMS_")}
        self.environment = clean | {"VMS_NEW_PASSWORD": PASSWORD, "VMS_CAMERA_PASSWORD": "hush4"}

    def __call__(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(
            [VMS, *words],
            capture_output=True,
            text=True,
            timeout=40,
            cwd=self.folder,
            env=self.environment,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == status, said
        assert "Traceback" not in said
        assert "hush4" not in said
        return said


@pytest.fixture
def vms(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_cameras_are_added_listed_switched_and_removed(vms: Shell) -> None:
    assert "no cameras yet" in vms("camera", "list")
    url = "rtsp://view:hush4@10.1.2.3:554/one"
    assert "added portao-1" in vms("camera", "add", "Portão 1", url)
    listed = vms("camera", "list")
    assert "rtsp://10.1.2.3:554/one" in listed
    assert "already" in vms("camera", "add", "Portão 1", url, status=1)
    assert "disabled" in vms("camera", "disable", "portao-1")
    assert "portao-1" in vms("camera", "remove", "portao-1", "--yes")
    assert "no cameras yet" in vms("camera", "list")
    assert "vms: " in vms("camera", "remove", "portao-1", "--yes", status=1)
    assert "vms: " in vms("camera", "add", "Back", "10.0.0.5", status=1)


def test_users_are_added_and_the_last_administrator_stays(vms: Shell) -> None:
    assert "added boss" in vms("user", "add", "boss", "--role", "administrator")
    assert "added guard" in vms("user", "add", "guard", "--camera", "*")
    listed = vms("user", "list")
    assert "guard" in listed
    assert PASSWORD not in listed
    assert "ended" in vms("user", "password", "guard")
    assert "administrator" in vms("user", "remove", "boss", "--yes", status=1)
    assert "removed guard" in vms("user", "remove", "guard", "--yes")


async def test_a_camera_is_asked_and_tested(vms: Shell, tmp_path: Path) -> None:
    async with Simulator() as simulator:
        simulator.add_camera("door", Loop(320, 192, 10, 200_000, seconds=1.0), "view", "hush4")
        await simulator.prepare()
        async with OnvifDevices(simulator) as devices:
            address = devices.address("door")
            said = await asyncio.to_thread(vms, "camera", "onvif", address, "-u", "view")
            assert simulator.url("door") in said
        url = simulator.url("door")
        words = ("camera", "test", url, "-u", "view", "--snapshot", "door.jpg")
        assert "main: h264 320x192" in await asyncio.to_thread(vms, *words)
        assert (tmp_path / "door.jpg").read_bytes()[:2] == b"\xff\xd8"
        vms.environment["VMS_CAMERA_PASSWORD"] = "not it"
        said = await asyncio.to_thread(lambda: vms("camera", "test", url, "-u", "view", status=1))
        assert "user name or password" in said


async def test_the_certificate_of_a_camera_is_shown_so_that_it_can_be_pinned(
    vms: Shell, tmp_path: Path
) -> None:
    context, _, fingerprint = self_signed(tmp_path)
    async with Simulator(tls=context) as simulator:
        simulator.add_camera("door", Loop(320, 192, 10, 200_000, seconds=1.0))
        await simulator.prepare()
        said = await asyncio.to_thread(vms, "camera", "test", simulator.url("door"))
        assert f"certificate (SHA-256) {fingerprint}" in said


def test_doctor_names_what_is_wrong(vms: Shell) -> None:
    vms("camera", "add", "Dead", "rtsp://127.0.0.1:9/x", "--username", "view")
    said = vms("doctor", status=1)
    assert "the catalog answers" in said
    assert "camera dead, stream main: 127.0.0.1:9 refuses connections" in said


def test_unknown_roles_and_lone_roles_are_explained(vms: Shell) -> None:
    assert "did you mean 'ingest'" in vms("run", "ingset", status=1)
    assert "the memory bus reaches no other process" in vms("run", "ingest", status=1)
