"""Faults of the machine and of those who run it: said in a line, and got over."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from tests.support.loop_thread import LoopThread
from tests.support.plant import (
    counted,
    good_cameras,
    metric,
    now_ms,
    numbers,
    recordings,
    wait_status,
)
from tests.support.stream_offers import CHROMIUM, FINGERPRINT
from tests.support.system import VMS, System, wait_for

from vms.simulator.server import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

API = "/api/v1"


def rows(data: Path) -> list[tuple[str, int, int, int, int]]:
    """Path, start, end, pictures and whether closed, of each row of recordings."""
    with sqlite3.connect(data / "vms.db") as database:
        found = database.execute(
            "select path, start_ns, end_ns, frames, closed from segments order by start_ns"
        ).fetchall()
    database.close()
    return found


def test_a_kill_while_recording_costs_nothing_that_was_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with LoopThread() as loop:
        simulator = loop.enter(Simulator())
        with System(data, "--no-demo").wait_ready() as system:
            client = system.client()
            good_cameras(loop, simulator, client, ("door", "hall"))
            for name in ("door", "hall"):
                wait_status(client, name, "online")
            time.sleep(3)
            killed = time.time()
            system.stop(signal.SIGKILL)
        written = {name: numbers(data, name) for name in ("door", "hall")}
        ends = {
            name: max(file.stat().st_mtime for file in recordings(data, name)) for name in written
        }
        # Spans less than two seconds apart are told as one.
        time.sleep(max(0.0, killed + 2.5 - time.time()))
        with System(data, "--no-demo").wait_ready() as again:
            client = again.client(system.password)
            for name in ("door", "hall"):
                wait_status(client, name, "online")
            for name in ("door", "hall"):
                spans = wait_for(lambda name=name: two_spans(client, name), 8, "two spans")  # type: ignore[misc]
                assert abs(spans[0]["end"] / 1000 - killed) < 1.0
                where = {"start": spans[0]["end"] - 500, "duration": 1}
                assert client.get(f"{API}/cameras/{name}/playback", params=where).status_code == 200
            assert again.stop() < 5.0
            assert again.process.returncode == 0
    for name in written:
        assert killed - ends[name] < 1.0
        assert len(written[name]) >= 50
        assert numbers(data, name)[: len(written[name])] == written[name]
        assert written[name] == list(range(written[name][0], written[name][-1] + 1))
        assert counted(data, name).repeated == 0
    root = data / "recordings"
    assert {path for path, *_ in rows(data)} == {
        str(file.relative_to(root)) for file in root.rglob("*.mkv")
    }
    assert all(closed and end > start for _, start, end, _, closed in rows(data))


def two_spans(client: httpx.Client, camera: str) -> list[dict[str, Any]] | None:
    query = {"start": now_ms() - 600_000, "end": now_ms()}
    answer = client.get(f"{API}/cameras/{camera}/recordings", params=query)
    spans: list[dict[str, Any]] = answer.json()["spans"]
    return spans if len(spans) == 2 else None


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_and_got_over(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with small_disk(tmp_path / "disk", 24) as disk, LoopThread() as loop:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(22 << 20))
        environment = {
            "VMS_STORAGE__ROOT": str(disk / "recordings"),
            "VMS_STORAGE__MIN_FREE_BYTES": str(4 << 20),
        }
        with System(data, "--no-demo", environment=environment).wait_ready() as system:
            client = system.client()
            simulator = loop.enter(Simulator())
            good_cameras(loop, simulator, client, ("door",))
            wait_status(client, "door", "online")

            def said() -> str:
                checks = client.get(f"{API}/system").json()["checks"]
                return next(str(one["detail"]) for one in checks if one["name"] == "recording")

            def is_live() -> bool:
                path = f"{API}/cameras/door/streams/main/snapshot.jpg"
                return client.get(path).status_code == 200

            def records() -> bool:
                return bool(metric(client, "vms_storage_recording"))

            def wait_recorded(pictures: int) -> None:
                wait_for(records, 12, "recording to begin")
                name = "vms_storage_written_units_total"
                enough = metric(client, name) + pictures
                wait_for(lambda: metric(client, name) > enough, 8, f"{pictures} pictures")

            wait_for(lambda: "is full" in said(), 10, "a full disk to be said")
            assert "free space there" in said()
            assert str(disk) in said()
            wait_for(is_live, 5, "live pictures")
            ballast.unlink()
            wait_recorded(10)
            assert said() == ""
            ballast.write_bytes(bytes(22 << 20))
            wait_for(lambda: "is full" in said(), 8, "a full disk to be said again")
            assert is_live()
            ballast.unlink()
            wait_for(lambda: not said(), 8, "the problem to be over")
            wait_recorded(10)
            assert system.stop() < 5.0
            assert system.process.returncode == 0
            assert "is full" in system.log.read_text()
        found = [len(list(av.open(str(p)).demux(video=0))) for p in disk.rglob("*.mkv")]
        assert len(found) >= 2
        assert min(found) > 10


# -- those who run it -----------------------------------------------------------------


def refused(folder: Path, *arguments: str, **environment: str) -> str:
    """What `vms run` says where it cannot start: one line."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("VMS_")}
    done = subprocess.run(
        [VMS, "run", "--no-demo", "--port", "0", *arguments],
        capture_output=True,
        text=True,
        timeout=40,
        cwd=folder,
        env=clean | environment,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith("vms: ")
    return line


def test_what_cannot_be_started_says_why_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "vms.db").write_bytes(os.urandom(20_000))
    (tmp_path / "file").touch()
    (tmp_path / "latin.toml").write_bytes(b"[http]\nhost = '\xe9'\n")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "typo.toml").write_text("[http]\nprot = 1\n")
    cases: dict[str, tuple[str, ...]] = {
        "the catalog at * cannot be used: file is not a database; restore it": (
            "--data-dir", "broken"),
        "data directory file cannot be used: Not a directory; choose another": (
            "--data-dir", "file"),
        "settings file latin.toml is not UTF-8 text at byte 15; save it as UTF-8": (
            "-c", "latin.toml"),
        "settings file folder.toml cannot be read: Is a directory; check the path": (
            "-c", "folder.toml"),
        "settings file none.toml cannot be read: No such file": ("-c", "none.toml"),
        "settings file typo.toml: unknown key 'http.prot'; did you mean 'http.port'?": (
            "-c", "typo.toml"),
        "8.8.8.8 is no address of this machine": ("--data-dir", "new", "--host", "8.8.8.8"),
    }  # fmt: skip
    with ThreadPoolExecutor(2) as pool:
        lines = pool.map(lambda arguments: refused(tmp_path, *arguments), cases.values())
        for says, line in zip(cases, lines, strict=True):
            for part in says.split(" * "):
                assert part in line


