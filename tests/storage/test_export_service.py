"""Exports as jobs: what comes out of real recordings, and what becomes of jobs that end early."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.support.export_rig import exporting, footage
from tests.support.storage_media import SECOND, START_NS
from tests.support.storage_rig import camera

from vms.common.errors import CatalogError
from vms.common.model.camera import Mask
from vms.common.model.evidence import ExportState
from vms.common.model.media import Codec
from vms.storage.export import check, maker
from vms.storage.export.shelf import Shelf
from vms.storage.export.spec import Burn, Format, Spec
from vms.storage.export.watch import NoRoom

PICTURE = SECOND // 25
MIB = 1 << 20


def probe(path: Path, *entries: str) -> dict[str, Any]:
    """As FFmpeg's own ffprobe sees it."""
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", *entries, str(path)],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    return dict(json.loads(done.stdout))


def shown(path: Path) -> list[float]:
    """When each picture is shown by a player, in seconds: what an edit list hides is not."""
    told = probe(path, "-select_streams", "v", "-show_entries", "frame=pts_time")
    return [float(one["pts_time"]) for one in told["frames"]]


def numbers(path: Path) -> list[int]:
    """The number that each picture shows, modulo 64 (see `storage_media.picture`)."""
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-f", "rawvideo", "-pix_fmt",
         "gray", "-fps_mode", "passthrough", "-"],
        capture_output=True, check=True, timeout=30,
    ).stdout  # fmt: skip
    frames = np.frombuffer(raw, np.uint8).reshape(-1, 96, 160)
    found = []
    for frame in frames:
        row = frame[48].astype(int)
        found.append(round(float((abs(row - row[-1]) > 12).sum()) * 64 / 160))
    return found


def asked(seconds: float = 4.0, after: float = 0.0, **more: Any) -> Spec:
    start = START_NS + round(after * SECOND)
    return Spec(("front",), start, start + round(seconds * SECOND), **more)


async def test_mp4_holds_every_picture_and_the_sound(tmp_path: Path) -> None:
    async with exporting(tmp_path, footage("front")) as rig:
        job, path = await rig.done(asked())
        assert job.result["name"] == "front_20260921T141320Z-main.mp4"
        times = shown(path)
        assert len(times) == 100
        assert np.allclose(np.diff(times), 0.04, atol=0.0011)
        streams = probe(path, "-show_entries", "stream=codec_type")["streams"]
        assert [one["codec_type"] for one in streams] == ["video", "audio"]
        _, path = await rig.done(asked(audio=False))
        assert len(probe(path, "-show_entries", "stream=codec_type")["streams"]) == 1


@pytest.mark.parametrize(
    ("start", "lasts", "codec", "b_frames"),
    [
        (0.5, 1.0, Codec.H264, 0), (1.28, 2.4, Codec.H264, 2), (0.02, 0.5, Codec.H265, 0),
        (3.1, 0.3, Codec.H264, 0), (0.7, 1.3, Codec.H265, 2),
    ],
)  # fmt: skip
async def test_an_exact_cut_begins_and_ends_at_the_picture(
    tmp_path: Path, start: float, lasts: float, codec: Codec, b_frames: int
) -> None:
    units = footage("front", codec=codec, b_frames=b_frames)
    async with exporting(tmp_path, units) as rig:
        _, path = await rig.done(asked(lasts, start, exact=True))
        times = shown(path)
        assert abs(len(times) - lasts * 25) <= 1
        assert 0 <= times[0] <= 0.0401
        length = float(probe(path, "-show_entries", "format=duration")["format"]["duration"])
        assert abs(length - lasts) <= 0.0401
        told = numbers(path)
        assert abs(told[0] - round(start * 25) % 64) <= 1
        assert len(told) == len(times)


async def test_without_exact_it_is_cut_at_key_pictures(tmp_path: Path) -> None:
    async with exporting(tmp_path, footage("front")) as rig:
        job, path = await rig.done(asked(1.0, 1.5))
        assert len(shown(path)) == 50
        (file,) = job.result["files"]
        assert (file["start"], file["end"]) == (1790000001000, 1790000003000)


