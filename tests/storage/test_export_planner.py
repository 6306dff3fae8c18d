"""The plan of an export: each moment asked for is in one file or told as missing, and each
picture comes out once, whatever span is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.storage_media import SECOND, START_NS, encode_aac, encode_video, merged
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import rig

from vms.common.model.media import AccessUnit, Codec
from vms.common.model.segment import SegmentRow
from vms.storage.export.case import Box
from vms.storage.export.planner import JOIN_NS, FilePlan, parse_plan, plan_camera
from vms.storage.export.writer_mkv import write_mkv
from vms.storage.export.writer_mp4 import write_mp4
from vms.storage.recording import Recording
from vms.storage.volume import Volume

ROTATES_NS = 1_790_000_040_000_000_000
"""A minute begins here."""
BEGAN_NS = ROTATES_NS - 6 * SECOND
GAP_NS = 7 * SECOND
LASTS = 12
AGAIN_NS = BEGAN_NS + LASTS * SECOND + GAP_NS


@dataclass
class Archive:
    """Twelve seconds in two files of one Run, a gap of seven, and five seconds of another."""

    volume: Volume
    rows: list[SegmentRow]
    ends_ns: int

    def of(self, _: SegmentRow) -> Volume:
        return self.volume


def _units(start_ns: int, seconds: int, run: str, b_frames: int = 0) -> list[AccessUnit]:
    video = encode_video(Codec.H264, pictures=25 * seconds, gop=25, b_frames=b_frames)
    sound = encode_aac(float(seconds))
    return merged(
        make_units(*video, start_ns=start_ns, run=run),
        make_units(*sound, track=1, start_ns=start_ns, run=run),
    )


async def _record(folder: Path, b_frames: int) -> Archive:
    async with rig(folder, rotation_minutes=1) as storage:
        storage.send(_units(BEGAN_NS, LASTS, "run1", b_frames))
        storage.send(_units(AGAIN_NS, 5, "run2", b_frames))
        await storage.stop()
        rows = sorted(await storage.rows(), key=lambda row: row.start_ns)
        volume = storage.service.volumes.main
    assert [row.run for row in rows] == ["run1", "run1", "run2"]
    return Archive(volume, rows, rows[-1].end_ns)


@pytest.fixture(scope="module", params=[0, 2], ids=["plain", "b-frames"])
def archive(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Archive:
    return asyncio.run(_record(tmp_path_factory.mktemp("archive"), request.param))


def groups(archive: Archive) -> Iterator[tuple[str, int, int]]:
    """(id of the recording, number, wall time) of each group."""
    for row in archive.rows:
        with Recording(archive.volume, row) as recording:
            for number, group in enumerate(recording.index.groups):
                yield row.id, number, group.wall_ns


SPANS = st.tuples(
    st.integers(-3000, 27_000), st.integers(1, 30_000), st.booleans(),
    st.sampled_from(["mkv", "mp4"]),
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SPANS)
def test_each_moment_is_in_one_file_or_told_as_missing(
    archive: Archive, asked: tuple[int, int, bool, str]
) -> None:
    start_ms, lasts_ms, exact, suffix = asked
    start = BEGAN_NS + start_ms * 1_000_000
    end = start + lasts_ms * 1_000_000
    plan = plan_camera(archive.of, archive.rows, start, end, suffix=suffix, exact=exact)
    assert plan.problems == []
    spans = sorted([(f.start_ns, f.end_ns) for f in plan.files] + plan.missing)
    for (_, before), (after, _) in pairwise(spans):
        assert abs(after - before) <= JOIN_NS
    if spans:
        assert spans[0][0] <= start + JOIN_NS
        assert max(last for _, last in spans) >= end - JOIN_NS
    for lost in plan.missing:
        assert start <= lost[0] < lost[1] <= end
    if exact:
        assert all(start <= f.start_ns < f.end_ns <= end for f in plan.files)
    used = [(p.row.id, n) for f in plan.files for p in f.parts for n in range(p.first, p.last)]
    assert len(used) == len(set(used))
    assert set(used) >= {(row, n) for row, n, wall in groups(archive) if start <= wall < end}
    assert len({f.name for f in plan.files}) == len(plan.files)
    for file in plan.files:
        assert parse_plan(file.fields()) == file
        if suffix == "mkv":
            assert len(file.parts) == 1
        for row in {part.row.run for part in file.parts}:
            assert row == file.parts[0].row.run


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SPANS)
def test_each_picture_comes_out_once(
    archive: Archive, tmp_path: Path, asked: tuple[int, int, bool, str]
) -> None:
    start_ms, lasts_ms, exact, suffix = asked
    start = BEGAN_NS + start_ms * 1_000_000
    end = start + lasts_ms * 1_000_000
    plan = plan_camera(archive.of, archive.rows, start, end, suffix=suffix, exact=exact)
    for file in plan.files:
        path = _written(archive, file, tmp_path)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            times = sorted(
                int(packet.pts * stream.time_base * 1000 + 0.5)
                for packet in container.demux(stream)
                if packet.size and packet.pts is not None and not packet.is_discard
            )
        if suffix == "mp4":
            # Also those that are only decoded count, as an edit list hides them from players.
            times = [one for one in times if one >= 0] if exact else times
        steps = {after - before for before, after in pairwise(times)}
        assert steps <= {39, 40, 41}, (file.name, steps)
        shows_ms = (file.end_ns - file.start_ns) / 1e6
        if not exact or suffix == "mp4":
            assert abs(len(times) * 40 - shows_ms) <= 81, (len(times), shows_ms, file)


def _written(archive: Archive, file: FilePlan, folder: Path) -> Path:
    path = folder / file.name.replace("/", "_")
    box = Box(path, bare=True)
    try:
        slot = box.begin(file.name)
        if file.name.endswith(".mkv"):
            pieces = write_mkv(file, archive.of, slot, "Front")
        else:
            pieces = write_mp4(file, archive.of, slot, "Front", audio=True, pictures=None)
        box.finish(file.name, slot, pieces)
        box.end()
    finally:
        box.close()
    return path


def test_files_of_one_run_join_and_a_gap_parts(archive: Archive) -> None:
    plan = plan_camera(
        archive.of, archive.rows, BEGAN_NS, archive.ends_ns, suffix="mp4", exact=False
    )
    assert [len(file.parts) for file in plan.files] == [2, 1]
    assert [(round(a / SECOND), round(b / SECOND)) for a, b in plan.missing] == [
        (round((BEGAN_NS + LASTS * SECOND) / SECOND), round(AGAIN_NS / SECOND))
    ]
    assert plan.files[0].name == "front/20260921T141354Z-main.mp4"
    assert START_NS < BEGAN_NS
