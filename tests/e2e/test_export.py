"""Evidence from end to end: cameras are recorded, footage is exported over HTTP, fetched by
ranges, verified offline, and a system that is killed in the middle goes on with it."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from bench.support.stamps import numbers_in
from tests.support.loop_thread import LoopThread
from tests.support.plant import good_cameras, now_ms, wait_status
from tests.support.system import VMS, System, wait_for

from vms.simulator.server import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

API = "/api/v1"
NAMES = ("door", "hall")


def until(client: httpx.Client, identity: str, *states: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def reached() -> bool:
        found.update(client.get(f"{API}/exports/{identity}").raise_for_status().json())
        return found["state"] in states

    wait_for(reached, 40, f"the export to be {states}")
    return found


def ask(client: httpx.Client, **wish: Any) -> dict[str, Any]:
    answer = client.post(f"{API}/exports", json=wish)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def fetched(client: httpx.Client, identity: str, size: int, path: Path) -> Path:
    """As a download that breaks off and goes on."""
    url = f"{API}/exports/{identity}/file"
    half = client.get(url, headers={"Range": f"bytes=0-{size // 2 - 1}"})
    assert half.status_code == 206
    rest = client.get(
        url, headers={"Range": f"bytes={size // 2}-", "If-Range": half.headers["etag"]}
    )
    assert rest.status_code == 206
    assert rest.headers["content-range"] == f"bytes {size // 2}-{size - 1}/{size}"
    path.write_bytes(half.content + rest.content)
    assert path.stat().st_size == size
    return path


def verified(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """By a process of its own, in a folder that holds nothing else."""
    return subprocess.run(
        [VMS, "verify", path, *more], capture_output=True, text=True, timeout=60,
        cwd=path.parent, check=False,
    )  # fmt: skip


def test_evidence_from_camera_to_verdict(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with LoopThread() as loop:
        simulator = loop.enter(Simulator())
        with System(data, "--no-demo").wait_ready() as system:
            client = system.client()
            good_cameras(loop, simulator, client, NAMES)
            for name in NAMES:
                wait_status(client, name, "online")
            time.sleep(12)
            end = now_ms() - 1000
            span = {"cameras": list(NAMES), "start": end - 9000, "end": end}
            case = ask(client, **span, format="case", reason="theft")
            assert (case["owner"], case["spec"]["reason"]) == ("admin", "theft")
            done = until(client, case["id"], "done", "failed")
            assert done["state"] == "done", done
            path = fetched(client, case["id"], done["size"], tmp_path / done["name"])
            key = client.get(f"{API}/system/evidence-key").json()["fingerprint"]
            judge(path, key, done, tmp_path)
            one_file(client, span, tmp_path)
            refused(client, span, end)
            trail = client.get(f"{API}/audit", params={"action": "export", "limit": 100})
            assert "export.created" in trail.raise_for_status().text
            assert "export.downloaded" in trail.text
            assert client.get(f"{API}/audit/check").json()["ok"] is True
            burned = ask(client, **span, format="case", burn={"time": True, "name": True})
            part = data / "exports" / burned["id"] / "export.part"
            wait_for(part.exists, 20, "the export to be under way")
            system.stop(signal.SIGKILL)
        assert state_of(data, burned["id"]) == "running"
        with System(data, "--no-demo").wait_ready() as again:
            client = again.client(system.password)
            done = until(client, burned["id"], "done", "failed")
            assert done["state"] == "done", done
            path = fetched(client, burned["id"], done["size"], tmp_path / "burned.zip")
            assert verified(path, "--key", key).returncode == 0
            cancelled(client, span)
            assert client.delete(f"{API}/exports/{burned['id']}").status_code == 204
            assert client.get(f"{API}/exports/{burned['id']}/file").status_code == 404
    assert not (data / "exports" / burned["id"]).exists()


def judge(path: Path, key: str, done: dict[str, Any], folder: Path) -> None:
    """Nothing is lost inside, all is as signed, and a changed byte is named."""
    told = verified(path, "--key", key)
    assert told.returncode == 0, told.stdout
    assert "OK: all 2 files" in told.stdout
    with zipfile.ZipFile(path) as file:
        file.extractall(folder / "case")
    for one in done["files"]:
        counted = numbers_in(folder / "case" / one["name"])
        assert len(counted) >= 200
        assert counted == list(range(counted[0], counted[0] + len(counted)))
    manifest = json.loads((folder / "case" / "manifest.json").read_text())
    assert manifest["audit"]["seq"] > 0
    assert manifest["by"]["name"] == "admin"
    target = folder / "case" / done["files"][0]["name"]
    whole = bytearray(target.read_bytes())
    whole[len(whole) // 2] ^= 1
    target.write_bytes(whole)
    told = verified(folder / "case")
    assert told.returncode == 1
    assert f"ALTERED {done['files'][0]['name']} from 20" in told.stdout


def one_file(client: httpx.Client, span: dict[str, Any], folder: Path) -> None:
    """An exact MP4 of one camera is a file that plays by itself."""
    wish = span | {"cameras": ["door"], "start": span["end"] - 3500, "exact": True}
    job = until(client, ask(client, **wish)["id"], "done", "failed")
    assert job["name"].endswith(".mp4")
    path = fetched(client, job["id"], job["size"], folder / "door.mp4")
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert abs(float(told.stdout) - 3.5) < 0.05
    inside = client.get(f"{API}/exports/{job['id']}/file", params={"name": job["files"][0]["name"]})
    assert inside.content == path.read_bytes()


def refused(client: httpx.Client, span: dict[str, Any], end: int) -> None:
    """What cannot be is refused with a sentence, before anything is made."""
    year = 366 * 86_400_000
    for change, status, says in (
        ({"start": end - 10 * year}, 422, "at most"),
        ({"start": end, "end": end - 1}, 422, "ends before it begins"),
        ({"end": end + 86_400_000}, 422, "in the future"),
        ({"cameras": ["door", "nowhere"]}, 404, "no camera 'nowhere'"),
        ({"cameras": ["../../etc"]}, 422, "body.cameras.0"),
        ({"cameras": []}, 422, "body.cameras"),
        ({"cameras": [f"c{n}" for n in range(65)]}, 422, "body.cameras"),
        ({"stream": "../x"}, 422, "body.stream"),
        ({"format": "avi"}, 422, "body.format"),
        ({"format": "mkv", "exact": True}, 422, "needs the format mp4 or case"),
        ({"zone": "Mars/Olympus"}, 422, "time zone"),
        ({"start": 1000, "end": 2000}, 404, "nothing is recorded"),
        ({"folder": "/tmp"}, 422, "body.folder"),
    ):
        answer = client.post(f"{API}/exports", json=span | change)
        assert answer.status_code == status, (change, answer.text)
        assert says in answer.json()["detail"], answer.text
    for identity in ("0" * 16, "..%2f..%2fetc", "a%00b", "x" * 300):
        assert client.get(f"{API}/exports/{identity}/file").status_code == 404


def cancelled(client: httpx.Client, span: dict[str, Any]) -> None:
    job = ask(client, **span, burn={"watermark": True})
    answer = client.post(f"{API}/exports/{job['id']}/cancel")
    assert answer.json()["state"] in ("cancelled", "done")
    listed = client.get(f"{API}/exports").json()["exports"]
    assert job["id"] in [one["id"] for one in listed]
    file = client.get(f"{API}/exports/{job['id']}/file")
    assert file.status_code == (409 if answer.json()["state"] == "cancelled" else 200)


def state_of(data: Path, identity: str) -> str:
    with sqlite3.connect(data / "vms.db") as database:
        found = database.execute("select state from exports where id = ?", (identity,)).fetchone()
    database.close()
    return str(found[0])
