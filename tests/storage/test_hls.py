"""Live-streaming playlists of recordings, put together as a player does."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.storage_media import SECOND, START_NS, encode_aac, encode_video, merged
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import Rig, rig

from vms.common.model.media import Codec
from vms.storage import hls
from vms.storage.footage import Footage, rows_of
from vms.storage.hls import Part, Period
from vms.storage.playback import Answer, Playback


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


async def found(playback: Playback, start_ns: int, seconds: float) -> list[Period]:
    end_ns = start_ns + int(seconds * SECOND)
    rows = await rows_of(playback.catalog, "front", "main", start_ns, end_ns)
    return list(hls.periods(playback.volume_of, rows, start_ns, end_ns))


async def media(playback: Playback, period: Period, masks: tuple[Mask, ...] = ()) -> bytes:
    """The init segment and all parts, each made from its name."""

    async def made(part: Part | None, start_ns: int, end_ns: int) -> bytes:
        def make(footage: Footage) -> bytes:
            base_ns = part.base_ns if part else 0
            answer = Answer(footage, masks, base_ns=base_ns, rate=hls.NOMINAL_RATE)
            try:
                return answer.media(1 << 26) if part else answer.init()
            finally:
                answer.close()

        return await playback.with_footage("front", "main", start_ns, end_ns, make)

    named = hls.parse_init(f"init-{period.init_ns}.mp4")
    assert named is not None
    data = await made(None, named, named + 1)
    for part in period.parts:
        again = hls.parse_part(part.name)
        assert again is not None
        data += await made(again, again.start_ns, again.end_ns)
    return data


@dataclass(frozen=True)
class Mask:
    points: tuple[tuple[float, float], ...]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("b_frames", [0, 2])
async def test_the_parts_hold_every_picture_once(storage: Rig, codec: Codec, b_frames: int) -> None:
    begin = START_NS + 3_600 * SECOND - START_NS % (3600 * SECOND) - 5 * SECOND
    video = make_units(*encode_video(codec, pictures=300, b_frames=b_frames), start_ns=begin)
    sound = make_units(*encode_aac(12.0), track=1, start_ns=begin)
    storage.send(merged(video, sound))
    await storage.stop()
    playback = Playback(storage.catalog, storage.settings)
    (period,) = await found(playback, begin, 60)
    assert len(period.parts) == 4, "the hour cuts one in two"
    data = await media(playback, period)
    playback.close()
    with av.open(io.BytesIO(data), "r") as container:
        got = [p for p in container.demux(container.streams.video[0]) if p.size]
    assert [bytes(p) for p in got] == [u.data for u in video]
    dts = [p.dts for p in got if p.dts is not None]
    assert dts == sorted(set(dts))
    assert len(dts) == 300
    with av.open(io.BytesIO(data), "r") as container:
        heard = [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size]
    assert heard == [u.data for u in sound]


async def test_a_gap_is_a_discontinuity(storage: Rig) -> None:
    parameters, rows = encode_video()
    storage.send(make_units(parameters, rows))
    later = START_NS + 60 * SECOND
    storage.send(make_units(parameters, rows, run="run2", start_ns=later))
    await storage.stop()
    playback = Playback(storage.catalog, storage.settings)
    periods = await found(playback, START_NS - 20 * SECOND, 600)
    assert [p.init_ns for p in periods] == [START_NS, later]
    text = hls.playlist(periods, "main", "token=abc")
    assert text.startswith("#EXTM3U\n")
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert text.count("#EXT-X-MAP:") == 2
    assert "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:20.000Z" in text
    longest = max(float(one) for one in re.findall(r"#EXTINF:([\d.]+)", text))
    assert longest <= int(re.findall(r"TARGETDURATION:(\d+)", text)[0])
    names = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"main/[\d-]+\.m4s\?token=abc", name) for name in names)
    assert await found(playback, later + 20 * SECOND, 60) == []
    for period in periods:
        data = await media(playback, period)
        with av.open(io.BytesIO(data), "r") as container:
            assert sum(1 for _ in container.decode(video=0)) == 50
    playback.close()


async def test_masked_parts_join_as_well(storage: Rig) -> None:
    storage.send(make_units(*encode_video(pictures=300)))
    await storage.stop()
    playback = Playback(storage.catalog, storage.settings)
    (period,) = await found(playback, START_NS, 60)
    mask = Mask(((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
    data = await media(playback, period, (mask,))
    playback.close()
    with av.open(io.BytesIO(data), "r") as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 300
    assert max(int(f.to_ndarray(format="rgb24")[:, 84:].max()) for f in frames) < 30
    assert [float(f.pts * f.time_base) for f in frames] == [
        pytest.approx(n / 25, abs=0.002) for n in range(300)
    ]


@given(st.text(max_size=80))
def test_names_of_others_are_no_parts(name: str) -> None:
    part = hls.parse_part(name)
    assert part is None or part.end_ns > part.start_ns
    hls.parse_init(name)


@pytest.mark.parametrize(
    "name",
    ["5-5-0.m4s", "9-5-0.m4s", "0-999999999999999-0.m4s", "1-2-9999999999999999999.m4s", "../x",
     "1-2.m4s", "init-.mp4", "init-1.m4s", "1-2-3.m4s/../../x"],
)  # fmt: skip
def test_impossible_parts_are_none(name: str) -> None:
    assert hls.parse_part(name) is None
    assert hls.parse_init(name) is None
