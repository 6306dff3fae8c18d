"""The main job: start it, see cameras, find recordings, stop it."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import av
import pytest
from tests.support.system import VMS, System, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def online(client) -> int:  # type: ignore[no-untyped-def]
    states = client.get("/api/v1/states").raise_for_status().json()
    return sum(state["status"] == "online" for state in states)


def test_first_start_records_four_cameras_and_stops_cleanly(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with System(data).wait_ready() as system:
        assert system.password
        client = system.client()
        cameras = client.get("/api/v1/cameras").raise_for_status().json()
        assert len(cameras) == 4
        wait_for(lambda: online(client) == 8, 30, "eight streams online")

        def recorded() -> bool:
            now = int(time.time() * 1000)
            answer = client.get(
                f"/api/v1/cameras/{cameras[0]['id']}/recordings",
                params={"start": now - 600_000, "end": now},
            )
            return bool(answer.raise_for_status().json()["spans"])

        wait_for(recorded, 20, "a recorded span")
        time.sleep(3)
        assert system.stop() < 5.0
        assert system.process.returncode == 0
        assert system.password not in system.log.read_text()
    files = sorted((data / "recordings").rglob("*.mkv"))
    assert len(files) >= 4
    for file in files:
        with av.open(str(file)) as container:
            assert container.duration, f"{file} was not closed"
            assert sum(packet.size > 0 for packet in container.demux(video=0)) > 10

    with System(data).wait_ready() as again:
        assert again.password == ""
        assert again.client(password=system.password).get("/api/v1/auth/me").status_code == 200


def test_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [VMS, "run", "--data-dir", tmp_path / "data", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=30,
            cwd=tmp_path,
            check=False,
        )
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_settings_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "vms.toml").write_text("[htpp]\nport = 1\n")
    done = subprocess.run(
        [VMS, "run"], capture_output=True, text=True, timeout=30, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert "unknown key 'htpp.port'; did you mean 'http.port'?" in done.stderr