def test_a_data_directory_is_held_by_one_system_and_needs_its_key(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with System(data, "--no-demo").wait_ready() as system:
        line = refused(tmp_path, "--data-dir", str(data))
        assert "the role 'ingest' already runs on data directory" in line
        assert f"process {system.process.pid}" in line
        assert system.client().get(f"{API}/system").status_code == 200
        assert system.stop() < 5
    key = (data / "secret.key").read_bytes()
    (data / "secret.key").unlink()
    line = refused(tmp_path, "--data-dir", str(data))
    assert "secret.key is missing" in line
    assert "restore it from a backup" in line
    assert not (data / "secret.key").exists()
    (data / "secret.key").touch(0o600)
    (data / "secret.key").write_bytes(key)
    with System(data, "--no-demo").wait_ready() as again:
        assert again.client(system.password).get(f"{API}/auth/me").status_code == 200


def test_it_may_be_stopped_at_any_moment_of_its_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number, wait in ((signal.SIGINT, 0.0), (signal.SIGTERM, 0.1), (signal.SIGINT, 0.3)):
        system = System(data, "--no-demo")
        lock = data / ".api.lock"
        wait_for(lock.exists, 20, "the start to begin")
        time.sleep(wait)
        assert system.stop(number) < 5.0
        assert system.process.returncode == 0
        assert "Traceback" not in system.log.read_text()
        lock.unlink()
    with System(data, "--no-demo").wait_ready() as system:
        assert system.stop() < 5.0


def test_a_catalog_that_is_held_does_not_hold_the_end(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with LoopThread() as loop, System(data, "--no-demo").wait_ready() as system:
        client = system.client()
        good_cameras(loop, loop.enter(Simulator()), client, ("door",))
        wait_status(client, "door", "online")
        catalog = sqlite3.connect(next(data.glob("*.db")), isolation_level=None)
        catalog.execute("BEGIN EXCLUSIVE")
        try:
            assert system.stop() < 5.0
        finally:
            catalog.close()
        assert "Traceback" not in system.log.read_text()


def test_nobody_listens_to_what_it_prints(tmp_path: Path) -> None:
    """Standard output and error closed, full or broken: it runs, and says what it can."""
    command = [VMS, "run", "--no-demo", "--port", "0", "--data-dir"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VMS_")}
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "w") as full, (tmp_path / "log").open("w") as log:
        started = [
            subprocess.Popen([*command, tmp_path / "a"], stdout=full, stderr=log, env=environment),
            subprocess.Popen(
                [*command, tmp_path / "b"], stdout=writer, stderr=full, env=environment
            ),
            subprocess.Popen(
                ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command, tmp_path / "c"],
                env=environment,
            ),
        ]
    os.close(writer)
    try:
        for name in "abc":
            wait_for((tmp_path / name / "recordings" / ".vms-volume").exists, 30, f"{name} to run")
        assert [one.poll() for one in started] == [None] * 3
    finally:
        for one in started:
            one.send_signal(signal.SIGINT)
        assert [one.wait(15) for one in started] == [0, 0, 0]
    said = (tmp_path / "log").read_text()
    assert "standard output cannot be written to" in said
    assert "vms user password admin" in said


def test_a_taken_webrtc_port_leaves_the_other_ways(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken, LoopThread() as loop:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        arguments = ("--no-demo", "-c", "vms.toml")
        (tmp_path / "vms.toml").write_text(f"[stream.webrtc]\nport = {port}\n")
        with System(tmp_path / "data", *arguments, webrtc=False).wait_ready() as system:
            client = system.client()
            simulator = loop.enter(Simulator())
            good_cameras(loop, simulator, client, ("door",))
            wait_status(client, "door", "online")
            path = f"{API}/cameras/door/streams/main"
            wait_for(lambda: client.get(f"{path}/snapshot.jpg").status_code == 200, 5, "a picture")
            answer = client.post(
                f"{path}/whep",
                content=CHROMIUM.replace("FINGERPRINT", FINGERPRINT),
                headers={"content-type": "application/sdp"},
            )
            assert answer.status_code == 406
            assert "use MSE" in answer.json()["detail"]
            assert f"port {port}" in system.log.read_text()
            assert system.stop() < 5
