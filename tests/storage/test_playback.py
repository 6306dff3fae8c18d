"""Playback: recorded by the service, found by time, remuxed, and decoded by PyAV."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import pytest
from tests.support.storage_media import SECOND, START_NS, encode_aac, encode_video, g711, merged
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import Rig, rig, wait_for

from vms.common.errors import StorageError
from vms.common.model.media import AccessUnit, Codec
from vms.storage.playback import NoFootage, Playback, PlaybackBusy


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


@pytest.fixture
def playback(storage: Rig) -> AsyncIterator[Playback]:
    made = Playback(storage.catalog, storage.settings)
    yield made
    made.close()


async def whole(playback: Playback, *asked: object) -> tuple[bytes, int, int]:
    """(the answer's bytes, its start, its end)."""
    answer = await playback.open(*asked)  # type: ignore[arg-type]
    data = b"".join([chunk async for chunk in playback.stream(answer)])
    playback.release(answer)
    return data, answer.start_ns, answer.end_ns


def packets(data: bytes, kind: str = "video") -> list[tuple[float, float, bytes]]:
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.get(**{kind: 0})[0]
        return [
            (float(p.pts * p.time_base), float(p.dts * p.time_base), bytes(p))
            for p in container.demux(stream)
            if p.size
        ]


def decoded(data: bytes) -> int:
    with av.open(io.BytesIO(data)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("b_frames", [0, 2])
async def test_it_begins_with_the_key_picture_before(
    storage: Rig, playback: Playback, codec: Codec, b_frames: int
) -> None:
    sent = make_units(*encode_video(codec, b_frames=b_frames))
    storage.send(sent)
    await storage.stop()
    data, start, end = await whole(playback, "front", "main", START_NS + SECOND * 9 // 10, 0.5)
    keys = [n for n, unit in enumerate(sent) if unit.key]
    # Groups of 10 pictures at 25 a second: 0.9 s lies in the third, 1.4 s in the fourth.
    expected = sent[keys[2] : keys[4]]
    got = packets(data)
    assert [p[2] for p in got] == [u.data for u in expected]
    assert start == expected[0].arrival_ns
    assert end == sent[keys[4]].arrival_ns
    # FFmpeg shows all pictures later by the most negative offset; MediaSource does not.
    zero, shift = expected[0].pts, got[0][0]
    assert shift <= b_frames / 25
    assert [p[0] - shift for p in got] == [pytest.approx((u.pts - zero) / 90_000) for u in expected]
    assert [p[1] for p in got] == sorted({p[1] for p in got})
    assert decoded(data) == len(expected)


async def test_answers_that_follow_one_another_leave_nothing_out(
    storage: Rig, playback: Playback
) -> None:
    sent = make_units(*encode_video(pictures=100))
    storage.send(sent)
    await storage.stop()
    got: list[bytes] = []
    at = START_NS
    while True:
        try:
            data, _, at = await whole(playback, "front", "main", at, 0.7)
        except NoFootage:
            break
        got += [p[2] for p in packets(data)]
    assert got == [u.data for u in sent]


async def test_the_file_being_written_plays(storage: Rig, playback: Playback) -> None:
    sent = make_units(*encode_video(pictures=55))
    storage.send(sent)
    await wait_for(lambda: storage.service.recorder.states()[0].written_units == 55)
    # Rows speak of what is durable alone.
    for _ in range(250):
        if await storage.rows():
            break
        await asyncio.sleep(0.02)
    # The fifth group ended as the sixth began, which grows still.
    data, _, end = await whole(playback, "front", "main", START_NS, 60)
    assert [p[2] for p in packets(data)] == [u.data for u in sent[:50]]
    data, start, _ = await whole(playback, "front", "main", end, 60)
    assert [p[2] for p in packets(data)] == [u.data for u in sent[50:]]
    assert start == sent[50].arrival_ns


async def test_files_of_one_run_are_joined(storage: Rig, playback: Playback) -> None:
    """Over the hour: 14:59:59 to 15:00:01."""
    to_the_hour = 3_600 * SECOND - START_NS % (3600 * SECOND)
    begin = START_NS + to_the_hour - SECOND
    sent = make_units(*encode_video(), start_ns=begin)
    storage.send(sent)
    await storage.stop()
    assert len(await storage.rows()) == 2
    data, _, _ = await whole(playback, "front", "main", begin, 60)
    got = packets(data)
    assert [p[2] for p in got] == [u.data for u in sent]
    assert [p[0] for p in got] == [pytest.approx(n / 25) for n in range(50)]


async def test_a_gap_ends_the_answer_and_says_where_it_goes_on(
    storage: Rig, playback: Playback
) -> None:
    parameters, rows = encode_video()
    storage.send(make_units(parameters, rows))
    later = START_NS + 60 * SECOND
    storage.send(make_units(parameters, rows, run="run2", start_ns=later))
    await storage.stop()
    data, _, end = await whole(playback, "front", "main", START_NS, 600)
    assert len(packets(data)) == 50
    with pytest.raises(NoFootage) as nothing:
        await playback.open("front", "main", end + 5 * SECOND, 10)
    assert nothing.value.next_ns == later
    with pytest.raises(NoFootage) as nothing:
        await playback.open("front", "main", later + 20 * SECOND, 10)
    assert nothing.value.next_ns is None


@pytest.mark.parametrize("audio", ["aac", "pcmu"])
async def test_audio_is_played_where_an_mp4_takes_it(
    storage: Rig, playback: Playback, audio: str
) -> None:
    video = make_units(*encode_video())
    sound = make_units(*(encode_aac() if audio == "aac" else g711()), track=1)
    storage.send(merged(video, sound))
    await storage.stop()
    data, _, _ = await whole(playback, "front", "main", START_NS, 60)
    assert decoded(data) == 50
    with av.open(io.BytesIO(data)) as container:
        assert len(container.streams.audio) == (1 if audio == "aac" else 0)
    if audio == "aac":
        got = packets(data, "audio")
        assert [p[2] for p in got] == [u.data for u in sound]
        assert [p[0] for p in got] == [pytest.approx(n * 0.064) for n in range(len(sound))]


async def test_a_lost_index_is_made_again(storage: Rig, playback: Playback) -> None:
    sent = make_units(*encode_video())
    storage.send(sent)
    await storage.stop()
    (row,) = await storage.rows()
    index = storage.root / row.path.replace(".mkv", ".index.jsonl")
    index.unlink()
    data, start, _ = await whole(playback, "front", "main", START_NS + SECOND // 2, 0.1)
    assert [p[2] for p in packets(data)] == [u.data for u in sent[10:20]]
    assert start == sent[10].arrival_ns


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (2, b'"o":', b'"o":9'),
        (2, b'"t":1', b'"t":0'),
        (1, b'"s":', b'"s":-'),
        (3, b'"h":"', b'"h":"g'),
        (5, b"{", b""),
    ],
)
@pytest.mark.parametrize("at_s", [0.0, 0.5, 0.9, 1.7])
async def test_a_damaged_index_is_not_believed(
    storage: Rig, playback: Playback, line: int, old: bytes, new: bytes, at_s: float
) -> None:
    sent = make_units(*encode_video())
    storage.send(sent)
    await storage.stop()
    (row,) = await storage.rows()
    path = storage.root / row.path.replace(".mkv", ".index.jsonl")
    lines = path.read_bytes().split(b"\n")
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new, 1)
    path.write_bytes(b"\n".join(lines))
    data, start, _ = await whole(playback, "front", "main", START_NS + int(at_s * SECOND), 0.1)
    first = int(at_s * 25) // 10 * 10
    assert [p[2] for p in packets(data)] == [u.data for u in sent[first : first + 10]]
    assert start == sent[first].arrival_ns


async def test_answers_at_once_are_bounded(storage: Rig) -> None:
    playback = Playback(
        storage.catalog, storage.settings.model_copy(update={"playback_responses": 2})
    )
    with playback.admitted(), playback.admitted(), pytest.raises(PlaybackBusy):  # noqa: SIM117
        with playback.admitted():
            pass
    with playback.admitted():
        playback.close()


async def test_a_file_that_is_gone_is_an_error_that_names_it(
    storage: Rig, playback: Playback
) -> None:
    storage.send(make_units(*encode_video()))
    await storage.stop()
    (row,) = await storage.rows()
    (storage.root / row.path).write_bytes(b"not a recording")
    with pytest.raises(StorageError, match=row.path):
        await playback.open("front", "main", START_NS, 10)


async def test_rows_that_lead_out_of_the_volume_are_refused(
    storage: Rig, playback: Playback
) -> None:
    storage.send(make_units(*encode_video()))
    await storage.stop()
    (row,) = await storage.rows()
    await storage.catalog.segments.update(replace(row, path="../../etc/passwd"))
    with pytest.raises(StorageError, match="no recording"):
        await playback.open("front", "main", START_NS, 10)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
async def test_a_still_shows_the_key_picture_before(
    storage: Rig, playback: Playback, codec: Codec
) -> None:
    sent: list[AccessUnit] = make_units(*encode_video(codec))
    storage.send(sent)
    await storage.stop()
    jpeg, at = await playback.snapshot("front", "main", START_NS + SECOND)
    assert at == sent[20].arrival_ns
    with av.open(io.BytesIO(jpeg), format="mjpeg") as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert image.shape == (96, 160, 3)
    # Picture 20 is grey 60 but for a red bar of 51 columns.
    assert abs(int(image[48, 120].mean()) - 60) < 8
    assert image[48, 20, 0] > 200
    small, _ = await playback.snapshot("front", "main", START_NS + SECOND, width=80)
    with av.open(io.BytesIO(small), format="mjpeg") as container:
        assert container.streams.video[0].width == 80
    with pytest.raises(NoFootage):
        await playback.snapshot("front", "main", START_NS - 10 * SECOND)


async def test_key_pictures_alone_keep_their_times(storage: Rig, playback: Playback) -> None:
    video = make_units(*encode_video(pictures=55))
    storage.send(merged(video, make_units(*encode_aac(), track=1)))
    await storage.stop()
    answer = await playback.open("front", "main", START_NS, 60, keys=True)
    data = b"".join([chunk async for chunk in playback.stream(answer)])
    playback.release(answer)
    keys = [unit for unit in video if unit.key]
    got = packets(data)
    assert [p[2] for p in got] == [unit.data for unit in keys]
    assert [p[0] for p in got] == [pytest.approx(n * 0.4) for n in range(6)]
    assert answer.end_ns == video[-1].arrival_ns + SECOND // 25
    with av.open(io.BytesIO(data), "r") as container:
        assert not container.streams.audio
        # The last is shown for as long as what it stands for: 5 pictures.
        assert container.duration == pytest.approx(2_200_000, abs=1000)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("b_frames", [0, 2])
async def test_an_exact_still_shows_the_picture_of_the_instant(
    storage: Rig, playback: Playback, codec: Codec, b_frames: int
) -> None:
    storage.send(make_units(*encode_video(codec, b_frames=b_frames)))
    await storage.stop()
    for number in (0, 1, 9, 10, 25, 37, 49):
        instant = START_NS + number * SECOND // 25
        for asked in (instant, instant + SECOND // 25 - 2_000_000):
            jpeg, at = await playback.snapshot("front", "main", asked, exact=True)
            assert at == pytest.approx(instant, abs=1_500_000)
            assert abs(brightness(jpeg) - number * 3) < 8, number


def brightness(jpeg: bytes) -> float:
    with av.open(io.BytesIO(jpeg), "r", format="mjpeg") as container:
        frame = next(container.decode(video=0))
        return float(frame.to_ndarray(format="rgb24")[48, 150].mean())


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("b_frames", [0, 2])
async def test_masked_video_shows_all_but_what_is_masked(
    storage: Rig, playback: Playback, codec: Codec, b_frames: int
) -> None:
    video = make_units(*encode_video(codec, b_frames=b_frames))
    sound = make_units(*encode_aac(), track=1)
    storage.send(merged(video, sound))
    await storage.stop()
    answer = await playback.open("front", "main", START_NS, 60, [MASK])
    data = b"".join([chunk async for chunk in playback.stream(answer)])
    playback.release(answer)
    with av.open(io.BytesIO(data), "r") as container:
        assert answer.codecs.startswith(("vp09", "avc1"))
        frames = list(container.decode(video=0))
    assert len(frames) == 50
    for number, frame in enumerate(frames):
        image = frame.to_ndarray(format="rgb24")
        assert image[:, 84:].max() < 30, number
        assert abs(float(image[10:80, 72:78].mean()) - number * 3) < 25 or number % 64 > 25
    assert [float(f.pts * f.time_base) for f in frames] == [
        pytest.approx(n / 25, abs=0.002) for n in range(50)
    ]
    assert [p[2] for p in packets(data, "audio")] == [u.data for u in sound]


async def test_masked_stills(storage: Rig, playback: Playback) -> None:
    storage.send(make_units(*encode_video()))
    await storage.stop()
    for exact in (False, True):
        jpeg, _ = await playback.snapshot(
            "front", "main", START_NS + SECOND, 0, [MASK], exact=exact
        )
        assert brightness(jpeg) < 10
    jpeg, _ = await playback.snapshot("front", "main", START_NS + SECOND, 80, [MASK])
    with av.open(io.BytesIO(jpeg), "r", format="mjpeg") as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert image.shape[1] == 80
    assert image[:, 45:].max() < 30


@dataclass(frozen=True)
class Mask:
    points: tuple[tuple[float, float], ...]


MASK = Mask(((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
"""The right half of the picture."""
