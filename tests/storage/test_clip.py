"""Clips: one MP4 whose size is known before its bytes are made, each byte from any offset."""

from __future__ import annotations

import io
import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.storage_media import (
    SECOND,
    START_NS,
    encode_aac,
    encode_video,
    g711,
    merged,
)
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import Rig, rig

from vms.common.model.media import AccessUnit, Codec
from vms.storage.clip import Clip, parse_range
from vms.storage.footage import Footage
from vms.storage.playback import Playback

Made = tuple[Clip, Callable[[int, int], bytes]]


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


async def laid_out(
    storage: Rig, sent: Sequence[AccessUnit], start_ns: int = START_NS, seconds: float = 60
) -> Made:
    storage.send(sent)
    await storage.stop()
    playback = Playback(storage.catalog, storage.settings)

    def lay_out(footage: Footage) -> Clip:
        try:
            return Clip(footage)
        finally:
            footage.close()

    try:
        end_ns = start_ns + int(seconds * SECOND)
        clip = await playback.with_footage("front", "main", start_ns, end_ns, lay_out)
    finally:
        playback.close()

    def read(start: int, end: int) -> bytes:
        reading = clip.read(playback.volume_of, start, end)
        try:
            return b"".join(iter(reading.next_chunk, None))
        finally:
            reading.close()

    return clip, read


def packets(data: bytes, kind: str = "video") -> list[tuple[float, bytes]]:
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.get(**{kind: 0})[0]
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(stream) if p.size]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("b_frames", [0, 2])
async def test_it_holds_every_picture_once_at_its_time(
    storage: Rig, codec: Codec, b_frames: int
) -> None:
    sent = make_units(*encode_video(codec, pictures=120, b_frames=b_frames))
    clip, read = await laid_out(storage, sent)
    data = read(0, clip.size)
    assert len(data) == clip.size
    got = packets(data)
    assert [p[1] for p in got] == [u.data for u in sent]
    shift = got[0][0]
    assert shift <= b_frames / 25
    assert [p[0] - shift for p in got] == [pytest.approx(u.pts / 90_000, abs=1e-3) for u in sent]
    with av.open(io.BytesIO(data), "r") as container:
        assert container.duration == pytest.approx(4_800_000, abs=90_000)
        assert sum(1 for _ in container.decode(video=0)) == 120


async def test_any_range_is_what_the_whole_has_there(storage: Rig) -> None:
    video = make_units(*encode_video(pictures=120))
    clip, read = await laid_out(storage, merged(video, make_units(*encode_aac(5.0), track=1)))
    data = read(0, clip.size)
    choose = random.Random(5)
    for _ in range(60):
        start, end = sorted(choose.sample(range(clip.size + 1), 2))
        assert read(start, end) == data[start:end]
    assert read(clip.size - 1, clip.size) == data[-1:]


async def test_it_can_be_sought_in(storage: Rig) -> None:
    clip, read = await laid_out(storage, make_units(*encode_video(pictures=500)))
    with av.open(io.BytesIO(read(0, clip.size)), "r") as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        for second in (15, 3, 9):
            container.seek(int(second / stream.time_base), stream=stream)
            first = next(p for p in container.demux(stream) if p.size)
            assert first.is_keyframe
            assert float(first.pts * first.time_base) == pytest.approx(second, abs=1.21)  # type: ignore[operator]


@pytest.mark.parametrize("sound", ["aac", "pcmu", "pcma"])
async def test_sound_is_carried_as_it_stands(storage: Rig, sound: str) -> None:
    video = make_units(*encode_video(pictures=50))
    made = encode_aac() if sound == "aac" else g711(Codec(sound))
    heard = make_units(*made, track=1)
    clip, read = await laid_out(storage, merged(video, heard))
    data = read(0, clip.size)
    assert b"".join(p[1] for p in packets(data, "audio")) == b"".join(u.data for u in heard)
    with av.open(io.BytesIO(data), "r") as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples >= 2 * made[0].clock_rate - 2048
    assert len(packets(data)) == 50


async def test_over_the_hour_it_is_one_file(storage: Rig) -> None:
    begin = START_NS + 3_600 * SECOND - START_NS % (3600 * SECOND) - SECOND
    sent = make_units(*encode_video(pictures=100), start_ns=begin)
    clip, read = await laid_out(storage, sent, begin)
    assert [p[1] for p in packets(read(0, clip.size))] == [u.data for u in sent]


@given(st.text(max_size=30), st.integers(0, 10_000))
def test_no_range_header_surprises(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            span = parse_range(text, size)
        except ValueError:
            continue
        assert span is None or 0 <= span[0] < span[1] <= size


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", (0, 1)), ("bytes=0-", (0, 100)), ("bytes=-1", (99, 100)),
        ("bytes=-500", (0, 100)), ("bytes=10-500", (10, 100)), ("Bytes = 5-9", (5, 10)),
        ("bytes=0-1,5-6", None), ("pages=1-2", None), ("bytes=9-5", None), ("bytes=--1", None),
        ("bytes=", None), ("bytes=" + "9" * 99 + "-", None),
    ],
)  # fmt: skip
def test_ranges(header: str, span: tuple[int, int] | None) -> None:
    assert parse_range(header, 100) == span


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_ranges_outside_of_the_file_are_said_to_be(header: str) -> None:
    with pytest.raises(ValueError, match="file of 100"):
        parse_range(header, 100)
