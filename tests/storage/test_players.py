"""Recordings over HTTP as players of others see them, and what is refused at these doors."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.support.api_server import Api, running_api
from tests.support.storage_media import SECOND, START_NS, encode_aac, encode_video, merged
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import rig

from vms.storage.playback import Playback
from vms.storage.preview import Previews
from vms.storage.routes import router
from vms.storage.settings import StorageSettings
from vms.storage.volume import Volume

START = START_NS // 1_000_000
CAMERA = "/api/v1/cameras/front"
PICTURES = 150
YEARS = 10 * 366 * 86_400_000

needs_ffmpeg = pytest.mark.skipif(
    not (shutil.which("ffmpeg") and shutil.which("ffprobe")), reason="no FFmpeg here"
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """Six seconds with sound, in groups of a second; and two more after a gap."""
    async with rig(tmp_path / "recorded") as storage:
        video = make_units(*encode_video(pictures=PICTURES, gop=25))
        storage.send(merged(video, make_units(*encode_aac(6.0), track=1)))
        storage.send(make_units(*encode_video(), run="2", start_ns=START_NS + 60 * SECOND))
        await storage.stop()
        rows = await storage.rows()
    late = SimpleNamespace(segments=None)
    playback = Playback(late, StorageSettings(root=storage.root, playback_max_seconds=600))
    volume = Volume(storage.root, 0)
    previews = Previews(late, lambda _: volume, tmp_path)
    async with running_api(tmp_path, [router(playback, previews)]) as running:
        late.segments = running.services.catalog.segments
        await late.segments.add_many(rows)
        yield running
    playback.close()
    previews.close()


async def token(api: Api, start: int, end: int) -> str:
    async with api.client("vera") as client:
        answer = await client.post(f"{CAMERA}/media-token", json={"start": start, "end": end})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])


async def told(*command: str) -> bytes:
    """What a program prints; it must end well within its time."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()[-2000:]
    return out


async def probe(address: str, *options: str) -> Any:
    return json.loads(await told("ffprobe", "-v", "error", *options, "-of", "json", address))


@needs_ffmpeg
async def test_ffmpeg_reads_a_clip_over_http_and_seeks_in_it(api: Api) -> None:
    end = START + 6000
    query = f"start={START}&end={end}&token={await token(api, START, end)}"
    address = f"{api.base}{CAMERA}/clip.mp4?{query}"
    found = await probe(address, "-count_frames", "-show_streams", "-show_format")
    assert [one["codec_name"] for one in found["streams"]] == ["h264", "aac"]
    assert int(found["streams"][0]["nb_read_frames"]) == PICTURES
    assert abs(float(found["format"]["duration"]) - 6) < 0.1
    seen = {}
    for second in (0.0, 1.0, 3.0, 5.0, 2.0):
        out = await told(
            "ffmpeg", "-v", "error", "-ss", str(second), "-i", address, "-frames:v", "1",
            "-an", "-f", "framemd5", "-",
        )  # fmt: skip
        seen[second] = out.decode().splitlines()[-1].rsplit(",", 1)[-1].strip()
    every = await told("ffmpeg", "-v", "error", "-i", address, "-an", "-f", "framemd5", "-")
    lines = [line for line in every.decode().splitlines() if not line.startswith("#")]
    assert len(lines) == PICTURES
    for second, digest in seen.items():
        assert lines[int(second * 25)].rsplit(",", 1)[-1].strip() == digest, second


@needs_ffmpeg
async def test_ffmpeg_reads_a_playlist_every_picture_once(api: Api) -> None:
    end = START + 6000
    query = f"start={START}&end={end}&token={await token(api, START, end)}"
    found = await probe(
        f"{api.base}{CAMERA}/hls/main.m3u8?{query}",
        "-count_frames", "-show_streams", "-select_streams", "v",
    )  # fmt: skip
    assert int(found["streams"][0]["nb_read_frames"]) == PICTURES


@needs_ffmpeg
async def test_ffmpeg_is_refused_without_a_token(api: Api) -> None:
    query = f"start={START}&end={START + 6000}"
    for token_ in ("", "&token=", "&token=x.y.z"):
        with pytest.raises(AssertionError, match=r"40[013]"):
            await probe(f"{api.base}{CAMERA}/clip.mp4?{query}{token_}", "-show_format")