async def test_mkv_is_the_recording_byte_for_byte(tmp_path: Path) -> None:
    async with exporting(tmp_path, footage("front")) as rig:
        _, path = await rig.done(asked(1.0, 1.0, format=Format.MKV))
        (row,) = await rig.storage.rows()
        recorded = (rig.storage.root / row.path).read_bytes()
        made = path.read_bytes()
        assert len(shown(path)) == 25
        with av.open(str(path)) as container:
            packets = [bytes(p) for p in container.demux(video=0) if p.size]
        assert all(packet in recorded for packet in packets)
        assert 0 < len(made) < len(recorded)


async def test_a_gap_is_never_joined_over(tmp_path: Path) -> None:
    units = [*footage("front", 2), *footage("front", 2, after=30, run="run2")]
    async with exporting(tmp_path, units) as rig:
        job, path = await rig.done(asked(40))
        assert job.result["name"].startswith("export_")
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
            contents = json.loads(file.read("contents.json"))
        assert names == [
            "front/20260921T141320Z-main.mp4", "front/20260921T141350Z-main.mp4", "contents.json"
        ]  # fmt: skip
        spans = [(one["start_ms"], one["end_ms"]) for one in contents["missing"]["front"]]
        assert spans == [(1790000002000, 1790000030000), (1790000032000, 1790000040000)]
        assert [one["start"] for one in job.result["missing"]] == [1790000002000, 1790000032000]


async def test_text_is_burned_into_every_picture(tmp_path: Path) -> None:
    async with exporting(tmp_path, footage("front", 2)) as rig:
        burn = Burn(time=True, name=True, watermark=True, zone="America/Sao_Paulo")
        _, path = await rig.done(asked(1.0, 0.5, burn=burn, exact=True))
        assert abs(len(shown(path)) - 25) <= 1
        with av.open(str(path)) as container:
            grays = [f.to_ndarray(format="gray") for f in container.decode(video=0)]
        for gray in grays:
            assert (gray[:9, :60] < 60).any()
            assert (gray[:9, :60] > 190).any()


async def test_masks_are_painted_and_come_as_mp4_in_a_case(tmp_path: Path) -> None:
    mask = Mask(((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5)))
    cameras = [replace(camera(), masks=(mask,)), camera("back")]
    units = [*footage("front", 1), *footage("back", 1)]
    async with exporting(tmp_path, units, cameras) as rig:
        spec = replace(asked(1), cameras=("front", "back"), format=Format.CASE)
        job, path = await rig.done(spec)
        names = [one["name"] for one in job.result["files"]]
        assert [name.rpartition(".")[2] for name in names] == ["mp4", "mkv"]
        verdict = check.verify(path)
        assert verdict.ok
        assert verdict.unproven == names[:1]
        assert verdict.manifest is not None
        assert [one["masks_painted"] for one in verdict.manifest.fields["cameras"]] == [1, 0]
        with zipfile.ZipFile(path) as file:
            file.extract(names[0], tmp_path)
        with av.open(str(tmp_path / names[0])) as container:
            for frame in container.decode(video=0):
                assert frame.to_ndarray(format="gray")[:44].max() < 40
        _, path = await rig.done(replace(spec, masks=False))
        assert check.verify(path).unproven == []


async def test_the_camera_may_be_gone_before_its_export_is_made(tmp_path: Path) -> None:
    mask = Mask(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), "door")
    front = replace(camera(), masks=(mask,))
    async with exporting(tmp_path, footage("front", 1), [front]) as rig:
        await rig.stop()
        job = await rig.ask(asked(1), [front])
        await rig.catalog.cameras.remove("front")
        rig.service = rig.made()
        rig.start()
        job = await rig.until(job.id)
        assert job.state is ExportState.DONE, job.error
        with av.open(str(rig.service.file(job))) as container:
            for frame in container.decode(video=0):
                assert frame.to_ndarray(format="gray")[4, 100] < 40


