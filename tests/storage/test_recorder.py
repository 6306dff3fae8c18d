"""Recording from the bus to files and rows, with real streams, bus and catalog."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import av
import pytest
from tests.support.storage_media import (
    SECOND,
    START_NS,
    encode_aac,
    encode_video,
    g711,
    merged,
)
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import Rig, camera, eventually, rig, wait_for

from vms.bus import subjects
from vms.bus.port import Delivery
from vms.common.model.camera import (
    RecordingMode,
    StreamState,
    StreamStatus,
    TrackInfo,
)
from vms.common.model.media import Codec
from vms.common.model.messages import Command, ConfigChanged, SegmentClosed
from vms.format import index as indexes

HOUR = 3600 * SECOND
NEXT_HOUR = START_NS - START_NS % HOUR + HOUR


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


def contents(path: Path, kind: str = "video") -> list[bytes]:
    with av.open(str(path)) as container:
        stream = container.streams.get(**{kind: 0})[0]
        return [bytes(p) for p in container.demux(stream) if p.size]


async def paths(storage: Rig, camera: str = "front") -> list[Path]:
    return [storage.root / row.path for row in await storage.rows(camera)]


def judge(path: Path) -> None:
    """FFmpeg's own tool finds nothing to complain about; our index fits the file."""
    ffprobe = shutil.which("ffprobe")
    if ffprobe is not None:
        said = subprocess.run(
            [ffprobe, "-v", "warning", "-count_packets", "-show_streams", str(path)],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
        assert said.stderr == ""
    index = indexes.parse(path.with_name(path.stem + ".index.jsonl").read_bytes())
    assert index.end is not None
    assert index.end.size == path.stat().st_size
    assert index.end.frames == sum(g.pictures for g in index.groups) == len(contents(path))
    data = path.read_bytes()
    assert all(data[g.offset : g.offset + 4] == b"\x1f\x43\xb6\x75" for g in index.groups)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("b_frames", [0, 2])
async def test_a_stream_is_recorded_unit_by_unit(storage: Rig, codec: Codec, b_frames: int) -> None:
    sent = make_units(*encode_video(codec, b_frames=b_frames), capture_offset_ns=-7)
    storage.send(sent)
    await storage.stop()
    (row,) = await storage.rows()
    assert row.closed
    assert (row.frames, row.key_frames, row.codec) == (50, sum(u.key for u in sent), codec)
    assert (row.width, row.height, row.start_ns) == (160, 96, START_NS)
    assert row.end_ns == pytest.approx(START_NS + 2 * SECOND, abs=SECOND // 12)
    path = storage.root / row.path
    assert path.name == "video_14-13-20.mkv"
    assert path.parent.name == "2026-09-21"
    assert path.stat().st_size == row.size
    assert contents(path) == [u.data for u in sent]
    judge(path)
    index = indexes.parse(path.with_name("video_14-13-20.index.jsonl").read_bytes())
    assert [(g.wall_ns, g.camera_ns) for g in index.groups] == [
        (u.arrival_ns, u.arrival_ns - 7) for u in sent if u.key
    ]


@pytest.mark.parametrize("audio", ["aac", "pcmu", "pcma"])
async def test_audio_is_recorded_beside_it(storage: Rig, audio: str) -> None:
    video = make_units(*encode_video())
    sound = make_units(*(encode_aac() if audio == "aac" else g711(Codec(audio))), track=1)
    storage.send(merged(video, sound))
    await storage.stop()
    (path,) = await paths(storage)
    assert contents(path) == [u.data for u in video]
    assert contents(path, "audio") == [u.data for u in sound]
    judge(path)


async def test_a_stream_known_to_have_no_sound_begins_at_once(storage: Rig) -> None:
    state = StreamState(
        "front", "main", StreamStatus.ONLINE, START_NS, run="run1", tracks=(TrackInfo("h264"),)
    )
    storage.bus.publish(subjects.state("front", "main"), state)
    storage.send(make_units(*encode_video())[:1])
    await wait_for(lambda: storage.service.recorder.states()[0].recording)


async def test_sound_that_comes_late_is_in_the_next_file(storage: Rig) -> None:
    video = make_units(*encode_video(pictures=100))
    sound = [u for u in make_units(*g711(seconds=4), track=1) if u.pts >= 8000]
    storage.send(merged(video, sound))
    await storage.stop()
    first, second = await paths(storage)
    assert contents(first) + contents(second) == [u.data for u in video]
    assert len(contents(second, "audio")) == 140


async def test_a_new_file_begins_on_the_hour_at_a_key_picture(storage: Rig) -> None:
    begin = NEXT_HOUR - SECOND * 9 // 10
    sent = make_units(*encode_video(pictures=75), start_ns=begin)
    sound = make_units(*encode_aac(3.0), track=1, start_ns=begin)
    storage.send(merged(sent, sound))
    await storage.stop()
    rows = await storage.rows()
    assert [Path(r.path).name for r in rows] == ["video_14-59-59.mkv", "video_15.mkv"]
    # The key picture of 14:59:59.9 is the last of its hour.
    assert rows[1].start_ns == begin + 12 * SECOND // 10
    assert rows[0].end_ns == rows[1].start_ns
    first, second = (storage.root / r.path for r in rows)
    assert contents(first) == [u.data for u in sent[:30]]
    assert contents(second) == [u.data for u in sent[30:]]
    assert contents(first, "audio") + contents(second, "audio") == [u.data for u in sound]
    judge(first)
    judge(second)


async def test_leading_pictures_survive_the_change_of_files(storage: Rig) -> None:
    """Pictures behind the key picture that are shown ahead of it, as in an open GOP."""
    sent = make_units(*encode_video(pictures=40), start_ns=NEXT_HOUR - SECOND)
    for at in (10, 20, 30):
        key, first, second = sent[at : at + 3]
        key.pts, first.pts, second.pts = second.pts, key.pts, first.pts
    storage.send(sent)
    await storage.stop()
    rows = await storage.rows()
    assert [r.frames for r in rows] == [30, 10]
    both = [data for r in rows for data in contents(storage.root / r.path)]
    assert both == [u.data for u in sent]


async def test_each_run_has_its_file(storage: Rig) -> None:
    rows = encode_video()
    sent = [make_units(*rows, run=f"run{n}", start_ns=START_NS + n * 10 * SECOND) for n in range(3)]
    for run in sent:
        storage.send(run)
    await storage.stop()
    found = await storage.rows()
    assert [r.run for r in found] == ["run0", "run1", "run2"]
    for row, run in zip(found, sent, strict=True):
        assert contents(storage.root / row.path) == [u.data for u in run]


async def test_names_that_are_taken_are_never_written_over(storage: Rig) -> None:
    for run in range(3):
        storage.send(make_units(*encode_video(), run=f"run{run}"))
    await storage.stop()
    names = [path.name for path in await paths(storage)]
    assert sorted(names) == [
        "video_14-13-20.2.mkv", "video_14-13-20.3.mkv", "video_14-13-20.mkv"
    ]  # fmt: skip


async def test_other_parameters_begin_another_file(storage: Rig) -> None:
    small = make_units(*encode_video())
    large = make_units(
        *encode_video(width=192), start_ns=START_NS + 2 * SECOND, pts_from=2 * 90_000
    )
    storage.send([*small, *large])
    await storage.stop()
    rows = await storage.rows()
    assert [(r.width, r.frames) for r in rows] == [(160, 50), (192, 50)]
    for row in rows:
        judge(storage.root / row.path)


async def test_parameters_that_are_equal_go_on_in_the_file(storage: Rig) -> None:
    """Over a wire each unit comes with an object of its own."""
    sent = [replace(u, parameters=replace(u.parameters)) for u in make_units(*encode_video())]
    storage.send(sent)
    await storage.stop()
    (row,) = await storage.rows()
    assert row.frames == 50


@pytest.mark.parametrize("jump", [-9800, 37_600])
async def test_a_jump_of_time_loses_nothing(storage: Rig, jump: int) -> None:
    sent = make_units(*encode_video(pictures=60), pts_from=20_000 * 90_000)
    for unit in sent[25:]:
        unit.pts += jump * 90_000
    storage.send(sent)
    await storage.stop()
    rows = await storage.rows()
    assert [r.frames for r in rows] == [30, 30]
    both = [data for r in rows for data in contents(storage.root / r.path)]
    assert both == [u.data for u in sent]
    for row in rows:
        judge(storage.root / row.path)
        assert row.end_ns - row.start_ns == pytest.approx(12 * SECOND // 10, abs=SECOND // 10)


async def test_what_cannot_be_decoded_from_the_start_is_left_out(storage: Rig) -> None:
    sent = make_units(*encode_video())[7:]
    storage.send(sent)
    await storage.stop()
    (path,) = await paths(storage)
    assert contents(path) == [u.data for u in sent[3:]]


async def test_main_and_sub_of_several_cameras(tmp_path: Path) -> None:
    cameras = [camera("front", "main", "sub"), camera("back", "main", "sub")]
    async with rig(tmp_path, cameras) as storage:
        for one in ("front", "back"):
            for stream in ("main", "sub"):
                storage.send(make_units(*encode_video(), camera=one, stream=stream))
        await storage.stop()
        for one in ("front", "back"):
            names = [p.name for p in await paths(storage, one)]
            assert sorted(names) == ["video_14-13-20.mkv", "video_14-13-20_sub.mkv"]


async def test_cameras_come_and_go(storage: Rig) -> None:
    await storage.catalog.cameras.add(camera("side"))
    storage.bus.publish(subjects.config("camera", "side"), ConfigChanged("camera", "side"))
    await wait_for(lambda: len(storage.service.recorder.states()) == 2)
    storage.send(make_units(*encode_video(), camera="side"))
    front = camera("front")
    off = tuple(replace(s, recording=RecordingMode.OFF) for s in front.streams)
    await storage.catalog.cameras.update(replace(front, streams=off))
    storage.send(make_units(*encode_video()))
    storage.bus.publish(subjects.config("camera", "front"), ConfigChanged("camera", "front"))
    await wait_for(lambda: len(storage.service.recorder.states()) == 1)
    await storage.stop()
    assert [r.frames for r in await storage.rows("front")] == [50]
    assert [r.frames for r in await storage.rows("side")] == [50]


async def test_rows_grow_while_the_file_does(storage: Rig) -> None:
    heard: list[Delivery] = []

    async def hear(delivery: Delivery) -> None:
        heard.append(delivery)

    listening = await storage.bus.subscribe_durable(subjects.SEGMENTS_ALL, "test", hear)
    sent = make_units(*encode_video())
    storage.send(sent[:30])
    # Held back for sound that never comes: half a second in this rig.
    await wait_for(lambda: storage.service.recorder.states()[0].written_units == 30)
    # The catalog hears of it once it is on the disk.
    (row,) = await eventually(storage, lambda rows: bool(rows) and rows[0].frames == 30)
    assert (row.closed, row.frames) == (False, 30)
    storage.send(sent[30:])
    await wait_for(lambda: storage.service.recorder.states()[0].written_units == 50)
    (row,) = await eventually(storage, lambda rows: rows[0].frames == 50)
    assert (row.closed, row.frames) == (False, 50)
    await storage.stop()
    (row,) = await storage.rows()
    assert row.closed
    await wait_for(lambda: heard)
    assert heard[0].message == SegmentClosed(
        "front", "main", row.id, row.start_ns, row.end_ns, row.size
    )
    await listening.close()


async def test_its_state_is_told_to_who_asks(storage: Rig) -> None:
    reply = await storage.bus.request(subjects.STORAGE_COMMANDS, Command("status"))
    assert reply.body["problem"] == ""
    assert reply.body["streams"][0]["reason"] == "waiting for a key picture"
    wrong = await storage.bus.request(subjects.STORAGE_COMMANDS, Command("dance"))
    assert "dance" in wrong.error