WRONG: list[tuple[str, dict[str, str | float], int]] = [
    ("playback", {"start": START, "duration": -1}, 422),
    ("playback", {"start": START, "duration": "nan"}, 422),
    ("playback", {"start": START, "duration": 1e9}, 422),
    ("playback", {"start": -1, "duration": 1}, 422),
    ("playback", {"start": 1 << 63, "duration": 1}, 422),
    ("playback", {"start": START, "stream": "../main"}, 422),
    ("playback", {"start": START, "pictures": "some"}, 422),
    ("playback", {"start": START + YEARS}, 404),
    ("clip.mp4", {"start": START + 6000, "end": START}, 422),
    ("clip.mp4", {"start": START, "end": START}, 422),
    ("clip.mp4", {"start": START, "end": START + YEARS}, 422),
    ("clip.mp4", {"start": START + YEARS, "end": START + YEARS + 1000}, 404),
    ("clip.mp4", {"start": START}, 422),
    ("hls/main.m3u8", {"start": START + 6000, "end": START}, 422),
    ("hls/main.m3u8", {"start": START, "end": START + YEARS}, 422),
    ("hls/main.m3u8", {"start": START + YEARS, "end": START + YEARS + 1000}, 404),
    ("hls/none.m3u8", {"start": START, "end": START + 1000}, 404),
    ("hls/%2e%2e%2fmain.m3u8", {"start": START, "end": START + 1000}, 404),
    ("hls/main/..%2f..%2fsecret.key", {}, 404),
    ("hls/main/init-99999999999999999999.mp4", {}, 404),
    (f"hls/main/{START_NS}-{START_NS - 1}-0.m4s", {}, 404),
    (f"hls/main/{START_NS}-{START_NS + YEARS * 10**6}-0.m4s", {}, 404),
    ("hls/main/1-2-0.m4s", {}, 404),
    ("snapshot.jpg", {"at": -5}, 422),
    ("snapshot.jpg", {"at": START + YEARS}, 404),
    ("snapshot.jpg", {"at": START, "width": 1_000_000}, 422),
    ("previews", {"start": START, "end": START - 1}, 422),
    ("previews", {"start": START, "end": START + YEARS}, 422),
    ("previews/1.jpg", {}, 404),
    ("previews/-600000.jpg", {}, 404),
    ("previews/..%2f..%2fvms.db.jpg", {}, 404),
    ("previews/x.jpg", {}, 422),
    (f"previews/{START // 600_000 * 600_000 + 600_000_000}.jpg", {}, 404),
    (f"previews/{'9' * 40}.jpg", {}, 404),
]


async def test_what_cannot_be_asked_for_is_refused_as_such(api: Api) -> None:
    async with api.client("vera") as client:
        for path, params, status in WRONG:
            answer = await client.get(f"{CAMERA}/{path}", params=params or None)
            assert answer.status_code == status, (path, params, answer.text)
            assert answer.headers["content-type"] == "application/problem+json", path
            assert answer.json()["detail"]
        wish = {"start": START, "end": START - 1}
        assert (await client.post(f"{CAMERA}/media-token", json=wish)).status_code == 422


ODD = ["..", "%2e%2e", "..%2f..%2fetc", "front%00", "Front", "front%2f..%2ffront", "*", "a" * 300]


@pytest.mark.parametrize("camera", ODD)
async def test_no_camera_has_such_a_name(api: Api, camera: str) -> None:
    span = {"start": START, "end": START + 1000}
    async with api.client("olga") as client:
        for path in ("clip.mp4", "hls/main.m3u8", "previews"):
            answer = await client.get(f"/api/v1/cameras/{camera}/{path}", params=span)
            assert answer.status_code in (403, 404, 422), (path, answer.text)


async def test_who_may_not_see_the_camera_sees_no_strip(api: Api) -> None:
    strip = START // 600_000 * 600_000
    async with api.client("nora") as client:
        for path in (f"previews?start={START}&end={START + 1000}", f"previews/{strip}.jpg"):
            assert (await client.get(f"{CAMERA}/{path}")).status_code == 404
    async with httpx.AsyncClient(base_url=api.base) as client:
        assert (await client.get(f"{CAMERA}/previews/{strip}.jpg")).status_code == 401


async def test_strips_are_listed_as_they_are_served(api: Api) -> None:
    async with api.client("vera") as client:
        answer = await client.get(
            f"{CAMERA}/previews", params={"start": START - 3_600_000, "end": START + 3_600_000}
        )
        (strip,) = answer.json()["strips"]
        assert strip["start"] <= START < strip["end"] == strip["start"] + 600_000
        assert len(strip["times"]) == strip["columns"] * strip["rows"] == 60
        assert strip["times"][1] - strip["times"][0] == 10_000
        sheet = await client.get(strip["path"])
        assert sheet.status_code == 200
        assert sheet.headers["content-type"] == "image/jpeg"
        assert sheet.content[:2] == b"\xff\xd8"


async def test_what_was_looked_at_stands_in_the_audit_trail(api: Api) -> None:
    strip = START // 600_000 * 600_000
    async with api.client("vera") as client:
        for path in (
            f"playback?start={START}&duration=2", f"clip.mp4?start={START}&end={START + 2000}",
            f"hls/main.m3u8?start={START}&end={START + 2000}", f"snapshot.jpg?at={START}",
            f"previews/{strip}.jpg",
        ):  # fmt: skip
            assert (await client.get(f"{CAMERA}/{path}")).status_code == 200, path
    trail = api.services.auth.audit
    api.clock.ahead += 3600
    found: list[Any] = []

    async def written() -> bool:
        trail.tick()
        await trail.flush()
        found[:] = await api.services.catalog.audit.list(camera="front")
        return {"playback", "snapshot", "preview"} <= {one.action for one in found}

    async with asyncio.timeout(5):
        while not await written():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert {one.user_name for one in found} == {"vera"}
    assert all(one.start_ns is not None for one in found)