async def test_what_is_damaged_on_the_disk_is_said_and_shown_by_the_verifier(
    tmp_path: Path,
) -> None:
    async with exporting(tmp_path, footage("front", 3)) as rig:
        (row,) = await rig.storage.rows()
        path = rig.storage.root / row.path
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        job, path = await rig.done(asked(3, format=Format.CASE))
        assert "damaged or changed before this export" in job.result["problems"][0]
        (finding,) = check.verify(path).findings
        assert finding.what is check.What.CHAIN
        assert finding.text == "it is not what was recorded"


async def test_a_recording_that_is_lost_is_told_and_the_others_come(tmp_path: Path) -> None:
    units = [*footage("front", 2), *footage("front", 2, after=30, run="run2")]
    async with exporting(tmp_path, units) as rig:
        first, _ = await rig.storage.rows()
        (rig.storage.root / first.path).unlink()
        job, _ = await rig.done(asked(40))
        assert [one["start"] for one in job.result["missing"]] == [1790000000000, 1790000032000]
        assert "is gone" in job.result["problems"][0]
        job = await rig.until((await rig.ask(asked(4))).id)
        assert job.state is ExportState.FAILED
        assert "is gone" in job.error


async def test_footage_is_locked_while_its_export_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with exporting(tmp_path, footage("front")) as rig:
        held: list[int] = []
        write = maker.Maker.write

        def writing(self: maker.Maker) -> None:
            held.append(len(asyncio.run_coroutine_threadsafe(active(), loop).result(5)))
            write(self)

        async def active() -> tuple[Any, ...]:
            return await rig.catalog.holds.list("front", rig.clock.now_ns())

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(maker.Maker, "write", writing)
        await rig.done(asked())
        assert held == [1]
        assert await active() == ()


async def test_cancelling_ends_it_at_once_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with exporting(tmp_path, footage("front")) as rig:
        _slowly(monkeypatch)
        job = await rig.ask(asked(format=Format.CASE))
        waiting = await rig.ask(asked())
        await rig.until(job.id, lambda job: job.state is ExportState.RUNNING)
        await _until(rig.root.joinpath(job.id, "export.part").exists)
        assert (await rig.service.cancel(waiting.id)).state is ExportState.CANCELLED
        assert (await rig.service.cancel(job.id)).state is ExportState.CANCELLED
        assert not rig.root.joinpath(job.id).exists()
        assert await rig.catalog.holds.list("front", rig.clock.now_ns()) == ()
        assert (await rig.service.cancel(job.id)).state is ExportState.CANCELLED
        await rig.service.remove(job.id)
        assert {one.id for one in await rig.catalog.exports.list()} == {waiting.id}


@pytest.mark.parametrize("format_", [Format.CASE, Format.MP4])
async def test_a_restart_goes_on_behind_the_last_finished_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: Format
) -> None:
    units = [
        unit
        for n in range(4)
        for unit in footage("front", 1, after=n * 30, run=f"run{n}", sound=False)
    ]
    written: list[str] = []
    write = maker.Maker._write

    def noted(self: maker.Maker, box: Any, plan: Any) -> Any:
        if len(written) == 2:
            # As a process that is killed in the middle of its third file.
            box.begin(plan.name).write(b"half of it")
            self._watch.end()
            self._watch.tick(0)
        written.append(plan.name)
        return write(self, box, plan)

    async with exporting(tmp_path, units) as rig:
        monkeypatch.setattr(maker.Maker, "_write", noted)
        job = await rig.ask(asked(100, format=format_))
        done = rig.root / job.id / "done.jsonl"
        await _until(lambda: done.exists() and done.read_bytes().count(b"\n") == 2)
        await rig.stop()
        assert (await rig.catalog.exports.get(job.id)).state is ExportState.RUNNING
        monkeypatch.setattr(maker.Maker, "_write", write)
        again: list[str] = []

        def counted(self: maker.Maker, box: Any, plan: Any) -> Any:
            again.append(plan.name)
            return write(self, box, plan)

        monkeypatch.setattr(maker.Maker, "_write", counted)
        rig.service = rig.made()
        rig.start()
        job = await rig.until(job.id)
        assert job.state is ExportState.DONE, job.error
        assert len(again) == 2
        assert not set(again) & set(written)
        with zipfile.ZipFile(rig.service.file(job)) as file:
            assert file.testzip() is None
        if format_ is Format.CASE:
            assert check.verify(rig.service.file(job)).ok
        assert await rig.catalog.holds.list("front", rig.clock.now_ns()) == ()


async def test_what_does_not_fit_is_refused_with_both_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with exporting(tmp_path, footage("front"), export_max_bytes=20 * MIB) as rig:
        job, _ = await rig.done(asked())
        await rig.catalog.exports.update(replace(job, size=10 * MIB))
        with pytest.raises(NoRoom, match=r"takes about 17 MB, and only 10 MB are left"):
            await rig.ask(asked())
    async with exporting(tmp_path / "b", footage("front"), min_free_bytes=0) as rig:
        free = type("Usage", (), {"free": 5 * MIB})()
        monkeypatch.setattr(maker.shutil, "disk_usage", lambda _: free)
        with pytest.raises(NoRoom, match=r"takes about 17 MB, and only 5 MB can be used"):
            await rig.ask(asked())


async def test_a_disk_that_runs_full_ends_it_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with exporting(tmp_path, footage("front")) as rig:

        def full(*_: Any) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("vms.storage.export.case.os.pwrite", full)
        job = await rig.until((await rig.ask(asked())).id)
        assert job.state is ExportState.FAILED
        assert job.error == "the disk of exports: No space left on device"
        assert not rig.root.joinpath(job.id).exists()


async def test_it_is_deleted_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with exporting(tmp_path, footage("front")) as rig:
        job, path = await rig.done(asked())
        assert job.expires_ns is not None
        assert abs(job.expires_ns - rig.clock.now_ns() - 7 * 86_400 * SECOND) < 60 * SECOND
        await rig.catalog.exports.update(replace(job, expires_ns=1))
        stray = Shelf(rig.root, "0" * 16)
        stray.make()
        (rig.root / "not-ours").mkdir()
        await rig.stop()
        rig.service = rig.made()
        rig.start()
        await _until(lambda: not path.exists() and not stray.folder.exists())
        assert (rig.root / "not-ours").exists()
        entries = await rig.catalog.audit.list(limit=10)
        assert [one.action for one in entries] == ["export.expired", "export.done"]


async def test_a_job_that_nobody_can_make_fails_and_the_next_one_comes(tmp_path: Path) -> None:
    async with exporting(tmp_path, footage("front")) as rig:
        job = await rig.ask(asked())
        await rig.catalog.exports.update(replace(job, spec={"format": "gif"}))
        await rig.service.submit(replace(job, id="f" * 16))
        assert (await rig.until("f" * 16)).state is ExportState.DONE


async def test_several_are_made_at_once_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    seal = maker.Maker.seal

    def noted(self: maker.Maker, files: Any) -> int:
        made.append(self._order.id)
        return seal(self, files)

    monkeypatch.setattr(maker.Maker, "seal", noted)
    async with exporting(tmp_path, footage("front"), export_jobs=3) as rig:
        jobs = [await rig.ask(asked(format=Format.CASE)) for _ in range(6)]
        for job in jobs:
            assert (await rig.until(job.id)).state is ExportState.DONE
            assert check.verify(rig.service.file(job)).ok
        assert sorted(made) == sorted(job.id for job in jobs)


async def test_a_catalog_that_is_away_only_delays_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with exporting(tmp_path, footage("front")) as rig:
        append, tries = rig.catalog.audit.append, [0]

        async def away(*arguments: Any) -> Any:
            tries[0] += 1
            if tries[0] == 1:
                raise CatalogError("the database does not answer")
            return await append(*arguments)

        monkeypatch.setattr(rig.catalog.audit, "append", away)
        job = await rig.until((await rig.ask(asked())).id)
        assert job.state is ExportState.DONE
        assert tries[0] == 2
        assert len(shown(rig.service.file(job))) == 100


def _slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write waits until it is cancelled; a limit ends it where it never is."""
    import time

    pwrite = os.pwrite

    def slow(descriptor: int, data: Any, at: int) -> int:
        time.sleep(0.1)
        return pwrite(descriptor, data, at)

    monkeypatch.setattr("vms.storage.export.case.os.pwrite", slow)


async def _until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
